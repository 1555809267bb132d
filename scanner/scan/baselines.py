"""The command line: the baselines of a run, and whether the detect-secrets layer runs with one.

`.secrets.baseline` says what that layer looks for, so it is read before the scan; what it covers is
the judge's business, after it.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import scanner
from scanner import cache
from scanner.console import Io
from scanner.errors import ConfigError, UsageError
from scanner.scan import sources
from scanner.scan.sources import Selection

if TYPE_CHECKING:
    from scanner.detect.detect_secrets import DetectSecretsSettings
    from scanner.inputs.interface import Source
    from scanner.model import Suppression
    from scanner.policy.baselines.detect_secrets_baseline import DetectSecretsBaseline
    from scanner.policy.baselines.keywatch_baseline import Baseline

OWN = ".keywatch.baseline"
SECRETS_BASELINE = ".secrets.baseline"
_MEND = "mend it, or make a new one: keywatch baseline create --detect-secrets exact"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what is known already")
    group.add_argument(
        "--baseline",
        type=sources.given_path,
        metavar="FILE",
        help=f"a baseline of either kind; default: {OWN} and {SECRETS_BASELINE}, where they are",
    )
    group.add_argument(
        "--detect-secrets",
        choices=("exact", "off"),
        help="exact: also find just what detect-secrets 1.5.0 finds; the default where there is"
        " a baseline of it",
    )


class Debt(NamedTuple):
    """The baselines as they were found. `settings` is None where the detect-secrets layer does
    not run."""

    own: bytes | None
    own_name: str
    detect_secrets: bytes | None
    detect_secrets_name: str
    settings: DetectSecretsSettings | None

    def baseline(self) -> Baseline | None:
        from scanner.policy.baselines import keywatch_baseline as baseline

        return None if self.own is None else baseline.parse(self.own, self.own_name)

    def detect_secrets_baseline(self) -> DetectSecretsBaseline | None:
        """What `.secrets.baseline` covers; None where its layer did not run."""
        if self.detect_secrets is None or self.settings is None:
            return None
        from scanner.detect import detect_secrets
        from scanner.policy.baselines import detect_secrets_baseline

        document = detect_secrets_document(self.detect_secrets, self.detect_secrets_name)
        renewed = detect_secrets.upgrade(document, self.detect_secrets_name)
        return detect_secrets_baseline.parse(renewed, self.detect_secrets_name)

    def standing(self) -> list[Suppression]:
        """What a baseline switches off: a plugin that does not run, a filter beyond the default.

        A filter's pattern may hold the very secret that it hides.
        """
        if self.settings is None:
            return []
        from scanner.masking import masked
        from scanner.model import SuppressedBy, Suppression

        disabled = [
            Suppression(
                by=SuppressedBy.PLUGIN_DISABLED, where=self.detect_secrets_name, rule=plugin
            )
            for plugin in self.settings.disabled_plugins
        ]
        filters = [
            Suppression(
                by=SuppressedBy.FILTER_ADDED, where=self.detect_secrets_name, reason=masked(each)
            )
            for each in self.settings.extra_filters
        ]
        return disabled + filters


def read(args: argparse.Namespace, io: Io, selection: Selection) -> Debt:
    """The baselines that govern this run. ConfigError for one that cannot be used."""
    own, own_name = selection.source.control(OWN), OWN
    theirs, detect_secrets_name = selection.source.control(SECRETS_BASELINE), SECRETS_BASELINE
    known = {OWN: own, SECRETS_BASELINE: theirs}
    named = _named(args.baseline, io, selection, known) if args.baseline else None
    if named is not None and _is_own(named):
        own, own_name = named, args.baseline
    elif named is not None:
        theirs, detect_secrets_name = named, args.baseline
    mode = args.detect_secrets or selection.config.detect_secrets
    if mode == "off" or (mode is None and theirs is None):
        return Debt(own, own_name, None, detect_secrets_name, None)
    from scanner.detect import detect_secrets

    if theirs is None:
        return Debt(own, own_name, None, detect_secrets_name, detect_secrets.default_settings())
    settings = _settings(theirs, detect_secrets_name, selection.cache_folder)
    return Debt(own, own_name, theirs, detect_secrets_name, settings)


def elsewhere(old: Debt, held: Source, said: Source, cache_folder: str | None) -> Debt:
    """The baselines `old`, which `held` has, as `said` has them. One that is not of the repository
    is the same."""
    own, theirs = old.own, old.detect_secrets
    if own is None or held.control(old.own_name) is not None:
        own = said.control(old.own_name)
    if theirs is None or held.control(old.detect_secrets_name) is not None:
        theirs = said.control(old.detect_secrets_name)
    settings = _settings(theirs, old.detect_secrets_name, cache_folder) if theirs else None
    return old._replace(own=own, detect_secrets=theirs, settings=settings)


def _settings(data: bytes, where: str, cache_folder: str | None) -> DetectSecretsSettings:
    """What a `.secrets.baseline` asks for: all that a run needs of it that finds nothing, so it is
    kept under the hash of the file."""
    from scanner.detect import detect_secrets
    from scanner.detect.detect_secrets.settings import dumped, loaded

    def made() -> bytes:
        return dumped(
            detect_secrets.settings_from_baseline(detect_secrets_document(data, where), where)
        )

    if cache_folder is None:
        return loaded(made())
    name = f"baseline-{cache.key(scanner.__version__, where, data)}.json"
    return loaded(cache.cached(name, made, cache_folder))


def _is_own(data: bytes) -> bool:
    if b"keywatch" not in data:
        return False
    from scanner.policy.baselines import keywatch_baseline as baseline

    return baseline.is_one(data)


def _named(
    given: str, io: Io, selection: Selection, known: Mapping[str, bytes | None]
) -> bytes | None:
    """The file of --baseline: as the input has it where it lies inside, else from disk. None where
    it lies inside, and the commit whose baselines hold has none."""
    path = os.path.relpath(os.path.join(os.path.realpath(io.cwd), given), selection.source.root)
    inside = path.replace(os.sep, "/")
    data = known.get(inside)
    if data is None and not inside.startswith("../"):
        data = selection.source.control(inside)
    if data is not None or sources.in_commit(given, io, selection.source):
        return data
    try:
        with open(os.path.join(io.cwd, given), "rb") as file:
            return file.read()
    except OSError as error:
        raise UsageError(
            f"--baseline {given} cannot be read",
            why=error.strerror or "",
            todo="keywatch baseline create --detect-secrets exact writes one",
        ) from None


def detect_secrets_document(data: bytes, where: str) -> dict[str, Any]:
    """The JSON object of a `.secrets.baseline`. ConfigError where it is none."""
    import json
    import re

    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        if re.search(rb"(?m)^<{7}", data):
            raise ConfigError(
                f"{where} holds an unfinished merge",
                why="it has conflict marks",
                where=where,
                todo="restore both sides (git checkout --merge FILE) and merge them with"
                " keywatch baseline merge BASE OURS THEIRS: the labels of audits are kept",
            ) from None
        line = getattr(error, "lineno", 1)
        raise ConfigError(
            f"{where} is no baseline of detect-secrets",
            why="it is not JSON",
            where=f"{where}:{line}",
            todo=_MEND,
        ) from None
    if not isinstance(document, dict):
        raise ConfigError(
            f"{where} is no baseline of detect-secrets",
            why="it is no JSON object",
            where=f"{where}:1",
            todo=_MEND,
        )
    return document
