"""The list of detections in docs/trail.md, from the rules."""

from __future__ import annotations

from collections.abc import Iterator

from scanner.trail import rule_infos
from scanner.trail.sigma.rule_files import Described

START, END = "<!-- detections: make docs -->\n", "<!-- /detections -->"
_STORES = {
    "trail-vault-": "Vault and OpenBao",
    "trail-aws-": "AWS",
    "trail-azure-": "Azure Key Vault",
    "trail-kubernetes-": "Kubernetes",
    "trail-": "All logs: these need more than a log line, and are not Sigma rules",
}


def page(text: str) -> str:
    """docs/trail.md with the list as the rules give it."""
    start, end = text.index(START) + len(START), text.index(END)
    return text[:start] + "\n".join(_lines()) + "\n" + text[end:]


def _lines() -> Iterator[str]:
    rest = rule_infos.detections()
    for prefix, title in _STORES.items():
        here = [each for each in rest if each.info.id.startswith(prefix)]
        rest = [each for each in rest if each not in here]
        yield f"\n### {title}\n"
        for each in sorted(here, key=lambda one: one.info.id):
            yield from _detection(each)


def _detection(each: Described) -> Iterator[str]:
    info = each.info
    level = "note" if each.is_note else f"{info.severity.label} severity"
    yield f"#### {info.id}\n"
    yield f"**{info.title}** ({level}). {info.why}\n"
    yield f"- *False positives:* {each.false_positives.rstrip('.')}."
    yield f"- *Tuning:* {each.tuning}\n"
