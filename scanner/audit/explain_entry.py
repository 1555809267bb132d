"""Show which entry of `secrets` applies to a live secret, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from scanner.audit import backends, operator_config
from scanner.configuration import repository
from scanner.configuration.operator import OperatorConfig
from scanner.configuration.repository import Config
from scanner.console import Console, plain
from scanner.document import nearest
from scanner.errors import UsageError
from scanner.inputs.folder import Folder
from scanner.inputs.root import root_of
from scanner.masking import masked
from scanner.policy.declarations import secret_ids
from scanner.policy.declarations.matching import EntryMatcher, SecretEntries
from scanner.policy.declarations.model import Match, SecretClass, period
from scanner.policy.live import minimum_policy
from scanner.records import Record
from scanner.report import plain_table

_NAMES = {"whole": "written out in full", "partly": "written in part", "parts": "parts"}


class EntryRequest(NamedTuple):
    """A live secret by its canonical ID and tags, and the operator config to apply, if any."""

    id: str
    tags: Mapping[str, str]
    operator: str | None = None


def explain(request: EntryRequest, console: Console) -> str:
    """The entry that applies and its class, as text.

    UsageError if the ID is not canonical.
    """
    record = Record(
        id=request.id.partition("#")[0], kind="", tags=request.tags, keys=_keys(request.id)
    )
    root = root_of((), console.cwd)
    data = Folder(root, [], use_git=False).control(repository.NAME)
    settings = repository.load(data, repository.NAME, None)
    _check_id(record.id)
    operator = _operator(request.operator, console, root)
    classes = minimum_policy.raised(settings.classes, operator.classes)
    rules = SecretEntries(settings.secrets, classes).fitting(record)
    minimum = SecretEntries(operator.secrets, operator.classes).match(record)
    found = minimum_policy.held(rules[0].match if rules else None, minimum)
    applied = _applied(found, minimum) if found else ""
    return applied + (_entries(rules) if rules else _nothing(record, settings))


def _operator(given: str | None, console: Console, root: str) -> OperatorConfig:
    """The operator config. Without one there is no minimum policy."""
    if not given:
        return OperatorConfig(backends=())
    return operator_config.read(given, console, root, backends.options(backends.BACKENDS))


def _keys(given: str) -> tuple[str, ...] | None:
    _, has_key, key = given.partition("#")
    return (key,) if has_key else None


def _check_id(name: str) -> None:
    """UsageError if it is not the canonical ID of one secret."""
    scheme, parts = secret_ids.split(name)
    write = "write an ID such as vault://prod/-/secret/app/api-keys"
    if scheme not in secret_ids.SCHEMES or not all(parts):
        raise UsageError(
            f"{name} is not a canonical ID", todo=nearest(scheme, secret_ids.SCHEMES) or write
        )
    if secret_ids.has_wildcard(name):
        raise UsageError(f"{name} matches more than one secret", why="it is a glob", todo=write)


def _applied(found: Match, minimum: Match | None) -> str:
    """The class that applies, and where it comes from."""
    entry = found.entry
    rows = [("class", _class(entry.secret_class, found.secret_class))]
    if minimum:
        least = minimum.entry
        text = f"{least.description} must be at least as strict as {least.secret_class}"
        rows.append(("operator", text))
    rows += [("owner", entry.owner)] if entry.owner else []
    rows += [("runbook", entry.runbook)] if entry.runbook else []
    return _table(rows) + "\n"


def _entries(rules: Sequence[EntryMatcher]) -> str:
    entries = [("entry", "class", "matches", "why")]
    entries += (
        (str(entry.location), entry.secret_class, entry.description, _why(rule, rules[0]))
        for rule in rules
        for entry in (rule.match.entry,)
    )
    return _table(entries)


def _table(rows: Iterable[Sequence[str]]) -> str:
    return plain_table.table([[masked(cell) for cell in row] for row in rows])


def _class(name: str, known: SecretClass | None) -> str:
    if known is None:
        return f"{name}: unknown class"
    spans = (
        ("rotated every", known.rotate_every),
        ("grace", known.grace),
        ("overlap", known.overlap),
    )
    limits = ", ".join(f"{word} {period(span)}" for word, span in spans)
    return f"{name}: {limits} ({str(known.location) or 'the operator'})"


def _why(rule: EntryMatcher, first: EntryMatcher) -> str:
    """Why this entry does not apply: the first point in which the two differ."""
    if rule is first:
        return "applies"
    for field, name in _NAMES.items():
        own, other = getattr(rule.specificity, field), getattr(first.specificity, field)
        if own != other:
            return f"{own} {name}, not {other}"
    same = rule.match.entry.secret_class == first.match.entry.secret_class
    return "equally specific, same class" if same else "equally specific, another class"


def _nothing(record: Record, settings: Config) -> str:
    near = nearest(record.id, (entry.match for entry in settings.secrets if entry.match))
    return (
        plain(f"no entry of `secrets` in {repository.NAME} matches it{f'; {near}' if near else ''}")
        + "\n"
    )
