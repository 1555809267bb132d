"""Rotations in a real Vault."""

from __future__ import annotations

import itertools

import pytest

from scanner.evidence import history
from scanner.evidence.ledger import Ledger
from scanner.inventory.vault.certificates import is_self_signed
from scanner.rotate.model import State
from tests.support.openbao import Bao
from tests.support.rotations import Rotator

LEDGER = "added to the ledger"
NUMBERS = itertools.count()


@pytest.fixture
def generated(rotator: Rotator, vault: Bao) -> str:
    """A signing key in KV, with a second field beside it."""
    name = f"jwt-{next(NUMBERS)}"
    vault.put(f"app/{name}", key="made-up", issuer="example")
    secret = f"vault://prod/-/app/{name}"
    rotator.entries.append({"match": secret, "issuer": "ours", "field": "key"})
    return secret


def read(vault: Bao, secret: str) -> dict[str, str]:
    path = f"app/data/{secret.rsplit('/', maxsplit=1)[-1]}"
    data: dict[str, str] = vault.call("GET", path)["data"]["data"]
    return data


def version(vault: Bao, secret: str) -> int:
    path = f"app/metadata/{secret.rsplit('/', maxsplit=1)[-1]}"
    return int(vault.call("GET", path)["data"]["current_version"])


def test_a_generated_value_is_replaced_and_the_other_fields_stay(
    rotator: Rotator, vault: Bao, generated: str
) -> None:
    rotator.finish(generated)
    data = read(vault, generated)
    assert data["issuer"] == "example"
    assert len(data["key"]) == 32
    assert version(vault, generated) == 2


def test_a_crash_at_any_moment_leaves_one_new_value(
    rotator: Rotator, vault: Bao, generated: str
) -> None:
    moments = rotator.crashed(generated, 10_000)
    for number in range(1, len(moments) + 1):
        before = version(vault, generated)
        rotator.crashed(generated, number)
        assert version(vault, generated) == before + 1, moments[number - 1]
    assert {each["result"] for each in rotator.records} == {State.FINISHED}


def test_each_rotation_is_in_the_ledger_once_whenever_it_crashed(
    rotator: Rotator, vault: Bao, generated: str
) -> None:
    place = rotator.folder / "ledger"
    rotator.config["evidence"] = {"place": str(place), "writer": "rotator"}
    moments = rotator.crashed(generated, 10_000)
    late = [number for number, name in enumerate(moments, 1) if name in {"recorded", LEDGER}]
    assert len(late) == 2
    for number in late:
        rotator.crashed(generated, number)
    ledger = Ledger(str(place), "auditor")
    added = [entry["data"] for entry in ledger.entries() if entry["kind"] == "rotation"]
    assert added == rotator.records
    assert len(added) == 3
    assert generated in history.history(ledger.entries()).dates


@pytest.fixture
def issued(rotator: Rotator, vault: Bao) -> str:
    """An API key that another side issues and revokes."""
    name = f"api-{next(NUMBERS)}"
    (rotator.issued / "first").write_text("issued-first")
    vault.put(f"app/{name}", key="issued-first")
    secret = f"vault://prod/-/app/{name}"
    entry = {"match": secret, "issuer": "theirs", "field": "key", "prove_old": True}
    rotator.entries.append(entry)
    return secret


def live(rotator: Rotator) -> set[str]:
    return {path.read_text() for path in rotator.issued.iterdir()}


def test_the_old_value_works_until_the_overlap_ends(
    rotator: Rotator, vault: Bao, issued: str
) -> None:
    (waiting,) = rotator.apply(issued).results
    assert waiting.progress.state is State.WAITING
    assert live(rotator) == {"issued-first", read(vault, issued)["key"]}
    (still,) = rotator.resume(later=60).results
    assert still.progress.state is State.WAITING
    (done,) = rotator.resume(later=7200).results
    assert done.record
    proofs = done.record["proofs"]
    assert isinstance(proofs, list)
    assert "the operator's command refuses the old value" in proofs
    assert live(rotator) == {read(vault, issued)["key"]}


@pytest.mark.slow
def test_an_issued_value_that_a_crash_lost_is_revoked_and_made_anew(
    rotator: Rotator, vault: Bao, issued: str
) -> None:
    moments = rotator.crashed(issued, 10_000)
    for number in range(1, len(moments) + 1):
        before = version(vault, issued)
        rotator.crashed(issued, number)
        assert live(rotator) == {read(vault, issued)["key"]}, moments[number - 1]
        assert version(vault, issued) == before + 1
        assert (rotator.records[-1]["attempts"] > 1) == (moments[number - 1] in LOSING)


