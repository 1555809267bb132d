"""What a real OpenBao keeps, and the traps of its dates: key/value, transit, PKI, SSH."""

from __future__ import annotations

import base64
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from scanner.model import NOWHERE
from scanner.policy.declarations.model import Match, SecretClass, SecretEntry
from scanner.policy.live import rotation_age
from scanner.policy.live.rotation_age import Condition, Verdict
from scanner.records import Record, Rotation, Strength
from tests.support.openbao import Asked, Bao, is_metadata
from tests.support.vaults import (
    audited,
    auditor,
    backend,
    date_of,
    gaps,
    moment,
    notes,
    records,
    settings,
    the_record,
)

HOUR = timedelta(hours=1)
VERSION_2 = {"options": {"version": "2"}}
# The longest and oddest names that the server takes; a slash would part them.
ODD = "a b|q?x=1|h#1|p%41|é|plus+|semi;x|back\\slash|dot.|...|a..b|x:y|~t|star*| sp|sp |q\"'|<b>|𐍈"


def metadata(bao: Bao, path: str) -> Any:
    mount, _, below = path.partition("/")
    return bao.call("GET", f"{mount}/metadata/{below}")["data"]


def test_kv_version_1_has_no_date_and_the_advice_is_to_move(bao: Bao) -> None:
    bao.mount("kv1", "kv")
    bao.call("POST", "kv1/app/api-key", {"value": "made-up"})
    token = bao.token('path "kv1/*" { capabilities = ["list"] }')
    record = the_record(backend(settings(bao.address, token=token, mounts=["kv1"])).read())
    assert (record.id, record.kind) == ("vault://prod/-/kv1/app/api-key", "kv-v1")
    assert record.dated is None
    assert "version 2" in record.undated


def test_kv_version_2_is_as_old_as_its_current_version_not_as_its_first(bao: Bao) -> None:
    bao.mount("kv-current", "kv", **VERSION_2)
    bao.put("kv-current/app", key="one")
    first = the_record(audited(bao, "kv-current"))
    assert first.dated is not None
    assert (first.dated.field, first.dated.strength) == ("versions[1].created_time", Strength.EXACT)
    time.sleep(0.01)
    bao.put("kv-current/app", key="two")
    said = metadata(bao, "kv-current/app")
    record = the_record(audited(bao, "kv-current"))
    assert date_of(record) == moment(said["versions"]["2"]["created_time"])
    assert date_of(record) > moment(said["created_time"])


def test_an_upgrade_from_version_1_is_no_date_of_the_value(bao: Bao) -> None:
    bao.mount("kv-upgraded", "kv", options={"version": "1"})
    bao.call("POST", "kv-upgraded/old", {"value": "made-up"})
    bao.call("POST", "sys/mounts/kv-upgraded/tune", VERSION_2)
    bao.put("kv-upgraded/new", value="made-up")
    found = records(audited(bao, "kv-upgraded"))
    old, new = found["kv-upgraded/old"], found["kv-upgraded/new"]
    assert old.dated is not None
    assert new.dated is not None
    assert (old.dated.earliest, old.dated.strength) == (None, Strength.BOUND)
    assert new.dated.strength == Strength.EXACT
    day = SecretClass(name="day", rotate_every=86_400, grace=0, overlap=0, location=NOWHERE)
    policy = Match(
        entry=SecretEntry("", (), "day", "", "", NOWHERE, NOWHERE, NOWHERE), secret_class=day
    )
    assert rotation_age.judge(old, policy, datetime.now(UTC)).verdict == Verdict.UNDATED
    assert rotation_age.judge(new, policy, datetime.now(UTC)).verdict == Verdict.OK


def test_a_first_version_of_one_that_is_kept_may_come_from_an_upgrade(bao: Bao) -> None:
    bao.mount("kv-single", "kv", **VERSION_2)
    bao.call("POST", "kv-single/metadata/app", {"max_versions": 1})
    bao.put("kv-single/app", key="one")
    record = the_record(audited(bao, "kv-single"))
    assert record.dated is not None
    assert (record.dated.earliest, record.dated.strength) == (None, Strength.BOUND)


