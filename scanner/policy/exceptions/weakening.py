"""Policy: report where a change weakens the policy that it is judged by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from scanner import globs
from scanner.document import Document, Field
from scanner.model import AllowComment, CommentKind, Finding, Location, Suppression
from scanner.policy.baselines.detect_secrets_baseline import DetectSecretsBaseline
from scanner.policy.baselines.keywatch_baseline import Baseline
from scanner.policy.declarations.model import SecretEntry
from scanner.policy.live.minimum_policy import Classes, longer
from scanner.policy.rules import WEAKENED, finding_of

Data = Mapping[str, Any]

_LEVELS = ("low", "medium", "high", "critical")
_SCALES: Mapping[str, tuple[str, Sequence[str]]] = {  # the default, and from strict to loose
    "fail_on": ("low", _LEVELS),
    "fail_on_confidence": ("medium", _LEVELS),
    "min_confidence": ("low", _LEVELS),
    "legacy_pragmas": ("warn", ("refuse", "warn", "allow")),
    "detect_secrets": ("", ("exact", "", "off")),
    "archives": ("False", ("True", "False")),
}
_ROUTE = "ignored until an owner approves it: CI passes --approve COMMIT"
_LISTS = {"exclude": "the exclude", "disable_rules": "the disabled rule"}
_ENTRIES = {  # what tells two entries apart
    "allow": ("the exception for", ("rule", "path", "fingerprint", "tag")),
    "accept_gaps": ("the accepted gap", ("kind", "path")),
}


def of_comment(said: AllowComment) -> Finding:
    """A finding about an allow comment that a change adds."""
    what = said.rule if said.kind is CommentKind.KEYWATCH else f"all rules, of {said.kind.value}"
    return _finding(Location.at(said.path, said.line), f"the allow comment for {what}", said.rule)


def of_settings(
    held: Data, said: Document, approved: Collection[tuple[str, str]] = ()
) -> Iterator[Finding]:
    """Findings about new excludes, exceptions, looser settings and changed rules.

    `approved` are the exceptions that count in this run, as (finding ID, until).
    """
    yield from _of_scan(held.get("scan", {}), said, said.data.get("scan", {}))
    for section, (words, names) in _ENTRIES.items():
        known = {_key(each, names): each["until"] for each in held.get(section, ())}
        for number, each in enumerate(said.data.get(section, ())):
            if known.get(_key(each, names), "") < each["until"]:
                if section == "allow" and _approval(each) in approved:
                    continue
                about = " in ".join(each[name] for name in names[:2])
                words_ = f"{words} {about}, until {each['until']}"
                if section == "allow":
                    yield finding_of(
                        WEAKENED, said.at((section, number)), f"{words_}: {_ROUTE}", section
                    )
                else:
                    yield _at(said, (section, number), words_)
    rules = {each["id"]: (number, each) for number, each in enumerate(said.data.get("rules", ()))}
    for each in held.get("rules", ()):
        number, rule = rules.get(each["id"], (-1, None))
        if rule != each:
            field: Field = ("rules",) if rule is None else ("rules", number)
            words = "was removed" if rule is None else "was changed"
            yield _at(said, field, f"the rule {each['id']} {words}")


def _of_scan(held: Data, said: Document, scan: Data) -> Iterator[Finding]:
    for name, words in _LISTS.items():
        for number, each in enumerate(scan.get(name, ())):
            if each not in held.get(name, ()):
                yield _at(said, ("scan", name, number), f"{words} {each}")
    for name, (default, scale) in _SCALES.items():
        before, now = (str(each.get(name, default)) for each in (held, scan))
        if scale.index(now) > scale.index(before):
            yield _at(
                said, ("scan", name), f"{name} changed from {before or 'unset'} to {now or 'unset'}"
            )


def of_size(held: int, now: int, location: Location) -> Iterator[Finding]:
    """`max_file_size`, in bytes."""
    if now < held:
        yield _finding(
            location, f"max_file_size changed from {held:,} to {now:,} bytes", "max_file_size"
        )


def of_classes(held: Classes, said: Classes) -> Iterator[Finding]:
    """Findings about classes that allow more time than before."""
    for name, mine in said.items():
        more = longer(mine, held[name], "it was") if name in held else ""
        if more:
            yield _finding(mine.location, f"the class {name}: {more}", name)


def of_secrets(
    held: Sequence[SecretEntry], said: Sequence[SecretEntry], classes: Classes, location: Location
) -> Iterator[Finding]:
    """Findings about entries of `secrets` that were removed or that allow more time.

    A new entry counts if it is more specific than an old entry that allows less time.
    """
    now = {(each.match, each.tags): each for each in said}
    for old in held:
        new = now.get((old.match, old.tags))
        if new is None:
            yield _finding(location, f"the entry {old.said} of secrets was removed", old.said)
            continue
        if more := _more_time(classes, old, new):
            yield _finding(new.class_location, f"the class of {old.said}: {more}", old.said)
    known = {(each.match, each.tags) for each in held}
    for new in now.values():
        if (new.match, new.tags) not in known:
            yield from _taken(classes, held, new)


def _taken(classes: Classes, held: Sequence[SecretEntry], new: SecretEntry) -> Iterator[Finding]:
    for old in held:
        more = _more_time(classes, old, new)
        if more and globs.matcher([old.match or "**"])(new.match.partition("#")[0]):
            words = f"the entry {new.said} of secrets, within {old.said}: {more}"
            yield _finding(new.class_location, words, new.said)


def _more_time(classes: Classes, old: SecretEntry, new: SecretEntry) -> str:
    before, after = (classes.get(each.secret_class) for each in (old, new))
    return longer(after, before, f"{old.secret_class} is") if before and after else ""


def of_baseline(held: Baseline | None, said: Baseline) -> Iterator[Finding]:
    """Findings about new entries of `.keywatch.baseline`."""
    known = Counter(each.key for each in held.entries) if held else Counter()
    for entry, line in zip(said.entries, said.lines, strict=True):
        known[entry.key] -= 1
        if known[entry.key] < 0:
            words = f"the baseline entry for {entry.rule} in {entry.path}"
            yield _finding(Location.at(said.path, line), words, entry.rule)


def of_detect_secrets(
    held: DetectSecretsBaseline | None, said: DetectSecretsBaseline | None
) -> Iterator[Finding]:
    """Findings about new entries of `.secrets.baseline` and new `is_secret: false` labels."""
    known = held.labels if held else {}
    for key, label in said.labels.items() if said else ():
        path, kind, _hash = key
        if key not in known:
            words = f"the baseline entry for {kind} in {path}"
        elif label is False and known[key] is not False:
            words = f"is_secret: false for {kind} in {path}"
        else:
            continue
        yield _finding(Location.at(said.path if said else "", 1), words, kind)
    if held and not said:
        words = f"{held.path}, which enables the detect-secrets layer, was removed"
        yield _finding(Location.at(held.path, 1), words, held.path)


def of_standing(held: Iterable[Suppression], said: Iterable[Suppression]) -> Iterator[Finding]:
    """Findings about plugins that a baseline newly disables, and filters that it adds."""
    for each in sorted({*said} - {*held}):
        words = f"{each.by}: {each.rule or each.reason}"
        yield _finding(Location.at(each.location.path, 1), words, each.rule or each.reason)


def _approval(entry: Data) -> tuple[str, str]:
    return str(entry["fingerprint"]).removeprefix("kw-")[:12], str(entry["until"])


def of_limits(held: Mapping[str, float], said: Mapping[str, float], path: str) -> Iterator[Finding]:
    """Findings about entropy limits of plugins that are higher than before."""
    for name in sorted(held.keys() & said.keys()):
        if said[name] > held[name]:
            words = f"the entropy limit of {name} rose from {held[name]:g} to {said[name]:g}"
            yield _finding(Location.at(path, 1), words, name)


def _key(entry: Data, names: Sequence[str]) -> tuple[str, ...]:
    """The values that identify an entry. Long values are cut for comparison."""
    return tuple(str(entry.get(name, "")).removeprefix("kw-")[:500] for name in names)


def _at(said: Document, field: Field, words: str) -> Finding:
    return _finding(said.at(field), words, ".".join(each for each in field if type(each) is str))


def _finding(location: Location, words: str, name: str) -> Finding:
    return finding_of(WEAKENED, location, f"{words}: ignored in this run", name)
