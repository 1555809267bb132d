"""Detect: rule files -> the rule table that the engine runs, and the words that reports print.

Both are cached as JSON under a hash of every rule file, and the hash is kept until one of the files
changes: a warm start parses no YAML, and reads no rule file.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

import scanner
from scanner import cache, document

if TYPE_CHECKING:
    from scanner.detect.rules.model import ConfigRule, Rule, RuleFile, Rules
    from scanner.detect.values.likelihood import Model
    from scanner.model import RuleInfo

Compiler = Callable[[], Mapping[str, bytes]]
"""Makes tables, by name."""


class Rulebook:
    """The rules of a run and their words, read from the cache when they are asked for: a clean run
    asks for none. `own`: the tables of the rules that a repository brings, where it brings some.

    `shipped_key` names what is compiled from the shipped rules alone, `key` what is from all.
    """

    def __init__(
        self, shipped: _Tables, own: _Tables | None = None, disabled: frozenset[str] = frozenset()
    ) -> None:
        self.shipped_key = shipped.key
        self.key = own.key if own else shipped.key
        self.disabled = disabled
        self._shipped = shipped
        self._own = own

    @functools.cached_property
    def rules(self) -> Rules:
        from scanner.detect.rules.model import Rules

        return Rules(self._shipped("rules"), self.own_rules)

    @functools.cached_property
    def own_rules(self) -> tuple[Rule, ...]:
        if self._own is None:
            return ()
        from scanner.detect.rules.model import Rules

        return tuple(Rules(self._own("rules")))

    @property
    def active(self) -> tuple[Rule, ...]:
        """All rules on lines that are run."""
        every = (*self.rules, *self.own_rules)
        return tuple(rule for rule in every if rule.id not in self.disabled)

    @functools.cached_property
    def detect_secrets_rules(self) -> Mapping[str, Rule]:
        """The rule of each kind of finding that detect-secrets has."""
        import json

        from scanner.detect.rules.model import rule

        return {
            kind: rule(row) for kind, row in json.loads(self._shipped("detect_secrets")).items()
        }

    @functools.cached_property
    def config_rules(self) -> tuple[ConfigRule, ...]:
        """The rules on structured files, without the disabled."""
        import json

        from scanner.detect.rules.model import config_rule

        tables = filter(None, (self._shipped, self._own))
        rules = (config_rule(row) for table in tables for row in json.loads(table("config")))
        return tuple(rule for rule in rules if rule.id not in self.disabled)

    @functools.cached_property
    def groups(self) -> frozenset[str]:
        """Those whose candidates some rule on structure judges."""
        return frozenset(rule.group for rule in self.config_rules)

    @functools.cached_property
    def infos(self) -> Mapping[str, RuleInfo]:
        """What people are told of each rule that there is, whether it is run or not."""
        from scanner.detect.rules.model import Infos

        own = b"\n" + self._own("words") if self._own else b""
        return Infos(self._shipped("words") + own)

    @functools.cached_property
    def likelihood(self) -> Model:
        """By what values are weighed that only a name or a place calls secrets."""
        import json

        from scanner.detect.values.likelihood import Model

        path = os.path.join(document.rules_folder(), "likelihood.json")
        return Model(**json.loads(_read(path)))

    @functools.cached_property
    def published(self) -> frozenset[str]:
        """SHA-256 of secrets that someone publishes as examples."""
        lines = _read(os.path.join(document.rules_folder(), "published-examples.txt")).splitlines()
        return frozenset(line[:64].decode() for line in lines if not line.startswith(b"#"))


def shipped() -> tuple[RuleFile, ...]:
    """The rule files that come with keywatch, sorted by name."""
    from scanner.detect.rules.model import RuleFile

    root = os.path.dirname(document.rules_folder())
    return tuple(
        RuleFile(os.path.relpath(path, root).replace(os.sep, "/"), _read(path), shipped=True)
        for path in _rule_files()
    )


def load(
    extra: Sequence[RuleFile] = (),
    *,
    disabled: Mapping[str, str] = MappingProxyType({}),
    cache_folder: str | None = None,
) -> Rulebook:
    """The shipped rules and `extra` ones, without the `disabled` (by id, and where that is said).

    ConfigError for a disabled rule that there is not, and (file, line, field) for a bad one, once
    its table is asked for.
    """
    from_us = _Tables(_compile_shipped, _shipped_key(cache_folder), cache_folder)
    own = None
    if extra:
        parts = (part for source in extra for part in (source.where, source.data))
        compiler = functools.partial(_compile_own, extra, from_us)
        own = _Tables(compiler, cache.key(from_us.key, *parts), cache_folder)
    book = Rulebook(from_us, own, frozenset(disabled))
    for rule, place in disabled.items():
        if rule not in book.infos:
            from scanner.detect.rules.model import rule_error

            raise rule_error(rule, tuple(book.infos), place)
    return book


def _shipped_key(cache_folder: str | None) -> str:
    """A hash of all that comes with keywatch and makes tables and patterns.

    The cache keeps it beside what the file system says of these files: as long as none was written,
    moved or replaced, none is read.
    """
    files = [*_rule_files(), *_code()]
    seen = "\n".join((scanner.__version__, *map(_seen, files))).encode(errors="surrogateescape")
    name = f"shipped-{cache.key(files[0])}.key"
    known = cache.load(name, cache_folder) if cache_folder else None
    before, _, key = (known or b"").rpartition(b"\n")
    if known and before == seen:
        return key.decode()
    made = cache.key(scanner.__version__, *map(_read, files))
    if cache_folder:
        cache.store(name, seen + b"\n" + made.encode(), cache_folder)
    return made


def _seen(path: str) -> str:
    info = os.stat(path)
    times = info.st_mtime_ns, info.st_ctime_ns
    return f"{path} {info.st_dev} {info.st_ino} {info.st_size} {times}"


def _rule_files() -> Iterator[str]:
    root = document.rules_folder()
    for folder in ("config", "secrets"):
        names = sorted(os.listdir(os.path.join(root, folder)))
        yield from (os.path.join(root, folder, name) for name in names if name.endswith(".yaml"))


def _code() -> Iterator[str]:
    """What turns rule files into tables and patterns: a change of it is a change of them."""
    yield os.path.join(document.rules_folder(), "detect-secrets.yaml")
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    for name in (
        *("rules/compiler", "rules/config_rules", "structure/value_paths", "detector"),
        *("engine/allow_comments", "decoding/encoded_patterns"),
        *("prefilter/open_ends", "prefilter/matcher", "prefilter/pattern_ids"),
        *("prefilter/variable_uses", "detect_secrets/plugin_patterns", "detect_secrets/settings"),
    ):
        yield os.path.join(here, *name.split("/")) + ".py"


class _Tables:
    """Tables by name: from the cache, or compiled from rule files."""

    def __init__(self, compiled: Compiler, key: str, folder: str | None) -> None:
        self.key = key
        self._compile = compiled
        self._folder = folder
        self._compiled: Mapping[str, bytes] = {}

    def __call__(self, table: str) -> bytes:
        name = f"{table}-{self.key}.json"
        payload = cache.load(name, self._folder) if self._folder else None
        if payload is None:
            self._compiled = self._compiled or self._compile()
            payload = self._compiled[table]
            if self._folder:
                cache.store(name, payload, self._folder)
        return payload


def _compile_shipped() -> Mapping[str, bytes]:
    from scanner.detect.rules import compiler as rule_tables

    return rule_tables.shipped(shipped())


def _compile_own(sources: Sequence[RuleFile], shipped: _Tables) -> Mapping[str, bytes]:
    """The rules of a repository have other ids than the shipped."""
    from scanner.detect.rules import compiler as rule_tables
    from scanner.detect.rules.model import Infos

    return rule_tables.compiled(sources, Infos(shipped("words")))


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()
