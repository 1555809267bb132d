"""Detect: literals in a configuration file -> the same file with references instead.

Bytes in, bytes out; what is said about them is masked. An edit stands only if the rest of the file
still has the same values in the same places, and if a scan finds nothing where the literal was.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from scanner.detect import mask
from scanner.detect.fixes import masked_diff, references, variable_names
from scanner.detect.fixes.masked_diff import Hunk, Masked
from scanner.detect.fixes.site import Edit, Site, UnfixableError
from scanner.detect.fixes.variable_names import Names
from scanner.detect.structure import (
    FileKind,
    Leaf,
    NotParsedError,
    Path,
    Structure,
    file_kind,
    structures,
    value_paths,
)
from scanner.detect.values.templates import Verdict, judge
from scanner.model import Finding

__all__ = ["Fixed", "Hunk", "Left", "Names", "Replaced", "fix"]

Observe = Callable[[bytes], Sequence[Finding]]
"""What a scan finds in these bytes, if the file held them."""

_STILL_FOUND = "keywatch would find what stands there then, too: mend it by hand"
_SIDE_EFFECTS = "the file would not stay the same otherwise: mend it by hand"
_TOO_MANY = "its file has more than can be done at once: run it again"
_MOST_AT_ONCE, _MOST_APART = 1000, 200
_MOST_ROUNDS = 4
_GONE = "it is not in the file any more, or no value: keywatch rules show says what to do"
_REFERENCES = {Verdict.EMPTY, Verdict.REFERENCE, Verdict.SAFE_DEFAULT}


class Replaced(NamedTuple):
    """A finding that is no more; the variable that .env.example should name, "" for none; what is
    left to do by hand, "" for nothing."""

    finding: Finding
    variable: str
    todo: str


class Left(NamedTuple):
    """A finding that stays, and why. `variable` as above."""

    finding: Finding
    reason: str
    variable: str = ""


class Fixed(NamedTuple):
    """A file after its fixes. `data` is the whole of it, and holds plaintext that stays."""

    data: bytes
    hunks: tuple[Hunk, ...]
    replaced: tuple[Replaced, ...]
    left: tuple[Left, ...]

    def __repr__(self) -> str:
        return f"Fixed({len(self.replaced)} replaced, {len(self.left)} left)"


class _Plan(NamedTuple):
    """An edit for a finding, and the bytes of the value that it takes out."""

    finding: Finding
    edit: Edit
    start: int
    end: int


class _Try(NamedTuple):
    """A file with these plans done: where each edit's text is now, and what a scan finds then."""

    plans: list[_Plan]
    data: bytes
    edits: list[Edit]
    spans: list[tuple[int, int]]
    found: Sequence[Finding]


def fix(
    path: str, data: bytes, wanted: Sequence[Finding], observe: Observe, variables: Names
) -> Fixed:
    """Replace these findings of a file, where that can be done."""
    seen = observe(data)
    known = {finding.fingerprint for finding in seen}
    asked = {finding.fingerprint for finding in wanted}
    chosen = [finding for finding in seen if finding.fingerprint in asked]
    gone = [Left(finding, _GONE) for finding in wanted if finding.fingerprint not in known]
    planner = _Planner(path, data, variables)
    planner.plan(chosen[:_MOST_AT_ONCE])
    harmless = _harmless(file_kind(path), data, planner.plans)
    done = _settled(data, harmless, seen, observe)
    kept = {plan.finding for plan in done.plans}
    left = planner.left + gone + [Left(finding, _TOO_MANY) for finding in chosen[_MOST_AT_ONCE:]]
    for plan in planner.plans:
        if plan.finding not in kept:
            reason = _STILL_FOUND if plan in harmless else _SIDE_EFFECTS
            left.append(Left(plan.finding, reason))
    taken_out = [Masked(p.start, p.end, mask.preview(data[p.start : p.end])) for p in done.plans]
    hidden = [*_masked(data, seen), *taken_out], [*_masked(done.data, done.found)]
    return Fixed(
        data=done.data,
        hunks=masked_diff.hunks(data, done.data, done.edits, done.spans, hidden),
        replaced=tuple(Replaced(p.finding, p.edit.variable, p.edit.todo) for p in done.plans),
        left=tuple(sorted(left, key=lambda each: each.finding.location)),
    )


