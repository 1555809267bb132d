"""docs/coverage.md: which credentials the rules know, and what makes each one certain."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from scanner.detect.checks.checks import CHECKSUMS
from scanner.model import RuleInfo

CHECKSUM = "checksum"
STRUCTURE = "structure"
SHAPE = "prefix or shape"
NAME = "name beside it"
ID = "id beside it"
MEANING: Mapping[str, str] = {
    CHECKSUM: "The value ends in a checksum, or holds its issuer's signature: another is refused.",
    STRUCTURE: "It is decoded: JSON, a token's parts, a key's frame and bytes.",
    SHAPE: "A prefix or a fixed text, an alphabet and a length, and it must look random.",
    NAME: "The value alone could be anything: only the name before it says what it is.",
    ID: "The same, but what says it is the id that belongs to it, a line or two away.",
}
_STRUCTURES = frozenset(
    {"discord-token", "encoded-json", "jwt", "pem", "pem-base64", "pem-encrypted", "pgp"}
    | {"supabase-service-role"}
)
_BY_NAME = frozenset({"assigned-value", "authorization", "positional", "service-key", "vague-key"})
_FOLDER = "rules/secrets/"

Rules = Mapping[str, Sequence[tuple[RuleInfo, Mapping[str, Any]]]]


def certainty(raw: Mapping[str, Any]) -> str:
    """What a rule's value is certain by, of the keys of MEANING."""
    check = raw.get("check", "")
    if check in CHECKSUMS:
        return CHECKSUM
    if check in _STRUCTURES:
        return STRUCTURE
    if "beside" in raw:
        return ID
    return NAME if "named" in raw or check in _BY_NAME else SHAPE


def page(groups: Rules) -> str:
    """The text of the page, of rules by the file that declares them."""
    rules = [
        (info, certainty(raw))
        for file, declared in groups.items()
        if file.startswith(_FOLDER)
        for info, raw in declared
    ]
    counts = Counter(certain for _, certain in rules)
    alone = len(rules) - counts[NAME] - counts[ID]
    totals = (
        f"**{alone} types are known by their own format**, wherever they stand. Apart from these, "
        f"{counts[NAME]} are\nknown only where a name stands beside the value, and "
        f"{counts[ID]} only where their id does."
    )
    lines = [
        "# Credentials that keywatch knows",
        "",
        "Generated from the rules: `make docs`.",
        "",
        totals,
        "",
        "| Certain by | Types | What that means |",
        "|---|---|---|",
        *(f"| {name} | {counts[name]} | {words} |" for name, words in MEANING.items()),
        "",
        "| Vendor | Credential | Rule | Certain by |",
        "|---|---|---|---|",
    ]
    for info, certain in sorted(rules, key=lambda rule: (_vendor(rule[0]).lower(), rule[0].id)):
        link = f"[{info.id}](rules/{info.id}.md)"
        lines.append(f"| {_vendor(info)} | {info.title} | {link} | {certain} |")
    return "\n".join(lines) + "\n"


def _vendor(info: RuleInfo) -> str:
    return info.vendor or "(any)"
