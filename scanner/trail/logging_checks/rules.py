"""The rules about what is logged."""

from __future__ import annotations

from scanner.model import RuleInfo, Severity
from scanner.policy.rules import described

VAULT_DEVICES = described(
    "trail-logging-vault-devices",
    Severity.HIGH,
    "Vault has fewer than two audit devices",
    "With one audit device, its failure stops the server, and whoever removes it removes the only"
    " log. Without any, no access is recorded.",
    "Enable a second device in another place (vault audit enable -path=second file file_path=…;"
    " in OpenBao in the server's configuration).",
)
VAULT_RAW = described(
    "trail-logging-vault-raw",
    Severity.HIGH,
    "Vault audit device writes values in the clear",
    "The device has log_raw: its log contains tokens and secrets instead of their HMACs.",
    "Disable the device and enable it without log_raw. Rotate what it logged.",
)
CLOUDTRAIL = described(
    "trail-logging-cloudtrail",
    Severity.HIGH,
    "CloudTrail does not record all access to secrets",
    "No working trail records all events that show who read or changed secrets: management events,"
    " reads and writes, of Secrets Manager, Parameter Store and KMS.",
    "Record management events with ReadWriteType All, and exclude no event source"
    " (aws cloudtrail put-event-selectors). Start the trail (aws cloudtrail start-logging).",
)
AZURE = described(
    "trail-logging-azure",
    Severity.HIGH,
    "Azure Key Vault does not log its AuditEvents",
    "No diagnostic setting of the vault sends the category AuditEvent anywhere.",
    "Add a diagnostic setting with a destination for the category AuditEvent, or the group audit"
    " (az monitor diagnostic-settings create).",
)
KUBERNETES = described(
    "trail-logging-kubernetes",
    Severity.HIGH,
    "Kubernetes audit policy does not log access to Secrets",
    "By the first rule that fits, reading Secrets is not logged.",
    "Begin the policy with a rule of level Metadata for the resource secrets.",
)
KUBERNETES_OFF = described(
    "trail-logging-kubernetes-off",
    Severity.HIGH,
    "Kubernetes API server writes no audit log",
    "The API server has no audit policy, or no place for its events: it records no access to"
    " Secrets.",
    "Set --audit-policy-file, and --audit-log-path or --audit-webhook-config-file.",
)
KUBERNETES_VALUES = described(
    "trail-logging-kubernetes-values",
    Severity.HIGH,
    "Kubernetes audit policy writes the values of Secrets",
    "By the level Request or RequestResponse the log contains the values of Secrets.",
    "Use the level Metadata for the resource secrets.",
)
RULES: tuple[RuleInfo, ...] = (
    VAULT_DEVICES,
    VAULT_RAW,
    CLOUDTRAIL,
    AZURE,
    KUBERNETES,
    KUBERNETES_OFF,
    KUBERNETES_VALUES,
)