class _Planner:
    """The edits for the findings of one file, apart from each other."""

    def __init__(self, path: str, data: bytes, variables: Names) -> None:
        self.plans: list[_Plan] = []
        self.left: list[Left] = []
        self._path = path
        self._data = data
        self._variables = variables
        self._kind = file_kind(path)

    def plan(self, findings: Sequence[Finding]) -> None:
        try:
            leaves = _Leaves(self._kind, self._data)
        except NotParsedError as error:
            reason = f"the structure of its file was not read, since {error}"
            self.left += (Left(finding, reason) for finding in findings)
            return
        spans = _spans(self._data, findings)
        for finding, (start, end) in sorted(zip(findings, spans, strict=True), key=lambda p: p[1]):
            try:
                self._add(finding, self._site(finding, start, end, leaves))
            except UnfixableError as error:
                self.left.append(Left(finding, str(error), error.variable))

    def _site(self, finding: Finding, start: int, end: int, leaves: _Leaves) -> Site:
        if not self._kind.reader:
            raise UnfixableError("its file is no configuration whose structure is known")
        if judge(self._data[start:end].decode("latin-1")).verdict in _REFERENCES:
            raise UnfixableError(f"it is a reference: keywatch rules show {finding.rule}")
        held = leaves.at(start, end)
        if not held:
            raise UnfixableError("it is not in the value of a setting")
        leaf, document, texts = held
        site = Site(
            path=self._path,
            kinds=self._kind.kinds | document.kinds,
            leaf=leaf,
            texts=texts,
            data=self._data,
            start=start,
            end=end,
            name="",
        )
        if finding.rule == "config-mixed-literal" and not site.in_text:
            site = site._replace(start=site.value_start, end=leaf.end)
        return site._replace(name=self._name(finding, site))

    def _name(self, finding: Finding, site: Site) -> str:
        """The variable for a value: by the name beside it, or in the list that it stands in."""
        is_value = site.leaf.path[-1:] == ("value",)
        beside = site.texts.get((*site.leaf.path[:-1], "name"), "") if is_value else ""
        npm = (
            variable_names.NPM.get(str(*site.leaf.path[-1:]))
            if site.path.endswith(".npmrc")
            else ""
        )
        context = beside or npm or finding.context
        wanted = variable_names.variable(context, _keys(site), in_url=site.in_text and not beside)
        value = self._data[site.start : site.end]
        return self._variables.free(wanted, value, share=not variable_names.styled(context))

    def _add(self, finding: Finding, site: Site) -> None:
        edit = references.edit(site)
        last = self.plans[-1].edit if self.plans else None
        if last and edit.start < last.end:
            if site.end > last.end:
                raise UnfixableError("it overlaps another one: mend that first")
            edit = last
        if b"\n" in self._data[site.start : site.end] and edit.text and b"\n" not in edit.text:
            raise UnfixableError("it is a text of several lines: keep it in a file of its own")
        self._variables.take(site.name, self._data[site.start : site.end])
        self.plans.append(_Plan(finding, edit, site.start, site.end))


_Held = tuple[Leaf, Structure, Mapping[Path, str]]


class _Leaves:
    """The leaves of a file by their places. NotParsedError where it does not parse."""

    def __init__(self, kind: FileKind, data: bytes) -> None:
        self._held: list[_Held] = []
        texts = {}
        for leaf, document in _outermost(kind, data):
            if id(document) not in texts:
                texts[id(document)] = value_paths.values(document.leaves, data)
            self._held.append((leaf, document, texts[id(document)]))
        self._starts = [leaf.start for leaf, _, _ in self._held]

    def at(self, start: int, end: int) -> _Held | None:
        """The leaf that holds a span, its document, and that one's texts by their paths."""
        index = bisect_right(self._starts, start) - 1
        held = self._held[index] if index >= 0 else None
        return held if held and end <= held[0].end else None


def _outermost(kind: FileKind, data: bytes) -> list[tuple[Leaf, Structure]]:
    """The leaves of a file and their documents, in order, without those that lie in another leaf:
    a script in a workflow is written as the workflow is."""
    documents = structures(kind, data) if kind.reader else ()
    pairs = [(leaf, document) for document in documents for leaf in document.leaves]
    outermost: list[tuple[Leaf, Structure]] = []
    end = -1
    for leaf, document in sorted(pairs, key=lambda pair: (pair[0].start, -pair[0].end)):
        if leaf.start >= end:
            outermost.append((leaf, document))
            end = leaf.end
    return outermost


