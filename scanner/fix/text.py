"""The text that `keywatch fix` prints: a diff with masked values, the values that were not replaced
and why, what else to do, and what to revoke."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from scanner.report.text import count, for_log, shorten, visible

if TYPE_CHECKING:
    from scanner.detect.fixes import FixedFile, Hunk, Unfixed
    from scanner.model import Finding

_REVOKE = (
    "Revoke the secret first, because forks, clones and CI caches keep it. Then remove it from the "
    "file and from the history (git filter-repo --replace-text)."
)
_WIDEST = 300
_PLACES = 20
_RED, _GREEN, _CYAN, _BOLD = "31", "32", "36", "1"


class File(NamedTuple):
    """A file before and after its fixes. `before` is None if the file does not exist yet."""

    path: str
    before: bytes | None
    fixed: FixedFile


def nothing(covered: int) -> str:
    """The message if there is nothing to fix. `covered` is the number of hidden findings."""
    known = f"; {count(covered, 'finding')} covered, see --covered" if covered else ""
    return f"nothing to fix{known}\n"


def text(
    files: Sequence[File],
    left: Sequence[Unfixed],
    revokes: Mapping[str, str],
    *,
    written: bool,
    color: bool,
) -> str:
    """The whole output. `revokes` maps each rule to its advice on revoking the value."""
    paint = _Paint(color=color)
    parts = [*(line for file in files for line in _diff(file, paint))]
    replaced = [each for file in files for each in file.fixed.replaced]
    parts += _listed("not fixed", _grouped((each.reason, each.finding) for each in left), paint)
    todo = _grouped((each.todo, each.finding) for each in replaced if each.todo)
    parts += _listed("also to do", todo, paint)
    if replaced:
        title = "revoke the old values, because git's history and every clone still contain them"
        revoke = ((revokes.get(each.finding.rule) or _REVOKE, each.finding) for each in replaced)
        parts += _listed(title, _grouped(revoke), paint)
        parts += ['  (docs/configuration.md, "Taking values out of configuration")', ""]
    parts.append(_result(files, left, written=written))
    return for_log("\n".join(parts) + "\n")


class _Paint:
    def __init__(self, *, color: bool) -> None:
        self._color = color

    def __call__(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._color else text


def _diff(file: File, paint: _Paint) -> Iterator[str]:
    name = visible(file.path)
    yield paint(f"--- {name if file.before is not None else '/dev/null'}", _BOLD)
    yield paint(f"+++ {name}", _BOLD)
    for hunk in file.fixed.hunks:
        yield from _hunk(hunk, paint)
    yield ""


def _hunk(hunk: Hunk, paint: _Paint) -> Iterator[str]:
    yield paint(f"@@ -{_range(hunk.line, hunk.old)} +{_range(hunk.new_line, hunk.new)} @@", _CYAN)
    for sign, lines, code in (("-", hunk.old, _RED), ("+", hunk.new, _GREEN)):
        for line in lines:
            shown = shorten(visible(line.rstrip("\r").replace("\t", "    ")), _WIDEST)
            yield paint(sign + shown, code)


def _range(line: int, lines: Sequence[str]) -> str:
    """A range in the format of `diff -U0`. An empty range names the line before it."""
    if len(lines) == 1:
        return str(line)
    return f"{line if lines else line - 1},{len(lines)}"


def _grouped(pairs: Iterable[tuple[str, Finding]]) -> Mapping[str, list[Finding]]:
    groups: dict[str, list[Finding]] = {}
    for words, finding in pairs:
        groups.setdefault(words, []).append(finding)
    return groups


def _listed(title: str, groups: Mapping[str, Sequence[Finding]], paint: _Paint) -> Iterator[str]:
    """Each text once, with the locations of its findings."""
    if not groups:
        return
    yield paint(f"{title}:", _BOLD)
    for words, findings in groups.items():
        yield f"  {visible(words)}"
        for finding in findings[:_PLACES]:
            place = visible(f"{finding.location.path}:{finding.location.line}")
            yield f"    {place}  {visible(finding.context or finding.rule)}"
        if len(findings) > _PLACES:
            yield f"    … and {count(len(findings) - _PLACES, 'other')}"
    yield ""


def _result(files: Sequence[File], left: Sequence[Unfixed], *, written: bool) -> str:
    replaced = sum(len(file.fixed.replaced) for file in files)
    changed = count(len(files), "file")
    did = f"{changed} changed" if written else f"{changed} would change; --write changes them"
    stays = f", {len(left)} left as they are" if left else ""
    return f"{count(replaced, 'value')} in configuration{stays} · {did}"
