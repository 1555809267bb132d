"""Write references in the place of literals in configuration files.

  keywatch fix --templates [PATH ...]            show what would change, with the values masked
  keywatch fix --templates --write [PATH ...]    change it

Each value becomes a reference in its file's own syntax; .env.example, at the top of the repository,
gets the names of the variables. Nothing else changes. Revoke the old values: history keeps them.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from scanner.cli import scan
from scanner.console import Io, moment
from scanner.detect import fixes
from scanner.detect.fixes import Fixed, Hunk, Left, Names
from scanner.errors import ExitCode, KeywatchError, OutputError, UsageError
from scanner.exceptions import full_scan
from scanner.fix import replace_file, text
from scanner.fix.text import File
from scanner.inputs.folder import Folder
from scanner.inputs.interface import Blob
from scanner.model import Confidence, Finding, Outcome, RuleInfo
from scanner.scan import files as sweep
from scanner.scan.files import Plan

EXAMPLE = ".env.example"
# Rules on values that say how to fix one and not how to revoke it.
_VALUES_TOO = ("command-", "piped-", "kubernetes-secret-manifest")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    full_scan.add_arguments(parser)
    group = parser.add_argument_group("what to fix")
    group.add_argument(
        "--templates", action="store_true", help="literals in configuration; all there is to fix"
    )
    group.add_argument("--write", action="store_true", help="change the files")
    group.add_argument(
        "--covered", action="store_true", help="also what an exception or a baseline covers"
    )


def run(args: argparse.Namespace, io: Io) -> int:
    if not args.templates:
        raise UsageError("there is nothing to fix without --templates", todo="add --templates")
    if args.staged or args.stdin or args.archives:
        raise UsageError(
            "fix changes files on disk",
            why="the index, standard input and members of archives are none",
            todo="name files",
        )
    plan = sweep.plan(args, io, full_scan.select(args, io)._replace(archives=False))
    swept = sweep.sweep(plan, io)
    outcome = scan.judged(args, plan, swept, moment(args.now), Confidence.LOW)
    found, left = _sorted_out(plan, outcome, covered=args.covered)
    files, stays = _fixed(plan, found)
    left += stays
    if args.write:
        files, failed = _written(plan.selection.source.root, files)
        left += failed
    revokes = {rule: info.revoke for rule, info in plan.recipe.book.infos.items()}
    if files or left:
        io.write(text.text(files, left, revokes, written=args.write, color=io.color))
    else:
        io.write(text.nothing(0 if args.covered else len(outcome.suppressed)))
    if left or (files and not args.write):
        return ExitCode.FINDINGS
    return full_scan.completeness(outcome, io)


def _sorted_out(
    plan: Plan, outcome: Outcome, *, covered: bool
) -> tuple[Mapping[str, list[Finding]], list[Left]]:
    """The findings of each file that are values; the others, each with its rule's own advice."""
    infos = plan.recipe.book.infos
    hidden = [each.finding for each in outcome.suppressed] if covered else []
    found: dict[str, list[Finding]] = {}
    left = []
    for finding in (*outcome.findings, *hidden):
        info = infos.get(finding.rule)  # the judge's own rules, and whole-tree ones, have none
        if info and info.fix and _is_no_value(info):
            left.append(Left(finding, info.fix))
        elif info:
            found.setdefault(finding.location.path, []).append(finding)
    return dict(sorted(found.items())), left


def _is_no_value(info: RuleInfo) -> bool:
    """Is the rule about something else than a value that can be revoked?"""
    if info.revoke or info.id.startswith(_VALUES_TOO):
        return info.id == "config-malformed-template"
    return True


def _fixed(plan: Plan, found: Mapping[str, Sequence[Finding]]) -> tuple[list[File], list[Left]]:
    """The files as they should be, .env.example the last of them, and what stays."""
    root, most = plan.selection.source.root, plan.recipe.most
    memory = _Memory(root)
    task = plan.recipe._replace(source=memory).task()
    files: list[File] = []
    left: list[Left] = []
    variables = Names()
    for path, findings in found.items():
        data, reason = _text(root, path, most)
        if data is None:
            left += (Left(finding, reason) for finding in findings)
            continue
        fixed = fixes.fix(path, data, findings, memory.observer(path, task), variables)
        left += fixed.left
        if fixed.replaced:
            files.append(File(path, data, fixed))
    names = {each.variable for file in files for each in file.fixed.replaced}
    example = _example(root, names | {each.variable for each in left})
    return [*files, *example], left


class _Memory:
    """A Source of one file, whose bytes are at hand."""

    whole_tree = False

    def __init__(self, root: str) -> None:
        self.root = root
        self._data = b""

    def paths(self) -> Sequence[str]:
        return ()

    def read(self, path: str, most: int) -> Blob:  # noqa: ARG002 - a Source's
        return Blob(path=path, size=len(self._data), chunks=(self._data,))

    def open(self, path: str, most: int) -> None:  # noqa: ARG002 - a Source's
        return None

    def control(self, path: str) -> bytes | None:  # noqa: ARG002 - a Source's
        return None

    def observer(
        self, path: str, task: Callable[[Sequence[str]], sweep.Swept]
    ) -> Callable[[bytes], Sequence[Finding]]:
        """What the task finds in the file at `path` if it holds these bytes."""

        def observe(data: bytes) -> Sequence[Finding]:
            self._data = data
            return [f for each in task([path]).observations for f in each.findings]

        return observe


def _text(root: str, path: str, most: int) -> tuple[bytes | None, str]:
    """A file's bytes, or None and why it is not changed."""
    disk = Folder(root, (), use_git=False)
    got = disk.read(path, most)
    if not isinstance(got, Blob):
        name = "its file's name holds a secret, or it is gone: mend that first"
        return None, name if got.kind == "vanished" else f"its file is not read ({got.kind})"
    try:
        data, stored = b"".join(got.chunks), disk.control(path)
    except (OSError, KeywatchError):
        return None, "its file cannot be read"
    return (data, "") if data == stored else (None, "its file is not in UTF-8: mend it by hand")


def _example(root: str, names: set[str]) -> Iterator[File]:
    """.env.example with these names, where it has not all of them."""
    before = Folder(root, (), use_git=False).control(EXAMPLE)
    old = before or b""
    said = {
        m[1].decode()
        for m in re.finditer(rb"(?m)^[ \t]*(?:export[ \t]+)?(\w+)[ \t]*(?:=|\r?$)", old)
    }
    new = sorted(names - said - {""})
    if not new:
        return
    end = b"\r\n" if b"\r\n" in old else b"\n"
    first = end if old and not old.endswith(b"\n") else b""
    added = b"".join(f"{name}=".encode() + end for name in new)
    line = old.count(b"\n") + 1 + bool(first)
    hunk = Hunk(line=line, new_line=line, old=(), new=tuple(f"{name}=" for name in new))
    yield File(EXAMPLE, before, Fixed(old + first + added, (hunk,), (), ()))


def _written(root: str, files: Sequence[File]) -> tuple[list[File], list[Left]]:
    """Write the files. Those that were, and the findings of the others."""
    done: list[File] = []
    left: list[Left] = []
    for file in files:
        reason = replace_file.replace(root, file.path, file.before, file.fixed.data)
        if not reason:
            done.append(file)
        elif file.path == EXAMPLE:
            raise OutputError(f"{EXAMPLE} was not written", why=reason, todo="add the names to it")
        left += (Left(each.finding, reason) for each in file.fixed.replaced if reason)
    return done, left
