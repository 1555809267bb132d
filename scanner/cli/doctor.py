"""Look whether keywatch has all that it needs here, and say what to do where it has not.

  keywatch doctor [PATH]
  keywatch doctor --operator FILE    ask each backend, too, as an audit does, for one secret

Nothing of the repository runs, and without --operator nothing is asked of the network. The exit
code is 1 where there is a problem.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import stat
from collections.abc import Iterator, Mapping
from importlib import metadata
from typing import NamedTuple

import scanner
from scanner import cache
from scanner.audit import backends, operator_config
from scanner.cli import policy
from scanner.configuration.repository import NAME
from scanner.console import Io, moment, plain
from scanner.detect import detector
from scanner.detect.detect_secrets.baseline import VERSION
from scanner.detect.engine import linear_regex
from scanner.detect.prefilter import matcher
from scanner.detect.rules import rulebook, samples
from scanner.errors import ExitCode, KeywatchError
from scanner.inputs.git import commands, packs
from scanner.inventory.interface import Backend, Settings
from scanner.masking import masked
from scanner.model import Finding, Gap
from scanner.policy.baselines import detect_secrets_baseline, keywatch_baseline
from scanner.policy.repository import guard_rails
from scanner.records import Record
from scanner.report import text
from scanner.repository.tree import Tree
from scanner.scan import baselines, sources

_PATIENCE = 30.0  # seconds for each backend
_FRAMEWORK = "pre-commit"
_HEAD = 4096  # bytes of a hook that say whose it is


class Check(NamedTuple):
    """What was looked at and what was seen; and what to do, "" where all is well."""

    name: str
    seen: str
    todo: str = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    sources.add_folder(parser)
    operator_config.add_arguments(parser.add_argument_group("which stores"))


def run(args: argparse.Namespace, io: Io, modules: backends.Modules = backends.BACKENDS) -> int:
    problems = 0
    for check in _checks(args, io, modules):
        io.write(_line(check))
        problems += bool(check.todo)
    io.write(f"{text.count(problems, 'problem')}\n" if problems else "all is well\n")
    return ExitCode.FINDINGS if problems else ExitCode.CLEAN


def _line(check: Check) -> str:
    mark = "problem" if check.todo else "ok"
    line = f"{mark:<8} {plain(check.name):<11} {plain(check.seen)}\n"
    return line + (f"{'':<21}do: {plain(check.todo)}\n" if check.todo else "")


def _checks(args: argparse.Namespace, io: Io, modules: backends.Modules) -> Iterator[Check]:
    yield Check("keywatch", f"{scanner.__version__}, Python {platform.python_version()}")
    yield from (_library(), _rules(), _matcher(), _linear(), _cache(), _git(io), _history())
    try:
        tree = Tree(args.path, io)
    except KeywatchError as error:
        yield _fault("repository", error)
        return
    yield from (_policy(tree), *_baselines(tree), _hook(tree))
    if args.operator:
        yield from _operator(args, io, tree, modules)


def _fault(name: str, error: KeywatchError, more: int = 0) -> Check:
    where = f"{error.where}: " if error.where else ""
    why = f" ({error.why})" if error.why else ""
    others = f"; and {text.count(more, 'more fault')}" if more else ""
    return Check(name, f"{where}{error.what}{why}{others}", error.todo or "mend it")


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _library() -> Check:
    version = _version("detect-secrets")
    todo = "" if version == VERSION else f"pip install detect-secrets=={VERSION}"
    return Check("exact mode", f"detect-secrets {version or 'is not installed'}", todo)


def _rules() -> Check:
    """A made-up token is found, with all that it takes."""
    sample = samples.expand("ghp_{base62:30}{crc32}", 1)
    shown = masked(sample)
    if sample not in shown and shown.startswith("ghp_"):
        return Check("rules", "a made-up token is found and masked")
    return Check("rules", "a made-up token is not found", "install keywatch anew")


def _matcher() -> Check:
    """The engine in use, and whether what it compiles is there for the next run."""
    book, folder = rulebook.load(cache_folder=cache.folder()), cache.folder()
    compiled: list[str] = []

    def patterns() -> Mapping[int, matcher.Pattern]:
        compiled.append("anew")
        return detector.patterns(book)

    for _ in range(2):  # the first fills the cache
        compiled.clear()
        engine = matcher.build("auto", patterns, book.shipped_key, folder)
        engine.hits(b"", "config")
    version = _version("hyperscan")
    if engine.name != "hyperscan":
        todo = "install hyperscan anew: it does not load" if version else ""
        return Check("matcher", "re, the slower twin: Hyperscan is not here", todo)
    if compiled:
        return Check("matcher", f"hyperscan {version}, compiled anew in each run", "mend the cache")
    return Check("matcher", f"hyperscan {version}, compiled and cached")


def _linear() -> Check:
    if isinstance(linear_regex.linear("a"), re.Pattern):
        return Check("spans", "re: google-re2 is not here, so a rule may be slow on hostile text")
    return Check("spans", f"google-re2 {_version('google-re2')}")


def _history() -> Check:
    version = _version("pygit2")
    if packs.load():
        return Check("history", f"long ones are read by pygit2 {version}")
    todo = "install pygit2 anew: it does not load" if version else ""
    return Check("history", "read by git: with keywatch[history], long ones take less time", todo)


def _cache() -> Check:
    folder = cache.folder()
    if folder is None:
        return Check("cache", "there is no home to keep it in", "set HOME or XDG_CACHE_HOME")
    trouble = cache.trouble(folder)
    todo = f"let the folder be yours alone: chmod 700 {folder}" if trouble else ""
    return Check("cache", f"{folder}: {trouble or 'private'}", todo)


def _git(io: Io) -> Check:
    try:
        return Check("git", os.fsdecode(commands.run(io.cwd, "--version")).strip())
    except KeywatchError as error:
        return _fault("git", error)


def _policy(tree: Tree) -> Check:
    found, faults = policy.examined(tree)
    if faults:
        return _fault("policy", faults[0], len(faults) - 1)
    if not found.exists:
        return Check("policy", f"there is no {NAME}: the defaults hold (keywatch init writes one)")
    return Check("policy", f"{NAME} is valid, {text.count(len(found.secrets), 'declared secret')}")


def _baselines(tree: Tree) -> Iterator[Check]:
    """Each that is there, or that there is none."""
    names = [
        name
        for name in (baselines.OWN, baselines.SECRETS_BASELINE)
        if tree.control(name) is not None
    ]
    yield from (_baseline(name, tree.control(name) or b"") for name in names)
    if not names:
        yield Check("baseline", "there is none: no debt is on record")


def _baseline(name: str, data: bytes) -> Check:
    try:
        if name == baselines.OWN:
            owed = len(keywatch_baseline.parse(data, name).entries)
        else:
            owed = len(
                detect_secrets_baseline.parse(
                    baselines.detect_secrets_document(data, name), name
                ).labels
            )
    except KeywatchError as error:
        return _fault("baseline", error)
    return Check("baseline", f"{name}: {text.count(owed, 'finding')}")


def _hook(tree: Tree) -> Check:
    """Does git run keywatch before a commit, by itself or by the pre-commit framework?"""
    if not os.path.lexists(os.path.join(tree.root, ".git")):
        return Check("hook", "this is no git repository: there is nothing to hook into")
    script = _head(os.path.join(tree.root, commands.hooks_folder(tree.root), "pre-commit"))
    if "keywatch" in script:
        return Check("hook", "git runs keywatch before each commit")
    config = tree.control(guard_rails.PRE_COMMIT)
    named = guard_rails.hook(None if config is None else config.decode(errors="replace"), ())
    if isinstance(named, Finding):
        return Check("hook", "nothing checks a commit", "keywatch hook install")
    if _FRAMEWORK in script:
        return Check("hook", f"pre-commit runs it, as {guard_rails.PRE_COMMIT} says")
    seen = f"{guard_rails.PRE_COMMIT} has it, and git does not run pre-commit"
    return Check("hook", seen, "pre-commit install")


def _head(path: str) -> str:
    """The beginning of a script; "" where there is none that git would run."""
    if not os.path.lexists(path) or not stat.S_ISREG(os.stat(path).st_mode):
        return ""
    if not os.access(path, os.X_OK):
        return ""
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read(_HEAD)


def _operator(
    args: argparse.Namespace, io: Io, tree: Tree, modules: backends.Modules
) -> Iterator[Check]:
    try:
        said = operator_config.read(args.operator, io, tree.root, backends.options(modules))
    except KeywatchError as error:
        yield _fault("operator", error)
        return
    yield Check(
        "operator", f"{args.operator} is valid, {text.count(len(said.backends), 'backend')}"
    )
    for entry in said.backends:
        settings = Settings(entry.name, entry.kind, entry.options, _PATIENCE, io.environ)
        yield _backend(settings, modules)


def _backend(settings: Settings, modules: backends.Modules) -> Check:
    try:
        return _answer(settings.name, backends.connected(settings, modules, moment(None)))
    except KeywatchError as error:
        return _fault(settings.name, error)


def _answer(name: str, backend: Backend) -> Check:
    """The first secret or gap is enough. A defect of the backend's reader is told by its kind."""
    try:
        first = next((item for item in backend.read() if isinstance(item, (Record, Gap))), None)
    except Exception as error:  # noqa: BLE001 - the text may hold a token
        return Check(name, f"internal error {type(error).__name__}", "report this defect")
    match first:
        case Record():
            return Check(name, "it answers, and lists secrets")
        case Gap():
            todo = "see to it, or to what keywatch audit --permissions says"
            return Check(name, f"{first.kind}: {first.path}: {first.reason}", todo)
    return Check(name, "it lists no secret", "see what keywatch audit --permissions says")
