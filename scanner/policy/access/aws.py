"""Policy: resource policies of AWS: whom they let in."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from scanner.model import Finding, Location, Severity
from scanner.policy.access import rules as ids
from scanner.policy.access.rules import finding

_NARROWING = frozenset(
    (
        *("aws:principalorgid", "aws:principalorgpaths", "aws:principalarn"),
        *("aws:principalaccount", "aws:sourcearn", "aws:sourceaccount", "kms:calleraccount"),
    )
)
_SHOWN = 3


def open_policy(name: str, account: str, text: str, anchor: Location) -> Iterator[Finding]:
    """Statements of a resource policy that allow everybody, or another account. ValueError if the
    text is not a policy."""
    for number, statement in enumerate(_statements(text)):
        if statement.get("Effect") != "Allow":
            continue
        principals = set(_principals(statement.get("Principal")))
        if "NotPrincipal" in statement:
            principals.add("*")
        narrowed = _is_narrowed(statement.get("Condition"))
        for principal in sorted(principals):
            is_everybody = principal in ("*", "arn:aws:iam::*:root")
            if is_everybody and narrowed:
                continue
            other = _account(principal)
            if is_everybody or (other and other != account):
                who = "everybody" if is_everybody else principal
                actions = ", ".join(_words(statement.get("Action"))[:_SHOWN]) or "all but some"
                severity = Severity.CRITICAL if is_everybody else Severity.MEDIUM
                yield finding(
                    ids.AWS_OPEN,
                    anchor,
                    f"the policy of {name} allows {actions} to {who}",
                    f"{name} {number} {principal}",
                    severity,
                )


def simulated(
    found: Iterable[tuple[str, str, tuple[str, ...]]], anchor: Location
) -> Iterator[Finding]:
    """A finding for each principal, with the secrets that IAM lets it read or write."""
    by_principal: dict[str, dict[str, tuple[str, ...]]] = defaultdict(dict)
    for principal, name, actions in found:
        by_principal[principal][name] = actions
    for principal, held in sorted(by_principal.items()):
        names = sorted(held)
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        verbs = sorted({action.partition(":")[2] for some in held.values() for action in some})
        detail = f"{principal} may {', '.join(verbs)} on {', '.join(names[:_SHOWN])}{more}"
        yield finding(ids.AWS_EXCESS, anchor, detail, principal)


def _statements(text: str) -> list[Mapping[str, Any]]:
    try:
        read = json.loads(text)
        statements = read["Statement"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ValueError("not a policy") from None
    found = statements if isinstance(statements, list) else [statements]
    if not all(isinstance(one, dict) for one in found):
        raise ValueError("not a policy")
    return found


def _principals(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for kind, names in value.items():
            yield from (_words(names) if kind in ("AWS", "*") else ())
    else:
        yield from _words(value)


def _words(value: Any) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else [str(value)] if value else []


def _account(principal: str) -> str:
    if principal.isdigit() and len(principal) == 12:
        return principal
    parts = principal.split(":")
    return parts[4] if len(parts) > 5 and parts[4].isdigit() else ""


def _is_narrowed(condition: Any) -> bool:
    """Does a condition name who may come?"""
    if not isinstance(condition, dict):
        return False
    for operator, keys in condition.items():
        named = keys if isinstance(keys, dict) and "not" not in operator.lower() else {}
        if any(key.lower() in _NARROWING for key in named):
            return True
    return False
