"""Who may read the secrets of a key vault: the real SDK, and Azure Resource Manager in its
documented form."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from scanner.inventory.azure import assignments
from scanner.inventory.azure.assignments import Assignment
from scanner.model import Gap, Location
from scanner.policy.access import azure as policy
from tests.support.azure_cloud import MANAGER, Asked, Azure, refused, said, serving
from tests.support.helpers import alone

VAULT = "/subscriptions/s1/resourceGroups/g/providers/Microsoft.KeyVault/vaults/kv-prod"
ROLES = {
    "reader": {"dataActions": ["Microsoft.KeyVault/vaults/secrets/*"]},
    "owner": {"actions": ["*"]},
    "metadata": {"dataActions": ["Microsoft.KeyVault/vaults/secrets/readMetadata/action"]},
    "contributor": {"actions": ["*"], "notActions": ["Microsoft.Authorization/*/write"]},
}


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azure]:
    with serving(tmp_path_factory.mktemp("azure")) as found:
        yield found


@pytest.fixture
def azure(cloud: Azure, monkeypatch: pytest.MonkeyPatch) -> Azure:
    alone(monkeypatch, "AZURE_")
    for name in ("HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, cloud.proxy)
    for kept in (cloud.vaults, cloud.more, cloud.answers, cloud.asked):
        kept.clear()
    return cloud


def manager(cloud: Azure, *roles: tuple[str, str], **properties: Any) -> None:
    """The vault `kv-prod`, and the roles that are assigned in a scope."""
    vault = {
        "id": VAULT,
        "properties": {"vaultUri": "https://kv-prod.vault.azure.net/", **properties},
    }
    given = [
        {
            "properties": {
                "roleDefinitionId": f"/providers/Microsoft.Authorization/roleDefinitions/{role}",
                "principalId": "p1",
                "principalType": "ServicePrincipal",
                "scope": scope,
            }
        }
        for role, scope in roles
    ]
    found: dict[str, Any] = {
        "/subscriptions": {"value": [{"subscriptionId": "s1"}]},
        "/subscriptions/s1/providers/Microsoft.KeyVault/vaults": {"value": [vault]},
        f"{VAULT}/providers/Microsoft.Authorization/roleAssignments": {"value": given},
        **{
            f"/providers/Microsoft.Authorization/roleDefinitions/{name}": {
                "properties": {"roleName": name, "permissions": [permissions]}
            }
            for name, permissions in ROLES.items()
        },
    }
    cloud.answers[MANAGER] = lambda asked: _answer(asked, found)


def _answer(asked: Asked, found: dict[str, Any]) -> Any:
    return said(found[asked.path]) if asked.path in found else refused(404, "NotFound")


def read(cloud: Azure) -> list[Assignment | Gap]:
    return list(assignments.read(cloud.settings()))


@pytest.mark.parametrize(
    ("role", "rights"),
    [
        ("reader", [("read", "write")]),
        ("owner", [("grant",)]),
        ("metadata", []),
        ("contributor", []),
    ],
)
def test_a_role_on_a_vault_with_rbac(azure: Azure, role: str, rights: list[Any]) -> None:
    manager(azure, (role, VAULT), enableRbacAuthorization=True)
    found = read(azure)
    assert [one.rights for one in found if isinstance(one, Assignment)] == rights
    assert not [one for one in found if isinstance(one, Gap)]


def test_an_access_policy_counts_where_there_is_no_rbac(azure: Azure) -> None:
    given = [
        {"objectId": "o1", "permissions": {"secrets": ["Get", "list"]}},
        {"objectId": "o2", "permissions": {"secrets": ["list"], "keys": ["get"]}},
    ]
    manager(azure, ("contributor", VAULT), accessPolicies=given)
    rights = {(one.principal, one.rights) for one in read(azure) if isinstance(one, Assignment)}
    assert rights == {("o1", ("read",)), ("p1", ("change access policies",))}


def test_a_role_on_one_secret_is_not_a_finding(azure: Azure) -> None:
    manager(
        azure, ("reader", f"{VAULT}/secrets/db"), ("reader", VAULT), enableRbacAuthorization=True
    )
    held = [one for one in read(azure) if isinstance(one, Assignment)]
    assert len(held) == 2
    assert len(list(policy.findings(held, Location.at("keywatch.yaml", 1)))) == 1


def test_a_vault_in_no_subscription_is_a_gap(azure: Azure) -> None:
    manager(azure)
    azure.answers[MANAGER] = lambda _: said({"value": []})
    assert [gap.kind for gap in read(azure) if isinstance(gap, Gap)] == ["selection"]


def test_a_refusal_is_a_gap(azure: Azure) -> None:
    azure.answers[MANAGER] = lambda _: refused(403, "AuthorizationFailed")
    assert [gap.kind for gap in read(azure) if isinstance(gap, Gap)] == ["denied"]


def test_a_page_of_another_server_is_not_asked_for(azure: Azure) -> None:
    azure.answers[MANAGER] = lambda _: said(
        {"value": [], "nextLink": "https://elsewhere.example/subscriptions"}
    )
    assert [type(one) for one in read(azure)] == [Gap]
    assert "elsewhere.example" not in {asked.host for asked in azure.asked}