LOSING = {
    *("intent create", "did create", "done create"),
    *("before verify", "intent verify", "did verify", "done verify"),
    *("before store", "intent store"),
}


def test_a_leaked_value_is_revoked_at_once(rotator: Rotator, vault: Bao, issued: str) -> None:
    (done,) = rotator.apply(urgent=issued).results
    assert done.progress.state is State.FINISHED
    assert live(rotator) == {read(vault, issued)["key"]}
    assert rotator.records[-1]["emergency"]
    assert rotator.records[-1]["reason"] == "it leaked"


def test_a_value_that_someone_else_wrote_meanwhile_stays_and_ours_is_revoked(
    rotator: Rotator, vault: Bao, issued: str
) -> None:
    def meanwhile(moment: str) -> None:
        if moment == "before store":
            vault.put(issued.replace("vault://prod/-/", ""), key="theirs")

    (ended,) = rotator.apply(issued, hook=meanwhile).results
    assert ended.progress.state is State.CONFLICT
    assert read(vault, issued)["key"] == "theirs"
    assert live(rotator) == {"issued-first"}
    assert rotator.status() == ()


def test_an_old_value_is_not_revoked_after_someone_has_put_it_back(
    rotator: Rotator, vault: Bao, issued: str
) -> None:
    rotator.apply(issued)
    vault.put(issued.replace("vault://prod/-/", ""), key="issued-first")
    (stopped,) = rotator.resume(later=7200).results
    assert stopped.progress.state is State.NEEDS_OPERATOR
    assert "issued-first" in live(rotator)
    (ended,) = rotator.resume(abandon=(stopped.progress.rotation.id,)).results
    assert ended.progress.state is State.ABANDONED


@pytest.fixture
def approle(rotator: Rotator, vault: Bao) -> str:
    """A role with one secret ID, which is stored in KV."""
    name = f"role-{next(NUMBERS)}"
    vault.call("POST", f"auth/approle/role/{name}", {"token_ttl": "1h"})
    vault.call("POST", f"auth/approle/role/{name}/secret-id", {})
    secret = f"vault://prod/-/auth%2Fapprole/role/{name}/secret-id"
    store = f"vault://prod/-/app/{name}"
    rotator.entries.append({"match": secret, "store": store, "field": "secret_id"})
    return secret


@pytest.mark.slow
def test_a_crash_at_any_moment_leaves_one_secret_id_that_logs_in(
    rotator: Rotator, vault: Bao, approle: str
) -> None:
    role = approle.split("/")[-2]
    moments = rotator.crashed(approle, 10_000)
    for number in range(1, len(moments) + 1):
        rotator.crashed(approle, number)
        below = f"auth/approle/role/{role}"
        assert len(vault.call("LIST", f"{below}/secret-id")["data"]["keys"]) == 1
        said = {
            "role_id": vault.call("GET", f"{below}/role-id")["data"]["role_id"],
            "secret_id": read(vault, f"x/{role}")["secret_id"],
        }
        assert vault.call("POST", "auth/approle/login", said)["auth"], moments[number - 1]


@pytest.mark.slow
def test_a_crash_at_any_moment_makes_one_new_version_of_a_transit_key(
    rotator: Rotator, vault: Bao
) -> None:
    vault.call("POST", "transit/keys/one", {})
    secret = "vault://prod/-/transit/keys/one"
    proof = ["sh", "-c", "cat > /dev/null; echo 1000"]
    rotator.entries.append(
        {"match": secret, "raise_min_decryption_version": {"lowest_version_in_use": proof}}
    )
    moments = rotator.crashed(secret, 10_000)
    for number in range(1, len(moments) + 1):
        before = vault.call("GET", "transit/keys/one")["data"]["latest_version"]
        rotator.crashed(secret, number)
        key = vault.call("GET", "transit/keys/one")["data"]
        assert key["latest_version"] == before + 1, moments[number - 1]
        assert key["min_decryption_version"] == before + 1


def test_data_that_is_not_rewrapped_keeps_the_old_versions(rotator: Rotator, vault: Bao) -> None:
    vault.call("POST", "transit/keys/two", {})
    secret = "vault://prod/-/transit/keys/two"
    proof = ["sh", "-c", "cat > /dev/null; echo 1"]
    rotator.entries.append(
        {"match": secret, "raise_min_decryption_version": {"lowest_version_in_use": proof}}
    )
    rotator.apply(secret)
    (stopped,) = rotator.resume(later=7200).results
    assert stopped.progress.state is State.NEEDS_OPERATOR
    assert vault.call("GET", "transit/keys/two")["data"]["min_decryption_version"] == 1


