"""Consumers: rollouts that succeed, hang or fail, and the lock that a cluster keeps."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from scanner.errors import UsageError
from scanner.rotate.model import State
from tests.support.openbao import Bao
from tests.support.rollouts import Cluster, cluster
from tests.support.rotations import Rotator


@pytest.fixture
def eks(tmp_path: Path, rotator: Rotator) -> Iterator[Cluster]:
    with cluster(tmp_path) as one:
        backend = {"kind": "kubernetes", "kubeconfig": one.kubeconfig, "context": "test"}
        rotator.config["backends"]["eks"] = backend
        rotator.config["rotation"]["identities"]["eks"] = {"context": "test"}
        yield one


@pytest.fixture
def secret(rotator: Rotator, vault: Bao, eks: Cluster) -> str:
    """A signing key that two deployments use."""
    name = f"consumed-{time.monotonic_ns()}"
    vault.put(f"app/{name}", key="made-up")
    found = f"vault://prod/-/app/{name}"
    consumers = [{"workload": eks.add(each), "ready_within": "1s"} for each in ("web", "worker")]
    entry = {"match": found, "issuer": "ours", "field": "key", "destroy_old": True}
    rotator.entries.append({**entry, "consumers": consumers})
    return found


def test_consumers_restart_and_are_proven_to_run_with_the_new_value(
    rotator: Rotator, eks: Cluster, secret: str
) -> None:
    done = rotator.finish(secret)
    assert eks.restarts == ["web", "worker"]
    assert done.record
    proofs = done.record["proofs"]
    assert isinstance(proofs, list)
    assert "k8s://eks/prod/deployment/web runs with the new value" in proofs


@pytest.mark.slow
def test_a_crash_at_any_moment_restarts_each_consumer_once(
    rotator: Rotator, eks: Cluster, secret: str
) -> None:
    moments = rotator.crashed(secret, "none")
    for moment in moments:
        if "k8s" in moment or "overlap" in moment or "retire" in moment:
            eks.restarts.clear()
            rotator.crashed(secret, moment)
            assert eks.restarts == ["web", "worker"], moment


def test_a_rollout_that_hangs_keeps_the_old_value_and_names_the_consumer(
    rotator: Rotator, eks: Cluster, secret: str
) -> None:
    eks.mode = "hangs"
    (stopped,) = rotator.apply(secret).results
    assert stopped.progress.state is State.CONSUMERS_NOT_READY
    assert "k8s://eks/prod/deployment/web" in stopped.progress.reason
    (still,) = rotator.resume(later=7200).results
    assert still.progress.state is State.CONSUMERS_NOT_READY
    eks.mode = "succeeds"
    (done,) = rotator.resume().results  # the overlap counts from the new value, and has ended
    assert done.progress.state is State.FINISHED
    assert eks.restarts == ["web", "worker"]


def test_a_rollout_that_is_refused_says_which_right_is_missing(
    rotator: Rotator, eks: Cluster, secret: str
) -> None:
    eks.mode = "fails"
    (failed,) = rotator.apply(secret).results
    assert failed.progress.state is State.FAILED
    assert "rights" in failed.progress.todo
    eks.mode = "succeeds"
    rotator.resume()
    (done,) = rotator.resume(later=7200).results
    assert done.progress.state is State.FINISHED


def test_pods_that_have_not_mounted_the_new_version_are_named_as_stale(
    rotator: Rotator, eks: Cluster, secret: str
) -> None:
    entry = rotator.entries[-1]
    workload = entry["consumers"][0]["workload"]
    entry["consumers"] = [{"workload": workload, "proof": "csi", "ready_within": "1s"}]
    eks.mounted = {"web-0": datetime.now(UTC) - timedelta(days=1)}
    (stopped,) = rotator.apply(secret).results
    assert stopped.progress.state is State.CONSUMERS_NOT_READY
    assert stopped.progress.reason.endswith("mounted an older version: web-0, web-1")
    eks.mounted = dict.fromkeys(("web-0", "web-1"), datetime.now(UTC) + timedelta(seconds=2))
    rotator.resume()
    (done,) = rotator.resume(later=7200).results
    assert done.progress.state is State.FINISHED
    assert eks.restarts == []


def test_a_command_says_whether_an_agent_has_rendered_the_new_version(
    rotator: Rotator, eks: Cluster, secret: str, tmp_path: Path
) -> None:
    asked, rendered = tmp_path / "asked.json", tmp_path / "rendered"
    script = f"cat > {asked}; test -e {rendered}"
    entry = rotator.entries[-1]
    workload = entry["consumers"][0]["workload"]
    command = ["sh", "-c", script]
    entry["consumers"] = [{"workload": workload, "command": command, "ready_within": "1s"}]
    (stopped,) = rotator.apply(secret).results
    assert stopped.progress.state is State.CONSUMERS_NOT_READY
    question = json.loads(asked.read_text())
    assert (question["action"], question["workload"]) == ("ready", workload)
    rendered.touch()
    rotator.resume()
    (done,) = rotator.resume(later=7200).results
    assert done.progress.state is State.FINISHED
    assert eks.restarts == []


@pytest.mark.parametrize("lock", ["k8s://eks/ops/lease/keywatch", "vault://prod/-/keywatch/two"])
def test_two_machines_do_not_rotate_at_the_same_time(
    rotator: Rotator, eks: Cluster, secret: str, lock: str, tmp_path: Path
) -> None:
    rotator.config["rotation"]["lock"] = lock
    other = Rotator(tmp_path / "other", {}, {}, lock=lock)
    other.environ = rotator.environ
    other.config["backends"] = rotator.config["backends"]
    rotation = rotator.config["rotation"]
    other.config["rotation"] |= {
        each: rotation[each] for each in ("identities", "secrets", "issuers")
    }
    refused = []

    def meanwhile(moment: str) -> None:
        if moment == "before store":
            with pytest.raises(UsageError, match="is rotating: it holds the lock"):
                other.apply(secret)
            refused.append(moment)

    (waiting,) = rotator.apply(secret, hook=meanwhile).results
    assert refused
    assert waiting.progress.state is State.WAITING
    assert other.records == []
