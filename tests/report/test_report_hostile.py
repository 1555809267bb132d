"""Text from a hostile repository, in every field and through every reporter."""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes
from xml.etree import ElementTree as ET

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from prometheus_client.parser import text_string_to_metric_families

from scanner.model import (
    Appearance,
    Confidence,
    Coverage,
    Finding,
    Gap,
    Location,
    Note,
    Outcome,
    RuleInfo,
    Severity,
    Skip,
    Suppressed,
    Suppression,
)
from scanner.records import (
    AccessChange,
    AccessMatrix,
    AccessRow,
    Audited,
    Change,
    EarlierStatus,
    Proposal,
    Reach,
    Resource,
    Status,
)
from scanner.report.formats import FORMATS, render
from scanner.report.html.overview import ControlRow, EarlierRuns, RepositoryRow, RunNumbers
from scanner.report.interface import ReportContext
from scanner.report.order import by_place
from scanner.report.text import for_log, visible
from tests.report.test_report_gitlab import VALIDATOR as GITLAB
from tests.report.test_report_json import VALIDATOR
from tests.support.report_values import NOW

NAMES = {
    "newline": "a\nb.txt",
    "carriage return": "a\rb.txt",
    "tab": "a\tb.txt",
    "null": "a\0b.txt",
    "colour": "\x1b[31mred.txt",
    "clear screen": "\x1b[2J\x1b[H.txt",
    "window title": "\x1b]0;owned\x07.txt",
    "hyperlink": "\x1b]8;;https://evil.invalid\x1b\\click\x1b]8;;\x1b\\",
    "eight-bit CSI": "\x9b31m.txt",
    "backspaces": "good\b\b\b\bevil",
    "right to left": "invoice\u202etxt.exe",
    "isolate": "\u2066a\u2069.txt",
    "zero width": "pass\u200bword\ufeff.txt",
    "line separator": "a\u2028::error::b",
    "invisible tags": "a\U000e0041\U000e0042.txt",
    "blank letter": "a\u3164\u115f\ufe0f.txt",
    "rich markup": "[red]bold[/red] [link=https://evil.invalid]x[/link] \\[/]",
    "emoji code": ":warning: :skull:",
    "GitHub command": "::error file=x::owned",
    "GitHub command on a line of its own": "a\n::set-output name=x::y",
    "GitHub command of the first version": "##[set-env name=x]y",
    "Azure command": "x ##vso[task.setvariable variable=a]b",
    "TeamCity command": "##teamcity[buildStop]",
    "HTML": "<img src=x onerror=alert(1)><script>alert(1)</script>&lt;",
    "Markdown": "![x](https://evil.invalid/x.png) **b** `c` | d | # e ~~f~~ _g_ <https://h.invalid>",
    "Markdown break": "x\n\n# title\n\n- item\n\n---\n\n    code",
    "SARIF link and placeholder": "[x](1) {0} \\[y](2)",
    "no UTF-8": os.fsdecode(b"caf\xe9/\xff\xfe.txt"),
    "lone surrogate": "a\ud800\udfffb",
    "option": "--output=/etc/passwd",
    "short option": "-rf",
    "percent": "%2e%2e/%00%0a.txt",
    "scheme": "javascript:alert(1)//x",
    "shell": "$(id) `id` ; rm -rf ~ '\" \\ |",
    "formula": '=cmd|" /C calc"!A0',
    "quotes": "\"'`\\",
    "astral": "😀日本é.txt",
    "very long": "long/" * 5000 + ".txt",
    "spaces": "  a  ",
    "dots": "../../etc/passwd",
}


def rule(words: str) -> RuleInfo:
    return RuleInfo(
        id=words,
        title=words,
        severity=Severity.HIGH,
        confidence=Confidence.LOW,
        secret_class=words,
        why=words,
        revoke=words,
        rotate=f"x{words}",
        purge=f"{words}x",
        source=f"https://{words}",
        vendor=words,
    )