def test_a_secret_that_was_only_described_again_keeps_its_age(bao: Bao) -> None:
    bao.mount("kv-described", "kv", **VERSION_2)
    bao.put("kv-described/app", key="one")
    time.sleep(0.01)
    tags = {"custom_metadata": {"owner": "@sec-oncall", "class": "api-key"}}
    bao.call("POST", "kv-described/metadata/app", tags)
    said = metadata(bao, "kv-described/app")
    record = the_record(audited(bao, "kv-described"))
    assert date_of(record) == moment(said["versions"]["1"]["created_time"])
    assert date_of(record) < moment(said["updated_time"])


def test_custom_metadata_are_the_tags(bao: Bao) -> None:
    bao.mount("kv-tags", "kv", **VERSION_2)
    bao.put("kv-tags/app", key="one")
    bao.call("POST", "kv-tags/metadata/app", {"custom_metadata": {"owner": "@sec-oncall"}})
    assert the_record(audited(bao, "kv-tags")).tags == {"owner": "@sec-oncall"}


def test_metadata_without_a_value_is_no_secret_yet(bao: Bao) -> None:
    bao.mount("kv-empty", "kv", **VERSION_2)
    bao.call("POST", "kv-empty/metadata/app", {"custom_metadata": {"owner": "x"}})
    assert metadata(bao, "kv-empty/app")["current_version"] == 0
    assert notes(audited(bao, "kv-empty")) == [("not-live", "vault://prod/-/kv-empty/app")]


@pytest.mark.parametrize("how", ["delete", "destroy"])
def test_a_current_version_that_is_deleted_or_destroyed_is_not_live(bao: Bao, how: str) -> None:
    mount = bao.mount(f"kv-{how}", "kv", **VERSION_2)
    bao.put(f"{mount}/app", key="one")
    bao.put(f"{mount}/app", key="two")
    bao.call("POST", f"{mount}/{how}/app", {"versions": [2]})
    assert notes(audited(bao, mount)) == [("not-live", f"vault://prod/-/{mount}/app")]


def test_a_version_that_will_be_deleted_lives_until_then(bao: Bao) -> None:
    bao.mount("kv-ending", "kv", **VERSION_2)
    bao.call("POST", "kv-ending/metadata/app", {"delete_version_after": "30m"})
    bao.put("kv-ending/app", key="one")
    now = datetime.now(UTC)
    assert the_record(audited(bao, "kv-ending", now=now)).kind == "kv-v2"
    # Half an hour on, by the auditor's clock; that the server's differs is a note, too.
    later = audited(bao, "kv-ending", now=now + HOUR)
    assert notes(later)[-1] == ("not-live", "vault://prod/-/kv-ending/app")


def test_a_patch_or_a_rollback_makes_a_version_maybe_with_the_old_value(bao: Bao) -> None:
    bao.mount("kv-patched", "kv", **VERSION_2)
    bao.put("kv-patched/app", key="one", other="x")
    bao.put("kv-patched/app", key="one", other="y")
    record = the_record(audited(bao, "kv-patched"))
    assert record.dated is not None
    assert (record.dated.field, record.dated.strength) == (
        "versions[2].created_time",
        Strength.WEAK,
    )


def test_folders_are_read_to_their_ground_and_what_comes_is_in_order(bao: Bao) -> None:
    bao.mount("kv-deep", "kv", **VERSION_2)
    paths = ["a", "a/b", "a/b/c/d", "a/x", *(f"m/s{number:03}" for number in range(100)), "z"]
    for path in reversed(paths):
        bao.put(f"kv-deep/{path}", key="one")
    found = [*records(audited(bao, "kv-deep"))]
    assert found == [f"kv-deep/{path}" for path in paths]
    below = [*records(audited(bao, "kv-deep/a/b"))]
    assert below == ["kv-deep/a/b/c/d"]


