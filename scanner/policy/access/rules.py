"""Policy: the rules of `keywatch access review`."""

from __future__ import annotations

from scanner.model import Finding, Location, RuleInfo, Severity
from scanner.policy.rules import WEAKENED, described, finding_of

EXCESS = "access-excess"
EXCESS_WRITE = "access-excess-write"
MISSING = "access-missing"
DEAD = "access-dead-rule"
IDLE_DENY = "access-deny-without-effect"
IDLE_LIMIT = "access-constraint-without-effect"
SIBLING = "access-sibling-leak"
WILDCARD = "access-wildcard"
ESCALATION = "access-escalation"
UNUSED_POLICY = "access-unused-policy"
UNMAPPED_ROLE = "access-unmapped-role"
SHARED = "access-shared-policy"
ABSENT_POLICY = "access-policy-missing"
ABSENT_ROLE = "access-role-missing"
DRIFT = "access-policy-drift"
UNUSED = "access-unused-grant"
KUBERNETES = "access-kubernetes-secrets"
KUBERNETES_TOKEN = "access-kubernetes-token"  # noqa: S105 - the id of a rule
KUBERNETES_PODS = "access-kubernetes-pods"
AWS_OPEN = "access-aws-open-policy"
AWS_EXCESS = "access-aws-excess"
AZURE_OPEN = "access-azure-excess"
WEAKER = WEAKENED.id