def outcome(words: str) -> Outcome:
    """An outcome with `words` in every field that holds text."""
    place = Location(path=words, line=2, column=3, end_line=2, end_column=9)
    found = Finding(
        rule=words,
        location=place,
        severity=Severity.HIGH,
        confidence=Confidence.LOW,
        preview=words,
        context=words,
        fingerprint=words,
        detail=words,
        since=Appearance(commit=words, author=words, date=words),
    )
    live = found._replace(resource=Resource(id=words, owner=words, runbook=words, as_of=words))
    at = Location.parse(words)
    said = Suppression(
        by=words,
        location=at,
        rule=words,
        path=words,
        reason=words,
        owner=words,
        until=words,
    )
    return Outcome(
        findings=(found, live),
        suppressed=(Suppressed(finding=found, suppression=said),),
        gaps=(Gap(kind=words, path=words, reason=words),),
        skips=(Skip(kind=words, path=words),),
        notes=(Note(kind=words, path=words, text=words, line=4),),
        register=(said,),
        coverage=Coverage(files=1, size=2, skipped={words: 1}),
        live=audited(words),
    )


def audited(words: str) -> Audited:
    status = Status(
        id=words,
        backend=words,
        kind=words,
        secret_class=words,
        owner=words,
        verdict=words,
        conditions=(words,),
        youngest=1,
        limit=2,
        field=words,
        strength=words,
    )
    return Audited(
        secrets=(status,),
        reach=(Reach(backend=words, kind=words, read=1, known=2, unread={words: 1}),),
        changes=(Change(id=words, how="worse", before=words, after=words),),
        since=NOW,
    )


def context(words: str, **more: Any) -> ReportContext:
    fields: dict[str, Any] = {"rules": {words: rule(words)}, "now": NOW, "version": "0.1.0"}
    return ReportContext(**fields | {"root": words, "command": words} | more)


def check_lines(text: str) -> None:
    """Nothing that a terminal or a CI system would obey; `text` without colours."""
    assert all(char.isprintable() or char == "\n" for char in text)
    assert not [line for line in text.splitlines() if line.lstrip().startswith("::")]
    assert not re.search(r"##\w*\[", text)


def check_terminal(result: Outcome, given: ReportContext) -> None:
    check_lines(render("terminal", result, given))


def check_json_text(text: str) -> Any:
    """ASCII, one document, and no string that UTF-8 cannot hold."""
    assert text.isascii()
    check_lines(text)
    document = json.loads(text)
    json.dumps(document, ensure_ascii=False).encode()
    return document


def check_json(result: Outcome, given: ReportContext) -> None:
    document = check_json_text(render("json", result, given))
    VALIDATOR.validate(document)
    ordered = sorted(result.findings, key=by_place)
    for shown, finding in zip(document["findings"], ordered, strict=True):
        check_path(shown["location"], finding.location.path)


def check_path(shown: dict[str, Any], path: str) -> None:
    """The name is exact, in one field or the other."""
    if "path_encoded" in shown:
        assert unquote_to_bytes(shown["path_encoded"]) == raw(path)
    else:
        assert shown["path"] == path


def check_sarif(name: str) -> Callable[[Outcome, ReportContext], None]:
    def check(result: Outcome, given: ReportContext) -> None:
        log = check_json_text(render(name, result, given))
        assert {raw(finding.location.path) for finding in result.findings} <= {
            unquote_to_bytes(uri) for uri in values(log, "uri")
        }
        for uri in values(log, "uri"):
            assert re.fullmatch(r"(?:[\w.~/-]|%[0-9A-F]{2})*", uri, re.ASCII)
        for message in [*values(log, "text")]:
            check_sarif_text(message)
        for markdown in values(log, "markdown"):
            check_markdown(markdown)

    return check


def check_prometheus(result: Outcome, given: ReportContext) -> None:
    """Its own parser reads it, each series once."""
    report = render("prometheus", result, given)
    check_lines(report)
    report.encode()
    families = [*text_string_to_metric_families(report)]
    samples = [sample for family in families for sample in family.samples]
    assert all(sample.name.startswith("keywatch_") for sample in samples)
    series = {(sample.name, *sorted(sample.labels.items())) for sample in samples}
    assert len(series) == len(samples) == len(re.findall(r"(?m)^[^#]", report))