def test_names_with_odd_characters_are_read_like_others(bao: Bao) -> None:
    bao.mount("kv-odd", "kv", **VERSION_2)
    names = [*ODD.split("|"), "folder /in it"]
    for name in names:
        bao.put(f"kv-odd/{name}", key="one")
    items = audited(bao, "kv-odd")
    assert gaps(items) == []
    ids = {f"kv-odd/{name.replace('#', '%23')}" for name in names}
    assert {*records(items)} == ids


def test_the_names_of_keys_are_asked_for_where_they_are_wanted_and_never_their_values(
    bao: Bao,
) -> None:
    bao.mount("kv-keys", "kv", **VERSION_2)
    value = {"api_key": "made-up", "nested": {"inner": "made-up"}}
    bao.call("POST", "kv-keys/data/app", {"data": value})
    assert the_record(audited(bao, "kv-keys")).keys is None
    assert the_record(audited(bao, "kv-keys", keys=True)).keys == ("api_key", "nested")


def test_a_denied_subkeys_leaves_the_date_and_says_which_right_is_missing(bao: Bao) -> None:
    bao.mount("kv-subkeys", "kv", **VERSION_2)
    bao.put("kv-subkeys/app", key="one")
    token = bao.token('path "kv-subkeys/metadata/*" { capabilities = ["read", "list"] }')
    asked = settings(bao.address, token=token, mounts=["kv-subkeys"], keys=True)
    record, gap = backend(asked).read()
    assert the_record([record]).keys is None
    assert gaps([gap]) == [("denied", "vault://prod/-/kv-subkeys/app")]
    assert "read on kv-subkeys/subkeys/app: denied" in str(gap)


def test_the_policy_of_the_source_document_gives_no_dates_and_the_gap_says_why(bao: Bao) -> None:
    bao.mount("kv-source", "kv", **VERSION_2)
    bao.put("kv-source/agentaskit/api-keys", key="one")
    token = bao.token(
        'path "kv-source/data/agentaskit/*" { capabilities = ["read"] }',
        'path "kv-source/metadata/agentaskit/*" { capabilities = ["list"] }',
    )
    asked = settings(bao.address, token=token, mounts=["kv-source/agentaskit"])
    audit = backend(asked)
    (gap,) = audit.read()
    assert gaps([gap]) == [("denied", "vault://prod/-/kv-source/agentaskit/api-keys")]
    assert "read on kv-source/metadata/agentaskit/api-keys: denied" in str(gap)
    assert "list on metadata and read on data are not enough to read a date" in str(gap)
    assert [*audit.excess()] == [
        "read on kv-source/data/agentaskit/api-keys: this path contains a value"
    ]


def test_a_folder_that_may_not_be_listed_is_one_gap(bao: Bao) -> None:
    bao.mount("kv-closed", "kv", **VERSION_2)
    bao.put("kv-closed/open/app", key="one")
    bao.put("kv-closed/shut/app", key="one")
    token = bao.token(
        'path "kv-closed/metadata/*" { capabilities = ["read", "list"] }',
        'path "kv-closed/metadata/shut/*" { capabilities = ["deny"] }',
    )
    items = [*backend(settings(bao.address, token=token, mounts=["kv-closed"])).read()]
    assert [*records(items)] == ["kv-closed/open/app"]
    assert gaps(items) == [("denied", "vault://prod/-/kv-closed/shut")]


def test_an_empty_mount_gives_nothing_and_one_that_is_not_there_a_gap(bao: Bao) -> None:
    bao.mount("kv-bare", "kv", **VERSION_2)
    assert audited(bao, "kv-bare") == []
    (gap,) = audited(bao, "kv-nowhere")
    assert gaps([gap]) == [("denied", "vault://prod/-/kv-nowhere")]
    assert "the mount does not exist, or the token has no permission below it" in str(gap)
    # Where the mount ends in such a name is not known: none of its secrets may count as missing.
    assert gaps(audited(bao, "kv-nowhere/app")) == [("denied", "vault://prod/-")]


