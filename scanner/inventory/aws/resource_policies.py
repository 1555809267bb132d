"""Inventory: who AWS lets read secrets: resource policies of secrets and keys, and what IAM
simulates for roles and users. No value is read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from scanner.inventory.aws.accounts import Account, Accounts
from scanner.inventory.aws.errors import FAILURES, explain
from scanner.inventory.errors import gap
from scanner.inventory.interface import Settings
from scanner.inventory.listing import id_part
from scanner.inventory.threads import in_order
from scanner.model import Gap, GapKind

_READS = ("secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue")
_ACTIONS = (
    *("secretsmanager:ListSecrets", "secretsmanager:GetResourcePolicy"),
    *("kms:ListKeys", "kms:GetKeyPolicy"),
    *("iam:ListRoles", "iam:ListUsers", "iam:SimulatePrincipalPolicy"),
)
_MOST = 2_000  # principals that are simulated
_AT_ONCE = 50  # resources of one simulation


class ResourcePolicy(NamedTuple):
    """The policy of a secret or key, as JSON text, "" if it has none."""

    id: str
    account: str
    text: str


class Simulated(NamedTuple):
    """What IAM allows a principal on a secret, by its identity policies."""

    principal: str
    id: str
    actions: tuple[str, ...]


Item = ResourcePolicy | Simulated | Gap


def read(settings: Settings) -> Iterator[Item]:
    """Everything of all accounts and regions. Raises nothing: what cannot be read is a Gap."""
    accounts = Accounts(settings, _ACTIONS)
    for account in in_order(accounts.log_ins()):
        if isinstance(account, Gap):
            yield account
        else:
            yield from _account(accounts, account, settings)


def _account(accounts: Accounts, account: Account, settings: Settings) -> Iterator[Item]:
    number = account.path.rpartition("/")[2]
    secrets: list[tuple[str, str]] = []
    for region in settings.options["regions"]:
        place = f"{account.path}/{region}"
        for item in _secrets(accounts, account, region, place, number):
            if isinstance(item, tuple) and not isinstance(item, (ResourcePolicy, Gap)):
                secrets.append(item)
            else:
                yield item
        yield from _keys(accounts, account, region, place, number)
    yield from _simulations(accounts, account, settings.options["regions"][0], secrets)


def _secrets(
    accounts: Accounts, account: Account, region: str, place: str, number: str
) -> Iterator[Any]:
    try:
        client = accounts.client(account.session, "secretsmanager", region)
        pages = client.get_paginator("list_secrets").paginate()
        for secret in (one for page in pages for one in page["SecretList"]):
            name = f"{place}/secretsmanager/{id_part(secret['Name'])}"
            yield (secret["ARN"], name)
            try:
                said = client.get_resource_policy(SecretId=secret["ARN"])
                yield ResourcePolicy(name, number, said.get("ResourcePolicy", ""))
            except FAILURES as error:
                yield gap(name, explain(error))
    except FAILURES as error:
        yield gap(f"{place}/secretsmanager", explain(error))


def _keys(
    accounts: Accounts, account: Account, region: str, place: str, number: str
) -> Iterator[Item]:
    try:
        client = accounts.client(account.session, "kms", region)
        for key in (
            one for page in client.get_paginator("list_keys").paginate() for one in page["Keys"]
        ):
            name = f"{place}/kms/{id_part(key['KeyId'])}"
            try:
                said = client.get_key_policy(KeyId=key["KeyId"], PolicyName="default")
                yield ResourcePolicy(name, number, said.get("Policy", ""))
            except FAILURES as error:
                yield gap(name, explain(error))
    except FAILURES as error:
        yield gap(f"{place}/kms", explain(error))


def _simulations(
    accounts: Accounts, account: Account, region: str, secrets: Sequence[tuple[str, str]]
) -> Iterator[Item]:
    """One Gap if IAM does not simulate: that no principal may read a secret is then not known."""
    if not secrets:
        return
    place = f"{account.path}/global/iam"
    try:
        client = accounts.client(account.session, "iam", region)
        arns = []
        for listing, key in (("list_roles", "Roles"), ("list_users", "Users")):
            pages = client.get_paginator(listing).paginate()
            arns += [one["Arn"] for page in pages for one in page[key]]
        if len(arns) > _MOST:
            reason = f"only {_MOST:,} of {len(arns):,} principals are simulated"
            yield Gap(kind=GapKind.TOO_LARGE, path=place, reason=reason)
        for arn in arns[:_MOST]:
            if ":role/aws-service-role/" not in arn:
                yield from _simulated(client, arn, secrets)
    except FAILURES as error:
        yield gap(place, explain(error))


def _simulated(client: Any, arn: str, secrets: Sequence[tuple[str, str]]) -> Iterator[Simulated]:
    for start in range(0, len(secrets), _AT_ONCE):
        some = dict(secrets[start : start + _AT_ONCE])
        pages = client.get_paginator("simulate_principal_policy").paginate(
            PolicySourceArn=arn, ActionNames=list(_READS), ResourceArns=list(some)
        )
        allowed: dict[str, set[str]] = {}
        for result in (one for page in pages for one in page["EvaluationResults"]):
            for each in result.get("ResourceSpecificResults") or [
                {
                    "EvalResourceName": result.get("EvalResourceName"),
                    "EvalResourceDecision": result["EvalDecision"],
                }
            ]:
                if each["EvalResourceDecision"] == "allowed" and each["EvalResourceName"] in some:
                    allowed.setdefault(each["EvalResourceName"], set()).add(
                        result["EvalActionName"]
                    )
        for name, actions in sorted(allowed.items()):
            yield Simulated(arn, some[name], tuple(sorted(actions)))