RULES: tuple[RuleInfo, ...] = (
    described(
        EXCESS,
        Severity.HIGH,
        "Service can read secrets that it does not need",
        "A policy of the service grants a secret whose class the service does not need. Whoever "
        "takes over the service gets this secret, too.",
        "Give the service a policy of its own with the exact paths that it needs. `keywatch access "
        "review --write-policy DIR` writes it.",
    ),
    described(
        EXCESS_WRITE,
        Severity.MEDIUM,
        "Service can change secrets that it only needs to read",
        "The service may overwrite or delete a secret. A mistake or an attacker in the service "
        "can break every other user of the secret.",
        "Grant only read, and leave writing to the rotation.",
    ),
    described(
        MISSING,
        Severity.MEDIUM,
        "Service cannot read a secret that it needs",
        "The service needs the class of the secret, but no policy of it grants the secret. The "
        "service fails, or uses a copy that nobody reviews.",
        "Grant read on the exact path, or remove the class from `needs` in keywatch.yaml.",
    ),
    described(
        DEAD,
        Severity.MEDIUM,
        "Rule can never apply",
        "No request can match the path of the rule, so it neither grants nor denies anything. "
        "Whoever reads the policy believes otherwise.",
        "Correct the path: paths of a KV version 2 engine begin with MOUNT/data/ or "
        "MOUNT/metadata/, and `*` is a wildcard only at the end. Or remove the rule.",
    ),
    described(
        IDLE_DENY,
        Severity.HIGH,
        "Deny has no effect",
        "Vault uses the matching pattern of the highest priority alone. Another rule has a higher "
        "priority here, so what this rule should deny is allowed.",
        "Make the denied path at least as specific as the one that grants it, or narrow the grant.",
    ),
    described(
        IDLE_LIMIT,
        Severity.MEDIUM,
        "Parameter constraint has no effect",
        "A key-value engine of version 2 does not apply allowed_parameters, denied_parameters and "
        "required_parameters, so the rule grants more than it says.",
        "Remove the constraint, and restrict the rule by path and capability.",
    ),
    described(
        SIBLING,
        Severity.MEDIUM,
        "Rule also matches the names of siblings",
        "The path ends with `*` directly after a name, so it also matches every name that only "
        "begins like it: `app*` matches `app-prod`.",
        "End the path with `/*`, and write a second rule for the name itself if it is needed.",
    ),
    described(
        WILDCARD,
        Severity.LOW,
        "Rule grants more than the declared secrets",
        "The wildcard also grants every secret that is created under it later, without a review.",
        "List the exact paths.",
    ),
    described(
        ESCALATION,
        Severity.CRITICAL,
        "Rule lets its holder obtain more rights",
        "With this path the holder can change policies, create tokens or identities, export keys "
        "or turn off the audit log, and so reach every secret.",
        "Remove the rule from the policies of services. Keep it in an administrator's policy that "
        "is used for a short time only.",
    ),
    described(
        UNUSED_POLICY,
        Severity.LOW,
        "Policy is not used by any service",
        "No service in keywatch.yaml lists the policy. It may be attached to a token that nobody "
        "reviews.",
        "Remove the policy, or list it under `policies` of the service that uses it.",
    ),
    described(
        UNMAPPED_ROLE,
        Severity.MEDIUM,
        "Role does not belong to any service",
        "The auth role gives out tokens with policies, but no service in keywatch.yaml names the "
        "role. Nobody reviews what its holders can read.",
        "Add the service with its `vault_role` to keywatch.yaml, or delete the role.",
    ),
    described(
        SHARED,
        Severity.LOW,
        "Services with different needs share one policy",
        "A shared policy has to grant the needs of all of its services, so each can read what "
        "only another one needs.",
        "Give each service a policy of its own.",
    ),
    described(
        ABSENT_POLICY,
        Severity.MEDIUM,
        "Policy of a service does not exist",
        "The service lists a policy that does not exist. It grants nothing, and whoever can "
        "create a policy of that name decides what the service may do.",
        "Create the policy, or correct its name in keywatch.yaml.",
    ),
    described(
        ABSENT_ROLE,
        Severity.MEDIUM,
        "Role of a service does not exist",
        "The service cannot log in with the role that keywatch.yaml names, so it uses another "
        "identity, or none. Nobody reviews what that identity may read.",
        "Create the role, or correct `vault_role` in keywatch.yaml.",
    ),
    described(
        DRIFT,
        Severity.HIGH,
        "Live policy differs from the repository",
        "The server's policy is not the reviewed one: somebody changed it by hand, or a change in "
        "the repository was never applied.",
        "Write the repository's policy to the server, or bring the change into the repository.",
    ),
    described(
        UNUSED,
        Severity.LOW,
        "Granted access was not used",
        "The audit log shows no request of the service for this secret. A right that nobody uses "
        "only helps an attacker.",
        "Ask the owner of the service whether it needs the secret, and remove the grant if not.",
    ),
    described(
        KUBERNETES,
        Severity.HIGH,
        "Subject can read Secrets of Kubernetes",
        "The subject may get, list or watch Secrets and so read their values. List and watch "
        "return the values, too.",
        "Bind a Role with `get` and the resourceNames that are needed, in one namespace.",
    ),
    described(
        KUBERNETES_TOKEN,
        Severity.HIGH,
        "Subject can act as other service accounts",
        "Whoever may create tokens of service accounts, impersonate, or change roles and bindings "
        "gets the rights of others, and so their secrets.",
        "Remove the right, or restrict it to the resourceNames that are needed.",
    ),
    described(
        KUBERNETES_PODS,
        Severity.MEDIUM,
        "Subject can mount every Secret of a namespace",
        "A pod can mount any Secret and run as any service account of its namespace, so whoever "
        "may create pods or workloads, or run commands in them, can read all of them.",
        "Let a deployment pipeline create workloads, and keep secrets of different trust in "
        "different namespaces.",
    ),
    described(
        AWS_OPEN,
        Severity.HIGH,
        "Resource policy grants access to everybody or to another account",
        "The policy of the secret or key has a principal that is a wildcard or another account.",
        "Name the roles that need access, or add a condition on aws:PrincipalOrgID.",
    ),
    described(
        AWS_EXCESS,
        Severity.MEDIUM,
        "Principal can read a secret of AWS",
        "The identity policies of the principal, as IAM simulates them, allow it to read or "
        "change the secret, and no service in keywatch.yaml is known to need that.",
        "Restrict the policy to the ARNs of the secrets that the principal needs.",
    ),
    described(
        AZURE_OPEN,
        Severity.MEDIUM,
        "Principal can read every secret of an Azure key vault",
        "An access policy or role assignment covers all secrets of the vault.",
        "Assign the role on the single secret, or split the vault by service.",
    ),
    WEAKENED,
)
BY_ID = {rule.id: rule for rule in RULES}


def finding(
    rule: str, location: Location, detail: str, context: str, severity: Severity | None = None
) -> Finding:
    """A finding of one of these rules at `file:line`; `context` keeps its identity."""
    found = finding_of(BY_ID[rule], location, detail, context)
    return found._replace(severity=severity) if severity else found
