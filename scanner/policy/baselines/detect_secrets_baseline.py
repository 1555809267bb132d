"""Policy: suppress findings that `.secrets.baseline`, the baseline of detect-secrets, lists.

The file comes from a scanned repository, so its format is checked. Its settings are handled in
`detect/`, the only package that knows detect-secrets.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from scanner.errors import ConfigError
from scanner.model import Finding, Location, SuppressedBy, Suppression
from scanner.policy.judge_input import ExceptionReport, FindingRegistry, Scope, stale_note

FILE = ".secrets.baseline"
_TYPES = {
    "type": (str,),
    "hashed_secret": (str,),
    "filename": (str,),
    "line_number": (int,),
    "is_verified": (bool,),
    "is_secret": (bool, type(None)),
}
_LABELS = {True: "labelled a real secret", False: "labelled a false positive", None: ""}

Row = dict[str, Any]
Key = tuple[str, str, str]


class DetectSecretsBaseline(NamedTuple):
    """The label of each entry by (path, type, hash): True, False, or None if not audited.

    As in detect-secrets, an entry suppresses its findings whatever its label.
    """

    path: str
    labels: Mapping[Key, bool | None]

    def knows(self, finding: Finding) -> bool:
        """Whether the file lists all detect-secrets matches of a finding.

        At least one match must have a hash of the whole value. For GitHub tokens and private keys
        detect-secrets hashes only a prefix or a header, which a new value has too. An entry
        suppresses every occurrence of its value in the file.
        """
        identified = any(match.identifies for match in finding.detect_secrets)
        return identified and all(key in self.labels for key in _keys(finding))

    def cover(self, registry: FindingRegistry, scope: Scope) -> ExceptionReport:
        """Suppress the open findings that the file lists. Entries that match none are stale."""
        for number, finding in registry.open():
            if self.knows(finding):
                registry.cover(number, self._suppression(next(_keys(finding))))
        used = {key for each in registry.findings for key in _keys(each) if key in self.labels}
        keys = sorted(self.labels if scope.whole_tree else used)
        register = tuple(
            scope.with_usage(self._suppression(key), needed=key in used) for key in keys
        )
        return ExceptionReport(register=register, notes=stale_note(self.path, register))

    def _suppression(self, key: Key) -> Suppression:
        path, kind, _hash = key
        reason = _LABELS[self.labels[key]]
        return Suppression(
            by=SuppressedBy.DETECT_SECRETS_BASELINE,
            location=Location.at(self.path, 0),
            rule=kind,
            path=path,
            reason=reason,
        )


def parse(document: object, where: str) -> DetectSecretsBaseline:
    """Parse a baseline in the format of detect-secrets 1.x. ConfigError if it is invalid."""
    labels: dict[Key, bool | None] = {}
    for name, rows in results(document, where).items():
        path = normal(name)
        for row in rows:
            if belongs(row, name):
                labels[path, row["type"], row["hashed_secret"]] = row.get("is_secret")
    return DetectSecretsBaseline(path=where, labels=labels)


def results(document: object, where: str) -> Mapping[str, Sequence[Row]]:
    """The validated rows by file name. ConfigError if the format is wrong."""
    found = document.get("results") if isinstance(document, dict) else None
    if not isinstance(found, dict):
        raise _error(where, "it has no `results`")
    for name, rows in found.items():
        if not isinstance(rows, list) or not all(map(_is_row, rows)):
            raise _error(where, f"the entries of {name!r} are not in the format of detect-secrets")
    return found


def normal(path: str) -> str:
    """Normalize a file name of a baseline. Baselines from Windows contain backslashes."""
    return posixpath.normpath(path.replace("\\", "/"))


def belongs(row: Row, name: str) -> bool:
    """Whether a row's own file name matches. detect-secrets ignores rows where it differs."""
    return normal(row.get("filename", name)) == normal(name)


def _is_row(row: object) -> bool:
    return (
        isinstance(row, dict)
        and {"type", "hashed_secret"} <= row.keys()
        and all(type(row[key]) in types for key, types in _TYPES.items() if key in row)
    )


def _keys(finding: Finding) -> Iterator[Key]:
    for match in finding.detect_secrets:
        yield finding.location.path, match.kind, match.hashed_secret


def _error(where: str, what: str) -> ConfigError:
    return ConfigError(
        f"the baseline is invalid: {what}",
        where=where,
        todo=f"restore it from git, or create it again: detect-secrets scan > {FILE}",
    )
