"""Policy: `.secrets.baseline`, the file of detect-secrets, and what it covers.

The document comes from a scanned repository, so nothing about its shape is taken for granted.
Settings in it are not judged here: only `detect/` knows detect-secrets.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from scanner.errors import ConfigError
from scanner.model import Finding, SuppressedBy, Suppression
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
    """Each entry's label by (path, type, hash): True, False, or None for one not yet audited.

    Every label covers, as it does in detect-secrets: even a real secret there is known debt.
    """

    where: str
    labels: Mapping[Key, bool | None]

    def knows(self, finding: Finding) -> bool:
        """Are all of a finding's matches in the file, one of them by its own hash?

        A new value has new hashes, but where detect-secrets hashes a prefix (GitHub's tokens) or a
        header (private keys): such an entry alone covers nothing that keywatch itself finds.
        One entry covers every place of its value in the file.
        """
        identified = any(match.identifies for match in finding.detect_secrets)
        return identified and all(key in self.labels for key in _keys(finding))

    def cover(self, registry: FindingRegistry, scope: Scope) -> ExceptionReport:
        """Cover the open findings that the file knows. Entries that match nothing are stale."""
        for number, finding in registry.open():
            if self.knows(finding):
                registry.cover(number, self._said(next(_keys(finding))))
        used = {key for each in registry.findings for key in _keys(each) if key in self.labels}
        keys = sorted(self.labels if scope.whole_tree else used)
        register = tuple(scope.with_usage(self._said(key), needed=key in used) for key in keys)
        return ExceptionReport(register=register, notes=stale_note(self.where, register))

    def _said(self, key: Key) -> Suppression:
        path, kind, _hash = key
        reason = _LABELS[self.labels[key]]
        return Suppression(
            by=SuppressedBy.DETECT_SECRETS_BASELINE,
            where=self.where,
            rule=kind,
            path=path,
            reason=reason,
        )


def parse(document: object, where: str) -> DetectSecretsBaseline:
    """What a document in the format of detect-secrets 1.x covers. ConfigError for a bad shape."""
    labels: dict[Key, bool | None] = {}
    for name, rows in results(document, where).items():
        path = normal(name)
        for row in rows:
            if belongs(row, name):
                labels[path, row["type"], row["hashed_secret"]] = row.get("is_secret")
    return DetectSecretsBaseline(where=where, labels=labels)


def results(document: object, where: str) -> Mapping[str, Sequence[Row]]:
    """The rows by file name, each checked. ConfigError for a bad shape."""
    found = document.get("results") if isinstance(document, dict) else None
    if not isinstance(found, dict):
        raise _error(where, "it has no `results`")
    for name, rows in found.items():
        if not isinstance(rows, list) or not all(map(_is_row, rows)):
            raise _error(where, f"the entries of {name!r} are not in the format of detect-secrets")
    return found


def normal(path: str) -> str:
    """A file name of a baseline as keywatch spells it: Windows wrote backslashes."""
    return posixpath.normpath(path.replace("\\", "/"))


def belongs(row: Row, name: str) -> bool:
    """detect-secrets compares the row's own file name too: where it differs, nothing matches."""
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
        f"the baseline cannot be used: {what}",
        where=where,
        todo=f"restore it from git, or write it anew: detect-secrets scan > {FILE}",
    )
