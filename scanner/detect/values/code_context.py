"""Detect: tell by the text around a literal in code that it is no secret, whatever its name says.

`typeof key === "function"` compares a type, `$pass.trigger("update")` calls a method, and in a
minified line a sensitive name may stand for anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scanner.file_types import suffix_of
from scanner.lazy_pattern import lazy

if TYPE_CHECKING:
    from scanner.detect.engine.candidate import Candidate

# `typeof this.masterKey === "`
_TYPE_COMPARISON = lazy(rb"""\btypeof\b[\s(]*[\w.$?\[\]]+\)?\s*[!=]==?\s*["'`]$""")
# The name of a called method, and the quote of its first argument: `.trigger( "`.
_METHOD_CALL = lazy(rb"""\.([A-Za-z_]\w*)\(\s*[rbuf@]?["'`]$""")
# Methods that set, send or compare the value of a field. Any other word is not about a value.
_SETTER = lazy(
    rb"(?i)_*(?:set|put|add|with|equals?|eq|ne|to_?(?:be|equal|eql|match)|is|append|push|update|value"
    rb"|val|text|send_?keys|type|fill|insert|write|enter|input|encode|encrypt|digest|contains?|default"
    rb"|compare|check|verify|validate|from|of|parse|new|create|apply|call|store|save|assign|init"
    rb"|concat|prepend|replace|should|must|or|unwrap|then|return)(?![a-z]{3})"
)
# The first property of a virtual element: `h("button", { key: "`, `createElement(Item, {key: "`.
_ELEMENT_KEY = lazy(
    rb"""[\w$](?:\)|\])?\(\s*(?:["'][\w.:\-]+["']|[\w.$]+)\s*,\s*\{\s*["']?key["']?\s*:\s*["'`]$"""
)
_SECRET_URI = lazy(rb"""[\w-]=\s*["']?secret:$""")  # `api-token=secret:ID`
# A method that gets something by its name: `this.getCredentials("`.
_GETTER = lazy(
    rb"""\b(?:get|fetch|load|find|uses?|has|needs?|requires?|resolve|lookup|read|delete|remove)"""
    rb"""_?[A-Z_]\w*\(\s*["'`]$"""
)
# An optional property of TypeScript: `password?: "a" | "b"`.
_OPTIONAL = lazy(rb"""\w\?:\s*["'`]$""")
_TYPESCRIPT = frozenset("ts tsx mts cts js jsx mjs cjs vue svelte".split())
_FLAG_NAME = lazy(rb"""(?i)\bflags?(?:et)?(?:\(\))?\.\w+\(\s*["'`]$""")
_MINIFIED_SUFFIXES = frozenset("js mjs cjs css map html htm".split())
_PLACES = (
    (_TYPE_COMPARISON, "it is compared with the type of a value"),
    (_ELEMENT_KEY, "it is the key of an element"),
    (_SECRET_URI, "it is the address of a secret"),
    (_FLAG_NAME, "it is the name of a flag"),
)
_BYTES_BEFORE = 200  # of the line before a value
_LONG_LINE = 1500  # bytes
_MOST_BREAKS = 40  # escaped line breaks: more of them are a program inside a string
_MOST_SPACES = 0.12  # of a minified line


def why_no_secret(candidate: Candidate) -> str:
    """Return why the code around the literal says that it is no secret; "" if it does not."""
    before = candidate.line[max(candidate.at - _BYTES_BEFORE, 0) : candidate.at]
    if _GETTER.search(before) and candidate.value.isalnum():
        return "it is the name of what is got"
    if _OPTIONAL.search(before) and suffix_of(candidate.path) in _TYPESCRIPT:
        return "it is a type"
    return next((reason for pattern, reason in _PLACES if pattern.search(before)), "")


def method_called(candidate: Candidate) -> str:
    """Return the method of the name that is called with the literal, unless it sets a value.

    "" if there is none.
    """
    call = _METHOD_CALL.search(candidate.line[max(candidate.at - 100, 0) : candidate.at])
    if call is None or not candidate.name.endswith(b"." + call[1]) or _SETTER.match(call[1]):
        return ""
    return call[1].decode("latin-1")


def is_in_minified_line(candidate: Candidate) -> bool:
    """Is the value in what a bundler wrote: a long line almost without spaces, a source map?"""
    line, suffix = candidate.line, suffix_of(candidate.path)
    if suffix not in _MINIFIED_SUFFIXES:
        return False
    if suffix == "map" or ".min." in candidate.path or line.count(rb"\n") > _MOST_BREAKS:
        return True
    return len(line) >= _LONG_LINE and line.count(b" ") < _MOST_SPACES * len(line)