def _keys(site: Site) -> Sequence[str]:
    """The keys that a variable's name may be made of."""
    path = site.leaf.path
    if "xml" in site.kinds:
        return ()
    if "hcl" in site.kinds:
        path = path[2:] if path[:1] in {("resource",), ("data",)} else path[1:]
    assigned = site.data[site.leaf.start : site.value_start].decode("latin-1")
    keys = [part for part in path if isinstance(part, str)]
    return [*keys, assigned.rstrip(" \t=")] if assigned else keys


def _spans(data: bytes, findings: Sequence[Finding]) -> list[tuple[int, int]]:
    """The offsets of each finding."""
    places = [
        ((f.location.line, f.location.column), (f.location.end_line, f.location.end_column))
        for f in findings
    ]
    at = masked_diff.offsets(data, (place for pair in places for place in pair))
    return [(at[start], at[end]) for start, end in places]


def _harmless(kind: FileKind, data: bytes, plans: Sequence[_Plan]) -> list[_Plan]:
    """The plans that change nothing else."""
    if not plans or _keeps_the_rest(kind, data, _edits(plans)):
        return list(plans)
    if len(plans) == 1 or len(plans) > _MOST_APART:
        return []
    half = len(plans) // 2
    return [*_harmless(kind, data, plans[:half]), *_harmless(kind, data, plans[half:])]


def _keeps_the_rest(kind: FileKind, data: bytes, edits: Sequence[Edit]) -> bool:
    """Has the file, but for the edits, the same values under the same keys?"""
    new, spans = masked_diff.applied(data, edits)
    try:
        before = _rest(kind, data, [(edit.start, edit.end) for edit in edits])
        return before == _rest(kind, new, spans)
    except NotParsedError:
        return False


def _rest(
    kind: FileKind, data: bytes, spans: Sequence[tuple[int, int]]
) -> list[tuple[object, bytes]]:
    """The leaves that no span touches, in their order."""
    starts = [start for start, _ in spans]
    rest: list[tuple[object, bytes]] = []
    for leaf, _ in _outermost(kind, data):
        index = bisect_right(starts, leaf.end) - 1
        if index < 0 or spans[index][1] < leaf.start:
            rest.append((leaf.path, data[leaf.start : leaf.end]))
    return rest


def _edits(plans: Sequence[_Plan]) -> list[Edit]:
    """Each edit once, in order."""
    return sorted({plan.edit for plan in plans})


def _settled(data: bytes, plans: list[_Plan], seen: Sequence[Finding], observe: Observe) -> _Try:
    """The plans after which a scan finds nothing in their places, done."""
    for round_ in range(_MOST_ROUNDS + 1):
        plans = plans if round_ < _MOST_ROUNDS else []
        edits = _edits(plans)
        new, spans = masked_diff.applied(data, edits)
        done = _Try(plans, new, edits, spans, observe(new) if plans else seen)
        stays = _still_found(done, seen)
        if not stays:
            break
        plans = [plan for plan in plans if plan.edit not in stays]
    return done


def _still_found(done: _Try, seen: Sequence[Finding]) -> set[Edit]:
    """The edits with a finding in their place, or with one more than before in their lines."""
    expected = Counter((f.rule, f.context) for f in seen)
    expected.subtract((plan.finding.rule, plan.finding.context) for plan in done.plans)
    stays = set()
    starts = [low for low, _ in done.spans]
    places = _spans(done.data, done.found)
    for finding, (start, end) in zip(done.found, places, strict=True):
        what = finding.rule, finding.context
        expected[what] -= 1
        low, high = (start, end) if expected[what] >= 0 else _line(done.data, start, end)
        first = max(bisect_right(starts, low) - 1, 0)
        for edit, span in zip(done.edits[first:], done.spans[first:], strict=True):
            if span[0] >= high:
                break
            if low < span[1]:
                stays.add(edit)
    return stays


def _line(data: bytes, start: int, end: int) -> tuple[int, int]:
    """The lines that a span lies in, with their ends."""
    high = data.find(b"\n", end)
    return data.rfind(b"\n", 0, start), high + 1 if high >= 0 else len(data) + 1


def _masked(data: bytes, findings: Sequence[Finding]) -> Iterator[Masked]:
    for finding, (start, end) in zip(findings, _spans(data, findings), strict=True):
        yield Masked(start, end, finding.preview)
