"""Check the installation, the cache, git, the repository's files and the live stores."""

from __future__ import annotations

import os
import platform
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from importlib import metadata
from typing import NamedTuple

import scanner
from scanner import cache
from scanner.audit import backends, operator_config
from scanner.configuration.repository import KEYWATCH_BASELINE, NAME, SECRETS_BASELINE
from scanner.console import Console
from scanner.detect import detector
from scanner.detect.detect_secrets.baseline import VERSION
from scanner.detect.engine import linear_regex
from scanner.detect.prefilter import matcher
from scanner.detect.rules import rulebook, samples
from scanner.errors import KeywatchError
from scanner.inputs.git import commands, packs
from scanner.inventory.interface import Backend, Settings
from scanner.masking import masked
from scanner.model import Finding, Gap
from scanner.policy.baselines import detect_secrets_baseline, keywatch_baseline
from scanner.policy.repository import guard_rails
from scanner.records import Record
from scanner.report import text
from scanner.repository import policy_files
from scanner.repository.tree import Tree
from scanner.scan import baselines

_TIMEOUT = 30.0  # seconds for each backend
_FRAMEWORK = "pre-commit"
_HEAD = 4096  # bytes of a hook that say whose it is


class Check(NamedTuple):
    """What was checked, the result, and what to do about it ("" if it is fine)."""

    name: str
    seen: str
    todo: str = ""


class DoctorRequest(NamedTuple):
    """A folder of the repository, and the operator config, if live stores are checked, too."""

    path: str
    operator: str | None


def checks(
    request: DoctorRequest, console: Console, modules: backends.Modules, now: datetime
) -> Iterator[Check]:
    """Run every check, one after another."""
    yield Check("keywatch", f"{scanner.__version__}, Python {platform.python_version()}")
    yield from (_library(), _rules(), _matcher(), _linear(), _cache(), _git(console), _history())
    try:
        tree = Tree(request.path, console)
    except KeywatchError as error:
        yield _fault("repository", error)
        return
    yield from (_policy(tree), *_baselines(tree), _hook(tree))
    if request.operator:
        yield from _operator(request.operator, console, tree, modules, now)


def _fault(name: str, error: KeywatchError, more: int = 0) -> Check:
    where = f"{error.where}: " if error.where else ""
    why = f" ({error.why})" if error.why else ""
    others = f"; and {text.count(more, 'more fault')}" if more else ""
    return Check(name, f"{where}{error.what}{why}{others}", error.todo or "correct it")


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _library() -> Check:
    version = _version("detect-secrets")
    todo = "" if version == VERSION else f"pip install detect-secrets=={VERSION}"
    return Check("exact mode", f"detect-secrets {version or 'is not installed'}", todo)


def _rules(mask: Callable[[str], str] = masked) -> Check:
    """A made-up token must be found and masked."""
    sample = samples.expand("ghp_{base62:30}{crc32}", 1)
    shown = mask(sample)
    if sample not in shown and shown.startswith("ghp_"):
        return Check("rules", "a made-up token is found and masked")
    return Check("rules", "a made-up token is not found", "install keywatch again")


def _matcher() -> Check:
    """The engine in use, and whether its compiled rules are cached."""
    book, folder = rulebook.load(cache_folder=cache.folder()), cache.folder()
    compiled: list[str] = []

    def patterns() -> Mapping[int, matcher.Pattern]:
        compiled.append("again")
        return detector.patterns(book)

    for _ in range(2):  # the first fills the cache
        compiled.clear()
        engine = matcher.build("auto", patterns, book.shipped_key, folder)
        engine.hits(b"", "config")
    version = _version("hyperscan")
    if engine.name != "hyperscan":
        todo = "install hyperscan again: it cannot be loaded" if version else ""
        return Check("matcher", "re: Hyperscan is not installed, so scans are slower", todo)
    if compiled:
        return Check(
            "matcher", f"hyperscan {version}, compiled again in each run", "repair the cache"
        )
    return Check("matcher", f"hyperscan {version}, compiled and cached")


def _linear() -> Check:
    if isinstance(linear_regex.linear("a"), re.Pattern):
        return Check(
            "spans", "re: google-re2 is not installed, so a rule may be slow on hostile text"
        )
    return Check("spans", f"google-re2 {_version('google-re2')}")


def _history() -> Check:
    version = _version("pygit2")
    if packs.load():
        return Check("history", f"long histories are read by pygit2 {version}")
    todo = "install pygit2 again: it cannot be loaded" if version else ""
    return Check(
        "history", "read by git; long histories take less time with keywatch[history]", todo
    )


