"""Policy: the rules of `keywatch audit`, one for each verdict, condition and fault of a live
secret."""

from __future__ import annotations

from collections.abc import Mapping

from scanner.model import RuleInfo, Severity
from scanner.policy.live.rotation_age import SEVERITIES, Condition, Verdict
from scanner.policy.rules import WEAKENED, described

STALE_CONSUMER = "consumer-on-old-value"
SYNC_FAILING = "secret-sync-failing"
KEY_ABSENT = "secret-key-absent"
ADDRESS_DIFFERS = "address-differs"
ROLE_IS_AUDITOR = "role-is-auditor"
ROTATED_ELSEWHERE = "rotation-elsewhere"
UNUSED = "secret-unused"


def _of(
    what: Verdict | Condition, name: str, title: str, why: str, fix: str
) -> tuple[Verdict | Condition, RuleInfo]:
    return what, described(name, SEVERITIES[what], title, why, fix)


_JUDGED = (
    _of(
        Verdict.GRACE,
        "rotation-in-grace",
        "Secret rotation is late",
        "The value is older than its class allows. The grace period has not ended yet.",
        "Rotate the secret now, and find out why it was not rotated in time.",
    ),
    _of(
        Verdict.OVERDUE,
        "rotation-overdue",
        "Secret rotation is overdue",
        "The value is older than the rotation period of its class plus the grace period. Anyone "
        "who obtained the value in that time can still use it. The finding is critical "
        "when the rotation is late by more than twice the grace period.",
        "Rotate the secret by its runbook, restart the workloads that read it only at start, "
        "and revoke the old value.",
    ),
    _of(
        Verdict.NEVER_ROTATED,
        "rotation-never",
        "Secret was never rotated",
        "The store reports that the value is still the first one.",
        "Rotate the secret once by hand, and check that automatic rotation is on.",
    ),
    _of(
        Verdict.UNDATED,
        "rotation-undated",
        "Age of the secret is unknown",
        "The store does not record when this value was set, or its timestamps prove too "
        "little. The value may be of any age.",
        "Move the secret to an engine that records when a version was written (KV version 2 "
        "instead of 1, a static role instead of a root credential), or rotate it now and rely "
        "on the audit log. Who knows when it was rotated can attest it (keywatch evidence attest).",
    ),
    _of(
        Verdict.EXPIRED,
        "secret-expired",
        "Secret or certificate has expired",
        "Its end has passed, so whatever checks it refuses it. What still works with it does not "
        "check it. Its age does not matter any more.",
        "Issue a new one, and automate its renewal. If nothing uses it any more, delete it.",
    ),
    _of(
        Condition.EXPIRES_SOON,
        "secret-expires-soon",
        "Secret or certificate expires soon",
        "It ends within 30 days, or within the last fifth of its life if that is shorter. "
        "Applications that use it then fail.",
        "Renew it now, and find out why it was not renewed automatically.",
    ),
    _of(
        Condition.MISSING,
        "secret-missing",
        "Declared secret is missing from the store",
        "The repository declares the secret, but the store does not contain it. Applications "
        "that request it fail, or use a copy that nobody audits.",
        "Write the secret to the store, or correct or remove its declaration in configs/secrets.",
    ),
    _of(
        Condition.UNMANAGED,
        "secret-unmanaged",
        "Secret is not declared anywhere",
        "The secret has no class, owner or rotation period. Nobody rotates it, and nobody "
        "would notice if it were gone.",
        "Declare it in configs/secrets and add an entry to keywatch.yaml, or delete it.",
    ),
    _of(
        Condition.NOT_CONFIGURED,
        "rotation-not-configured",
        "Rotation is not configured",
        "No class defines how often to rotate the secret, the store's automatic rotation is "
        "off, or it runs less often than the class requires.",
        "Add an entry to keywatch.yaml, and turn on the store's automatic rotation with a "
        "period no longer than that of the class.",
    ),
    _of(
        Condition.TTL_TOO_LONG,
        "ttl-too-long",
        "Issued credential lives longer than its class allows",
        "Credentials issued here stay valid for longer than their class allows. A stolen copy "
        "works for just as long.",
        "Set max_ttl, token_max_ttl or secret_id_ttl to at most the period of the class, and "
        "revoke the credentials that were issued before.",
    ),
    _of(
        Condition.ROTATION_FAILING,
        "rotation-failing",
        "Automatic rotation fails",
        "The store should rotate the secret automatically, but the last scheduled rotation did"
        " not produce a new value. The secret becomes overdue without any other warning.",
        "Look up the reason in the store's log (a dropped user, a missing permission, a "
        "failing function), fix it, and rotate the secret once by hand.",
    ),
    _of(
        Condition.NOT_REVOKED,
        "credential-not-revoked",
        "Old credential still works after rotation",
        "The old credential is still valid, for longer after the rotation than its class "
        "allows. Anyone who obtained it keeps their access.",
        "Check that nothing uses the old credential any more, then disable or delete it.",
    ),
)
OF: Mapping[Verdict | Condition, RuleInfo] = dict(_JUDGED)
"""The rule of each verdict and condition that is a finding."""

