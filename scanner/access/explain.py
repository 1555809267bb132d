"""Explain what Vault policies grant on a path, for people and line by line for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import lru_cache
from typing import IO, Any, NamedTuple

from scanner.console import Console, plain
from scanner.errors import ConfigError, UsageError
from scanner.masking import masked
from scanner.policy.access import hcl
from scanner.policy.access.acl import Acl, spoken
from scanner.policy.access.model import CAPABILITIES, Alias, Group, Identity, Policy
from scanner.policy.access.policy_files import name_of
from scanner.report.text import visible

_MAX_LINE = 64_000_000  # bytes of one line of a batch
_PARSED = 10_000  # policies that a batch keeps, and sets of them
_SHOWN = 20


class ExplainRequest(NamedTuple):
    """Policies as files, a path, and a capability ("" for all of them). `identity` is a JSON file
    with the entity that templates refer to, "" for none."""

    policies: tuple[str, ...]
    path: str
    capability: str
    identity: str
    now: datetime


class BatchRequest(NamedTuple):
    """JSON lines to answer."""

    lines: IO[bytes]
    now: datetime


def explain(request: ExplainRequest, console: Console) -> str:
    """What the policies grant, and which rule decides it. UsageError, ConfigError: a file cannot
    be read, or is not a policy."""
    if request.capability and request.capability not in CAPABILITIES - {"deny"}:
        known = ", ".join(sorted(CAPABILITIES - {"deny"}))
        raise UsageError(f"unknown capability {request.capability}", todo=f"use one of {known}")
    policies = [hcl.parse(console.file(name), name_of(name), name) for name in request.policies]
    identity = _identity(_loaded(console, request.identity)) if request.identity else None
    acl = _acl(policies, identity, request.now)
    return "".join(f"{masked(line)}\n" for line in _lines(acl, request))


def _lines(acl: Acl, request: ExplainRequest) -> Iterator[str]:
    path = request.path
    listing = request.capability in ("list", "scan") or (
        not request.capability and path.endswith("/")
    )
    grant = acl.listing(path) if listing else acl.lookup(path)
    yield visible(path)
    if request.capability:
        allowed = grant.allows(request.capability)
        yield f"  {request.capability}: {'allowed' if allowed else 'denied'}"
    yield f"  capabilities: {', '.join(spoken(grant))}"
    if not grant.rules:
        yield "  rule: none matches, so everything is denied"
    for rule in grant.rules[:_SHOWN]:
        yield f'  rule: path "{visible(rule.pattern)}" at {visible(str(rule.location))}'
        if rule.limits:
            yield f"        limited by {', '.join(rule.limits)}{_useless(rule.pattern)}"
    newer = acl.answer(path) if listing else grant
    if newer != grant:
        names = ", ".join(spoken(newer))
        yield f'  OpenBao 2.7 decides by path "{visible(newer.pattern)}" instead: {names}'
    others = [one for one in acl.matching(path) if one is not grant]
    for other in others[:_SHOWN]:
        rule = other.rules[0]
        names = ", ".join(spoken(other))
        place = visible(str(rule.location))
        yield f'  ignored: path "{visible(rule.pattern)}" ({names}) at {place}'
    if others:
        yield "  Only the rule of the highest priority applies; the ignored ones add nothing."
    for rule in acl.dropped[:_SHOWN]:
        yield f'  dropped: path "{visible(rule.pattern)}" at {visible(str(rule.location))}'
    if acl.dropped:
        yield "  A dropped rule has expired, or its template has no value for this identity."


def _useless(pattern: str) -> str:
    is_kv = "/data/" in pattern
    return " (which a key-value engine of version 2 does not apply)" if is_kv else ""


def _loaded(console: Console, name: str) -> Any:
    try:
        return json.loads(console.file(name))
    except ValueError:
        raise ConfigError(f"{name} is not valid JSON", where=f"{name}:1") from None


def _acl(policies: Iterable[Policy], identity: Identity | None, now: datetime) -> Acl:
    rules = (rule for policy in policies for rule in policy.rules)
    return Acl(rules, identity=identity, now=now.timestamp())


def batch(request: BatchRequest) -> Iterator[str]:
    """An answer for each line, in order: `{"capabilities", "rule"}`, or `{"error"}`.

    Policies and sets of policies that come again are parsed once.
    """
    parsed = lru_cache(_PARSED)(_parsed)

    @lru_cache(_PARSED)
    def indexed(texts: tuple[str, ...]) -> Acl:
        return _acl([parsed(text) for text in texts], None, request.now)

    while line := request.lines.readline(_MAX_LINE + 1):
        if len(line) > _MAX_LINE:
            while not line.endswith(b"\n") and (line := request.lines.readline(_MAX_LINE)):
                pass
            yield _line({"error": f"the line is over {_MAX_LINE:,} bytes"})
        elif line.strip():
            yield _line(_answered(line, indexed, request.now))


def _parsed(text: str) -> Policy:
    try:
        data = text.encode()
    except UnicodeEncodeError:
        raise ConfigError("the policy is not valid Unicode") from None
    return hcl.parse(data, "policy", "policy")


def _answered(line: bytes, indexed: Any, now: datetime) -> dict[str, Any]:
    try:
        asked = json.loads(line)
    except (ValueError, RecursionError):
        return {"error": "the line is not valid JSON"}
    request = asked if isinstance(asked, dict) else {}
    texts, path = request.get("policies"), request.get("path")
    if texts is None or not _is_texts(texts) or not isinstance(path, str):
        return {"error": 'expected {"policies": ["<policy>", ...], "path": "..."}'}
    try:
        if request.get("identity"):
            acl = _acl(map(_parsed, texts), _identity(request["identity"]), now)
        else:
            acl = indexed(tuple(texts))
    except ConfigError as error:
        return {"error": plain(": ".join(filter(None, (error.where, error.what, error.why))))}
    grant = acl.answer(path)
    return {"capabilities": spoken(grant), "rule": grant.pattern}


def _is_texts(texts: Any) -> bool:
    return isinstance(texts, list) and all(isinstance(one, str) for one in texts)


def _line(answer: dict[str, Any]) -> str:
    return json.dumps(answer) + "\n"


def _identity(value: Any) -> Identity:
    """An entity as `vault read -format=json identity/entity/…` prints it under `data`, with its
    groups as a list of objects. ConfigError for anything else."""
    try:
        aliases = value.get("aliases") or ()
        return Identity(
            id=str(value.get("id", "")),
            name=str(value.get("name", "")),
            metadata=_texts(value.get("metadata")),
            aliases={
                str(one["mount_accessor"]): Alias(
                    id=str(one.get("id", "")),
                    name=str(one.get("name", "")),
                    metadata=_texts(one.get("metadata")),
                    custom_metadata=_texts(one.get("custom_metadata")),
                )
                for one in aliases
            },
            groups=tuple(
                Group(str(one.get("id", "")), str(one.get("name", "")), _texts(one.get("metadata")))
                for one in value.get("groups") or ()
            ),
        )
    except (AttributeError, KeyError, TypeError):
        raise ConfigError(
            "the identity is not an entity", todo="give id, name, metadata, aliases and groups"
        ) from None


def _texts(value: Any) -> dict[str, str]:
    return {str(key): str(value) for key, value in (value or {}).items()}
