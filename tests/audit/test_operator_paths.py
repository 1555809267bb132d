"""The files that an operator config names: where relative paths start, and where none may lie."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.helpers import Keywatch, repository, write_files

PROGRAM = "#!/bin/sh\ntouch {trap}\n"


def kubeconfig(program: Path) -> str:
    user = {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": str(program),
            "interactiveMode": "Never",
        }
    }
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
            "users": [{"name": "u", "user": user}],
        }
    )


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A repository that plants a kubeconfig whose user runs a program."""
    repo = repository(tmp_path / "repo")
    program = repo / "program"
    program.write_text(PROGRAM.format(trap=tmp_path / "trap"))
    program.chmod(0o755)
    write_files(repo, {"kc.yaml": kubeconfig(program), "ca.pem": "x", "token": "x"})
    (repo / "deep").mkdir()
    return repo


VAULT = "kind: vault, address: 'https://127.0.0.1:1'"


@pytest.mark.parametrize(
    "backend",
    [
        "{kind: kubernetes, kubeconfig: kc.yaml}",
        "{kind: kubernetes, kubeconfig: kc.yaml, exec: true}",
        "{kind: kubernetes, kubeconfig: ../repo/kc.yaml, exec: true}",
        "{kind: kubernetes, context: c, exec: true}",
        "{kind: kubernetes, context: c}",
        f"{{{VAULT}, auth: {{method: token, file: ../repo/token}}}}",
        f"{{{VAULT}, auth: {{method: token, env: X}}, tls: {{ca: ../repo/ca.pem}}}}",
        "{kind: aws, ca: ../repo/ca.pem}",
    ],
)
def test_no_file_of_the_repository_steers_an_audit(
    hostile: Path, tmp_path: Path, keywatch: Keywatch, backend: str
) -> None:
    variables: dict[str, Any] = {"X": "x", "KUBECONFIG": "kc.yaml"}
    write_files(tmp_path / "ops", {"operator.yaml": f"backends:\n  one: {backend}\n"})
    for folder in (hostile, hostile / "deep"):
        done = keywatch(
            "audit", "--operator", str(tmp_path / "ops/operator.yaml"), cwd=folder, **variables
        )
        said = done.stderr.decode() + done.stdout.decode()
        assert done.returncode in {2, 3}, said
        assert "Traceback" not in said
        assert not (tmp_path / "trap").exists()


@pytest.mark.parametrize("place", ["kc.yaml", "{ops}/kc.yaml"])
def test_a_relative_path_starts_at_the_operator_config(
    hostile: Path, tmp_path: Path, keywatch: Keywatch, place: str
) -> None:
    ops = write_files(tmp_path / "ops", {"kc.yaml": kubeconfig(hostile / "program")})
    backend = f"{{kind: kubernetes, kubeconfig: '{place.format(ops=ops)}'}}"
    write_files(ops, {"operator.yaml": f"backends:\n  one: {backend}\n"})
    done = keywatch("audit", "--operator", str(ops / "operator.yaml"), cwd=hostile)
    said = done.stderr.decode() + done.stdout.decode()
    assert done.returncode == 3, said
    assert "exec: true" in " ".join(said.split())
    assert not (tmp_path / "trap").exists()