def test_a_transit_key_is_as_old_as_its_latest_version(bao: Bao) -> None:
    bao.mount("transit-latest", "transit")
    for name, kind in (("symmetric", "aes256-gcm96"), ("asymmetric", "ed25519")):
        bao.call("POST", f"transit-latest/keys/{name}", {"type": kind})
        bao.call("POST", f"transit-latest/keys/{name}/rotate", {})
    found = records(audited(bao, "transit-latest"))
    fields = {path: record.dated.field for path, record in found.items() if record.dated}
    assert fields == {
        "transit-latest/keys/symmetric": "keys[2]",
        "transit-latest/keys/asymmetric": "keys[2].creation_time",
    }
    said = bao.call("GET", "transit-latest/keys/symmetric")["data"]["keys"]["2"]
    assert date_of(found["transit-latest/keys/symmetric"]).timestamp() == said


def test_a_restored_transit_key_keeps_its_age(bao: Bao) -> None:
    bao.mount("transit-aged", "transit")
    more = {"exportable": True, "allow_plaintext_backup": True}
    bao.call("POST", "transit-aged/keys/app", more)
    backup = bao.call("GET", "transit-aged/backup/app")["data"]["backup"]
    aged = json.loads(base64.b64decode(backup))
    past = datetime(2026, 1, 31, 12, tzinfo=UTC)
    aged["policy"]["keys"]["1"]["creation_time"] = int(past.timestamp())
    aged["policy"]["keys"]["1"]["time"] = past.isoformat()
    edited = base64.b64encode(json.dumps(aged).encode()).decode()
    bao.call("POST", "transit-aged/restore/app", {"backup": edited, "force": True})
    assert date_of(the_record(audited(bao, "transit-aged"))) == past


def test_transit_rotates_by_itself_only_where_a_period_is_set(bao: Bao) -> None:
    bao.mount("transit-period", "transit")
    bao.call("POST", "transit-period/keys/off", {})
    bao.call("POST", "transit-period/keys/on", {"auto_rotate_period": "30d"})
    found = records(audited(bao, "transit-period"))
    assert found["transit-period/keys/off"].rotation == Rotation(period=0)
    on = found["transit-period/keys/on"]
    month = timedelta(days=30)
    assert on.rotation == Rotation(period=30 * 86_400, due=date_of(on) + month)


def test_an_older_transit_version_that_still_decrypts_is_no_old_credential(bao: Bao) -> None:
    bao.mount("transit-old", "transit")
    bao.call("POST", "transit-old/keys/app", {})
    bao.call("POST", "transit-old/keys/app/rotate", {})
    assert bao.call("GET", "transit-old/keys/app")["data"]["min_decryption_version"] == 1
    assert the_record(audited(bao, "transit-old")).superseded is None


def test_a_transit_key_that_waits_for_its_end_is_not_live(bao: Bao) -> None:
    bao.mount("transit-soft", "transit")
    bao.call("POST", "transit-soft/keys/app", {})
    bao.call("DELETE", "transit-soft/keys/app/soft-delete")
    assert notes(audited(bao, "transit-soft")) == [
        ("not-live", "vault://prod/-/transit-soft/keys/app")
    ]


def test_a_ca_is_dated_by_its_certificate_and_expires_with_it(bao: Bao) -> None:
    bao.mount("pki-ca", "pki")
    said = {"common_name": "ca.example.org", "ttl": "24h", "issuer_name": "own"}
    made = bao.call("POST", "pki-ca/root/generate/internal", said)["data"]
    now = datetime.now(UTC)
    record = the_record(audited(bao, "pki-ca", now=now))
    assert record.id == f"vault://prod/-/pki-ca/issuer/{made['issuer_id']}"
    assert record.tags == {"issuer_name": "own"}
    assert record.dated is not None
    assert (record.dated.field, record.dated.strength) == ("not_before", Strength.WEAK)
    assert record.expires is not None
    assert abs(record.expires - now - timedelta(days=1)) < timedelta(minutes=1)
    for later, verdict in ((timedelta(), None), (timedelta(days=2), Verdict.EXPIRED)):
        assert rotation_age.judge(record, None, now + later).verdict == verdict


