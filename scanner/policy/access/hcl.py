"""Policy: the text of a Vault policy, HCL or JSON -> its path blocks, each with its line.

The checks are those that a server makes when a policy is written: an unknown key, an unknown
capability or unbalanced template braces are errors.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from scanner import document
from scanner.errors import ConfigError
from scanner.model import Location
from scanner.policy.access import templates
from scanner.policy.access.model import CAPABILITIES, Policy, Rule

MAX_BYTES = 1 << 20
"""Integrated storage keeps no entry over 1 MiB, so no server has a larger policy."""
MAX_BLOCKS = 20_000
# The grammar takes time with the square of what does not parse: the sum of the squares of the
# lengths of all blocks is bounded.
_MAX_WORK = 100_000**2
_MAX_DEPTH = 50
_OLD_FORM = {
    "deny": {"deny"},
    "read": {"read", "list"},
    "write": {"create", "read", "update", "delete", "list"},
    "sudo": {"create", "read", "update", "delete", "list", "sudo"},
}
_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|[smhd])")
_LIMITS = (
    *("allowed_parameters", "denied_parameters", "required_parameters"),
    *("min_wrapping_ttl", "max_wrapping_ttl", "mfa_methods", "control_group"),
)
_KEYS = frozenset(
    (
        *("comment", "policy", "capabilities", "pagination_limit", "expiration", *_LIMITS),
        *(
            "list_scan_response_keys_filter_path",
            "response_keys_filter_path",
            "subscribe_event_types",
        ),
    )
)
_FORM = 'write it as: path "secret/data/app/*" { capabilities = ["read"] }'
_TOKEN = re.compile(
    r"""(?x) "(?:[^"\\\n]|\\.)*"? | /\*.*?(?:\*/|\Z) | (?:\#|//)[^\n]*
    | (?P<open>[\[{(]) | (?P<close>[\]})])
    | <<-?(?P<here>\w+)[ \t]*\r?\n""",
    re.DOTALL,
)
_QUOTED_KEY = re.compile(r'(^|[\s{])"([A-Za-z_]\w*)"(?=\s*(?:=[^=]|\{|"))')
_COMMA = re.compile(r',(?=\s*(?:"?\w+"?\s*=[^=]|\}))')
_ESCAPE = re.compile(
    r"\\(?:([abfnrtv\\\"])|([0-7]{3})|x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))"
)
_PLAIN = dict(zip('abfnrtv\\"', '\a\b\f\n\r\t\v\\"', strict=True))


class _Block(NamedTuple):
    """A block of a policy, its values as plain data. `keys` holds every key, repeated ones too."""

    label: str
    values: Mapping[str, Any]
    keys: tuple[str, ...]
    line: int


class _Fault(Exception):  # noqa: N818 - it becomes a ConfigError, with the place
    def __init__(self, line: int, what: str, why: str = "") -> None:
        super().__init__(what)
        self.line, self.what, self.why = line, what, why


def parse(data: bytes, name: str, path: str) -> Policy:
    """The policy `name` in `data`. ConfigError, with the line, if a server would refuse it or it
    exceeds a limit; `path` is that of the file."""
    if len(data) > MAX_BYTES:
        raise ConfigError(
            f"the policy {name} is over {MAX_BYTES:,} bytes",
            why="Vault's integrated storage keeps no larger entry",
            todo="split it into several policies",
            where=f"{path}:1",
        )
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _error(path, _Fault(line, f"the policy {name} is not valid UTF-8")) from None
    if text.startswith("\ufeff"):
        raise _error(path, _Fault(1, f"the policy {name} begins with a byte order mark"))
    try:
        found = _json(data, path) if text.lstrip()[:1] == "{" else _hcl(text)
        rules = tuple(_rules(found, name, path))
    except _Fault as fault:
        raise _error(path, fault) from None
    return Policy(name=name, rules=rules, location=Location.at(path, 1))


def _error(path: str, fault: _Fault) -> ConfigError:
    return ConfigError(fault.what, why=fault.why, todo=_FORM, where=f"{path}:{fault.line}")


def _rules(blocks: Iterable[_Block], policy: str, path: str) -> Iterator[Rule]:
    for number, block in enumerate(blocks):
        if number >= MAX_BLOCKS:
            raise _Fault(block.line, f"the policy {policy} has over {MAX_BLOCKS:,} path blocks")
        yield _rule(block, policy, path)


def _rule(block: _Block, policy: str, path: str) -> Rule:
    values, line, pattern = block.values, block.line, block.label
    shown = f'path "{pattern}"'
    if ("{{" in pattern or "}}" in pattern) and not templates.is_balanced(pattern):
        raise _Fault(line, f"{shown}: unbalanced template braces", "expected {{ and }} in pairs")
    for key in block.keys:
        if key not in _KEYS:
            near = document.nearest(key, sorted(_KEYS))
            raise _Fault(line, f"{shown}: unknown key {key}", near or "")
    pattern = pattern.removeprefix("/")
    if "+*" in pattern:
        raise _Fault(
            line, f"{shown}: +* is not allowed", "expected + as a whole segment, or a final *"
        )
    shortest, longest = (_seconds(values.get(f"{end}_wrapping_ttl")) for end in ("min", "max"))
    if shortest and longest and longest < shortest:
        raise _Fault(line, f"{shown}: max_wrapping_ttl is less than min_wrapping_ttl")
    return Rule(
        policy=policy,
        pattern=pattern,
        capabilities=_capabilities(values, line, shown),
        location=Location.at(path, line),
        limits=tuple(key for key in _LIMITS if values.get(key)),
        expires=_expiry(values.get("expiration"), line, shown),
    )


def _capabilities(values: Mapping[str, Any], line: int, shown: str) -> frozenset[str]:
    listed = values.get("capabilities", [])
    if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
        raise _Fault(line, f"{shown}: capabilities is not a list of strings")
    old = values.get("policy", "")
    if old and (not isinstance(old, str) or old not in _OLD_FORM):
        raise _Fault(
            line, f"{shown}: unknown policy {old!r}", f"expected one of {', '.join(_OLD_FORM)}"
        )
    if old == "deny":
        return frozenset({"deny"})
    found = frozenset(listed) | _OLD_FORM.get(old, set())
    # A server stops at the first deny and does not look at what follows.
    checked = listed[: listed.index("deny")] if "deny" in listed else listed
    for one in checked:
        if one not in CAPABILITIES:
            near = document.nearest(one, sorted(CAPABILITIES))
            raise _Fault(line, f"{shown}: unknown capability {one!r}", near or "")
    return frozenset({"deny"}) if "deny" in found else found


def _seconds(value: Any) -> float:
    """A duration as Vault writes it: seconds, or `1h30m`; 0 if it is not one."""
    if isinstance(value, int) or (isinstance(value, str) and value.isdigit()):
        return float(value)
    return sum(float(count) * _UNITS[unit] for count, unit in _DURATION.findall(str(value or "")))


def _expiry(value: Any, line: int, path: str) -> float | None:
    if value in (None, ""):
        return None
    if isinstance(value, int) or (isinstance(value, str) and value.isdigit()):
        return float(value)
    try:
        return datetime.fromisoformat(str(value)).timestamp()
    except ValueError:
        raise _Fault(line, f"{path}: expiration is not a time", "expected RFC 3339") from None


# --- JSON


def _json(data: bytes, path: str) -> Iterator[_Block]:
    try:
        json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _Fault(
            getattr(error, "lineno", 1),
            "the policy is not valid JSON",
            str(getattr(error, "msg", "")),
        ) from None
    read = document.parse(data, path)
    for key in read.data:
        if key not in ("path", "name"):
            raise _Fault(_line(read, (key,)), f"unknown key {key}", "expected path")
    yield from _json_blocks(read, ("path",), read.data.get("path", {}))


def _json_blocks(read: document.Document, field: document.Field, value: Any) -> Iterator[_Block]:
    if isinstance(value, list):
        for index, one in enumerate(value):
            yield from _json_blocks(read, (*field, index), one)
        return
    if not isinstance(value, dict):
        raise _Fault(_line(read, field), "path is not an object")
    for label, body in value.items():
        for one in body if isinstance(body, list) else [body]:
            line = _line(read, (*field, label))
            if not isinstance(one, dict):
                raise _Fault(line, f'path "{label}" is not an object')
            yield _Block(str(label), one, tuple(map(str, one)), line)


def _line(read: document.Document, field: document.Field) -> int:
    return read.at(field).line


# --- HCL


@cache
def _parser() -> Any:
    import tree_sitter
    import tree_sitter_hcl

    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_hcl.language()))


def _hcl(text: str) -> Iterator[_Block]:
    parts = list(_statements(text))
    if sum((end - start) ** 2 for start, end, _ in parts) > _MAX_WORK:
        longest = max(parts, key=lambda part: part[1] - part[0])
        raise _Fault(longest[2], "a block is too long, or a brace before it is not closed")
    for start, end, line in parts:
        if statement := text[start:end].rstrip():
            yield from _blocks(statement, line)


def _statements(text: str) -> Iterator[tuple[int, int, int]]:
    """Start, end and line of the pieces that end with the closing brace of a top-level block."""
    start, at, depth, line = 0, 0, 0, 1
    while found := _TOKEN.search(text, at):
        at = found.end()
        if found["here"]:
            close = re.compile(rf"^[ \t]*{found['here']}\s*$", re.MULTILINE).search(text, at)
            at = close.end() if close else len(text)
        depth += bool(found["open"])
        if found["close"]:
            depth = max(depth - 1, 0)
            if not depth and found["close"] == "}":
                yield start, at, line
                line += text.count("\n", start, at)
                start = at
    yield start, len(text), line


def _blocks(statement: str, first: int) -> Iterator[_Block]:
    data = statement.encode()
    root = _parser().parse(data).root_node
    if root.has_error:  # HCL 1 also takes quoted keys, and commas between attributes
        plain = _QUOTED_KEY.sub(lambda found: f"{found[1]} {found[2]} ", statement)
        retried = _parser().parse(_COMMA.sub(" ", plain).encode()).root_node
        if retried.has_error:
            raise _syntax(root, first)
        root = retried
    for node in root.named_children:
        if node.type == "body":
            for child in node.named_children:
                if child.type != "comment":
                    yield from _block(child, first)
        elif node.type != "comment":
            raise _syntax(node, first)


def _syntax(root: Any, first: int) -> _Fault:
    """What is wrong with a statement that does not parse, at the first place that is."""
    stack, steps = [root], 0
    while stack and steps < 10_000:
        steps += 1
        node = stack.pop()
        if node.is_missing:
            what = f"expected {_word(node.type)}"
            return _Fault(first + node.start_point[0], "the policy is not valid HCL", what)
        if node.type == "ERROR" and not any(one.has_error for one in node.children):
            text = node.text.decode(errors="replace").strip()[:40]
            line = first + node.start_point[0]
            return _Fault(
                line, "the policy is not valid HCL", f"expected a path block, not {text!r}"
            )
        stack += [one for one in reversed(node.children) if one.has_error or one.is_missing]
    return _Fault(
        first + root.start_point[0], "the policy is not valid HCL", "expected a path block"
    )


def _word(kind: str) -> str:
    names = {"block_end": "}", "tuple_end": "]", "object_end": "}", "quoted_template_end": '"'}
    return names.get(kind, kind)


def _block(node: Any, first: int) -> Iterator[_Block]:
    line = first + node.start_point[0]
    children = node.named_children
    name = _text(children[0])
    if node.type == "attribute" and name == "name":
        return
    if name != "path" or node.type != "block":
        raise _Fault(line, f"unknown key {name}", "expected path")
    labels = [one for one in children[1:] if one.type in ("string_lit", "identifier")]
    if not labels:  # a server takes more than one, and uses the first
        raise _Fault(line, "a path block has one path", 'expected path "…" {')
    values: dict[str, Any] = {}
    keys: list[str] = []
    for body in (one for one in children if one.type == "body"):
        for child in body.named_children:
            if child.type == "comment":
                continue
            parts = child.named_children
            key = _text(parts[0])
            keys.append(key)
            value = _value(parts[-1], line, 0) if child.type == "attribute" else {"": True}
            before = values.get(key)
            if isinstance(before, list) and isinstance(value, list):
                value = [*before, *value]
            values[key] = value
    yield _Block(_string(labels[0]), values, tuple(keys), line)


def _value(node: Any, line: int, depth: int) -> Any:
    if depth > _MAX_DEPTH:
        raise _Fault(line, "the policy is nested too deeply")
    kind = node.type
    children = [one for one in node.named_children if one.type != "comment"]
    if kind in ("string_lit", "quoted_template", "heredoc_template"):
        return _string(node)
    if kind == "tuple":
        return [_value(one, line, depth + 1) for one in children if one.type == "expression"]
    if kind == "object":
        elements = (one.named_children for one in children if one.type == "object_elem")
        return {_text(key).strip('"'): _value(item, line, depth + 1) for key, item, *_ in elements}
    if kind == "numeric_lit":
        text = _text(node)
        return int(text) if text.isdigit() else text
    if kind == "bool_lit":
        return _text(node) == "true"
    if len(children) == 1:
        return _value(children[0], line, depth + 1)
    raise _Fault(
        line, f"{_text(node)[:40]!r} is not a value", "expected a string, a number or a list"
    )


def _text(node: Any) -> str:
    return str(node.text.decode())


def _string(node: Any) -> str:
    text = _text(node)
    if text[:1] != '"':
        return text
    text = text[1:-1]
    return _ESCAPE.sub(_unescaped, text) if "\\" in text else text


def _unescaped(found: re.Match[str]) -> str:
    plain, octal, *hexes, other = found.groups()
    if plain:
        return _PLAIN[plain]
    code = int(octal, 8) if octal else next((int(one, 16) for one in hexes if one), None)
    if code is None or code > 0x10FFFF:
        return f"\\{other or ''}"
    return chr(code)
