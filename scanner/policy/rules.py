"""Policy: the rules that the judge itself finds broken. Nothing can be allowed against them."""

from __future__ import annotations

from scanner.model import Confidence, Finding, Location, RuleInfo, Severity

EXPIRED = "allow-expired"
UNUSED = "allow-unused"
INVALID = "allow-invalid"


RULES: tuple[RuleInfo, ...] = (
    RuleInfo(
        id=EXPIRED,
        title="Exception past its end",
        severity=Severity.MEDIUM,
        confidence=Confidence.HIGH,
        secret_class="",
        why="Somebody accepted this until a date, and the date is over: nobody answers for it now.",
        revoke="Revoke the credential that it covers and take it out of the file.",
        rotate="Where it must stay for a while, agree on a new end with its owner.",
        purge="Then take the exception out too.",
    ),
    RuleInfo(
        id=UNUSED,
        title="Exception that covers nothing",
        severity=Severity.LOW,
        confidence=Confidence.HIGH,
        secret_class="",
        why="It waits for the next secret in its place and would hide it.",
        revoke="",
        rotate="",
        purge="Take it out. Where it should cover something: an exception names one rule, and "
        "covers one finding of it in its line (a comment) or its file (an entry).",
    ),
    RuleInfo(
        id=INVALID,
        title="Exception that cannot be read",
        severity=Severity.LOW,
        confidence=Confidence.HIGH,
        secret_class="",
        why="An exception needs a rule, a reason, an owner and an end. This one covers nothing.",
        revoke="",
        rotate="",
        purge='Write it as: keywatch: allow RULE reason="why" owner=@team until=2027-01-31',
    ),
)
OWN_RULES = frozenset(rule.id for rule in RULES)
_BY_ID = {rule.id: rule for rule in RULES}


def finding(rule: str, where: str, detail: str, context: str = "") -> Finding:
    """A finding of one of these rules at `file:line`; `identify` numbers it."""
    return finding_of(_BY_ID[rule], where, detail, context)


def finding_of(rule: RuleInfo, where: str, detail: str, context: str) -> Finding:
    """A finding of any rule at `file:line`."""
    path, _, line = where.rpartition(":")
    return Finding(
        rule=rule.id,
        location=Location(path=path, line=int(line), end_line=int(line)),
        severity=rule.severity,
        confidence=rule.confidence,
        context=context,
        detail=detail,
    )


def described(name: str, severity: Severity, title: str, why: str, fix: str) -> RuleInfo:
    """A rule about something other than a leak: it is put right, and nothing is revoked."""
    return RuleInfo(
        id=name,
        title=title,
        severity=severity,
        confidence=Confidence.HIGH,
        secret_class="",
        why=why,
        revoke="",
        rotate="",
        purge="",
        fix=fix,
    )


WEAKENED = described(
    "policy-weakened",
    Severity.HIGH,
    "Policy that is loosened",
    "A change takes back what it would be judged by: it adds an exception or an exclude, switches "
    "something off, or gives a secret more time. Or the repository allows a class more time than "
    "the operator does, or gives a secret a class that does. What held before, or the operator's, "
    "holds.",
    "Take it out, or let somebody who may change the policy bring it in by itself.",
)
