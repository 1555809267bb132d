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


def of_comment(comment: AllowComment) -> Finding:
    """A finding about an allow comment that a change adds."""
    what = (
        comment.rule
        if comment.kind is CommentKind.KEYWATCH
        else f"all rules, of {comment.kind.value}"
    )
    return _finding(
        Location.at(comment.path, comment.line), f"the allow comment for {what}", comment.rule
    )


def of_settings(
    previous: Data, current: Document, approved: Collection[tuple[str, str]] = ()
) -> Iterator[Finding]:
    """Findings about new excludes, exceptions, looser settings and changed rules.

    `approved` are the exceptions that count in this run, as (finding ID, until).
    """
    yield from _of_scan(previous.get("scan", {}), current, current.data.get("scan", {}))
    for section, (words, names) in _ENTRIES.items():
        known = {_key(each, names): each["until"] for each in previous.get(section, ())}
        for number, each in enumerate(current.data.get(section, ())):
            if known.get(_key(each, names), "") < each["until"]:
                if section == "allow" and _approval(each) in approved:
                    continue
                about = " in ".join(each[name] for name in names[:2])
                words_ = f"{words} {about}, until {each['until']}"
                if section == "allow":
                    yield finding_of(
                        WEAKENED, current.at((section, number)), f"{words_}: {_ROUTE}", section
                    )
                else:
                    yield _at(current, (section, number), words_)
    rules = {
        each["id"]: (number, each) for number, each in enumerate(current.data.get("rules", ()))
    }
    for each in previous.get("rules", ()):
        number, rule = rules.get(each["id"], (-1, None))
        if rule != each:
            field: Field = ("rules",) if rule is None else ("rules", number)
            words = "was removed" if rule is None else "was changed"
            yield _at(current, field, f"the rule {each['id']} {words}")


def _of_scan(previous: Data, current: Document, scan: Data) -> Iterator[Finding]:
    for name, words in _LISTS.items():
        for number, each in enumerate(scan.get(name, ())):
            if each not in previous.get(name, ()):
                yield _at(current, ("scan", name, number), f"{words} {each}")
    for name, (default, scale) in _SCALES.items():
        before, now = (str(each.get(name, default)) for each in (previous, scan))
        if scale.index(now) > scale.index(before):
            yield _at(
                current,
                ("scan", name),
                f"{name} changed from {before or 'unset'} to {now or 'unset'}",
            )


def of_size(previous: int, now: int, location: Location) -> Iterator[Finding]:
    """`max_file_size`, in bytes."""
    if now < previous:
        yield _finding(
            location, f"max_file_size changed from {previous:,} to {now:,} bytes", "max_file_size"
        )


def of_classes(previous: Classes, current: Classes) -> Iterator[Finding]:
    """Findings about classes that allow more time than before."""
    for name, mine in current.items():
        more = longer(mine, previous[name], "it was") if name in previous else ""
        if more:
            yield _finding(mine.location, f"the class {name}: {more}", name)


def of_secrets(
    previous: Sequence[SecretEntry],
    current: Sequence[SecretEntry],
    classes: Classes,
    location: Location,
) -> Iterator[Finding]:
    """Findings about entries of `secrets` that were removed or that allow more time.

    A new entry counts if it is more specific than an old entry that allows less time.
    """
    now = {(each.match, each.tags): each for each in current}
    for old in previous:
        new = now.get((old.match, old.tags))
        if new is None:
            yield _finding(
                location, f"the entry {old.description} of secrets was removed", old.description
            )
            continue
        if more := _more_time(classes, old, new):
            yield _finding(
                new.class_location, f"the class of {old.description}: {more}", old.description
            )
    known = {(each.match, each.tags) for each in previous}
    for new in now.values():
        if (new.match, new.tags) not in known:
            yield from _taken(classes, previous, new)


def _taken(
    classes: Classes, previous: Sequence[SecretEntry], new: SecretEntry
) -> Iterator[Finding]:
    for old in previous:
        more = _more_time(classes, old, new)
        if more and globs.matcher([old.match or "**"])(new.match.partition("#")[0]):
            words = f"the entry {new.description} of secrets, within {old.description}: {more}"
            yield _finding(new.class_location, words, new.description)


def _more_time(classes: Classes, old: SecretEntry, new: SecretEntry) -> str:
    before, after = (classes.get(each.secret_class) for each in (old, new))
    return longer(after, before, f"{old.secret_class} is") if before and after else ""


def of_baseline(previous: Baseline | None, current: Baseline) -> Iterator[Finding]:
    """Findings about new entries of `.keywatch.baseline`."""
    known = Counter(each.key for each in previous.entries) if previous else Counter()
    for entry, line in zip(current.entries, current.lines, strict=True):
        known[entry.key] -= 1
        if known[entry.key] < 0:
            words = f"the baseline entry for {entry.rule} in {entry.path}"
            yield _finding(Location.at(current.path, line), words, entry.rule)


def of_detect_secrets(
    previous: DetectSecretsBaseline | None, current: DetectSecretsBaseline | None
) -> Iterator[Finding]:
    """Findings about new entries of `.secrets.baseline` and new `is_secret: false` labels."""
    known = previous.labels if previous else {}
    for key, label in current.labels.items() if current else ():
        path, kind, _hash = key
        if key not in known:
            words = f"the baseline entry for {kind} in {path}"
        elif label is False and known[key] is not False:
            words = f"is_secret: false for {kind} in {path}"
        else:
            continue
        yield _finding(Location.at(current.path if current else "", 1), words, kind)
    if previous and not current:
        words = f"{previous.path}, which enables the detect-secrets layer, was removed"
        yield _finding(Location.at(previous.path, 1), words, previous.path)


def of_standing(
    previous: Iterable[Suppression], current: Iterable[Suppression]
) -> Iterator[Finding]:
    """Findings about plugins that a baseline newly disables, and filters that it adds."""
    for each in sorted({*current} - {*previous}):
        words = f"{each.by}: {each.rule or each.reason}"
        yield _finding(Location.at(each.location.path, 1), words, each.rule or each.reason)


def _approval(entry: Data) -> tuple[str, str]:
    return str(entry["fingerprint"]).removeprefix("kw-")[:12], str(entry["until"])


def of_limits(
    previous: Mapping[str, float], current: Mapping[str, float], path: str
) -> Iterator[Finding]:
    """Findings about entropy limits of plugins that are higher than before."""
    for name in sorted(previous.keys() & current.keys()):
        if current[name] > previous[name]:
            words = f"the entropy limit of {name} rose from {previous[name]:g} to {current[name]:g}"
            yield _finding(Location.at(path, 1), words, name)


def _key(entry: Data, names: Sequence[str]) -> tuple[str, ...]:
    """The values that identify an entry. Long values are cut for comparison."""
    return tuple(str(entry.get(name, "")).removeprefix("kw-")[:500] for name in names)


def _at(current: Document, field: Field, words: str) -> Finding:
    return _finding(current.at(field), words, ".".join(each for each in field if type(each) is str))


def _finding(location: Location, words: str, name: str) -> Finding:
    return finding_of(WEAKENED, location, f"{words}: ignored in this run", name)
