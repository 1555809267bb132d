"""Policy: the rules about exceptions. No exception can suppress their findings."""

from __future__ import annotations

from scanner.model import Confidence, Finding, Location, RuleInfo, Severity

EXPIRED = "allow-expired"
UNUSED = "allow-unused"
INVALID = "allow-invalid"


RULES: tuple[RuleInfo, ...] = (
    RuleInfo(
        id=EXPIRED,
        title="Exception has expired",
        severity=Severity.MEDIUM,
        confidence=Confidence.HIGH,
        why="The exception was accepted until a date that has passed. Nobody is responsible for "
        "the secret now.",
        fix="Revoke the credential that the exception covers, and remove it from the file. Then "
        "remove the exception, too. If it has to stay for a while, agree on a new end date with "
        "its owner.",
    ),
    RuleInfo(
        id=UNUSED,
        title="Exception is unused",
        severity=Severity.LOW,
        confidence=Confidence.HIGH,
        why="The exception matches no finding, and would hide the next secret in this place.",
        fix="Remove it. If it should match something: an exception names one rule and covers one "
        "finding of it, in its line (a comment) or its file (an entry).",
    ),
    RuleInfo(
        id=INVALID,
        title="Exception is invalid",
        severity=Severity.LOW,
        confidence=Confidence.HIGH,
        why="An exception needs a rule, a reason, an owner and an end date. This has no effect.",
        fix='Write the comment as: keywatch: allow RULE reason="why" owner=@team until=2027-01-31',
    ),
)
OWN_RULES = frozenset(rule.id for rule in RULES)
_BY_ID = {rule.id: rule for rule in RULES}


def finding(rule: str, location: Location, detail: str, context: str = "") -> Finding:
    """A finding of one of these rules; `identify` numbers it."""
    return finding_of(_BY_ID[rule], location, detail, context)


def finding_of(rule: RuleInfo, location: Location, detail: str, context: str) -> Finding:
    """A finding of any rule."""
    return Finding(
        rule=rule.id,
        location=location,
        severity=rule.severity,
        confidence=rule.confidence,
        context=context,
        detail=detail,
    )


def described(name: str, severity: Severity, title: str, why: str, fix: str) -> RuleInfo:
    """A rule about something other than a leaked secret: it has a fix, and nothing to revoke."""
    return RuleInfo(
        id=name,
        title=title,
        severity=severity,
        confidence=Confidence.HIGH,
        why=why,
        fix=fix,
    )


WEAKENED = described(
    "policy-weakened",
    Severity.HIGH,
    "Change weakens the policy",
    "A change weakens the policy that it is judged by: it adds an exception or an exclude,"
    " switches something off, or allows a secret more time. Or the repository allows a "
    "class more time than the operator does, or gives a secret a class that does. The run "
    "uses the previous policy, or the operator's.",
    "Remove it, or have an owner of keywatch.yaml approve it: CI then passes --approve COMMIT (new"
    " exceptions) or --trust COMMIT (the whole policy).",
)