def check_markdown_report(result: Outcome, given: ReportContext) -> None:
    """One heading, and tables with a row for each thing: no other line begins by itself."""
    report = render("markdown", result, given)
    check_lines(report)
    report.encode()
    html = MARKDOWN.render(report)
    assert set(re.findall(r"<(\w+)", html)) <= {*"h1 h2 p table thead tbody tr th td".split()}
    assert html.count("<h1>") == 1
    rows = re.findall(r"<tr>(.*?)</tr>", html, re.DOTALL)
    assert {len(re.findall("<t[hd]", row)) for row in rows} <= {3, 4, 5}
    assert report.count("\n|") == len(rows) + html.count("<thead>")


def check_sarif_text(message: str) -> None:
    """No embedded link and no placeholder, once what is escaped is taken away."""
    assert all(char.isprintable() or char == "\n" for char in message)
    left = re.sub(r"\\[\\\[\]]|\{\{|\}\}", "", message)
    assert not set(left) & set("[]{}")


MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def check_markdown(markdown: str) -> None:
    tags = set(re.findall(r"<(\w+)", MARKDOWN.render(markdown)))
    assert tags <= {"p", "ol", "li", "strong"}


def check_github(result: Outcome, given: ReportContext) -> None:
    """What the runner makes of it is what was meant, and no other command."""
    report = render("github", result, given)
    assert all(char.isprintable() or char == "\n" for char in report)
    assert not re.search(r"##\w*\[", report)
    report.encode()
    *commands, last = [runner(line) for line in report.splitlines()]
    assert last is None
    paths = {finding.location.path for finding in result.findings}
    paths |= {gap.path for gap in result.gaps} | {note.path for note in result.notes}
    shown = {for_log(visible(path)) for path in paths}
    for command in commands:
        assert command
        assert command.name in {"error", "warning", "notice"}
        assert command.properties.keys() <= {*"file line endLine col endColumn title".split()}
        assert command.properties.get("file", "") in {"", *shown}


class Command(NamedTuple):
    name: str
    properties: dict[str, str]
    message: str


def runner(line: str) -> Command | None:
    """The command on a line of a log, as GitHub's runner reads it; None where there is none."""
    head, mark, message = line.lstrip().removeprefix("::").partition("::")
    if not line.lstrip().startswith("::") or not mark:
        return None
    name, _, said = head.partition(" ")
    pairs = (each.split("=", 1) for each in said.split(",") if "=" in each)
    return Command(name, {key: unescaped(value) for key, value in pairs}, unescaped(message))


def unescaped(words: str) -> str:
    codes = {"%0D": "\r", "%0A": "\n", "%3A": ":", "%2C": ","}
    for code, char in codes.items():
        words = words.replace(code, char)
    return words.replace("%25", "%")


def check_junit(result: Outcome, given: ReportContext) -> None:
    """XML, with a test for each thing and no element that a name made."""
    report = render("junit", result, given)
    check_lines(report)
    root = ET.fromstring(report.encode())
    suite = root[0]
    assert {element.tag for element in root.iter()} <= {
        *("testsuites", "testsuite", "properties", "property", "testcase", "system-out"),
        *("failure", "skipped", "error"),
    }
    cases = suite.findall("testcase")
    parts = (result.findings, result.suppressed, result.gaps)
    assert len(cases) == 1 + sum(map(len, parts)) == int(suite.attrib["tests"])
    for kind, attribute in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        assert len(suite.findall(f"testcase/{kind}")) == int(suite.attrib[attribute])


def check_gitlab(result: Outcome, given: ReportContext) -> None:
    document = check_json_text(render("gitlab", result, given))
    GITLAB.validate(document)
    for each in document["vulnerabilities"]:
        assert set(re.findall(r"<(\w+)", MARKDOWN.render(each["description"]))) <= {"p"}


def check_csv(result: Outcome, given: ReportContext) -> None:
    """A row for each thing, and no cell that a spreadsheet would work out."""
    report = render("csv", result, given)
    check_lines(report)
    report.encode()
    head, *rows = csv.reader(report.splitlines())
    parts = (result.findings, result.suppressed, result.gaps, result.notes)
    secrets = result.live.secrets if result.live else ()
    assert len(rows) == 1 + sum(map(len, parts)) + len(secrets)
    assert {len(row) for row in rows} == {len(head)}
    assert not [cell for row in rows for cell in row if FORMULA.match(cell.lstrip())]


