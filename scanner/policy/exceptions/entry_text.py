"""Policy: an entry put into the text of keywatch.yaml, which keeps its comments and its form."""

from __future__ import annotations

import json
import re

from scanner.policy.exceptions.allow_entries import AllowEntry

_KEY = re.compile(r"allow[ \t]*:")
_ALLOW = re.compile(r"allow[ \t]*:(?:[ \t]*(?:\[[ \t]*\]|~|null))?(?P<comment>[ \t]+#.*)?[ \t]*")
_LINE = re.compile(r"[^\n]*\n")
_ITEM = re.compile(r"( *)-(?:\s|$)")
_NOTHING = re.compile(r"\s*(?:#.*)?$")


def with_entry(text: str, entry: AllowEntry) -> str | None:
    """The text with `entry` as the last item of `allow:`; None where it is written in a form that
    is not edited here (a list on one line, a quoted key).

    The caller parses the result: what it means is checked, not how it was made.
    """
    newline = "\r\n" if "\r\n" in text else "\n"
    lines = _LINE.findall(text if not text or text.endswith("\n") else text + newline)
    at = next((n for n, line in enumerate(lines) if _KEY.match(line)), len(lines))
    if at == len(lines):
        lines.append("allow:")
    head = _ALLOW.fullmatch(lines[at].rstrip("\r\n"))
    if head is None:
        return None
    lines[at] = f"allow:{head['comment'] or ''}{newline}"
    indent, end = _items(lines, at + 1)
    rows = [f"{name}: {_quoted(value)}" for name, value in fields(entry).items()]
    lines[end:end] = [
        f"{indent}{'- ' if number == 0 else '  '}{row}{newline}" for number, row in enumerate(rows)
    ]
    return "".join(lines)


def fields(entry: AllowEntry) -> dict[str, str]:
    """What an item says, in the order in which it is written."""
    values = {
        # Bare, it would look like a key to other scanners.
        "fingerprint": f"kw-{entry.fingerprint}",
        "rule": entry.rule,
        "path": entry.path,
        "reason": entry.reason,
        "owner": entry.owner,
        "until": entry.until,
    }
    return values if entry.tag is None else {**values, "tag": f"{entry.tag:04x}"}


def on_one_line(entry: AllowEntry) -> str:
    """The item in YAML's flow style, for a person to paste."""
    return "{" + ", ".join(f"{name}: {_quoted(v)}" for name, v in fields(entry).items()) + "}"


def _quoted(value: str) -> str:
    """Quoted, so that none turns into a number; what does not print is escaped as YAML does it."""
    text = json.dumps(value, ensure_ascii=False)
    return "".join(char if char.isprintable() else f"\\U{ord(char):08x}" for char in text)


def _items(lines: list[str], start: int) -> tuple[str, int]:
    """The indent of the items that begin at `start`, and the line after the last of them."""
    indent, end = None, start
    for number in range(start, len(lines)):
        line = lines[number]
        if _NOTHING.match(line):
            continue
        item = _ITEM.match(line)
        if indent is None and item:
            indent = item[1]
        if indent is None or not (line.startswith(indent + " ") or (item and item[1] == indent)):
            break
        end = number + 1
    return "  " if indent is None else indent, end