def _cache() -> Check:
    folder = cache.folder()
    if folder is None:
        return Check("cache", "there is no home folder for it", "set HOME or XDG_CACHE_HOME")
    trouble = cache.trouble(folder)
    todo = f"allow only yourself to use the folder: chmod 700 {folder}" if trouble else ""
    return Check("cache", f"{folder}: {trouble or 'private'}", todo)


def _git(console: Console) -> Check:
    try:
        return Check("git", os.fsdecode(commands.run(console.cwd, "--version")).strip())
    except KeywatchError as error:
        return _fault("git", error)


def _policy(tree: Tree) -> Check:
    found, faults = policy_files.examined(tree)
    if faults:
        return _fault("policy", faults[0], len(faults) - 1)
    if not found.exists:
        return Check(
            "policy", f"there is no {NAME}, so the defaults apply (keywatch init writes one)"
        )
    return Check("policy", f"{NAME} is valid, {text.count(len(found.secrets), 'declared secret')}")


def _baselines(tree: Tree) -> Iterator[Check]:
    """Each baseline that exists, or that there is none."""
    names = [
        name for name in (KEYWATCH_BASELINE, SECRETS_BASELINE) if tree.control(name) is not None
    ]
    yield from (_baseline(name, tree.control(name) or b"") for name in names)
    if not names:
        yield Check("baseline", "there is none")


def _baseline(name: str, data: bytes) -> Check:
    try:
        if name == KEYWATCH_BASELINE:
            entries = len(keywatch_baseline.parse(data, name).entries)
        else:
            entries = len(
                detect_secrets_baseline.parse(
                    baselines.detect_secrets_document(data, name), name
                ).labels
            )
    except KeywatchError as error:
        return _fault("baseline", error)
    return Check("baseline", f"{name}: {text.count(entries, 'accepted finding')}")


def _hook(tree: Tree) -> Check:
    """Does git run keywatch before a commit, by itself or by the pre-commit framework?"""
    if not os.path.lexists(os.path.join(tree.root, ".git")):
        return Check("hook", "this is not a git repository, so there are no hooks")
    script = _head(os.path.join(tree.root, commands.hooks_folder(tree.root), "pre-commit"))
    if "keywatch" in script:
        return Check("hook", "git runs keywatch before each commit")
    config = tree.control(guard_rails.PRE_COMMIT)
    named = guard_rails.hook(None if config is None else config.decode(errors="replace"), ())
    if isinstance(named, Finding):
        return Check("hook", "nothing checks commits", "keywatch hook install")
    if _FRAMEWORK in script:
        return Check("hook", f"pre-commit runs it ({guard_rails.PRE_COMMIT})")
    seen = f"{guard_rails.PRE_COMMIT} names it, but git does not run pre-commit"
    return Check("hook", seen, "pre-commit install")


def _head(path: str) -> str:
    """The beginning of a script, "" if there is none that git would run."""
    if not os.path.lexists(path) or not stat.S_ISREG(os.stat(path).st_mode):
        return ""
    if not os.access(path, os.X_OK):
        return ""
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read(_HEAD)


def _operator(
    given: str, console: Console, tree: Tree, modules: backends.Modules, now: datetime
) -> Iterator[Check]:
    try:
        config = operator_config.read(given, console, tree.root, backends.options(modules))
    except KeywatchError as error:
        yield _fault("operator", error)
        return
    yield Check("operator", f"{given} is valid, {text.count(len(config.backends), 'backend')}")
    for backend in config.backends:
        settings = backends.settings(backend, timeout=_TIMEOUT, environ=console.environ)
        yield _backend(settings, modules, now)


def _backend(settings: Settings, modules: backends.Modules, now: datetime) -> Check:
    try:
        return _answer(settings.name, backends.connected(settings, modules, now))
    except KeywatchError as error:
        return _fault(settings.name, error)


def _answer(name: str, backend: Backend) -> Check:
    """Read until the first secret or the first failure."""
    try:
        first = next((item for item in backend.read() if isinstance(item, (Record, Gap))), None)
    except Exception as error:  # noqa: BLE001 - the text may hold a token
        return Check(name, f"internal error {type(error).__name__}", "report this defect")
    finally:
        backend.close()
    match first:
        case Record():
            return Check(name, "it answers and lists secrets")
        case Gap():
            todo = "correct it, or grant what keywatch audit --permissions prints"
            return Check(name, f"{first.kind}: {first.path}: {first.reason}", todo)
    return Check(name, "it lists no secret", "grant what keywatch audit --permissions prints")
