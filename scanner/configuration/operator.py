"""The operator's file: the live stores, how to log in to each, and what no repository may loosen:
classes, and which secrets are of which.

Stands beside config.py. `${NAME}` is a variable of the environment here, and in nothing that a
repository says.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from scanner import document
from scanner.configuration import repository
from scanner.document import Document, Field
from scanner.policy.declarations.model import VARIABLE, SecretClass, SecretEntry

Options = Mapping[str, Callable[[], Mapping[str, Any]]]
"""By kind of backend, what loads the JSON Schema of its options: they are those of its module."""


class Entry(NamedTuple):
    """A backend. `options` are its keys but for `kind`, their variables filled in."""

    name: str
    kind: str
    options: Mapping[str, Any]
    where: str


class Operator(NamedTuple):
    """What the operator says. `floor` holds classes by name, the default ones among them, and is
    empty where nothing is demanded; `secrets` say which secrets are of which of them, at least."""

    backends: tuple[Entry, ...]
    floor: Mapping[str, SecretClass] = MappingProxyType({})
    secrets: tuple[SecretEntry, ...] = ()


def operator(
    data: bytes,
    where: str,
    environ: Mapping[str, str],
    options: Options,
    *,
    is_policy: bool = False,
) -> Operator:
    """The operator's file, checked. ConfigError by line.

    `is_policy`: it is the repository's own keywatch.yaml, of which only `backends` are read here.
    """
    parsed = document.parse(data, where)
    if is_policy and isinstance(parsed.data, dict):
        parsed = parsed.part(*({"backends"} & parsed.data.keys()))
    document.check(parsed, "operator.schema.json")
    backends = _filled(parsed, ("backends",), parsed.data["backends"], environ)
    whole = Document({"backends": backends}, where, parsed.lines)
    document.hold(whole, json.dumps(_schema(backends, options)))
    entries = (_entry(parsed, name, item) for name, item in backends.items())
    return Operator(tuple(entries), *_floor(parsed))


def _filled(parsed: Document, field: Field, value: Any, environ: Mapping[str, str]) -> Any:
    """The value with each variable in its place."""
    if isinstance(value, dict):
        return {key: _filled(parsed, (*field, key), one, environ) for key, one in value.items()}
    if isinstance(value, list):
        return [_filled(parsed, (*field, n), one, environ) for n, one in enumerate(value)]
    if not isinstance(value, str):
        return value
    name = ".".join(map(str, field))
    if "${" in VARIABLE.sub("", value):
        raise parsed.error(field, f"{name}: no variable ends here", todo="write ${NAME}")
    for variable in VARIABLE.findall(value):
        if not environ.get(variable):
            what = f"{name} needs the variable {variable}, which is not set"
            raise parsed.error(field, what, todo=f"export {variable}=…")
    return VARIABLE.sub(lambda match: environ[match[1]], value)


def _schema(backends: Mapping[str, Any], options: Options) -> Mapping[str, Any]:
    """Each backend by the options of its kind. Of one that is not known, only the kind is wrong."""
    kinds = {item["kind"] for item in backends.values()} & options.keys()
    known = {kind: options[kind]() for kind in kinds}
    items = {
        name: {
            "properties": {"kind": {"enum": [*options]}, **known.get(item["kind"], {})},
            "additionalProperties": item["kind"] not in known,
        }
        for name, item in backends.items()
    }
    return {"properties": {"backends": {"properties": items}}}


def _entry(parsed: Document, name: str, item: Mapping[str, Any]) -> Entry:
    options = {key: value for key, value in item.items() if key != "kind"}
    where = parsed.at(("backends", name))
    return Entry(name=name, kind=item["kind"], options=options, where=where)


def _floor(parsed: Document) -> tuple[Mapping[str, SecretClass], tuple[SecretEntry, ...]]:
    """Classes and entries in the form of keywatch.yaml, whose schema they must fit, too."""
    said = {key: parsed.data[key] for key in ("classes", "secrets") if key in parsed.data}
    if not said:
        return {}, ()
    as_policy = Document({"version": 1, **said}, parsed.where, parsed.lines)
    document.check(as_policy, "keywatch.schema.json")
    classes = said.get("classes", {})
    known = repository.default_classes() | repository.secret_classes(
        {name: {**item, "where": parsed.at(("classes", name))} for name, item in classes.items()}
    )
    for number, item in enumerate(said.get("secrets", ())):
        if item["class"] not in known:
            what = f"there is no class {item['class']}"
            near = document.nearest(item["class"], known)
            raise parsed.error(("secrets", number, "class"), what, todo=near)
    return known, tuple(map(_demand, said.get("secrets", ())))


def _demand(item: Mapping[str, str]) -> SecretEntry:
    """It stands in no file of the repository, so that no place in one can be told."""
    return SecretEntry(
        match=item["match"],
        tags=(),
        secret_class=item["class"],
        owner="",
        runbook="",
        where="",
        class_where="",
        runbook_where="",
    )
