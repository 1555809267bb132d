"""Ground: read YAML and JSON with line numbers, and validate it by a published schema.

Each error message names the file, the line and the field. For an unknown key or value, it also
names the nearest valid one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from scanner.errors import ConfigError
from scanner.model import Location

_MAX_BYTES = 4_000_000
_MAX_NODES = 200_000
_MAX_DEPTH = 32
_MAX_ERRORS = 100
# Errors that PyYAML's constructors raise beside YAMLError, for `!!int ""` or `!!timestamp x`.
_UNREADABLE = (AttributeError, LookupError, RecursionError, TypeError, ValueError, OverflowError)
# The schemes in a schema's pattern for secret IDs, such as `^(vault|aws)://…`.
_SCHEMES = re.compile(r"\^\(([\w|]+)\)://")
# For each JSON type: what to call it, and an example.
_TYPES = {
    "object": ("a mapping", "key: value"),
    "array": ("a list", "[first, second]"),
    "string": ("text", '"text"'),
    "integer": ("a whole number", "14"),
    "number": ("a number", "1.5"),
    "boolean": ("true or false", "true"),
    "null": ("null", "null"),
}
# For each keyword of JSON Schema: what is wrong. {0} is the limit.
_LIMITS = {
    "const": "must be {0}",
    "minimum": "must be at least {0}",
    "maximum": "must be at most {0}",
    "minLength": "is too short: write at least {0} characters",
    "maxLength": "is too long: the maximum is {0} characters",
    "minItems": "has too few items: the minimum is {0}",
    "maxItems": "has too many items: the maximum is {0}",
    "minProperties": "has too few keys: the minimum is {0}",
    "maxProperties": "has too many keys: the maximum is {0}",
    "uniqueItems": "lists the same value twice",
}

Field = tuple[str | int, ...]


class Document(NamedTuple):
    """Plain data (dicts, lists, scalars) and the line, counted from 1, of each field."""

    data: Any
    path: str
    lines: Mapping[Field, int]

    def at(self, field: Field) -> Location:
        """The line of a field, or of the nearest enclosing one that has a line."""
        while field and field not in self.lines:
            field = field[:-1]
        return Location.at(self.path, self.lines.get(field, 1))

    def part(self, *keys: str) -> Document:
        """A document with only these keys."""
        return Document({key: self.data[key] for key in keys}, self.path, self.lines)

    def error(self, field: Field, what: str, **more: str) -> ConfigError:
        return ConfigError(what, where=str(self.at(field)), **more)


def rules_folder() -> str:
    """The folder `rules/`: inside the package in a wheel, beside it in a checkout."""
    package = os.path.dirname(os.path.abspath(__file__))
    inside = os.path.join(package, "rules")
    return inside if os.path.isdir(inside) else os.path.join(os.path.dirname(package), "rules")


def rules_file(name: str) -> bytes:
    """Return the content of a file in the folder of rules."""
    with open(os.path.join(rules_folder(), name), "rb") as file:
        return file.read()


def parse(data: bytes, where: str) -> Document:
    """Parse YAML or JSON. ConfigError if it is invalid, too large, or repeats a key."""
    import yaml

    if len(data) > _MAX_BYTES:
        raise ConfigError(f"{where} is over {_MAX_BYTES:,} bytes", todo="make it smaller")
    loader = None
    try:
        loader = _loader(yaml)(data)
        node = loader.get_single_node()
        lines = dict(_positions(node, where))
        value = loader.construct_document(node) if node else None
    except (yaml.YAMLError, *_UNREADABLE) as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        problem = getattr(error, "problem", None) or "it cannot be read"
        raise ConfigError(
            f"{where} is not valid YAML",
            why=str(problem),
            todo="check the indentation, quotes and brackets at this line and above it",
            where=f"{where}:{line}",
        ) from None
    finally:
        if loader:
            loader.dispose()
    return Document(value, where, lines)


def _loader(yaml: Any) -> Any:
    """A safe loader that reads dates as text, as JSON does: `until: 2027-01-31`."""
    base = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    timestamp = "tag:yaml.org,2002:timestamp"
    resolvers = {
        first: [pair for pair in pairs if pair[0] != timestamp]
        for first, pairs in base.yaml_implicit_resolvers.items()
    }
    return type("Loader", (base,), {"yaml_implicit_resolvers": resolvers})


def check(document: Document, schema: str) -> None:
    """Validate by the file rules/schema/<schema>. ConfigError for the first violation, by line."""
    with open(os.path.join(rules_folder(), "schema", schema), encoding="utf-8") as file:
        hold(document, file.read())


def hold(document: Document, schema: str) -> None:
    """Validate by the text of a schema. ConfigError for the first violation, by line."""
    import json
    from itertools import islice

    import jsonschema

    # In JSON Schema `$` matches only the end; in Python also before a final newline.
    whole = json.loads(schema.replace('$"', r'\\Z"'))
    validator = jsonschema.Draft202012Validator(whole)
    some = islice(validator.iter_errors(document.data), _MAX_ERRORS)
    errors = [jsonschema.exceptions.best_match([e]) for e in some]
    if errors:
        # Report unknown keys first, because other errors often follow from them.
        unknown = [e for e in errors if e.validator == "additionalProperties"]
        raise min(
            (_explain(e, document, whole) for e in unknown or errors),
            key=lambda e: _line_of(e.where),
        )


def _positions(node: Any, where: str) -> Iterator[tuple[Field, int]]:
    """Yield each field and its line.

    Aliases can be recursive or expand to huge documents, so depth, number and size are limited as
    if every alias were written out.
    """
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
                f"{where} is too large",
                why=f"with all aliases written out, it has more than {_MAX_NODES:,} values or "
                f"{_MAX_BYTES:,} bytes, or is nested more than {_MAX_DEPTH} levels deep",
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
                        f"the key {key.value!r} appears twice"
                        if key.value.__hash__
                        else "a key must be a plain word",
                        where=f"{where}:{key.start_mark.line + 1}",
                    )
                seen.add(key.value)
                stack.append(((*field, key.value), child, key.start_mark.line + 1))


def _explain(error: Any, document: Document, schema: Any) -> ConfigError:
    """The sentence for a violation. `schema` is the whole schema.

    jsonschema's own message is not used, because it quotes the value, which may be a secret.
    """
    field = tuple(error.absolute_path)
    match error.validator:
        case "additionalProperties" if isinstance(error.instance, dict):
            known = sorted(error.schema.get("properties", ()))
            unknown = next(key for key in error.instance if key not in known)
            return unknown_name(document, (*field, str(unknown)), unknown, known, schema)
        case "required" | "anyOf" | "dependentRequired":
            return _missing(error, document, field, schema)
        case "enum":
            return _wrong_choice(error, document, field)
        case "type":
            return _wrong_type(error, document, field, schema)
    return _invalid(error, document, field)


def _invalid(error: Any, document: Document, field: Field) -> ConfigError:
    """The error for a value of the right type that is outside its limits."""
    name, limit = _name(field), error.validator_value
    problem = _LIMITS.get(error.validator, "is not valid").format(limit)
    if error.validator == "pattern" and "title" in error.schema:
        problem = f"must be {error.schema['title']}"
    if "propertyNames" in error.absolute_schema_path:
        name, problem = f"a name in {name}", "is not valid"
    if error.validator in {"minLength", "minItems", "minProperties"} and limit == 1:
        problem = "must not be empty"
    todo = _nearest_scheme(error) or _example(error, field) or error.schema.get("description", "")
    return document.error(field, f"{name} {problem}", todo=todo)


def _name(field: Field) -> str:
    """A field for people: `path in entry 2 of vault.secrets`."""
    words, run = "", []
    for part in field:
        if isinstance(part, str):
            run.append(part)
            continue
        words = f"entry {part + 1} of {_joined(run, words) or 'the document'}"
        run = []
    return _joined(run, words) or "the document"


def _joined(keys: Iterable[str], within: str) -> str:
    name = ".".join(keys)
    return f"{name} in {within}" if name and within else name or within


def _missing(error: Any, document: Document, field: Field, schema: Any) -> ConfigError:
    """The error for a key that must be there: always, as one of several, or beside another one."""
    if error.validator == "anyOf":
        key = error.validator_value[0]["required"][0]
        keys = " or ".join(" and ".join(each["required"]) for each in error.validator_value)
    elif error.validator == "required":
        key = keys = next(key for key in error.validator_value if key not in error.instance)
    else:
        present = [key for key in error.validator_value if key in error.instance]
        others = [other for key in present for other in error.validator_value[key]]
        key = keys = next(other for other in others if other not in error.instance)
    what = f"{keys} is missing" + (f" in {_name(field)}" if field else "")
    return document.error(field, what, todo=_to_add(key, error, schema))


def _to_add(key: str, error: Any, schema: Any) -> str:
    """How to write a missing key, with a valid value if the schema has one."""
    shape = error.schema.get("properties", {}).get(key, {})
    if not shape.get("examples"):
        shape = schema.get("$defs", {}).get(shape.get("$ref", "").rpartition("/")[2], shape)
    example = _written(shape) or next(map(str, shape.get("enum", ())), "…")
    return f"add {key}: {example}"


def _first_key(error: Any, schema: Any) -> str:
    """How a document can begin."""
    keys = [*error.schema.get("required", ()), *error.schema.get("properties", ())]
    return _to_add(keys[0], error, schema) if keys else ""


def _wrong_choice(error: Any, document: Document, field: Field) -> ConfigError:
    known = [str(value) for value in error.validator_value]
    if len(known) == 1:
        todo = f"write {_labelled(field, known[0])}"
        return document.error(field, f"{_name(field)} must be {known[0]}", todo=todo)
    what = f"{_name(field)} must be one of {', '.join(known)}"
    todo = nearest(error.instance, known) or f"for example: {known[0]}"
    return document.error(field, what, todo=todo)


def _wrong_type(error: Any, document: Document, field: Field, schema: Any) -> ConfigError:
    wanted = error.validator_value
    types = [_TYPES[each] for each in ([wanted] if isinstance(wanted, str) else wanted)]
    example = _example(error, field)
    if error.instance is None:
        if not field:
            return document.error(
                field, f"{document.path} is empty", todo=_first_key(error, schema)
            )
        todo = f"{example}, or remove it" if example else "write a value, or remove it"
        return document.error(field, f"{_name(field)} is empty", todo=todo)
    if not field:
        what = f"{document.path} must consist of keys and values"
        return document.error(field, what, todo=_first_key(error, schema))
    what = error.schema.get("title") or " or ".join(words for words, _ in types)
    todo = example or error.schema.get("description") or f"for example: {types[0][1]}"
    return document.error(field, f"{_name(field)} must be {what}", todo=todo)


def _example(error: Any, field: Field) -> str:
    """The field with a valid value. "" if the schema has no example."""
    value = _written(error.schema)
    return f"write it as {_labelled(field, value)}" if value else ""


def _written(shape: Mapping[str, Any]) -> str:
    """The example of a schema as YAML. A text stands in it as in the file, quotes included."""
    import json

    examples = shape.get("examples")
    if not examples:
        return ""
    return examples[0] if isinstance(examples[0], str) else json.dumps(examples[0])


def _labelled(field: Field, value: str) -> str:
    """`key: value`, or `- value` for an entry of a list."""
    names = [each for each in field if isinstance(each, str)]
    item = "- " if field and isinstance(field[-1], int) else f"{names[-1]}: " if names else ""
    return item + value


def _nearest_scheme(error: Any) -> str:
    """`did you mean X?` for the scheme of a secret ID. "" for other violations."""
    schemes = _SCHEMES.match(error.validator_value) if error.validator == "pattern" else None
    return nearest(error.instance.partition("://")[0], schemes[1].split("|")) if schemes else ""


def unknown_name(
    document: Document,
    field: Field,
    name: object,
    known: list[str],
    schema: Mapping[str, Any] = MappingProxyType({}),
) -> ConfigError:
    """The error for an unknown key, with the nearest known one, or where the schema has the key."""
    todo = _elsewhere(field, str(name), schema) or nearest(name, known)
    todo = todo or f"known here: {', '.join(known)}"
    return document.error(field, f"unknown key {name!r}", todo=todo)


def _elsewhere(field: Field, name: str, schema: Mapping[str, Any]) -> str:
    """Where the key belongs if it is at the top of the document and known one level below."""
    if len(field) > 1:
        return ""
    for section, shape in schema.get("properties", {}).items():
        if name in shape.get("properties", {}):
            value = _written(shape["properties"][name]) or "…"
            return f"{name} belongs under {section}: write {section}: {{{name}: {value}}}"
    return ""


def nearest(name: object, known: Iterable[str]) -> str:
    """`did you mean X?`, or "" if no known name is similar.

    The result never contains `name`, which may be a secret. Only the beginning of `name` is
    compared, because it may be very long.
    """
    import difflib

    beginnings = {each[:200]: each for each in known}
    near = difflib.get_close_matches(str(name)[:200], beginnings, n=1, cutoff=0.6)
    return f"did you mean {beginnings[near[0]]}?" if near else ""


def _line_of(where: str) -> int:
    tail = where.rpartition(":")[2]
    return int(tail) if tail.isdigit() else 0
