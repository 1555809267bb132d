"""Detect: the rules of a run, and the texts about them, compiled from rule files.

The compiled tables are cached as JSON under a hash of all rule files. The hash is also cached until
one of the files changes. So a warm start reads no rule file and parses no YAML.
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
"""Returns the tables by name."""


TABLES = ("rules", "config", "refining", "words", "detect_secrets")
"""The names of the tables of the shipped rules."""


class Rulebook:
    """The rules of a run, and the texts about them. They are loaded when they are first needed.

    own: the tables of the repository's own rules, if it has any.
    shipped_key: the cache key of what is compiled from only the shipped rules.
    key: the cache key of what is compiled from all rules.
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

    def shipped_table(self, name: str) -> bytes:
        """Return one of TABLES."""
        return self._shipped(name)

    @property
    def active(self) -> tuple[Rule, ...]:
        """The rules on lines that are not disabled."""
        every = (*self.rules, *self.own_rules)
        return tuple(rule for rule in every if rule.id not in self.disabled)

    @functools.cached_property
    def detect_secrets_rules(self) -> Mapping[str, Rule]:
        """The rule of each detect-secrets type."""
        import json

        from scanner.detect.rules.model import rule

        return {
            kind: rule(row) for kind, row in json.loads(self._shipped("detect_secrets")).items()
        }

    @functools.cached_property
    def refinements(self) -> Mapping[str, Rule]:
        """For the ID of a rule, the rule that takes over some of its findings."""
        import json

        from scanner.detect.rules.model import rule

        rules = [rule(row) for row in json.loads(self._shipped("refining"))]
        return {refined: each for each in rules for refined in each.refines}

    @functools.cached_property
    def config_rules(self) -> tuple[ConfigRule, ...]:
        """The structure rules that are not disabled."""
        import json

        from scanner.detect.rules.model import config_rule

        tables = filter(None, (self._shipped, self._own))
        rules = (config_rule(row) for table in tables for row in json.loads(table("config")))
        return tuple(rule for rule in rules if rule.id not in self.disabled)

    @functools.cached_property
    def groups(self) -> frozenset[str]:
        """The groups of the structure rules."""
        return frozenset(rule.group for rule in self.config_rules)

    @functools.cached_property
    def infos(self) -> Mapping[str, RuleInfo]:
        """The texts about each rule, including disabled ones."""
        from scanner.detect.rules.model import Infos

        own = b"\n" + self._own("words") if self._own else b""
        return Infos(self._shipped("words") + own)

    @functools.cached_property
    def likelihood(self) -> Model:
        """The model that rates values that only their name or position marks as secrets."""
        import json

        from scanner.detect.values.likelihood import Model

        path = os.path.join(document.rules_folder(), "likelihood.json")
        return Model(**json.loads(_read(path)))

    @functools.cached_property
    def published(self) -> frozenset[str]:
        """The SHA-256 hashes of secrets that are published as examples."""
        lines = _read(os.path.join(document.rules_folder(), "published-examples.txt")).splitlines()
        return frozenset(line[:64].decode() for line in lines if not line.startswith(b"#"))


def shipped() -> tuple[RuleFile, ...]:
    """Return the rule files that come with keywatch, sorted by name."""
    from scanner.detect.rules.model import RuleFile

    root = os.path.dirname(document.rules_folder())
    return tuple(
        RuleFile(
            path=os.path.relpath(path, root).replace(os.sep, "/"), data=_read(path), shipped=True
        )
        for path in _rule_files()
    )


def load(
    extra: Sequence[RuleFile] = (),
    *,
    disabled: Mapping[str, str] = MappingProxyType({}),
    cache_folder: str | None = None,
) -> Rulebook:
    """Return the rulebook of the shipped and the `extra` rules.

    disabled: for each ID of a disabled rule, where it is disabled.

    Raises ConfigError if a disabled rule does not exist. An invalid rule raises ConfigError (file,
    line, field) when its table is first needed.
    """
    shipped_tables = _Tables(_compile_shipped, _shipped_key(cache_folder), cache_folder)
    own = None
    if extra:
        parts = (part for source in extra for part in (source.path, source.data))
        compiler = functools.partial(_compile_own, extra, shipped_tables)
        own = _Tables(compiler, cache.key(shipped_tables.key, *parts), cache_folder)
    book = Rulebook(shipped_tables, own, frozenset(disabled))
    for rule, place in disabled.items():
        if rule not in book.infos:
            from scanner.detect.rules.model import rule_error

            raise rule_error(rule, tuple(book.infos), place)
    return book


def _shipped_key(cache_folder: str | None) -> str:
    """Return a hash of the shipped files on which tables and patterns depend.

    It is cached with the metadata of these files. They are read only if the metadata changes.
    """
    files = [*_rule_files(), *_code()]
    metadata = "\n".join((scanner.__version__, *map(_metadata, files)))
    now = metadata.encode(errors="surrogateescape")
    name = f"shipped-{cache.key(files[0])}.key"
    cached = cache.load(name, cache_folder) if cache_folder else None
    before, _, key = (cached or b"").rpartition(b"\n")
    if cached and before == now:
        return key.decode()
    new_key = cache.key(scanner.__version__, *map(_read, files))
    if cache_folder:
        cache.store(name, now + b"\n" + new_key.encode(), cache_folder)
    return new_key


def _metadata(path: str) -> str:
    info = os.stat(path)
    times = info.st_mtime_ns, info.st_ctime_ns
    return f"{path} {info.st_dev} {info.st_ino} {info.st_size} {times}"


def _rule_files() -> Iterator[str]:
    root = document.rules_folder()
    for folder in ("config", "secrets"):
        names = sorted(os.listdir(os.path.join(root, folder)))
        yield from (os.path.join(root, folder, name) for name in names if name.endswith(".yaml"))


def _code() -> Iterator[str]:
    """Return the files of the code that compiles tables and patterns, which depend on it."""
    yield os.path.join(document.rules_folder(), "detect-secrets.yaml")
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    for name in (
        *("rules/compiler", "rules/config_rules", "structure/value_paths", "detector"),
        *("engine/allow_comments", "decoding/encoded_patterns"),
        *("prefilter/shortest_prefix", "prefilter/matcher", "prefilter/pattern_ids"),
        *("prefilter/variable_uses", "detect_secrets/plugin_patterns", "detect_secrets/settings"),
    ):
        yield os.path.join(here, *name.split("/")) + ".py"


class _Tables:
    """Returns tables by name, from the cache or compiled from rule files."""

    def __init__(self, compiler: Compiler, key: str, folder: str | None) -> None:
        self.key = key
        self._compile = compiler
        self._folder = folder
        self._compiled: Mapping[str, bytes] = {}

    def __call__(self, table: str) -> bytes:
        return cache.cached(f"{table}-{self.key}.json", lambda: self._made(table), self._folder)

    def _made(self, table: str) -> bytes:
        self._compiled = self._compiled or self._compile()
        return self._compiled[table]


def _compile_shipped() -> Mapping[str, bytes]:
    from scanner.detect.rules import compiler as rule_tables

    return rule_tables.shipped(shipped())


def _compile_own(sources: Sequence[RuleFile], shipped: _Tables) -> Mapping[str, bytes]:
    """Compile the rules of a repository, whose IDs must differ from those of the shipped rules."""
    from scanner.detect.rules import compiler as rule_tables
    from scanner.detect.rules.model import Infos

    return rule_tables.compiled(sources, Infos(shipped("words")))


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()