RULES: tuple[RuleInfo, ...] = (
    *OF.values(),
    described(
        STALE_CONSUMER,
        Severity.MEDIUM,
        "Workload still uses the old value",
        "The workload read the secret when it started, before the last rotation. It fails once"
        " the old value is revoked, so the old value cannot be revoked yet.",
        "Restart the workload after each rotation (kubectl rollout restart, or a controller "
        "that does this), or mount the secret as a volume.",
    ),
    described(
        "secret-in-annotation",
        Severity.HIGH,
        "Annotation contains the values of the secret",
        "`kubectl apply` stores the applied manifest in an annotation of the object. Anyone "
        "who can read the object's metadata can read the values.",
        "Rotate the secret, create it with kubectl create or an ExternalSecret, and remove the"
        " annotation kubectl.kubernetes.io/last-applied-configuration.",
    ),
    described(
        "legacy-service-account-token",
        Severity.MEDIUM,
        "Service account token never expires",
        "A token that is stored in a Secret is not bound to a pod and does not expire. A copy "
        "of it works until the Secret is deleted.",
        "Let pods use the tokens that the kubelet mounts, or request a short-lived one with "
        "kubectl create token, then delete the Secret.",
    ),
    described(
        SYNC_FAILING,
        Severity.HIGH,
        "Secret is not synchronized from its store",
        "The controller that copies the secret from its store fails. New values do not arrive,"
        " so the application uses a value that may already be revoked.",
        "Read the status conditions of the object that copies the secret, and fix the error "
        "that they report.",
    ),
    described(
        KEY_ABSENT,
        Severity.HIGH,
        "Declared key is missing from the secret",
        "The secret exists, but does not contain the key that the repository declares. "
        "Applications that request the key fail.",
        "Write the key, or correct the declaration in configs/secrets.",
    ),
    described(
        ADDRESS_DIFFERS,
        Severity.HIGH,
        "Store address is not in the operator config",
        "The repository points its application to a store that the operator config does not "
        "list. Nobody audits the secrets there, and the store may belong to somebody else. The"
        " audit did not connect to it.",
        "Correct the address in configs/secrets, or ask the operator to add the store to the "
        "audit.",
    ),
    described(
        ROLE_IS_AUDITOR,
        Severity.HIGH,
        "Application logs in with the auditor's identity",
        "The application and the audit share one identity. The application can see the "
        "metadata of every secret, and the audit log cannot tell the two apart.",
        "Give each its own role with only the permissions that it needs. `keywatch audit "
        "--permissions` prints those of the audit.",
    ),
    described(
        ROTATED_ELSEWHERE,
        Severity.HIGH,
        "Rotation does not update the declared copy",
        "An engine changes the password in the database, but the application reads a copy in a"
        " key-value store, which nothing updates. After the next rotation, the application "
        "cannot log in.",
        "Read the password from the engine (database/static-creds/ROLE), or update the copy in"
        " the same step.",
    ),
    described(
        UNUSED,
        Severity.LOW,
        "Secret is not used",
        "The audit logs go back 90 days or more, and nobody read the secret in the last 90 days."
        " It can only be stolen.",
        "Ask its owner, then delete it, or the service that no longer needs it.",
    ),
    WEAKENED,
)
BY_ID = {rule.id: rule for rule in RULES}