@pytest.mark.slow
def test_a_crash_at_any_moment_makes_one_new_issuer(rotator: Rotator, vault: Bao) -> None:
    default = vault.call("GET", "pki/config/issuers")["data"]["default"]
    first = {"match": "vault://prod/-/pki/issuer/*"}
    rotator.entries.append(
        {**first, "new_issuer": {"common_name": "next", "ttl": "700h", "stop_old": True}}
    )
    moments: list[str] = ["nothing"]
    for number in itertools.count(1, 2):
        before = len(vault.call("LIST", "pki/issuers")["data"]["keys"])
        found = [each.secret for each in rotator.plan().items if each.secret.endswith(default)]
        (secret,) = found
        moments = rotator.crashed(secret, number)
        after = vault.call("GET", "pki/config/issuers")["data"]["default"]
        assert after != default
        assert len(vault.call("LIST", "pki/issuers")["data"]["keys"]) == before + 1
        old = vault.call("GET", f"pki/issuer/{default}")["data"]
        assert "issuing-certificates" not in old["usage"]
        default = after
        if len(moments) < number:
            break


@pytest.fixture
def intermediate(rotator: Rotator, vault: Bao) -> str:
    """An intermediate CA that the root in pki signed. Its mount."""
    mount = f"pki-{next(NUMBERS)}"
    vault.mount(mount, "pki")
    rotator.config["backends"]["prod"]["mounts"].append(mount)
    vault.call("POST", f"sys/mounts/{mount}/tune", {"max_lease_ttl": "8760h"})
    asked = {"common_name": "team", "ttl": "600h"}
    path = f"{mount}/issuers/generate/intermediate/internal"
    request = vault.call("POST", path, asked)["data"]["csr"]
    signed = vault.call("POST", "pki/root/sign-intermediate", {**asked, "csr": request})["data"]
    certificate = {"certificate": signed["certificate"]}
    vault.call("POST", f"{mount}/intermediate/set-signed", certificate)
    return mount


def default_issuer(vault: Bao, mount: str) -> str:
    return str(vault.call("GET", f"{mount}/config/issuers")["data"]["default"])


@pytest.mark.slow
def test_a_crash_at_any_moment_makes_one_new_intermediate(
    rotator: Rotator, vault: Bao, intermediate: str
) -> None:
    wanted = {"common_name": "team-2", "ttl": "500h", "key_type": "ec", "signed_by": "pki"}
    match = f"vault://prod/-/{intermediate}/issuer/*"
    rotator.entries.append({"match": match, "new_issuer": wanted})
    moments = rotator.crashed(match.replace("*", default_issuer(vault, intermediate)), "none")
    for moment in moments:
        before = default_issuer(vault, intermediate)
        issuers = set(vault.call("LIST", f"{intermediate}/issuers")["data"]["keys"])
        rotator.crashed(match.replace("*", before), moment)
        after = default_issuer(vault, intermediate)
        added = set(vault.call("LIST", f"{intermediate}/issuers")["data"]["keys"]) - issuers
        assert added == {after}, moment
        made = vault.call("GET", f"{intermediate}/issuer/{after}")["data"]
        assert not is_self_signed(made["certificate"])
        assert is_self_signed(made["ca_chain"][-1])


def test_an_intermediate_is_not_replaced_by_a_root(
    rotator: Rotator, vault: Bao, intermediate: str
) -> None:
    before = default_issuer(vault, intermediate)
    secret = f"vault://prod/-/{intermediate}/issuer/{before}"
    rotator.entries.append({"match": secret, "new_issuer": {"common_name": "team-2"}})
    (failed,) = rotator.apply(secret).results
    assert failed.progress.state is State.FAILED
    assert "trusted by nobody" in failed.progress.reason
    assert "signed_by" in failed.progress.todo
    assert default_issuer(vault, intermediate) == before


def test_a_key_whose_certificate_was_refused_is_used_by_the_next_attempt(
    rotator: Rotator, vault: Bao, intermediate: str
) -> None:
    wanted = {"common_name": "team-2", "ttl": "500h", "key_type": "ec", "signed_by": "nothing"}
    before = default_issuer(vault, intermediate)
    secret = f"vault://prod/-/{intermediate}/issuer/{before}"
    rotator.entries.append({"match": secret, "new_issuer": wanted})
    keys = len(vault.call("LIST", f"{intermediate}/keys")["data"]["keys"])
    (failed,) = rotator.apply(secret).results
    assert failed.progress.state is State.FAILED
    wanted["signed_by"] = "pki"
    (done,) = rotator.resume().results
    assert done.progress.state is State.FINISHED
    assert len(vault.call("LIST", f"{intermediate}/keys")["data"]["keys"]) == keys + 1
    assert default_issuer(vault, intermediate) != before
