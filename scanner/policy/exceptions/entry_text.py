"""Policy: add an entry to the text of keywatch.yaml without changing the rest of the text."""

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
    """The text with `entry` as the last item of `allow:`.

    None if `allow` has a form that cannot be edited (a list on one line, a quoted key). The caller
    must parse the result and check that it contains the entry.
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
    """The fields of an item, in the order in which they are written."""
    values = {
        # Without the prefix, other scanners would take it for a key.
        "fingerprint": f"kw-{entry.fingerprint}",
        "rule": entry.rule,
        "path": entry.path,
        "reason": entry.reason,
        "owner": entry.owner,
        "until": entry.until,
    }
    more = {"added": entry.added, "commit": entry.commit}
    values |= {name: value for name, value in more.items() if value}
    return values if entry.tag is None else {**values, "tag": f"{entry.tag:04x}"}


def on_one_line(entry: AllowEntry) -> str:
    """The item in YAML's flow style, for a person to paste."""
    return "{" + ", ".join(f"{name}: {_quoted(v)}" for name, v in fields(entry).items()) + "}"


def _quoted(value: str) -> str:
    """The value in quotes, so that YAML reads a string. Unprintable characters are escaped."""
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
