"""Inventory: what an audit of Azure Key Vault needs to be allowed."""

from __future__ import annotations

from scanner.inventory.interface import Settings

_ADVICE = """\
# Roles for the auditor. None of them lets it read a secret's value or use a private key.
# Key Vault Reader is the least that is built in. It holds for whole vaults: the auditor sees the
# name, dates and tags of all that is in them, public keys and certificates. It also has rights on
# the side of Azure's management: alert rules, deployments of templates, support tickets.
"""
_GRANT = """\
az role assignment create --assignee AUDITOR --role "Key Vault Reader" \\
  --scope "$(az keyvault show --name {name} --query id --output tsv)"
"""
_LESS = """\
# Less than that, a role of your own. With it, and an assignment as above:
az role definition create --role-definition '{
  "Name": "keywatch auditor", "AssignableScopes": ["/subscriptions/SUBSCRIPTION"],
  "DataActions": ["Microsoft.KeyVault/vaults/secrets/readMetadata/action",
    "Microsoft.KeyVault/vaults/keys/read", "Microsoft.KeyVault/vaults/keyrotationpolicies/read",
    "Microsoft.KeyVault/vaults/certificates/read"]}'
# keys/read also lets it encrypt and verify with public keys, as anybody who has them can.
# A vault with access policies in place of roles:
az keyvault set-policy --name NAME --object-id AUDITOR --secret-permissions list \\
  --key-permissions list get getrotationpolicy --certificate-permissions list get
"""


def permissions(settings: Settings) -> str:
    """Commands that let an identity read metadata alone, and what that cannot keep from it."""
    names = [vault_name(url) for url in settings.options.get("vaults", ["https://NAME."])]
    return _ADVICE + "".join(_GRANT.format(name=name) for name in names) + _LESS


def vault_name(url: str) -> str:
    """`kv-prod` of https://kv-prod.vault.azure.net."""
    return url.removeprefix("https://").partition(".")[0]