def check_html(result: Outcome, given: ReportContext) -> None:
    """Only the elements and attributes of the template; links lead to the page or to the web."""
    matrix, earlier, repositories = besides(given.root)
    more = given._replace(earlier=earlier, repositories=repositories)
    report = render("html", result._replace(access=matrix), more)
    check_lines(report)
    page = Elements(report)
    assert page.open == []
    assert page.tags <= HTML_TAGS
    assert page.attributes <= HTML_ATTRIBUTES
    assert page.scripts == 1
    assert all(re.match("#|https?://|data:image/svg", link) for link in page.links)


def besides(words: str) -> tuple[AccessMatrix, EarlierRuns, tuple[RepositoryRow, ...]]:
    """What only some reports have, with `words` in every field that holds text."""
    row = AccessRow(words, words, words, words, True, (words,), words, words, words, words)
    change = AccessChange("new", words, words, words, words)
    matrix = AccessMatrix((row,), (Proposal(words, words),), (change,), since=words)
    runs = tuple(
        RunNumbers(NOW - timedelta(days=number), False, {Severity.LOW: 1}, {words: 1})
        for number in (2, 1)
    )
    control = ControlRow(words, words, words, words, None, words, (1,))
    repository = RepositoryRow(words, words, {Severity.LOW: 1}, {words: 1}, problem=words)
    return matrix, EarlierRuns(runs, (control,), NOW, NOW, words), (repository,)


