"""Policy: which rule of a set of policies applies to a path, exactly as a server decides.

An exact path wins. Else the matching pattern of the highest priority is used alone: the one whose
first wildcard comes later; then one that does not end in `*`; then the one with fewer `+`; then the
longer; then the lexicographically greater. Capabilities are united only among identical patterns.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from scanner.policy.access import templates
from scanner.policy.access.model import DENY, Identity, Rule

Priority = tuple[int, bool, int, int, bytes]
_EXACT: Priority = (1 << 62, True, 0, 0, b"")


class Grant(NamedTuple):
    """What applies to a path: united capabilities (`deny` alone if one denies), and the rules that
    they come from, which have the same pattern."""

    capabilities: frozenset[str]
    rules: tuple[Rule, ...]

    @property
    def pattern(self) -> str:
        return self.rules[0].pattern if self.rules else ""

    def allows(self, capability: str) -> bool:
        return capability in self.capabilities


NOTHING = Grant(frozenset(), ())
ROOT = Grant(frozenset({"root"}), ())


class _Ranked(NamedTuple):
    priority: Priority
    grant: Grant


class _Node:
    """A segment of patterns with `+`. `ends` is the pattern that ends here; `globs` are those that
    end with `*` in the next segment, by what the segment begins with."""

    __slots__ = ("ends", "globs", "inner")

    def __init__(self) -> None:
        self.inner: dict[str, _Node] = {}
        self.ends: _Ranked | None = None
        self.globs: list[tuple[str, _Ranked]] = []


class Acl:
    """An index of rules. `now` (seconds since 1970) drops expired rules; `identity` fills
    templates in, and rules whose templates have no value are dropped. `root`: the root policy."""

    def __init__(
        self,
        rules: Iterable[Rule],
        *,
        identity: Identity | None = None,
        now: float | None = None,
        root: bool = False,
    ) -> None:
        self._root = root
        self._exact: dict[str, Grant] = {}
        self._prefixes: dict[str, _Ranked] = {}
        self._tree = _Node()
        self.dropped: list[Rule] = []
        """Rules that cannot apply: expired, or with a template that has no value."""
        merged: dict[str, Grant] = {}
        self.patterns = merged
        """Every pattern, templates filled in, with what it grants."""
        self.priorities: dict[str, Priority] = {}
        """Of each pattern; among those that match a path, the highest applies."""
        for rule in rules:
            self._add(rule, identity, now, merged)
        for pattern, grant in merged.items():
            self._insert(pattern, grant)
        self._lengths = sorted({len(prefix) for prefix in self._prefixes}, reverse=True)
        self._has_segments = bool(self._tree.inner or self._tree.globs)

    def _add(
        self, rule: Rule, identity: Identity | None, now: float | None, merged: dict[str, Grant]
    ) -> None:
        pattern: str | None = rule.pattern
        if "{{" in rule.pattern:
            pattern = templates.resolved(rule.pattern, identity)
        expired = now is not None and rule.expires is not None and rule.expires < now
        if pattern is None or expired or "+*" in pattern:
            self.dropped.append(rule)
            return
        if pattern.startswith("/") and rule.pattern.startswith("{{"):
            pattern = pattern[1:]
        before = merged.get(pattern)
        if before is None:
            merged[pattern] = Grant(rule.capabilities, (rule,))
        elif "deny" in before.capabilities:
            if rule.is_deny:
                merged[pattern] = before._replace(rules=(*before.rules, rule))
        elif rule.is_deny:
            merged[pattern] = Grant(DENY, (rule,))
        else:
            both = before.capabilities | rule.capabilities
            merged[pattern] = Grant(both, (*before.rules, rule))

    def _insert(self, pattern: str, grant: Grant) -> None:
        is_glob = pattern.endswith("*")
        bare = pattern[:-1] if is_glob else pattern
        if not has_segment_wildcard(pattern):
            if is_glob:
                size = len(bare.encode(errors="surrogatepass"))
                self._prefixes[bare] = _Ranked(_priority(bare, size, 0, is_glob=True), grant)
                self.priorities[pattern] = self._prefixes[bare].priority
            else:
                self.priorities[pattern] = _EXACT
                self._exact[pattern] = grant
            return
        parts = bare.split("/")
        first = len(bare[: bare.index("+")].encode(errors="surrogatepass"))
        ranked = _Ranked(_priority(bare, first, parts.count("+"), is_glob=is_glob), grant)
        self.priorities[pattern] = ranked.priority
        node = self._tree
        for part in parts[:-1] if is_glob else parts:
            node = node.inner.setdefault(part, _Node())
        if is_glob:
            node.globs.append((parts[-1], ranked))
        else:
            node.ends = ranked

    def lookup(self, path: str) -> Grant:
        """What applies to a request for `path` that is not a LIST."""
        if self._root:
            return ROOT
        path = path.lstrip("/")
        return self._exact.get(path) or self._by_pattern(path) or NOTHING

    def listing(self, path: str) -> Grant:
        """What applies to a LIST of `path` in Vault and in OpenBao before 2.7: patterns are looked
        up without the trailing slash first."""
        return self._listing(path, slash_first=False)

    def answer(self, path: str) -> Grant:
        """What sys/capabilities of OpenBao 2.7 says, and what applies to a LIST there: patterns are
        looked up with the trailing slash first."""
        return self._listing(path, slash_first=True)

    def _listing(self, path: str, *, slash_first: bool) -> Grant:
        if self._root:
            return ROOT
        path = path.lstrip("/")
        if not path.endswith("/"):
            return self._exact.get(path) or self._by_pattern(path) or NOTHING
        bare = path[:-1]
        first, second = (path, bare) if slash_first else (bare, path)
        return (
            self._exact.get(path)
            or self._exact.get(bare)
            or self._by_pattern(first)
            or self._by_pattern(second)
            or NOTHING
        )

    def matching(self, path: str) -> list[Grant]:
        """All patterns that match, the one that applies first."""
        path = path.lstrip("/")
        exact = self._exact.get(path)
        lengths = [length for length in self._lengths if length <= len(path)]
        found = [self._prefixes[path[:n]] for n in lengths if path[:n] in self._prefixes]
        found += self._by_segments(path)
        ordered = [one.grant for one in sorted(found, key=lambda one: one.priority, reverse=True)]
        return [*([exact] if exact else []), *ordered]

    def _by_pattern(self, path: str) -> Grant | None:
        best: _Ranked | None = None
        size, prefixes = len(path), self._prefixes
        for length in self._lengths:
            if length <= size and (best := prefixes.get(path[:length])):
                break
        if self._has_segments:
            for one in self._by_segments(path):
                if best is None or one.priority > best.priority:
                    best = one
        return best.grant if best else None

    def _by_segments(self, path: str) -> list[_Ranked]:
        parts = path.split("/")
        count = len(parts)
        found: list[_Ranked] = []
        stack = [(self._tree, 0)]
        while stack:
            node, at = stack.pop()
            if at == count:
                if node.ends:
                    found.append(node.ends)
                continue
            part = parts[at]
            found += [one for prefix, one in node.globs if part.startswith(prefix)]
            inner = node.inner
            if inner:
                if (some := inner.get("+")) is not None:
                    stack.append((some, at + 1))
                if part != "+" and (same := inner.get(part)) is not None:
                    stack.append((same, at + 1))
        return found


def has_segment_wildcard(pattern: str) -> bool:
    return pattern == "+" or pattern.startswith("+/") or "/+" in pattern


def _priority(bare: str, first: int, wildcards: int, *, is_glob: bool) -> Priority:
    data = bare.encode(errors="surrogatepass")
    return first, not is_glob, -wildcards, len(data), data


def spoken(grant: Grant) -> list[str]:
    """The capabilities as sys/capabilities lists them: sorted, `deny` if there are none."""
    if not grant.capabilities or "deny" in grant.capabilities:
        return ["deny"]
    return sorted(grant.capabilities)
