"""The operator config: the live stores, how to log in to each one, and the minimum policy.

`${NAME}` stands for an environment variable. It has this meaning only here, never in a file of the
scanned repository.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from scanner import document
from scanner.configuration import repository
from scanner.document import Document, Field
from scanner.errors import ConfigError
from scanner.fingerprints import digest
from scanner.model import NOWHERE
from scanner.policy.declarations.model import VARIABLE, SecretClass, SecretEntry

OptionSchemas = Mapping[str, Callable[[], Mapping[str, Any]]]
"""By kind of backend, a function that loads the JSON Schema of its options from its module."""


EVIDENCE_PLACE = "operational_audit/secrets"
"""The default folder of the ledger, relative to the current one."""


class BackendConfig(NamedTuple):
    """A backend. `options` are its keys without `kind`, with variables filled in."""

    name: str
    kind: str
    options: Mapping[str, Any]


class EvidenceConfig(NamedTuple):
    """Where the ledger is, and the name that its entries are written under.

    `signing_key` signs anchors. `signers` is an allowed_signers file of ssh-keygen: whose
    signatures count as anchors. Both are "" if they are not configured.
    """

    place: str
    writer: str = "keywatch"
    signing_key: str = ""
    signers: str = ""


class OperatorConfig(NamedTuple):
    """The operator config.

    `classes` and `secrets` are the minimum policy. `classes` contains the default classes, too,
    and is empty if there is no minimum policy. `secrets` says which class applies to which secrets.
    `rotation` is the section of keywatch rotate, whose variables an audit does not need.
    `evidence` is None if audits are not recorded. `alerts` has the form of the schema; its
    variables are not filled in, because an audit does not need them. `digest` is the SHA-256 of
    the file.
    """

    backends: tuple[BackendConfig, ...]
    classes: Mapping[str, SecretClass] = MappingProxyType({})
    secrets: tuple[SecretEntry, ...] = ()
    rotation: Document | None = None
    evidence: EvidenceConfig | None = None
    alerts: Mapping[str, Any] = MappingProxyType({})
    digest: str = ""


def parse(
    data: bytes,
    where: str,
    environ: Mapping[str, str],
    options: OptionSchemas,
    *,
    is_policy: bool = False,
) -> OperatorConfig:
    """Read and check an operator config. ConfigError with the line of the mistake.

    `is_policy`: it is the repository's own keywatch.yaml. Only its `backends` are read here.
    """
    parsed = document.parse(data, where)
    if is_policy and isinstance(parsed.data, dict):
        parsed = parsed.part(*({"backends"} & parsed.data.keys()))
    document.check(parsed, "operator.schema.json")
    backends = _filled(parsed, ("backends",), parsed.data["backends"], environ)
    whole = Document({"backends": backends}, where, parsed.lines)
    document.hold(whole, json.dumps(_schema(backends, options)))
    classes, secrets = _minimum_policy(parsed)
    return OperatorConfig(
        backends=tuple(_backend(name, item) for name, item in backends.items()),
        classes=classes,
        secrets=secrets,
        rotation=parsed.part("rotation") if "rotation" in parsed.data else None,
        evidence=_evidence(parsed, environ),
        alerts=parsed.data.get("alerts", {}),
        digest=digest(data).hex(),
    )


def rotation(
    config: OperatorConfig, environ: Mapping[str, str], options: OptionSchemas
) -> Mapping[str, Any]:
    """The section `rotation` with its variables filled in. ConfigError with the line of a mistake.

    Each identity has all options of its backend, those of the audit included.
    """
    parsed = config.rotation
    if parsed is None:
        raise ConfigError(
            "the operator config has no section rotation",
            todo="add it: docs/rotate.md shows what it needs",
        )
    section = _filled(parsed, ("rotation",), parsed.data["rotation"], environ)
    backends = {each.name: each for each in config.backends}
    identities = {}
    for name, identity in section["identities"].items():
        field = ("rotation", "identities", name)
        if name not in backends:
            todo = document.nearest(name, backends)
            raise parsed.error(field, f"there is no backend {name}", todo=todo)
        known = options[backends[name].kind]()
        schema = {"properties": known, "additionalProperties": False}
        nested = {"rotation": {"identities": {name: identity}}}
        shape: Mapping[str, Any] = schema
        for key in reversed(field):
            shape = {"properties": {key: shape}}
        document.hold(Document(nested, parsed.path, parsed.lines), json.dumps(shape))
        identities[name] = {**backends[name].options, **identity}
    issuers = section.get("issuers", {})
    for number, item in enumerate(section.get("secrets", ())):
        if "issuer" in item and item["issuer"] not in issuers:
            todo = document.nearest(item["issuer"], issuers)
            place: Field = ("rotation", "secrets", number, "issuer")
            raise parsed.error(place, f"there is no issuer {item['issuer']}", todo=todo)
    return {**section, "identities": identities}


def filled_alerts(
    config: OperatorConfig, where: str, environ: Mapping[str, str]
) -> Mapping[str, Any]:
    """The alerts with their variables filled in. ConfigError for a variable that is not set."""
    parsed = Document({"alerts": config.alerts}, where, {})
    filled: Mapping[str, Any] = _filled(parsed, ("alerts",), config.alerts, environ)
    return filled


def _evidence(parsed: Document, environ: Mapping[str, str]) -> EvidenceConfig | None:
    if "evidence" not in parsed.data:
        return None
    filled = _filled(parsed, ("evidence",), parsed.data["evidence"], environ)
    return EvidenceConfig(**{"place": EVIDENCE_PLACE} | filled)


def _filled(parsed: Document, field: Field, value: Any, environ: Mapping[str, str]) -> Any:
    """The value with its variables filled in. ConfigError for a variable that is not set."""
    if isinstance(value, dict):
        return {key: _filled(parsed, (*field, key), one, environ) for key, one in value.items()}
    if isinstance(value, list):
        return [_filled(parsed, (*field, n), one, environ) for n, one in enumerate(value)]
    if not isinstance(value, str):
        return value
    name = ".".join(map(str, field))
    if "${" in VARIABLE.sub("", value):
        raise parsed.error(field, f"{name}: invalid variable", todo="write ${NAME}")
    for variable in VARIABLE.findall(value):
        if not environ.get(variable):
            what = f"{name} uses the variable {variable}, which is not set"
            raise parsed.error(field, what, todo=f"export {variable}=…")
    return VARIABLE.sub(lambda match: environ[match[1]], value)


def _schema(backends: Mapping[str, Any], options: OptionSchemas) -> Mapping[str, Any]:
    """The schema of each backend. If its kind is unknown, only the kind is reported."""
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


def _backend(name: str, item: Mapping[str, Any]) -> BackendConfig:
    options = {key: value for key, value in item.items() if key != "kind"}
    return BackendConfig(name=name, kind=item["kind"], options=options)


def _minimum_policy(
    parsed: Document,
) -> tuple[Mapping[str, SecretClass], tuple[SecretEntry, ...]]:
    """The classes and entries. They have the format of keywatch.yaml and must fit its schema."""
    given = {key: parsed.data[key] for key in ("classes", "secrets") if key in parsed.data}
    if not given:
        return {}, ()
    as_policy = Document({"version": 1, **given}, parsed.path, parsed.lines)
    document.check(as_policy, "keywatch.schema.json")
    classes = given.get("classes", {})
    known = repository.default_classes() | repository.secret_classes(
        {
            name: {**item, "location": str(parsed.at(("classes", name)))}
            for name, item in classes.items()
        }
    )
    for number, item in enumerate(given.get("secrets", ())):
        if item["class"] not in known:
            what = f"unknown class {item['class']}"
            near = document.nearest(item["class"], known)
            raise parsed.error(("secrets", number, "class"), what, todo=near)
    return known, tuple(map(_entry, given.get("secrets", ())))


def _entry(item: Mapping[str, str]) -> SecretEntry:
    """Without places, because it is not in a file of the repository."""
    return SecretEntry(
        match=item["match"],
        tags=(),
        secret_class=item["class"],
        owner="",
        runbook="",
        location=NOWHERE,
        class_location=NOWHERE,
        runbook_location=NOWHERE,
    )