def test_an_issued_certificate_is_reported_around_its_end_unless_it_was_renewed(bao: Bao) -> None:
    bao.mount("pki-leaf", "pki", config={"max_lease_ttl": "9000h"})
    root = {"common_name": "ca.example.org", "ttl": "8000h"}
    bao.call("POST", "pki-leaf/root/generate/internal", root)
    bao.call("POST", "pki-leaf/roles/any", {"allow_any_name": True, "max_ttl": "7000h"})

    def issued(name: str, ttl: str) -> str:
        said = {"common_name": name, "ttl": ttl}
        return str(bao.call("POST", "pki-leaf/issue/any", said)["data"]["serial_number"])

    issued("renewed.example.org", "480h")
    serial = issued("web.example.org", "480h")
    issued("renewed.example.org", "4800h")
    issued("short.example.org", "24h")
    revoked = issued("revoked.example.org", "480h")
    bao.call("POST", "pki-leaf/revoke", {"serial_number": revoked})
    now = datetime.now(UTC)
    seen = {
        days: [
            rotation_age.judge(one, None, now + timedelta(days=days))
            for one in audited(bao, "pki-leaf", now=now + timedelta(days=days))
            if isinstance(one, Record) and one.kind == "pki-certificate"
        ]
        for days in (10, 17, 21, 60)
    }
    assert [len(found) for found in seen.values()] == [0, 1, 1, 0]
    assert seen[17][0].record.id == f"vault://prod/-/pki-leaf/cert/{serial}"
    assert seen[17][0].record.tags == {"subject": "CN=web.example.org"}
    assert [each.condition for each in seen[17][0].conditions][-1] == Condition.EXPIRES_SOON
    assert seen[21][0].verdict == Verdict.EXPIRED


def test_an_ssh_ca_has_no_date_and_an_engine_without_one_gives_nothing(bao: Bao) -> None:
    bao.mount("ssh-ca", "ssh")
    assert audited(bao, "ssh-ca") == []
    bao.call("POST", "ssh-ca/config/ca", {"generate_signing_key": True, "key_type": "ed25519"})
    record = the_record(audited(bao, "ssh-ca"))
    assert (record.id, record.kind) == ("vault://prod/-/ssh-ca/config/ca", "ssh-ca")
    assert record.dated is None
    assert record.undated


def test_an_engine_that_is_not_read_is_a_gap_if_it_was_asked_for(bao: Bao) -> None:
    bao.mount("totp-codes", "totp")
    token = bao.token('path "totp-codes/keys" { capabilities = ["list"] }')
    asked = settings(bao.address, token=token, mounts=["totp-codes"])
    assert gaps(backend(asked).read()) == [("engine-not-read", "vault://prod/-/totp-codes")]


def test_a_folder_is_read_of_key_value_alone(bao: Bao) -> None:
    bao.mount("transit-folder", "transit")
    items = audited(bao, "transit-folder/keys")
    assert gaps(items) == [("selection", "vault://prod/-/transit-folder/keys")]


def test_every_mount_is_read_where_none_is_named(bao: Bao) -> None:
    bao.mount("kv-every", "kv", **VERSION_2)
    bao.put("kv-every/app", key="one")
    bao.mount("transit-every", "transit")
    bao.call("POST", "transit-every/keys/app", {})
    bao.mount("totp-every", "totp")
    items = audited(bao)
    assert {"kv-every/app", "transit-every/keys/app"} <= {*records(items)}
    # An engine that is not read is never silent: it may contain credentials.
    assert ("engine-not-read", "vault://prod/-/totp-every") in gaps(items)
    assert {kind for kind, _ in gaps(items)} == {"engine-not-read"}


