"""Ground: YAML and JSON documents with positions, checked by one of the published schemas.

Every message names file, line and field, and the nearest valid name where a key is unknown or a
value is none of those that may stand there.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from scanner.errors import ConfigError

_MAX_BYTES = 4_000_000
_MAX_NODES = 200_000
_MAX_DEPTH = 32
_MAX_ERRORS = 100
# What PyYAML's own constructors raise beside its errors, for `!!int ""` or `!!timestamp x`.
_UNREADABLE = (AttributeError, LookupError, RecursionError, TypeError, ValueError, OverflowError)
# A schema's pattern of addresses: `^(vault|aws)://…`.
_SCHEMES = re.compile(r"\^\(([\w|]+)\)://")

Field = tuple[str | int, ...]


class Document(NamedTuple):
    """Plain data (dicts, lists, scalars) and the line, counted from 1, of each field."""

    data: Any
    where: str
    lines: Mapping[Field, int]

    def at(self, field: Field) -> str:
        """`file:line` of a field, or of the nearest one around it."""
        while field and field not in self.lines:
            field = field[:-1]
        return f"{self.where}:{self.lines.get(field, 1)}"

    def part(self, *keys: str) -> Document:
        """Only these keys of the document, with their lines."""
        return Document({key: self.data[key] for key in keys}, self.where, self.lines)

    def error(self, field: Field, what: str, **more: str) -> ConfigError:
        return ConfigError(what, where=self.at(field), **more)


def rules_folder() -> str:
    """The folder `rules/`: inside the package in a wheel, beside it in a checkout."""
    package = os.path.dirname(os.path.abspath(__file__))
    inside = os.path.join(package, "rules")
    return inside if os.path.isdir(inside) else os.path.join(os.path.dirname(package), "rules")


def parse(data: bytes, where: str) -> Document:
    """The YAML (or JSON) document in `data`. ConfigError where it is none, or holds a key twice."""
    import yaml

    if len(data) > _MAX_BYTES:
        raise ConfigError(f"{where} is over {_MAX_BYTES:,} bytes", todo="make it smaller")
    loader = _loader(yaml)
    try:
        node = yaml.compose(data, Loader=loader)
        lines = dict(_positions(node, where))
        value = yaml.load(data, Loader=loader) if node else None  # noqa: S506 - a safe loader
    except (yaml.YAMLError, *_UNREADABLE) as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        problem = getattr(error, "problem", None) or "it cannot be read"
        raise ConfigError(
            f"{where} is not valid YAML", why=str(problem), where=f"{where}:{line}"
        ) from None
    return Document(value, where, lines)


def _loader(yaml: Any) -> Any:
    """A safe loader that leaves dates alone: `until: 2027-01-31` is text, as in JSON."""
    base = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    timestamp = "tag:yaml.org,2002:timestamp"
    resolvers = {
        first: [pair for pair in pairs if pair[0] != timestamp]
        for first, pairs in base.yaml_implicit_resolvers.items()
    }
    return type("Loader", (base,), {"yaml_implicit_resolvers": resolvers})


def check(document: Document, schema: str) -> None:
    """Hold `document` against rules/schema/<schema>. ConfigError with the first fault, by line."""
    with open(os.path.join(rules_folder(), "schema", schema), encoding="utf-8") as file:
        hold(document, file.read())


def hold(document: Document, schema: str) -> None:
    """Hold `document` against the text of a schema. ConfigError with the first fault, by line."""
    import json
    from itertools import islice

    import jsonschema

    # In JSON Schema `$` is the end; in Python a last line end may follow it.
    validator = jsonschema.Draft202012Validator(json.loads(schema.replace('$"', r'\\Z"')))
    some = islice(validator.iter_errors(document.data), _MAX_ERRORS)
    errors = [jsonschema.exceptions.best_match([e]) for e in some]
    if errors:
        # An unknown key first: what else is wrong around it often follows from it.
        unknown = [e for e in errors if e.validator == "additionalProperties"]
        raise min(
            (_explain(e, document) for e in unknown or errors), key=lambda e: _line_of(e.where)
        )


def _positions(node: Any, where: str) -> Iterator[tuple[Field, int]]:
    """Each field's line. An alias may stand inside its own anchor, and many make much of little:
    depth, number and size are bounded as if each were written out."""
    stack: list[tuple[Field, Any, int]] = [((), node, 1)]
    count = size = 0
    while stack:
        field, node, line = stack.pop()
        yield field, line
        kind = getattr(node, "id", "")
        count += 1
        size += len(node.value) if kind == "scalar" else 0
        if count > _MAX_NODES or size > _MAX_BYTES or len(field) > _MAX_DEPTH:
            raise ConfigError(
                f"{where} holds too much",
                why=f"over {_MAX_NODES:,} values or {_MAX_BYTES:,} bytes with each alias written "
                f"out, or nested over {_MAX_DEPTH} deep",
                todo="make it smaller",
                where=f"{where}:{line}",
            )
        if kind == "sequence":
            stack += (
                ((*field, i), child, child.start_mark.line + 1)
                for i, child in enumerate(node.value)
            )
        elif kind == "mapping":
            seen = set()
            for key, child in node.value:
                if key.value.__hash__ is None or key.value in seen:
                    raise ConfigError(
                        f"the key {key.value!r} stands here twice"
                        if key.value.__hash__
                        else "a key must be a plain word",
                        where=f"{where}:{key.start_mark.line + 1}",
                    )
                seen.add(key.value)
                stack.append(((*field, key.value), child, key.start_mark.line + 1))


def _explain(error: Any, document: Document) -> ConfigError:
    field = tuple(error.absolute_path)
    name = ".".join(map(str, field)) or "the document"
    if error.validator == "additionalProperties" and isinstance(error.instance, dict):
        known = sorted(error.schema.get("properties", ()))
        unknown = next(key for key in error.instance if key not in known)
        return unknown_name(document, (*field, str(unknown)), unknown, known)
    if error.validator == "required":
        missing = next(key for key in error.validator_value if key not in error.instance)
        return document.error(field, f"{name}: {missing} is missing", todo=f"add {missing}: …")
    if error.validator == "anyOf":
        choices = [" and ".join(each["required"]) for each in error.validator_value]
        return document.error(field, f"{name}: {' or '.join(choices)} is missing")
    if error.validator == "enum":
        known = [str(value) for value in error.validator_value]
        return document.error(
            field,
            f"{name}: must be one of {', '.join(known)}",
            todo=nearest(error.instance, known)
            or (f"write {known[0]}" if len(known) == 1 else "write one of these words"),
        )
    if error.validator == "type":
        return document.error(field, f"{name}: must be of type {error.validator_value}")
    # Not jsonschema's own message: it quotes the value, which may be a secret.
    return document.error(
        field,
        f"{name}: must have {error.validator} {error.validator_value}",
        todo=_nearest_scheme(error) or error.schema.get("description", ""),
    )


def _nearest_scheme(error: Any) -> str:
    """What `nearest` says of an address's scheme, "" where the fault is about no address."""
    schemes = _SCHEMES.match(error.validator_value) if error.validator == "pattern" else None
    return nearest(error.instance.partition("://")[0], schemes[1].split("|")) if schemes else ""


def unknown_name(document: Document, field: Field, name: object, known: list[str]) -> ConfigError:
    """The error for a name that is not known, with the nearest one that is."""
    todo = nearest(name, known) or f"known here: {', '.join(known)}"
    return document.error(field, f"unknown key {name!r}", todo=todo)


def nearest(name: object, known: Iterable[str]) -> str:
    """`did you mean X?`, or "" where nothing is near. It never repeats the name, which may be a
    secret, and compares only its beginning, since it may be hostile."""
    import difflib

    beginnings = {each[:200]: each for each in known}
    near = difflib.get_close_matches(str(name)[:200], beginnings, n=1, cutoff=0.5)
    return f"did you mean {beginnings[near[0]]}?" if near else ""


def _line_of(where: str) -> int:
    tail = where.rpartition(":")[2]
    return int(tail) if tail.isdigit() else 0
