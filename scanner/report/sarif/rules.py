"""Rules and notices in SARIF, with the same texts as `keywatch rules show`."""

from __future__ import annotations

from typing import Any

from scanner.model import RuleInfo, Severity
from scanner.report import text, uris
from scanner.report.interface import remedy

_DESCRIPTION = 510  # characters; escaping can double them, and GitHub accepts 1,024
_NAME = 255
LEVELS = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "note",
}
_SCORES = {
    Severity.CRITICAL: "9.5",
    Severity.HIGH: "8.0",
    Severity.MEDIUM: "5.5",
    Severity.LOW: "2.0",
}
NOTICES = {
    "keywatch-gap": (
        "Something that should have been checked was not.",
        "This could not be read, so the run is incomplete. A secret in it is not reported.",
    ),
    "keywatch-left-out": (
        "Findings were left out of this file.",
        "An upload contains a limited number of results. The most severe ones are included.",
    ),
    "keywatch-note": (
        "Something worth knowing.",
        "It does not fail the run. Example: a file that did not parse was scanned line by line.",
    ),
}
Json = dict[str, Any]


def of_rule(name: str, rule: RuleInfo) -> Json:
    descriptor = _described(name, rule.title, rule.why or rule.title)
    descriptor["help"] = {"text": _help(rule), "markdown": _help_markdown(rule)}
    descriptor["defaultConfiguration"] = {"level": LEVELS[rule.severity]}
    descriptor["properties"] = {
        "tags": _tags(rule),
        "precision": rule.confidence.label,
        "security-severity": _SCORES[rule.severity],
    }
    if rule.source.startswith("https://"):
        descriptor["helpUri"] = uris.web(rule.source)
    return descriptor


def of_notice(name: str) -> Json:
    return _described(name, *NOTICES[name])


def _described(name: str, short: str, long: str) -> Json:
    """The common part of rules and notices. SARIF forbids a name that only repeats the id."""
    identifier = _identifier(name)
    named = {"name": identifier} if identifier.lower() not in ("", name.lower()) else {}
    return {
        "id": name,
        **named,
        "shortDescription": {"text": _sentence(short)},
        "fullDescription": {"text": _sentence(long)},
        "help": {"text": _sentence(long)},
    }


def _identifier(name: str) -> str:
    """`github-pat` -> `GithubPat`."""
    words = "".join(char if char.isalnum() and char.isascii() else " " for char in name).split()
    return "".join(word.capitalize() for word in words)[:_NAME]


def _tags(rule: RuleInfo) -> list[str]:
    if not rule.secret_class:
        return ["security"]
    return ["security", "secret", rule.secret_class, "external/cwe/cwe-798"]


def _help(rule: RuleInfo) -> str:
    steps = [f"{step.capitalize()}: {text.for_sarif(words)}" for step, words in remedy(rule)]
    return "\n".join([text.for_sarif(rule.why or rule.title), *steps])


def _help_markdown(rule: RuleInfo) -> str:
    steps = [
        f"1. **{step.capitalize()}.** {text.for_markdown(words)}" for step, words in remedy(rule)
    ]
    return "\n".join([text.for_markdown(rule.why or rule.title), "", *steps])


def _sentence(words: str) -> str:
    return text.ended(text.for_sarif(text.shorten(text.visible(words), _DESCRIPTION)))
