"""Policy: the rules of `keywatch audit`: what each verdict, condition and fault of a live secret
means, and what to do."""

from __future__ import annotations

from collections.abc import Mapping

from scanner.model import RuleInfo, Severity
from scanner.policy.live.rotation_age import SEVERITIES, Condition, Verdict
from scanner.policy.rules import WEAKENED, described

STALE_CONSUMER = "consumer-on-old-value"
KEY_ABSENT = "secret-key-absent"
ADDRESS_DIFFERS = "address-differs"
ROLE_IS_AUDITOR = "role-is-auditor"
ROTATED_ELSEWHERE = "rotation-elsewhere"


def _of(
    what: Verdict | Condition, name: str, title: str, why: str, fix: str
) -> tuple[Verdict | Condition, RuleInfo]:
    return what, described(name, SEVERITIES[what], title, why, fix)


_JUDGED = (
    _of(
        Verdict.GRACE,
        "rotation-in-grace",
        "Rotation that is late",
        "The value is older than its class allows, and the grace period still runs.",
        "Rotate it now, and find out why it was not rotated in time.",
    ),
    _of(
        Verdict.OVERDUE,
        "rotation-overdue",
        "Rotation that is overdue",
        "The value is older than its class and the grace period allow. Whoever got hold of it in "
        "that time still has it. Late by more than twice the grace period, this is critical.",
        "Rotate it by its runbook, restart what reads it only at its start, and revoke the old "
        "value.",
    ),
    _of(
        Verdict.NEVER_ROTATED,
        "rotation-never",
        "Secret that was never rotated",
        "The store says that the value is still the first one.",
        "Rotate it once by hand, and see that its automatic rotation is on.",
    ),
    _of(
        Verdict.UNDATED,
        "rotation-undated",
        "Secret whose age nothing proves",
        "The store keeps no time that says when this value was set, or one that proves too little: "
        "it may be of any age.",
        "Keep it where versions are dated (KV version 2 instead of 1, a static role instead of a "
        "root credential), or rotate it now and let the audit log say so.",
    ),
    _of(
        Condition.MISSING,
        "secret-missing",
        "Declared secret that the store has not",
        "The repository says that the secret is there. What asks for it fails, or runs on a copy "
        "that nobody audits.",
        "Write the secret, or correct or take out its declaration in configs/secrets.",
    ),
    _of(
        Condition.UNMANAGED,
        "secret-unmanaged",
        "Secret that nobody declares",
        "It has no class, no owner and no period: nobody rotates it, and nobody would miss it.",
        "Declare it in configs/secrets and give it an entry in keywatch.yaml, or delete it.",
    ),
    _of(
        Condition.NOT_CONFIGURED,
        "rotation-not-configured",
        "Rotation that is not set up",
        "No class says how often it is to be rotated, or the store could rotate it by itself and "
        "does not, or more seldom than its class wants.",
        "Give it an entry in keywatch.yaml, and switch the store's own rotation on, with a period "
        "that is not longer than that of the class.",
    ),
    _of(
        Condition.TTL_TOO_LONG,
        "ttl-too-long",
        "Credential that outlives its class",
        "What is issued here works longer than its class allows a value to: a copy of it is good "
        "for as long.",
        "Set max_ttl, token_max_ttl or secret_id_ttl to at most the period of the class, and "
        "revoke what was issued before.",
    ),
    _of(
        Condition.ROTATION_FAILING,
        "rotation-failing",
        "Automatic rotation that fails",
        "The store is to rotate the secret by itself, and its last time went by without a new "
        "value. It will be overdue, and nothing else says so.",
        "Read the store's log for the reason (a user that was dropped, a permission, a function "
        "that fails), put it right, and rotate once by hand.",
    ),
    _of(
        Condition.NOT_REVOKED,
        "credential-not-revoked",
        "Old credential that still works",
        "After a rotation the old credential works on for longer than its class allows: the "
        "rotation took nothing from whoever had it.",
        "See that nothing uses the old credential any more, then disable or delete it.",
    ),
)
OF: Mapping[Verdict | Condition, RuleInfo] = dict(_JUDGED)
"""The rule of each verdict and condition that is a finding."""

RULES: tuple[RuleInfo, ...] = (
    *OF.values(),
    described(
        STALE_CONSUMER,
        Severity.MEDIUM,
        "Workload that still runs on the old value",
        "It read the secret when it started, before the last rotation. It fails once the old value "
        "is revoked, and until then the old value cannot be.",
        "Restart it after each rotation (kubectl rollout restart, or a controller that does), or "
        "let it read the secret from a volume.",
    ),
    described(
        "secret-in-annotation",
        Severity.HIGH,
        "Secret whose values stand in an annotation",
        "`kubectl apply` writes what it applied into an annotation of the object. Whoever may read "
        "the metadata alone reads the values, too.",
        "Rotate the secret, make it with kubectl create or an ExternalSecret, and remove the "
        "annotation kubectl.kubernetes.io/last-applied-configuration.",
    ),
    described(
        "legacy-service-account-token",
        Severity.MEDIUM,
        "Service account token that never ends",
        "A token that is kept in a Secret is bound to no pod and has no end: a copy of it works "
        "until the Secret is deleted.",
        "Let pods use the tokens that the kubelet gives them, or ask for a short one with kubectl "
        "create token, then delete the Secret.",
    ),
    described(
        "secret-sync-failing",
        Severity.HIGH,
        "Secret that does not follow its store",
        "What is to copy it from its store fails: a rotation there does not arrive, and the "
        "application runs on a value that may be revoked.",
        "Read the conditions of the object that copies it, and put right what they say.",
    ),
    described(
        KEY_ABSENT,
        Severity.HIGH,
        "Declared key that the secret has not",
        "The secret is there, without the key that the repository names: what asks for it fails.",
        "Write the key, or correct the declaration in configs/secrets.",
    ),
    described(
        ADDRESS_DIFFERS,
        Severity.HIGH,
        "Store at another address than the operator's",
        "The repository sends its application to a store that is not the audited one. Its secrets "
        "are in nobody's inventory, and it may be somebody else's. It was not contacted.",
        "Correct the address in configs/secrets, or let the operator add that store to the audit.",
    ),
    described(
        ROLE_IS_AUDITOR,
        Severity.HIGH,
        "Application that logs in as the auditor",
        "The application and the audit share one identity: the application sees every secret's "
        "metadata, and the audit log cannot tell the two apart.",
        "Give each a role of its own, with only what it needs: keywatch audit --permissions prints "
        "what the audit does.",
    ),
    described(
        ROTATED_ELSEWHERE,
        Severity.HIGH,
        "Rotation that leaves the declared copy stale",
        "An engine changes the password where it is used, and the application reads a copy in a "
        "key-value store, which nothing writes. After the next rotation it cannot log in.",
        "Read the password from the engine (database/static-creds/ROLE), or write the copy in the "
        "same step.",
    ),
    WEAKENED,
)
BY_ID = {rule.id: rule for rule in RULES}
