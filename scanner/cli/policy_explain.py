"""The command line: which entry of `secrets` a secret falls under, and why that one."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence

from scanner import config
from scanner.cli import columns, inputs
from scanner.cli.masking import masked
from scanner.cli.terminal import Io, plain
from scanner.config import Config
from scanner.document import nearest
from scanner.errors import ExitCode, UsageError
from scanner.inputs.folder import Folder
from scanner.policy import addresses
from scanner.policy.matching import Entries, Rule
from scanner.policy.terms import SecretClass, period
from scanner.records import Record

_NAMES = {"whole": "written out in full", "partly": "written in part", "parts": "parts"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "id", metavar="ID", help="canonical, as audit prints it; with or without #key"
    )
    parser.add_argument(
        "--tag",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a tag, label or piece of custom metadata that the secret has; repeatable",
    )


def run(args: argparse.Namespace, io: Io) -> int:
    record = Record(
        id=args.id.partition("#")[0], kind="", tags=_tags(args.tag), keys=_keys(args.id)
    )
    data = Folder(inputs.root_of((), io.cwd), [], use_git=False).control(config.NAME)
    settings = config.load(data, config.NAME, None)
    _demand_id(record.id)
    rules = Entries(settings.secrets, settings.classes).fitting(record)
    io.write(_found(rules) if rules else _nothing(record, settings))
    return ExitCode.CLEAN


def _tags(given: Sequence[str]) -> dict[str, str]:
    for each in given:
        if "=" not in each:
            raise UsageError(f"--tag {each} has no value", todo="--tag team=payments")
    return dict(each.split("=", 1) for each in given)


def _keys(given: str) -> tuple[str, ...] | None:
    _, has_key, key = given.partition("#")
    return (key,) if has_key else None


def _demand_id(name: str) -> None:
    """UsageError for what is no canonical id of one secret."""
    scheme, parts = addresses.split(name)
    write = "write it as vault://prod/-/secret/app/api-keys"
    if scheme not in addresses.SCHEMES or not all(parts):
        raise UsageError(
            f"{name} is no canonical id", todo=nearest(scheme, addresses.SCHEMES) or write
        )
    if addresses.has_wildcard(name):
        raise UsageError(f"{name} names more than one secret", why="it is a glob", todo=write)


def _found(rules: Sequence[Rule]) -> str:
    first = rules[0].match
    rows = [("class", _class(first.entry.secret_class, first.secret_class))]
    rows += [("owner", first.entry.owner)] if first.entry.owner else []
    rows += [("runbook", first.entry.runbook)] if first.entry.runbook else []
    entries = [("entry", "class", "asks for", "why")]
    entries += (
        (entry.where, entry.secret_class, entry.said, _why(rule, rules[0]))
        for rule in rules
        for entry in (rule.match.entry,)
    )
    return f"{_table(rows)}\n{_table(entries)}"


def _table(rows: Iterable[Sequence[str]]) -> str:
    return columns.table([[masked(cell) for cell in row] for row in rows])


def _class(name: str, known: SecretClass | None) -> str:
    if known is None:
        return f"{name}: there is no such class"
    spans = (
        ("rotated every", known.rotate_every),
        ("grace", known.grace),
        ("overlap", known.overlap),
    )
    said = ", ".join(f"{word} {period(span)}" for word, span in spans)
    return f"{name}: {said} ({known.where})"


def _why(rule: Rule, first: Rule) -> str:
    """What decides between the two, the first that differs."""
    if rule is first:
        return "holds"
    for field, name in _NAMES.items():
        own, other = getattr(rule.specificity, field), getattr(first.specificity, field)
        if own != other:
            return f"{own} {name}, not {other}"
    same = rule.match.entry.secret_class == first.match.entry.secret_class
    return "as specific, the same class" if same else "as specific: nobody decided between the two"


def _nothing(record: Record, settings: Config) -> str:
    near = nearest(record.id, (entry.match for entry in settings.secrets if entry.match))
    return (
        plain(f"no entry of `secrets` in {config.NAME} matches it{f'; {near}' if near else ''}")
        + "\n"
    )