def test_a_mount_below_a_folder_has_one_segment_in_its_ids(bao: Bao) -> None:
    bao.mount("kv-team/kv", "kv", **VERSION_2)
    bao.call("POST", "kv-team/kv/data/app", {"data": {"key": "one"}})
    token = bao.token('path "kv-team/kv/metadata/*" { capabilities = ["read", "list"] }')
    record = the_record(backend(settings(bao.address, token=token, mounts=["kv-team/kv"])).read())
    assert record.id == "vault://prod/-/kv-team%2Fkv/app"


def test_an_auditor_with_the_printed_rights_holds_none_beyond_them(bao: Bao) -> None:
    bao.mount("kv-rights", "kv", **VERSION_2)
    bao.put("kv-rights/app", key="one")
    bao.mount("transit-rights", "transit")
    bao.call("POST", "transit-rights/keys/app", {})
    audit = auditor(bao, "kv-rights", "transit-rights", keys=True)
    assert len([*audit.read()]) == 2
    assert [*audit.excess()] == []


def test_rights_beyond_need_are_named_one_by_one(bao: Bao) -> None:
    bao.mount("kv-beyond", "kv", **VERSION_2)
    bao.put("kv-beyond/app", key="one")
    token = bao.token('path "kv-beyond/*" { capabilities = ["read", "list", "delete"] }')
    audit = backend(settings(bao.address, token=token, mounts=["kv-beyond"]))
    assert [*audit.excess()] == []  # nothing was read yet
    assert len([*audit.read()]) == 1
    assert [*audit.excess()] == [
        "delete on kv-beyond/metadata/app: only list and read is needed",
        "delete, read on kv-beyond/data/app: this path contains a value",
    ]


def test_rights_may_differ_by_folder_so_some_of_each_are_looked_at(bao: Bao) -> None:
    bao.mount("kv-folders", "kv", **VERSION_2)
    for number in range(12):
        bao.put(f"kv-folders/f{number:02}/a", key="one")
        bao.put(f"kv-folders/f{number:02}/b", key="one")
    token = bao.token(
        'path "kv-folders/metadata/*" { capabilities = ["read", "list"] }',
        'path "kv-folders/data/f07/*" { capabilities = ["read"] }',
    )
    audit = backend(settings(bao.address, token=token, mounts=["kv-folders"]))
    assert len([*audit.read()]) == 24
    assert [*audit.excess()] == ["read on kv-folders/data/f07/a: this path contains a value"]


def test_where_nothing_is_no_right_is_beyond_need(bao: Bao) -> None:
    bao.mount("kv-hollow", "kv", **VERSION_2)
    audit = auditor(bao, "kv-hollow")
    assert [*audit.read()] == []
    assert [*audit.excess()] == []


def test_a_ca_may_be_read_and_not_changed(bao: Bao) -> None:
    bao.mount("pki-change", "pki")
    made = bao.call("POST", "pki-change/root/generate/internal", {"common_name": "x"})["data"]
    token = bao.token('path "pki-change/*" { capabilities = ["read", "list", "delete"] }')
    audit = backend(settings(bao.address, token=token, mounts=["pki-change"]))
    assert len([*audit.read()]) == 1
    assert [*audit.excess()] == [
        f"delete on pki-change/issuer/{made['issuer_id']}: only list and read is needed"
    ]


def test_a_root_token_is_beyond_need_as_a_whole(bao: Bao) -> None:
    bao.mount("kv-root", "kv", **VERSION_2)
    bao.put("kv-root/app", key="one")
    audit = backend(settings(bao.address, token="root", mounts=["kv-root"]))
    assert len([*audit.read()]) == 1
    assert [*audit.excess()] == [
        "its token is a root token: it may read every value and change everything"
    ]


def test_the_audit_log_would_show_a_request_for_a_value() -> None:
    for bad in ("read app/data/x", "list app/data/", "read kv1/x", "read db/static-creds/x"):
        assert not is_metadata(Asked(*bad.split()))
    assert is_metadata(Asked("read", "app/metadata/x"))
