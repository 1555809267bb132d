"""JUnit XML, as described in junit-10.xsd of Jenkins' xunit plugin.

A finding is a failed test, or a skipped one if it is suppressed or does not fail the run. A gap is
a test with an error. Every run also has one test that passes, because readers ignore or fail a run
without tests.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from scanner.model import Finding, Gap, Outcome, Suppressed
from scanner.report import summary, text
from scanner.report.interface import ReportContext, remedy, what, whose
from scanner.report.order import by_place, gap_order, suppressed_order
from scanner.report.text import ended


def report(outcome: Outcome, context: ReportContext) -> Iterator[str]:
    """One suite, a test for each finding, suppressed finding and gap."""
    counts = _counts(outcome, context)
    skipped = len(outcome.findings) + len(outcome.suppressed) - counts["failures"]
    when = context.now.strftime("%Y-%m-%dT%H:%M:%S")
    suite = {"name": f"keywatch/{context.analysis}", **counts, "skipped": skipped}
    yield '<?xml version="1.0" encoding="UTF-8"?>\n'
    yield f"<testsuites{_attributes({'name': 'keywatch', **counts})}>\n"
    yield f"  <testsuite{_attributes({**suite, 'timestamp': when})}>\n"
    yield from _properties(context)
    for finding in sorted(outcome.findings, key=by_place):
        yield _found(finding, context)
    for item in sorted(outcome.suppressed, key=suppressed_order):
        yield _suppressed(item, context)
    yield from map(_unread, sorted(outcome.gaps, key=gap_order))
    yield f"    <testcase{_attributes({'classname': 'keywatch', 'name': 'the run ended'})}/>\n"
    yield _element("system-out", {}, _words(outcome, context), indent="    ")
    yield "  </testsuite>\n</testsuites>\n"


def _counts(outcome: Outcome, context: ReportContext) -> Mapping[str, int]:
    failures = sum(map(context.fail_on.fails, outcome.findings))
    tests = len(outcome.findings) + len(outcome.suppressed) + len(outcome.gaps) + 1
    return {"tests": tests, "failures": failures, "errors": len(outcome.gaps)}


def _properties(context: ReportContext) -> Iterator[str]:
    attributes = {"version": context.version, "root": context.root, "command": context.command}
    yield "    <properties>\n"
    for name, value in attributes.items():
        yield f"      <property{_attributes({'name': name, 'value': value})}/>\n"
    yield "    </properties>\n"


def _found(finding: Finding, context: ReportContext) -> str:
    severity = finding.severity.label
    if not context.fail_on.fails(finding):
        words = f"{severity}, {summary.spared_because([finding], context.fail_on)}"
        return _test(finding, context, "skipped", {"message": words})
    attributes = {"type": severity, "message": what(finding, context)}
    return _test(finding, context, "failure", attributes)


def _suppressed(item: Suppressed, context: ReportContext) -> str:
    exception = item.suppression
    terms = {"owner ": exception.owner, "until ": exception.until}
    words = [exception.reason, f"by {exception.by}"]
    words += [label + value for label, value in terms.items() if value]
    attributes = {"message": "; ".join(filter(None, words))}
    return _test(item.finding, context, "skipped", attributes)


def _test(
    finding: Finding, context: ReportContext, result: str, attributes: Mapping[str, object]
) -> str:
    """Readers tell tests apart by their names, so that the name contains the finding ID."""
    rule, place = context.rule(finding), finding.location
    lines = [f"{place.path}:{place.line}:{place.column}"]
    if result != "failure":  # its message says what was found
        lines.append(what(finding, context))
    lines += [ended(words) for words in (finding.detail, *whose(finding)) if words]
    lines += [f"{step.capitalize()}: {words}" for step, words in remedy(rule)]
    name = f"{rule.title} ({finding.rule} {finding.id})"
    return _case(place.path, name, _element(result, attributes, lines, indent="      "))


def _unread(gap: Gap) -> str:
    attributes = {"type": gap.kind, "message": gap.reason}
    return _case(
        gap.path, f"not checked: {gap.kind}", _element("error", attributes, [], indent="      ")
    )


def _case(of: str, name: str, result: str) -> str:
    return (
        f"    <testcase{_attributes({'classname': of, 'name': name})}>\n{result}    </testcase>\n"
    )


def _words(outcome: Outcome, context: ReportContext) -> list[str]:
    _, verdict = summary.verdict(outcome, context.fail_on)
    notes = [f"note {where} {words}" for where, words in summary.notes(outcome, context)]
    return [verdict, *summary.read(outcome), *summary.remarks(outcome), *notes]


def _element(name: str, attributes: Mapping[str, object], lines: list[str], *, indent: str) -> str:
    body = "\n".join(map(text.for_xml, lines))
    return f"{indent}<{name}{_attributes(attributes)}>{body}</{name}>\n"


def _attributes(attributes: Mapping[str, object]) -> str:
    return "".join(f' {name}="{text.for_xml(str(value))}"' for name, value in attributes.items())
