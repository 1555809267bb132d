"""Detect: read HCL and Terraform with the tree-sitter grammar."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from scanner.detect.structure.leaf import Leaf, NotParsedError, Path, Structure

_MAX_SIZE = 2_000_000
# The grammar needs quadratic time for text that does not parse. So statements are parsed one by
# one, and the sum of the squares of their lengths is limited.
_MAX_SQUARED_LENGTHS = 30_000**2
_MAX_DEPTH = 200
_STRINGS = frozenset(("template_expr", "string_lit", "quoted_template", "heredoc_template"))
_NUMBERS = frozenset(("numeric_lit", "bool_lit", "null_lit"))
_WRAPPERS = frozenset(("expression", "collection_value", "literal_value"))
# Strings, comments, brackets, beginnings of here-documents, line breaks.
_TOKEN = re.compile(
    rb'"(?:[^"\\\n]|\\.)*"?|/\*.*?(?:\*/|\Z)|(?:\#|//)[^\n]*|(?P<open>[\[{(])|(?P<close>[\]})])'
    rb"|<<[-~]?(?P<here>\w+)[ \t]*\r?\n|(?P<end>\n)",
    re.DOTALL,
)
# Functions that return one of their arguments, maybe encoded.
_RETURNS_ARGUMENT = frozenset(
    ("coalesce", "try", "lookup", "sensitive", "base64encode", "nonsensitive", "tostring")
)


@cache
def _parser() -> Any:
    import tree_sitter
    import tree_sitter_hcl

    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_hcl.language()))


def read_hcl(data: bytes) -> Iterator[Structure]:
    """Yield one document. Raises NotParsedError if no statement is valid HCL."""
    parts = list(_statements(data)) if len(data) <= _MAX_SIZE else []
    if not parts or sum((end - start) ** 2 for start, end in parts) > _MAX_SQUARED_LENGTHS:
        raise NotParsedError("it is too large")
    leaves: list[Leaf] = []
    valid = 0
    for start, end in parts:
        root = _parser().parse(data[start:end]).root_node
        valid += not root.has_error or any(child.type == "body" for child in root.children)
        found = (leaf for child in root.children for leaf in _body(child, (), 0))
        leaves += (f._replace(start=f.start + start, end=f.end + start) for f in found)
    if not valid:
        raise NotParsedError("it is not valid HCL")
    yield Structure(leaves=tuple(leaves))


def _statements(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield the spans of the top-level statements, each with the brackets that it opens."""
    start = at = depth = 0
    while found := _TOKEN.search(data, at):
        at = found.end()
        if found["here"]:
            close = re.compile(rb"^[ \t]*" + found["here"] + rb"\s*$", re.MULTILINE).search(
                data, at
            )
            at = close.start() if close else len(data)
        depth += bool(found["open"])
        depth -= bool(found["close"]) and depth > 0
        if found["end"] and not depth:
            yield start, at
            start = at
    yield start, len(data)


def _body(node: Any, path: Path, depth: int) -> Iterator[Leaf]:
    if depth > _MAX_DEPTH:
        raise NotParsedError("it is nested too deeply")
    for child in node.named_children if node.type in {"body", "ERROR"} else [node]:
        if child.type == "block":
            labels = [
                _text(each)
                for each in child.named_children
                if each.type in {"identifier", "string_lit"}
            ]
            for inner in child.named_children:
                if inner.type == "body":
                    yield from _body(inner, (*path, *labels), depth + 1)
        elif child.type == "attribute":
            name, value = child.named_children[0], child.named_children[-1]
            yield from _value(value, (*path, _text(name)), depth + 1)


def _value(node: Any, path: Path, depth: int, style: str = "") -> Iterator[Leaf]:
    """Yield the leaves of an expression. For calls and conditions: the strings they may return."""
    if depth > _MAX_DEPTH:
        raise NotParsedError("it is nested too deeply")
    kind = node.type
    if kind in _STRINGS:
        yield _string(node.named_children[0] if kind == "template_expr" else node, path, style)
    elif kind in _NUMBERS:
        yield Leaf(path=path, start=node.start_byte, end=node.end_byte)
    else:
        for inner, more, inner_style in _inner_expressions(node):
            yield from _value(inner, (*path, *more), depth + 1, inner_style or style)


def _inner_expressions(node: Any) -> Iterator[tuple[Any, Path, str]]:
    """Yield the expressions inside one, with the path that each adds, and its style."""
    children = node.named_children
    if node.type == "object":
        for element in (each for each in children if each.type == "object_elem"):
            yield element.named_children[-1], (_text(element.named_children[0]),), ""
    elif node.type == "tuple":
        items = (each for each in children if each.type == "expression")
        yield from ((item, (index,), "") for index, item in enumerate(items))
    elif node.type == "function_call":
        arguments = [a for c in children for a in c.named_children if a.type == "expression"]
        if _text(children[0]) in _RETURNS_ARGUMENT:
            returned = arguments[2:] if _text(children[0]) == "lookup" else arguments
            yield from ((each, (), "fallback") for each in returned)
        else:  # `jsonencode({…})`: the collection holds values
            yield from ((a, (), "") for a in arguments if _is_collection(a))
    elif node.type == "conditional":
        yield from ((branch, (), "fallback") for branch in children[1:])
    elif node.type in _WRAPPERS and len(children) == 1:
        yield children[0], (), ""


def _is_collection(node: Any) -> bool:
    return any(child.type == "collection_value" for child in node.named_children)


def _string(node: Any, path: Path, style: str) -> Leaf:
    start, end = node.start_byte, node.end_byte
    if node.type == "heredoc_template":
        parts = [
            c for c in node.named_children if c.type not in {"heredoc_start", "heredoc_identifier"}
        ]
        if parts:
            start, end = parts[0].start_byte, parts[-1].end_byte
        return Leaf(path=path, start=start, end=end, style=style or "block")
    return Leaf(path=path, start=start + 1, end=max(start + 1, end - 1), style=style or "quoted")


def _text(node: Any) -> str:
    return str(node.text.decode("latin-1").strip().strip('"'))
