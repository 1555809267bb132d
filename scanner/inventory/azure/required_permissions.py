"""Inventory: the permissions that an audit of Azure Key Vault needs."""

from __future__ import annotations

from scanner.inventory.interface import Settings

_ADVICE = """\
# Roles for the auditor. No role lets it read a secret's value or use a private key.
# Key Vault Reader is the smallest built-in role. It applies to whole vaults: the auditor sees all
# names, dates, tags, public keys and certificates. The role also allows some management actions:
# alert rules, template deployments, support tickets.
"""
_GRANT = """\
az role assignment create --assignee AUDITOR --role "Key Vault Reader" \\
  --scope "$(az keyvault show --name {name} --query id --output tsv)"
"""
_LESS = """\
# A custom role can allow less. Create it, then assign it as above:
az role definition create --role-definition '{
  "Name": "keywatch auditor", "AssignableScopes": ["/subscriptions/SUBSCRIPTION"],
  "DataActions": ["Microsoft.KeyVault/vaults/secrets/readMetadata/action",
    "Microsoft.KeyVault/vaults/keys/read", "Microsoft.KeyVault/vaults/keyrotationpolicies/read",
    "Microsoft.KeyVault/vaults/certificates/read"]}'
# keys/read also allows encrypting and verifying with public keys.
# For a vault with access policies instead of roles:
az keyvault set-policy --name NAME --object-id AUDITOR --secret-permissions list \\
  --key-permissions list get getrotationpolicy --certificate-permissions list get
# keywatch trail --operator checks whether the vaults log who reads secrets. Only for that, it needs
# these actions on the subscription, which are also part of the built-in role Monitoring Reader:
#   "Actions": ["Microsoft.Resources/subscriptions/read", "Microsoft.KeyVault/vaults/read",
#     "Microsoft.Insights/diagnosticSettings/read"]
"""


def permissions(settings: Settings) -> str:
    """Commands that allow reading metadata only, and what they cannot restrict."""
    names = [vault_name(url) for url in settings.options.get("vaults", ["https://NAME."])]
    return _ADVICE + "".join(_GRANT.format(name=name) for name in names) + _LESS


def vault_name(url: str) -> str:
    """The name of a vault: `kv-prod` for https://kv-prod.vault.azure.net."""
    return url.removeprefix("https://").partition(".")[0]
