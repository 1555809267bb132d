"""Read the baselines of a scan, and decide whether the detect-secrets layer runs.

`.secrets.baseline` names the plugins and filters of that layer, so it is read before the scan. The
judge uses its entries after the scan.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import scanner
from scanner import cache, masking
from scanner.configuration.repository import KEYWATCH_BASELINE, SECRETS_BASELINE
from scanner.console import Console
from scanner.errors import ConfigError, UsageError
from scanner.scan import sources
from scanner.scan.sources import Selection

if TYPE_CHECKING:
    from scanner.detect.detect_secrets import DetectSecretsSettings
    from scanner.inputs.interface import Source
    from scanner.model import Suppression
    from scanner.policy.baselines.detect_secrets_baseline import DetectSecretsBaseline
    from scanner.policy.baselines.keywatch_baseline import Baseline
    from scanner.scan.request import ScanRequest

_REPAIR = "repair it, or create a new one: keywatch baseline create --detect-secrets exact"


class Baselines(NamedTuple):
    """The baselines as they were found. `settings` is None if the detect-secrets layer is off."""

    own: bytes | None
    own_name: str
    detect_secrets: bytes | None
    detect_secrets_name: str
    settings: DetectSecretsSettings | None

    def baseline(self) -> Baseline | None:
        from scanner.policy.baselines import keywatch_baseline as baseline

        return None if self.own is None else baseline.parse(self.own, self.own_name)

    def detect_secrets_baseline(self) -> DetectSecretsBaseline | None:
        """The entries of `.secrets.baseline`, None if the detect-secrets layer did not run."""
        if self.detect_secrets is None or self.settings is None:
            return None
        from scanner.detect import detect_secrets
        from scanner.policy.baselines import detect_secrets_baseline

        document = detect_secrets_document(self.detect_secrets, self.detect_secrets_name)
        renewed = detect_secrets.upgrade(document, self.detect_secrets_name)
        return detect_secrets_baseline.parse(renewed, self.detect_secrets_name)

    def limits(self) -> dict[str, float]:
        """The entropy limits of the detect-secrets plugins. A higher limit finds less."""
        return self.settings.limits if self.settings else {}

    def standing(self) -> list[Suppression]:
        """The plugins that a baseline disables and the filters that it adds.

        They are masked: a filter's pattern may contain the secret that it hides.
        """
        if self.settings is None:
            return []
        from scanner.masking import masked
        from scanner.model import Location, SuppressedBy, Suppression

        location = Location.at(self.detect_secrets_name, 0)
        disabled = [
            Suppression(
                by=SuppressedBy.PLUGIN_DISABLED,
                location=location,
                rule=plugin,
            )
            for plugin in self.settings.disabled_plugins
        ]
        filters = [
            Suppression(
                by=SuppressedBy.FILTER_ADDED,
                location=location,
                reason=masked(each),
            )
            for each in self.settings.extra_filters
        ]
        return disabled + filters


def read(request: ScanRequest, console: Console, selection: Selection) -> Baselines:
    """The baselines of this scan. ConfigError for a baseline that cannot be used."""
    own, own_name = selection.source.control(KEYWATCH_BASELINE), KEYWATCH_BASELINE
    theirs, detect_secrets_name = selection.source.control(SECRETS_BASELINE), SECRETS_BASELINE
    known = {KEYWATCH_BASELINE: own, SECRETS_BASELINE: theirs}
    named = _named(request.baseline, console, selection, known) if request.baseline else None
    if named is not None and _is_own(named):
        own, own_name = named, request.baseline or own_name
    elif named is not None:
        theirs, detect_secrets_name = named, request.baseline or detect_secrets_name
    mode = request.detect_secrets or selection.config.detect_secrets
    if mode == "off" or (mode is None and theirs is None):
        return Baselines(own, own_name, None, detect_secrets_name, None)
    from scanner.detect import detect_secrets

    if theirs is None:
        return Baselines(
            own, own_name, None, detect_secrets_name, detect_secrets.default_settings()
        )
    settings = _settings(theirs, detect_secrets_name, selection.cache_folder)
    return Baselines(own, own_name, theirs, detect_secrets_name, settings)


def in_other_source(
    old: Baselines, source: Source, other: Source, cache_folder: str | None
) -> Baselines:
    """The baselines `old` of `source` as they are in `other`.

    A baseline from outside the repository stays the same.
    """
    own, theirs = old.own, old.detect_secrets
    if own is None or source.control(old.own_name) is not None:
        own = other.control(old.own_name)
    if theirs is None or source.control(old.detect_secrets_name) is not None:
        theirs = other.control(old.detect_secrets_name)
    settings = _settings(theirs, old.detect_secrets_name, cache_folder) if theirs else None
    return old._replace(own=own, detect_secrets=theirs, settings=settings)


def _settings(data: bytes, where: str, cache_folder: str | None) -> DetectSecretsSettings:
    """The settings of a `.secrets.baseline`, cached under the hash of the file.

    A scan without findings needs nothing else of the baseline.
    """
    from scanner.detect import detect_secrets
    from scanner.detect.detect_secrets.settings import dumped, loaded

    def made() -> bytes:
        return dumped(
            detect_secrets.settings_from_baseline(detect_secrets_document(data, where), where)
        )

    if cache_folder is None:
        return loaded(made())
    name = f"baseline-{cache.key(scanner.__version__, where, data)}.json"
    # A filter's pattern may contain the secret that it hides.
    return loaded(masking.cached(name, made, cache_folder))


def _is_own(data: bytes) -> bool:
    if b"keywatch" not in data:
        return False
    from scanner.policy.baselines import keywatch_baseline as baseline

    return baseline.is_one(data)


def _named(
    given: str, console: Console, selection: Selection, known: Mapping[str, bytes | None]
) -> bytes | None:
    """Read the file of --baseline, from the scanned source if it is inside the repository.

    None if it is inside and the commit whose policy applies does not have it.
    """
    path = os.path.relpath(
        os.path.join(os.path.realpath(console.cwd), given), selection.source.root
    )
    inside = path.replace(os.sep, "/")
    data = known.get(inside)
    if data is None and not inside.startswith("../"):
        data = selection.source.control(inside)
    if data is not None or sources.path_in_commit(given, console, selection.source):
        return data
    try:
        with open(os.path.join(console.cwd, given), "rb") as file:
            return file.read()
    except OSError as error:
        raise UsageError(
            f"--baseline {given} cannot be read",
            why=error.strerror or "",
            todo="keywatch baseline create --detect-secrets exact writes one",
        ) from None


def detect_secrets_document(data: bytes, where: str) -> dict[str, Any]:
    """The JSON object of a `.secrets.baseline`. ConfigError if it is not one."""
    import json
    import re

    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        if re.search(rb"(?m)^<{7}", data):
            raise ConfigError(
                f"{where} contains an unfinished merge",
                why="it has conflict markers",
                where=where,
                todo="restore both sides (git checkout --merge FILE) and merge them with"
                " keywatch baseline merge BASE OURS THEIRS: the labels of audits are kept",
            ) from None
        line = getattr(error, "lineno", 1)
        raise ConfigError(
            f"{where} is not a baseline of detect-secrets",
            why="it is not JSON",
            where=f"{where}:{line}",
            todo=_REPAIR,
        ) from None
    if not isinstance(document, dict):
        raise ConfigError(
            f"{where} is not a baseline of detect-secrets",
            why="it is not a JSON object",
            where=f"{where}:1",
            todo=_REPAIR,
        )
    return document
