"""Policy: `{{identity.…}}` in the path of a rule, resolved once and as a server does."""

from __future__ import annotations

from collections.abc import Mapping

from scanner.policy.access.model import Alias, Group, Identity


def is_balanced(pattern: str) -> bool:
    """Does a server accept the braces?"""
    first, *rest = pattern.split("{{")
    return "}}" not in first and all(piece.count("}}") == 1 for piece in rest)


def resolved(pattern: str, identity: Identity | None) -> str | None:
    """The path with its templates filled in; None if one has no value, so that the rule is dropped.

    What a value itself contains is not resolved again, so nothing can be cyclic.
    """
    first, *rest = pattern.split("{{")
    parts = [first]
    for piece in rest:
        selector, _, after = piece.partition("}}")
        value = _value(selector.strip(), identity) if identity else None
        if not value:
            return None
        parts += (value, after)
    return "".join(parts)


def is_known(pattern: str) -> bool:
    """Can every selector have a value for some identity?"""
    selectors = (piece.partition("}}")[0].strip() for piece in pattern.split("{{")[1:])
    return all(_could_resolve(one) for one in selectors)


def _could_resolve(selector: str) -> bool:
    head, _, rest = selector.partition(".")
    kind, _, name = rest.partition(".")
    if head == "time":
        return kind == "now"
    if head != "identity":
        return False
    if kind == "groups":
        by, _, more = name.partition(".")
        return by in ("ids", "names") and _ends(
            more.partition(".")[2], ("id", "name"), ("metadata.",)
        )
    if kind == "entity" and name.startswith("aliases."):
        below = name.removeprefix("aliases.").partition(".")[2]
        return _ends(below, ("id", "name"), ("metadata.", "custom_metadata."))
    return kind == "entity" and _ends(name, ("id", "name"), ("metadata.",))


def _ends(name: str, whole: tuple[str, ...], beginnings: tuple[str, ...]) -> bool:
    return name in whole or any(name.startswith(one) and name != one for one in beginnings)


def _value(selector: str, identity: Identity) -> str | None:
    if selector.startswith("identity.entity."):
        return _of_entity(selector.removeprefix("identity.entity."), identity)
    if selector.startswith("identity.groups."):
        return _of_groups(selector.removeprefix("identity.groups."), identity.groups)
    return None


def _of_entity(name: str, identity: Identity) -> str | None:
    if name.startswith("aliases."):
        accessor, _, below = name.removeprefix("aliases.").partition(".")
        alias = identity.aliases.get(accessor)
        return _of_alias(below, alias) if alias else None
    return _field(name, identity.id, identity.name, {"metadata": identity.metadata})


def _of_alias(name: str, alias: Alias) -> str | None:
    more = {"metadata": alias.metadata, "custom_metadata": alias.custom_metadata}
    return _field(name, alias.id, alias.name, more)


def _of_groups(name: str, groups: tuple[Group, ...]) -> str | None:
    by, _, rest = name.partition(".")
    named, _, field = rest.partition(".")
    for group in groups:
        if (group.id if by == "ids" else group.name if by == "names" else None) == named:
            return _field(field, group.id, group.name, {"metadata": group.metadata})
    return None


def _field(
    name: str, number: str, called: str, more: Mapping[str, Mapping[str, str]]
) -> str | None:
    if name in ("id", "name"):
        return number if name == "id" else called
    kind, _, key = name.partition(".")
    return more[kind].get(key) if kind in more else None
