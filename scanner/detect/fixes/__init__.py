"""Detect: replace the secrets in a configuration file with references to variables.

The content of a file goes in and comes out as bytes; reasons and diffs are masked. An edit is kept
only if it changes no other value of the file, and if a scan finds nothing in its place.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from scanner.detect import mask
from scanner.detect.fixes import masked_diff, references, variable_names
from scanner.detect.fixes.edits import Edit, Site, UnfixableError
from scanner.detect.fixes.masked_diff import Hunk, Masked
from scanner.detect.fixes.variable_names import VariableNames
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

__all__ = ["FixedFile", "Hunk", "Replaced", "Unfixed", "VariableNames", "fix"]

Observe = Callable[[bytes], Sequence[Finding]]
"""Returns the findings of a scan if the file had this content."""

_STILL_FOUND = "keywatch would also report the replacement: fix it by hand"
_SIDE_EFFECTS = "the edit would change other values of the file: fix it by hand"
_TOO_MANY = "its file has too many findings for one run: run keywatch fix again"
_MAX_FINDINGS = 1000  # of one file in one run
_MAX_SPLIT = 200  # edits that are tried in halves to find the harmless ones
_MAX_ROUNDS = 4  # of scanning the edited file
_GONE = "it is no longer in the file, or is not a value: keywatch rules show says what to do"
_REFERENCES = {Verdict.EMPTY, Verdict.REFERENCE, Verdict.SAFE_DEFAULT}


class Replaced(NamedTuple):
    """A finding that was fixed.

    variable: the name to add to .env.example; "" if there is none.
    todo: what the user must still do by hand; "" for nothing.
    """

    finding: Finding
    variable: str
    todo: str


class Unfixed(NamedTuple):
    """A finding that was not fixed, and why. `variable`: as in Replaced."""

    finding: Finding
    reason: str
    variable: str = ""


class FixedFile(NamedTuple):
    """A file after its fixes. `data` is its whole content, which may still hold plaintext."""

    data: bytes
    hunks: tuple[Hunk, ...]
    replaced: tuple[Replaced, ...]
    unfixed: tuple[Unfixed, ...]

    def __repr__(self) -> str:
        return f"FixedFile({len(self.replaced)} replaced, {len(self.unfixed)} unfixed)"


class _Plan(NamedTuple):
    """An edit for a finding, and the span of the value that it removes."""

    finding: Finding
    edit: Edit
    start: int
    end: int


class _EditedFile(NamedTuple):
    """A file with the edits of these plans applied.

    spans: where the text of each edit is in `data`.
    found: the findings of a scan of `data`.
    """

    plans: list[_Plan]
    data: bytes
    edits: list[Edit]
    spans: list[tuple[int, int]]
    found: Sequence[Finding]


def fix(
    path: str, data: bytes, wanted: Sequence[Finding], observe: Observe, variables: VariableNames
) -> FixedFile:
    """Replace the `wanted` findings of a file, as far as possible.

    `observe` scans other contents of the file. `variables` are those of the whole run.
    """
    before = observe(data)
    known = {finding.fingerprint for finding in before}
    asked = {finding.fingerprint for finding in wanted}
    chosen = [finding for finding in before if finding.fingerprint in asked]
    gone = [Unfixed(finding, _GONE) for finding in wanted if finding.fingerprint not in known]
    planner = _Planner(path, data, variables)
    planner.plan(chosen[:_MAX_FINDINGS])
    harmless = _harmless(file_kind(path), data, planner.plans)
    done = _without_findings(data, harmless, before, observe)
    fixed = {plan.finding for plan in done.plans}
    unfixed = (
        planner.unfixed + gone + [Unfixed(finding, _TOO_MANY) for finding in chosen[_MAX_FINDINGS:]]
    )
    for plan in planner.plans:
        if plan.finding not in fixed:
            reason = _STILL_FOUND if plan in harmless else _SIDE_EFFECTS
            unfixed.append(Unfixed(plan.finding, reason))
    removed = [Masked(p.start, p.end, mask.preview(data[p.start : p.end])) for p in done.plans]
    hidden = [*_masked(data, before), *removed], [*_masked(done.data, done.found)]
    return FixedFile(
        data=done.data,
        hunks=masked_diff.hunks(data, done.data, done.edits, done.spans, hidden),
        replaced=tuple(
            Replaced(finding=p.finding, variable=p.edit.variable, todo=p.edit.todo)
            for p in done.plans
        ),
        unfixed=tuple(sorted(unfixed, key=lambda each: each.finding.location)),
    )


class _Planner:
    """Plans an edit for each finding of one file."""

    def __init__(self, path: str, data: bytes, variables: VariableNames) -> None:
        self.plans: list[_Plan] = []
        self.unfixed: list[Unfixed] = []
        self._path = path
        self._data = data
        self._variables = variables
        self._kind = file_kind(path)

    def plan(self, findings: Sequence[Finding]) -> None:
        try:
            leaves = _Leaves(self._kind, self._data)
        except NotParsedError as error:
            reason = f"its file could not be parsed: {error}"
            self.unfixed += (Unfixed(finding, reason) for finding in findings)
            return
        spans = _spans(self._data, findings)
        for finding, (start, end) in sorted(zip(findings, spans, strict=True), key=lambda p: p[1]):
            try:
                self._add(finding, self._site(finding, start, end, leaves))
            except UnfixableError as error:
                self.unfixed.append(Unfixed(finding, str(error), error.variable))

    def _site(self, finding: Finding, start: int, end: int, leaves: _Leaves) -> Site:
        if not self._kind.reader:
            raise UnfixableError("its file is not a configuration file that keywatch can edit")
        if judge(self._data[start:end].decode("latin-1")).verdict in _REFERENCES:
            raise UnfixableError(
                f"it is already a reference: see keywatch rules show {finding.rule}"
            )
        located = leaves.at(start, end)
        if not located:
            raise UnfixableError("it is not in the value of a setting")
        leaf, document, texts = located.leaf, located.document, located.texts
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
        """Choose the variable for a value, by the name or the keys beside it."""
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
                raise UnfixableError("it overlaps another finding: fix that one first")
            edit = last
        if b"\n" in self._data[site.start : site.end] and edit.text and b"\n" not in edit.text:
            raise UnfixableError("its value has several lines: keep it in a file of its own")
        self._variables.take(site.name, self._data[site.start : site.end])
        self.plans.append(_Plan(finding=finding, edit=edit, start=site.start, end=site.end))


class _LocatedLeaf(NamedTuple):
    """A leaf, its document, and the texts of all leaves of the document by path."""

    leaf: Leaf
    document: Structure
    texts: Mapping[Path, str]


class _Leaves:
    """Finds the leaves of a file by offset. Raises NotParsedError if it cannot be parsed."""

    def __init__(self, kind: FileKind, data: bytes) -> None:
        self._leaves: list[_LocatedLeaf] = []
        texts = {}
        for leaf, document in _outermost(kind, data):
            if id(document) not in texts:
                texts[id(document)] = value_paths.values(document.leaves, data)
            self._leaves.append(
                _LocatedLeaf(leaf=leaf, document=document, texts=texts[id(document)])
            )
        self._starts = [each.leaf.start for each in self._leaves]

    def at(self, start: int, end: int) -> _LocatedLeaf | None:
        """Return the leaf that contains a span; None if there is none."""
        index = bisect_right(self._starts, start) - 1
        located = self._leaves[index] if index >= 0 else None
        return located if located and end <= located.leaf.end else None


def _outermost(kind: FileKind, data: bytes) -> list[tuple[Leaf, Structure]]:
    """Return the leaves of a file and their documents, in order, without leaves in another leaf.

    A reference in a script of a workflow is written in the syntax of the workflow.
    """
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
    """Return the keys from which the name of a variable may be built."""
    path = site.leaf.path
    if "xml" in site.kinds:
        return ()
    if "hcl" in site.kinds:
        path = path[2:] if path[:1] in {("resource",), ("data",)} else path[1:]
    assigned = site.data[site.leaf.start : site.value_start].decode("latin-1")
    keys = [part for part in path if isinstance(part, str)]
    return [*keys, assigned.rstrip(" \t=")] if assigned else keys


def _spans(data: bytes, findings: Sequence[Finding]) -> list[tuple[int, int]]:
    """Return the span of each finding."""
    places = [
        ((f.location.line, f.location.column), (f.location.end_line, f.location.end_column))
        for f in findings
    ]
    at = masked_diff.offsets(data, (place for pair in places for place in pair))
    return [(at[start], at[end]) for start, end in places]


def _harmless(kind: FileKind, data: bytes, plans: Sequence[_Plan]) -> list[_Plan]:
    """Return the plans that change no other value."""
    if not plans or _keeps_the_rest(kind, data, _edits(plans)):
        return list(plans)
    if len(plans) == 1 or len(plans) > _MAX_SPLIT:
        return []
    half = len(plans) // 2
    return [*_harmless(kind, data, plans[:half]), *_harmless(kind, data, plans[half:])]


def _keeps_the_rest(kind: FileKind, data: bytes, edits: Sequence[Edit]) -> bool:
    """Does the edited file have the same values under the same keys, except for the edits?"""
    new, spans = masked_diff.applied(data, edits)
    try:
        before = _rest(kind, data, [(edit.start, edit.end) for edit in edits])
        return before == _rest(kind, new, spans)
    except NotParsedError:
        return False


def _rest(
    kind: FileKind, data: bytes, spans: Sequence[tuple[int, int]]
) -> list[tuple[object, bytes]]:
    """Return the paths and texts of the leaves that no span touches, in order."""
    starts = [start for start, _ in spans]
    rest: list[tuple[object, bytes]] = []
    for leaf, _ in _outermost(kind, data):
        index = bisect_right(starts, leaf.end) - 1
        if index < 0 or spans[index][1] < leaf.start:
            rest.append((leaf.path, data[leaf.start : leaf.end]))
    return rest


def _edits(plans: Sequence[_Plan]) -> list[Edit]:
    """Return the edits in order, each once."""
    return sorted({plan.edit for plan in plans})


def _without_findings(
    data: bytes, plans: list[_Plan], before: Sequence[Finding], observe: Observe
) -> _EditedFile:
    """Apply the plans, without those in whose place a scan still finds something."""
    for round_ in range(_MAX_ROUNDS + 1):
        plans = plans if round_ < _MAX_ROUNDS else []
        edits = _edits(plans)
        new, spans = masked_diff.applied(data, edits)
        found = observe(new) if plans else before
        done = _EditedFile(plans=plans, data=new, edits=edits, spans=spans, found=found)
        rejected = _still_found(done, before)
        if not rejected:
            break
        plans = [plan for plan in plans if plan.edit not in rejected]
    return done


def _still_found(done: _EditedFile, before: Sequence[Finding]) -> set[Edit]:
    """Return the edits with a finding in their place, or with a new finding in their lines."""
    expected = Counter((f.rule, f.context) for f in before)
    expected.subtract((plan.finding.rule, plan.finding.context) for plan in done.plans)
    rejected = set()
    starts = [low for low, _ in done.spans]
    places = _spans(done.data, done.found)
    for finding, (start, end) in zip(done.found, places, strict=True):
        key = finding.rule, finding.context
        expected[key] -= 1
        low, high = (start, end) if expected[key] >= 0 else _line(done.data, start, end)
        first = max(bisect_right(starts, low) - 1, 0)
        for edit, span in zip(done.edits[first:], done.spans[first:], strict=True):
            if span[0] >= high:
                break
            if low < span[1]:
                rejected.add(edit)
    return rejected


def _line(data: bytes, start: int, end: int) -> tuple[int, int]:
    """Return the span of the lines that contain a span, with their line ends."""
    high = data.find(b"\n", end)
    return data.rfind(b"\n", 0, start), high + 1 if high >= 0 else len(data) + 1


def _masked(data: bytes, findings: Sequence[Finding]) -> Iterator[Masked]:
    for finding, (start, end) in zip(findings, _spans(data, findings), strict=True):
        yield Masked(start, end, finding.preview)
