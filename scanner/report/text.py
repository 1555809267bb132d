"""Escape hostile text for each output format, and format numbers.

Names, reasons and rule texts come from the scanned repository. Each format has one function here,
which every string of its reports must pass through.
"""

from __future__ import annotations

from datetime import datetime

from scanner.lazy_pattern import lazy

_LONE = lazy("[\ud800-\udfff]")
# Printable for Python, but invisible: fillers, blanks, variation selectors.
_BLANK = lazy(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\U000e0100-\U000e01ef]"
)
# GitHub and Azure run a line that starts with `::name` or holds `##name[`; TeamCity too.
_COMMANDS = lazy(r"(?m)^((?:\s|\x1b\[[0-9;]*m)*):(?=:)|#(?=#\w*\[)")
_MARKDOWN = lazy(r"([\\`*_{}\[\]<>#|~!&$])")
_SARIF = lazy(r"([\\\[\]])")
_XML = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"})
_PROPERTY = str.maketrans({":": "%3A", ",": "%2C"})
# What a spreadsheet takes for the start of a formula, including full-width characters.
_FORMULA = lazy("\\s*[=+@\uff1d\uff0b\uff20\uff0d-]")


def visible(text: str) -> str:
    """One line for people. Invisible characters and control characters become escapes."""
    if text.isprintable() and not _BLANK.search(text):
        return text
    return "".join(char if _shows(char) else _escape(char) for char in text)


def storable(text: str) -> str:
    """`text` as valid Unicode. Bytes of a name that are not UTF-8 become escapes."""
    return _LONE.sub(lambda match: _escape(match[0]), text)


def for_log(text: str) -> str:
    """Lines for a terminal or a CI log, without commands that the CI system would run."""
    return _COMMANDS.sub(lambda match: (match[1] or "") + f"\\x{ord(match[0][-1]):02x}", text)


def for_markdown(text: str) -> str:
    """`text` on one line of Markdown, without markup and without HTML."""
    return _MARKDOWN.sub(r"\\\1", visible(text))


def for_sarif(text: str) -> str:
    """`text` in a SARIF plain text message: no embedded link, no placeholder (SARIF 3.11)."""
    return _SARIF.sub(r"\\\1", visible(text)).replace("{", "{{").replace("}", "}}")


def for_label(text: str) -> str:
    """`text` as the value of a Prometheus label, between its quotes."""
    return for_log(visible(text)).replace("\\", r"\\").replace('"', r"\"")


def for_xml(text: str) -> str:
    """`text` between the tags of XML 1.0, or as an attribute between double quotes."""
    return for_log(visible(text)).translate(_XML)


def for_workflow(text: str) -> str:
    """`text` as the message of a GitHub workflow command."""
    return for_log(visible(text)).replace("%", "%25")


def for_property(text: str) -> str:
    """`text` as a property of a GitHub workflow command."""
    return for_workflow(text).translate(_PROPERTY)


def for_csv(text: str) -> str:
    """`text` as a quoted cell that no spreadsheet takes for a formula."""
    shown = for_log(visible(text)).replace('"', '""')
    return f'"\'{shown}"' if _FORMULA.match(shown) else f'"{shown}"'


def ended(words: str) -> str:
    """`words` as a sentence."""
    return words if words.endswith((".", "!", "?")) else words + "."


def shorten(text: str, limit: int) -> str:
    """At most `limit` characters. The middle is cut out, because names differ at their ends."""
    if len(text) <= limit:
        return text
    head = (limit - 1) // 2
    return text[:head] + "…" + text[len(text) - (limit - 1 - head) :]


def count(number: int, noun: str) -> str:
    """`1 finding`, `25,000 findings`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def size(number: int) -> str:
    """Bytes for people: `532 bytes`, `3.4 MB` (a thousand thousand bytes are one MB)."""
    if number < 1000:
        return count(number, "byte")
    if number < 999_950:
        return f"{number / 1e3:.1f} kB"
    return f"{number / 1e6:,.1f} MB"


def is_live(path: str) -> bool:
    """Is it a canonical id of a live secret, or the beginning of one, and not a file?"""
    return "://" in path


def moment(when: datetime) -> str:
    """A time of UTC in ISO 8601: `2027-01-31T12:00:00Z`."""
    return when.isoformat().replace("+00:00", "Z")


def duration(seconds: int) -> str:
    """A time span for people, rounded down: `45s`, `90m`, `36h`, `104d`."""
    for unit, length in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length:,}{unit}"
    return f"{seconds}s"


def _shows(char: str) -> bool:
    return char.isprintable() and not _BLANK.match(char)


def _escape(char: str) -> str:
    if "\udc80" <= char <= "\udcff":
        return f"\\x{ord(char) - 0xDC00:02x}"
    return char.encode("unicode_escape").decode("ascii")
