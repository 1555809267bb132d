"""The findings, grouped by rule, each with an address of its own on the page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from scanner.model import Acceptance, Confidence, Finding, Outcome, RuleInfo, Severity
from scanner.report import summary, text, uris
from scanner.report.html import words
from scanner.report.html.page import Choice, Fact, Found, FoundGroup, FoundRow
from scanner.report.interface import ReportContext, remedy, whose
from scanner.report.order import most_severe

_TITLES = {"trail": "Detections", "access": "Findings of the review"}
_ACCEPT = {
    Acceptance.ALLOW: "To accept a finding until a date:"
    " keywatch allow ID --reason … --owner … --until …",
    Acceptance.APPROVAL: "An exception for this change takes effect once somebody approves it.",
    Acceptance.NONE: "",
}


def found(outcome: Outcome, context: ReportContext) -> Found | None:
    """All findings, the most severe rule first. None if there are none."""
    if not outcome.findings:
        return None
    anchors = Anchors()
    groups: dict[str, list[Finding]] = {}
    for each in sorted(outcome.findings, key=most_severe):
        groups.setdefault(each.rule, []).append(each)
    counts = Counter(each.severity for each in outcome.findings)
    return Found(
        title=_TITLES.get(context.analysis, "Findings"),
        total=len(outcome.findings),
        choices=tuple(
            Choice(severity=level.label, number=f"{counts[level]:,}")
            for level in reversed(Severity)
            if counts[level]
        ),
        groups=tuple(_group(each, context, anchors) for each in groups.values()),
        accept=_ACCEPT[context.acceptance] if _can_accept(outcome.findings, context) else "",
    )


class Anchors:
    """Gives each finding an id: its fingerprint, with a number if another finding has the same."""

    def __init__(self) -> None:
        self._seen: Counter[str] = Counter()

    def of(self, finding: Finding) -> str:
        mark = finding.fingerprint
        plain = mark if mark.isascii() and mark.isalnum() else "finding"
        self._seen[plain] += 1
        again = self._seen[plain]
        return plain if again == 1 else f"{plain}-{again}"


def _can_accept(findings: Iterable[Finding], context: ReportContext) -> bool:
    """Only secrets are accepted. An invalid exception must be corrected."""
    return any(each.resource or context.rule(each).secret_class for each in findings)


def _group(findings: Sequence[Finding], context: ReportContext, anchors: Anchors) -> FoundGroup:
    rule = context.rule(findings[0])
    facts = [
        text.count(len(findings), "finding"),
        f"class {rule.secret_class}" if rule.secret_class else "",
        rule.vendor,
    ]
    return FoundGroup(
        severity=findings[0].severity.label,
        title=words.name(rule.title),
        rule=words.name(rule.id),
        facts=" · ".join(filter(None, map(words.name, facts))),
        why=words.prose(rule.why),
        steps=tuple(
            Fact(name=step.capitalize(), value=words.prose(todo)) for step, todo in remedy(rule)
        ),
        source=_address(rule),
        rows=tuple(_row(each, context, anchors) for each in findings),
    )


def _address(rule: RuleInfo) -> str:
    """The rule's source as a web address. "" for anything else, such as `javascript:`."""
    source = rule.source.strip()
    return uris.web(source) if source.lower().startswith(("https://", "http://")) else ""


def _row(finding: Finding, context: ReportContext, anchors: Anchors) -> FoundRow:
    place, resource = finding.location, finding.resource
    where = f"{summary.place(place.path, place.line, context)}:{place.column}"
    names = (finding.context, finding.preview)
    more = [finding.detail, *whose(finding)]
    if resource:
        declared = f"at {where.removesuffix(':1')}" if place.path else ""
        where, names = words.name(resource.id), (declared, finding.preview)
    return FoundRow(
        anchor=anchors.of(finding),
        severity=finding.severity.label,
        place=where,
        names=tuple(words.name(each) for each in names if each),
        detail=words.prose(" · ".join(filter(None, (*more, _seen(finding), _unsure(finding))))),
        id=words.name(finding.id),
    )


def _unsure(finding: Finding) -> str:
    """High confidence is what a reader expects."""
    if finding.confidence is Confidence.HIGH:
        return ""
    return f"{finding.confidence.label} confidence"


def _seen(finding: Finding) -> str:
    """The first commit that has it."""
    since = finding.since
    if since is None or not since.commit:
        return ""
    by = f" by {since.author}" if since.author else ""
    at = f" on {since.date[:10]}" if since.date else ""
    gone = "" if since.present else "; the newest commit does not have it"
    return f"since commit {since.commit[:12]}{by}{at}{gone}"