class Elements(HTMLParser):
    """What a browser would make of a page: `open` are elements that are never closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.open: list[str] = []
        self.scripts = 0
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.scripts += tag == "script"
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name in {"href", "src"}]
        if tag not in HTML_VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in HTML_VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag in HTML_UNCLOSED and tag not in self.open:
            return
        while self.open[-1] in HTML_UNCLOSED and self.open[-1] != tag:
            self.open.pop()
        assert self.open.pop() == tag


HTML_VOID = {*"meta link input br wbr".split()}
HTML_UNCLOSED = {"li"}  # the end tags of findings are left out
HTML_TAGS = {
    *"a b body br button circle code dd details div dl dt fieldset figcaption figure".split(),
    *"footer form g h1 h2 h3 head header html input label legend li line link main".split(),
    *"meta nav ol output p path rect script section small span strong style summary".split(),
    *"svg table tbody td text th thead title tr ul wbr".split(),
}
HTML_ATTRIBUTES = {
    *"aria-hidden aria-label aria-labelledby aria-live autocomplete charset checked class".split(),
    *"content cx cy d data-label data-noun data-title height hidden href http-equiv id".split(),
    *"lang name open placeholder r rel role rx scope spellcheck stroke-width tabindex".split(),
    *"text-anchor type value viewbox width x x1 x2 y y1 y2".split(),
}

FORMULA = re.compile("[=+@\uff1d\uff0b\uff20\uff0d-]")

CHECKS: dict[str, Callable[[Outcome, ReportContext], None]] = {
    "terminal": check_terminal,
    "json": check_json,
    "sarif": check_sarif("sarif"),
    "sarif-full": check_sarif("sarif-full"),
    "markdown": check_markdown_report,
    "prometheus": check_prometheus,
    "github": check_github,
    "junit": check_junit,
    "gitlab": check_gitlab,
    "csv": check_csv,
    "html": check_html,
}


def raw(path: str) -> bytes:
    try:
        return os.fsencode(path)
    except UnicodeEncodeError:
        return path.encode(errors="surrogatepass")


def values(node: Any, key: str) -> Iterator[str]:
    """Every string under `key`, at any depth."""
    if isinstance(node, dict):
        for name, item in node.items():
            if name == key and isinstance(item, str):
                yield item
            yield from values(item, key)
    elif isinstance(node, list):
        for item in node:
            yield from values(item, key)


def test_every_format_is_checked() -> None:
    assert CHECKS.keys() == FORMATS.keys()


@pytest.mark.parametrize("name", CHECKS)
def test_hostile_names_are_only_shown(name: str) -> None:
    for words in NAMES.values():
        CHECKS[name](outcome(words), context(words))


def test_colours_are_the_only_codes_of_a_coloured_report() -> None:
    for words in NAMES.values():
        plain = render("terminal", outcome(words), context(words))
        bright = render("terminal", outcome(words), context(words, color=True))
        assert re.sub(r"\x1b\[[0-9;]*m", "", bright) == plain


def test_a_clean_run_shows_hostile_names_safely() -> None:
    for words in NAMES.values():
        whole = outcome(words)
        clean = Outcome(findings=(), notes=whole.notes, coverage=whole.coverage, skips=whole.skips)
        check_terminal(clean, context(words))


def test_markup_is_shown_as_it_is_written() -> None:
    words = "[red]x[/red] :skull:"
    assert words in render("terminal", outcome(words), context(words))


def test_a_broken_name_shows_its_bytes() -> None:
    words = NAMES["no UTF-8"]
    assert "caf\\xe9/\\xff\\xfe.txt:2:3" in render("terminal", outcome(words), context(words))


TEXT = st.one_of(
    st.text(st.characters(exclude_categories=()), max_size=40),
    st.lists(st.sampled_from(sorted(NAMES.values(), key=len)[:-1]), max_size=3).map("".join),
)
POSITION = st.integers(1, 10**9)
FINDINGS = st.builds(
    Finding,
    rule=TEXT,
    location=st.builds(
        Location, path=TEXT, line=POSITION, column=POSITION, end_line=POSITION, end_column=POSITION
    ),
    severity=st.sampled_from(Severity),
    confidence=st.sampled_from(Confidence),
    preview=TEXT,
    context=TEXT,
    fingerprint=TEXT,
    detail=TEXT,
    resource=st.none() | st.builds(Resource, id=TEXT, owner=TEXT, runbook=TEXT, as_of=TEXT),
    since=st.none() | st.builds(Appearance, commit=TEXT, author=TEXT, date=TEXT),
)
SUPPRESSIONS = st.builds(
    Suppression,
    by=TEXT,
    location=TEXT.map(Location.parse),
    rule=TEXT,
    path=TEXT,
    reason=TEXT,
    owner=TEXT,
    until=TEXT,
    used=st.booleans(),
)


def several(one: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(one, max_size=4).map(tuple)


SECONDS = st.none() | st.integers(0, 10**9)
STATUSES = st.builds(
    Status,
    id=TEXT,
    backend=TEXT,
    kind=TEXT,
    secret_class=TEXT,
    owner=TEXT,
    verdict=TEXT,
    conditions=several(TEXT),
    youngest=SECONDS,
    oldest=SECONDS,
    limit=SECONDS,
    grace=SECONDS,
    due=st.none() | st.just(NOW),
    field=TEXT,
    strength=TEXT,
)
COUNTS = st.dictionaries(TEXT, st.integers(1, 10**9), max_size=3)
LIVE = st.builds(
    Audited,
    secrets=several(STATUSES),
    reach=st.tuples(
        st.builds(
            Reach,
            backend=TEXT,
            kind=TEXT,
            read=st.integers(0, 10**9),
            known=st.integers(0, 10**9),
            unread=COUNTS,
            last_success=st.none() | st.just(NOW),
        )
    ),
    changes=several(
        st.builds(
            Change,
            id=TEXT,
            how=st.sampled_from(("new", "worse", "better", "gone")),
            before=TEXT,
            after=TEXT,
        )
    ),
    since=st.none() | st.just(NOW),
    earlier=several(st.builds(EarlierStatus, status=STATUSES, seen=st.just(NOW))),
    classes=several(TEXT),
)
OUTCOMES = st.builds(
    Outcome,
    findings=several(FINDINGS),
    suppressed=several(st.builds(Suppressed, finding=FINDINGS, suppression=SUPPRESSIONS)),
    gaps=several(st.builds(Gap, kind=TEXT, path=TEXT, reason=TEXT)),
    skips=several(st.builds(Skip, kind=TEXT, path=TEXT)),
    notes=several(st.builds(Note, kind=TEXT, path=TEXT, text=TEXT, line=st.integers(0, 10**9))),
    register=several(SUPPRESSIONS),
    coverage=st.builds(
        Coverage,
        files=st.integers(0, 10**9),
        size=st.integers(0, 10**15),
        skipped=COUNTS,
    ),
    live=st.none() | LIVE,
)


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=60)
@given(result=OUTCOMES, words=TEXT, width=st.integers(0, 400))
@pytest.mark.parametrize("name", CHECKS)
def test_any_text_in_any_field_does_nothing_but_show(
    name: str, result: Outcome, words: str, width: int
) -> None:
    CHECKS[name](result, context(words, width=width))
