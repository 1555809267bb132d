"""The data types that all layers share. They are immutable and never contain plaintext.

Paths are POSIX, relative to the scanned root, decoded with `surrogateescape`; secrets in paths are
masked. Lines and columns count from 1; columns count code points; `end_column` is the column after
the last character.

The types are named tuples, used by field name, because importing `dataclasses` takes 6 ms, a tenth
of the benchmark `hook`.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from scanner.records import AccessMatrix, Audited, Resource

MEMBER = "!/"
"""Between an archive's path and a member's name: `dist/app.jar!/lib/core.jar!/app.properties`."""


class Severity(enum.IntEnum):
    """The damage if the finding is true."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4

    @property
    def label(self) -> str:
        return self.name.lower()


class Confidence(enum.IntEnum):
    """How likely the finding is to be true."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3

    @property
    def label(self) -> str:
        return self.name.lower()


def archives_around(path: str) -> tuple[str, ...]:
    """The archives around a member, the innermost first; none for a file."""
    around = []
    while MEMBER in path:
        path = path.rpartition(MEMBER)[0]
        around.append(path)
    return tuple(around)


class Location(NamedTuple):
    """A span of text in one file, counted from 1. Line 0 means the file as a whole."""

    path: str
    line: int = 1
    column: int = 1
    end_line: int = 1
    end_column: int = 1

    @classmethod
    def parse(cls, text: str) -> Location:
        """The first column of the line that `path:line` names, or the file that `path` names."""
        path, _, line = text.rpartition(":")
        return cls.at(path, int(line)) if path and line.isdecimal() else cls.at(text, 0)

    @classmethod
    def at(cls, path: str, line: int) -> Location:
        """The first column of a line."""
        return cls(path=path, line=line, end_line=line)

    def __str__(self) -> str:
        return f"{self.path}:{self.line}" if self.line else self.path


NOWHERE = Location(path="", line=0, end_line=0)
"""The location of what no file of the repository mentions."""


class RuleInfo(NamedTuple):
    """The texts of a rule, the same in `rules show`, SARIF and the terminal."""

    id: str
    title: str
    severity: Severity
    confidence: Confidence
    secret_class: str = ""
    why: str = ""
    revoke: str = ""
    rotate: str = ""
    purge: str = ""
    source: str = ""
    source_date: str = ""
    vendor: str = ""
    fix: str = ""


class DetectSecretsMatch(NamedTuple):
    """A secret as detect-secrets knows it: plugin type, its unsalted SHA-1, its line.

    The hash is written to `.secrets.baseline` and never to a report. `identifies` tells whether it
    is the hash of the value itself. For some types it is the hash of a prefix that all values have.
    """

    kind: str
    hashed_secret: str
    line: int
    identifies: bool = True

    def __repr__(self) -> str:
        return f"DetectSecretsMatch(kind={self.kind!r}, line={self.line})"


class Appearance(NamedTuple):
    """The first commit with a finding, its author and date (ISO 8601), "" if unknown. `present`
    tells whether the newest commit still has it."""

    commit: str
    author: str = ""
    date: str = ""
    present: bool = True


class Finding(NamedTuple):
    """One place where one rule found a problem.

    `context` stays the same when lines move: the name that the value is assigned to, or "".
    `ordinal` numbers the findings of one rule, path and context from 0, in the order of the file.
    The `fingerprint` is made of these, never of the value. `tag` is 16 bits of a hash of the
    value, for baselines and allow entries and never for a report; `old_tag` is what earlier
    versions wrote. `preview` is masked.
    `detect_secrets` holds detect-secrets' findings of the same value. `since` is None if the
    history was not scanned.

    A finding about a live secret has a `resource`, whose id is its context. Its location is the
    line that declares the secret, or the first line of the policy.
    """

    rule: str
    location: Location
    severity: Severity
    confidence: Confidence
    preview: str = ""
    context: str = ""
    ordinal: int = 0
    fingerprint: str = ""
    detail: str = ""
    tag: int | None = None
    old_tag: int | None = None
    detect_secrets: tuple[DetectSecretsMatch, ...] = ()
    resource: Resource | None = None
    since: Appearance | None = None

    @property
    def id(self) -> str:
        """The short form of the fingerprint, for people and for `keywatch allow`."""
        return self.fingerprint[:12]

    @property
    def subject(self) -> str:
        """What an exception names: the id of the live secret, or else the path."""
        return self.resource.id if self.resource else self.location.path

    def __repr__(self) -> str:
        """Without tag and hashes, which must not reach a log."""
        place = f"{self.location.path}:{self.location.line}:{self.location.column}"
        return f"Finding({self.rule} {place} {self.preview!r} {self.id})"


class CommentKind(enum.StrEnum):
    """Which tool's syntax an allow comment uses."""

    KEYWATCH = "keywatch"
    DETECT_SECRETS = "detect-secrets"
    GITLEAKS = "gitleaks"


class AllowComment(NamedTuple):
    """An exception in a comment, for the line `covers` of its file.

    `problem` says what is wrong with the comment (no reason, an invalid date); such a comment has
    no effect. Comments of other tools have no rule, reason, owner or end.
    """

    path: str
    line: int
    covers: int
    kind: CommentKind
    rule: str = ""
    reason: str = ""
    owner: str = ""
    until: str = ""
    problem: str = ""


class GapKind(enum.StrEnum):
    """Why something could not be checked."""

    ARCHIVE_BOMB = "archive-bomb"
    ARCHIVE_DAMAGED = "archive-damaged"
    ARCHIVE_TOO_LARGE = "archive-too-large"
    CHANGED = "changed"
    CLOCK_JUMP = "clock-jump"
    CORRUPT_LINES = "corrupt-lines"
    EMPTY = "empty"
    ENGINE_NOT_READ = "engine-not-read"
    INTERNAL = "internal"
    LEFT_OUT = "left-out"
    NOT_CLONED = "not-cloned"
    NOT_DECODED = "not-decoded"
    MISSING_STRETCH = "missing-stretch"
    NOT_KNOWABLE = "not-knowable"
    SELECTION = "selection"
    SHALLOW = "shallow"
    TIMEOUT = "timeout"
    TOO_LARGE = "too-large"
    TOO_LARGE_FOR_EXACT = "too-large-for-exact"
    TOO_MANY_FINDINGS = "too-many-findings"
    UNKNOWN_FORMAT = "unknown-format"
    UNREADABLE = "unreadable"
    VANISHED = "vanished"
    WORKER_LOST = "worker-lost"


class SkipKind(enum.StrEnum):
    """Why a file was left out by a rule."""

    ABSENT = "absent"
    ARCHIVED = "archived"
    BINARY = "binary"
    EXCLUDED = "excluded"
    FORK = "fork"
    GIT_FOLDER = "git-folder"
    LFS = "lfs"
    SPECIAL = "special"
    SUBMODULE = "submodule"
    SYMLINK = "symlink"
    TOO_LARGE = "too-large"


class NoteKind(enum.StrEnum):
    """What a note is about."""

    ACCESS_MAPPING = "access-mapping"
    BELOW_CONFIDENCE = "below-confidence"
    CLOCK = "clock"
    CLOCK_SKEW = "clock-skew"
    CONSUMER_ON_OLD_VALUE = "consumer-on-old-value"
    DUPLICATE_POLICY = "duplicate-policy"
    DEGRADED = "degraded"
    DUPLICATE_EVENTS = "duplicate-events"
    ENGINE_NOT_READ = "engine-not-read"
    EXCESS_RIGHT = "excess-right"
    EXCESS_UNKNOWN = "excess-unknown"
    EXPIRED = "expired"
    GAP_ACCEPTED = "gap-accepted"
    GONE = "gone"
    HELM_RELEASES = "helm-releases"
    IDLE_ENTRY = "idle-entry"
    KEYS_NOT_COMPARED = "keys-not-compared"
    LEGACY_PRAGMAS = "legacy-pragmas"
    NO_EARLIER_RUN = "no-earlier-run"
    NO_POLICY = "no-policy"
    NO_TLS = "no-tls"
    NOT_AUDITED = "not-audited"
    NOT_LIVE = "not-live"
    PLACEHOLDER = "placeholder"
    REPLICA = "replica"
    ROTATION_ELSEWHERE = "rotation-elsewhere"
    SHORT_GRACE = "short-grace"
    STALE_BASELINE = "stale-baseline"
    STANDBY = "standby"
    SUPERSEDED = "superseded"
    TOO_MANY_VARIABLES = "too-many-variables"
    TRAIL = "trail"
    UNANSWERED = "unanswered"
    UNCLASSIFIED = "unclassified"
    UNWRITTEN = "unwritten"


class SuppressedBy(enum.StrEnum):
    """Where a suppression, or a weakening of the scan, is written."""

    ACCEPTED_GAP = "accepted-gap"
    BASELINE = "baseline"
    COMMENT = "comment"
    DETECT_SECRETS_BASELINE = "detect-secrets-baseline"
    ENTRY = "entry"
    FILTER_ADDED = "filter-added"
    PLUGIN_DISABLED = "plugin-disabled"
    PRAGMA = "pragma"
    RULE_DISABLED = "rule-disabled"


ADVISORY_RULES = frozenset(
    ("config-undeclared-variable", "config-unused-variable", "kubernetes-undeclared-variable")
)
"""Rules about names of variables. Their findings fail a run only if it fails on everything."""


class FailOn(NamedTuple):
    """Which findings make a run fail: those of at least this severity and this confidence."""

    severity: Severity = Severity.LOW
    confidence: Confidence = Confidence.MEDIUM

    def at(self, severity: Severity | None) -> FailOn:
        """The same from another severity on, or unchanged for None."""
        return self if severity is None else self._replace(severity=severity)

    def fails(self, finding: Finding) -> bool:
        if finding.severity < self.severity or finding.confidence < self.confidence:
            return False
        return self.is_strict or finding.rule not in ADVISORY_RULES

    @property
    def is_strict(self) -> bool:
        """Whether neither low confidence nor the kind of rule saves a finding from failing."""
        return self.confidence is Confidence.LOW


class Acceptance(enum.StrEnum):
    """How a person can accept a finding of this run."""

    ALLOW = "allow"
    APPROVAL = "approval"
    NONE = "none"


class Detail(enum.IntEnum):
    """How much the terminal report says."""

    SUMMARY = 0
    NORMAL = 1
    FULL = 2


class Skip(NamedTuple):
    """A file left out by a rule: counted and listed, without effect on the exit code.

    `kind` is one of SkipKind.
    """

    kind: str
    path: str


class Gap(NamedTuple):
    """Something that should have been checked and was not: the run is incomplete."""

    kind: str
    path: str
    reason: str


class Note(NamedTuple):
    """Something worth knowing that does not fail the run, such as a file that did not parse."""

    kind: str
    path: str
    text: str
    line: int = 0


class Reference(NamedTuple):
    """A variable that a file uses or declares, or a file that it names. Never a value."""

    name: str
    location: Location


class Observation(NamedTuple):
    """Everything that was found in one file."""

    path: str
    size: int
    findings: tuple[Finding, ...] = ()
    comments: tuple[AllowComment, ...] = ()
    notes: tuple[Note, ...] = ()
    gaps: tuple[Gap, ...] = ()


class Suppression(NamedTuple):
    """One exception or baseline entry in the list of all exceptions.

    `by` is one of SuppressedBy. `location` is that of the exception itself; its line is 0 for a
    whole file.
    """

    by: str
    location: Location
    rule: str = ""
    path: str = ""
    reason: str = ""
    owner: str = ""
    until: str = ""
    used: bool = True


class Suppressed(NamedTuple):
    """A finding that is suppressed by an exception or a baseline."""

    finding: Finding
    suppression: Suppression


class Coverage(NamedTuple):
    """What was read, in numbers."""

    files: int = 0
    size: int = 0
    skipped: Mapping[str, int] = MappingProxyType({})


class Outcome(NamedTuple):
    """A judged run, from which reports and the exit code are made.

    `live` holds the results of an audit, or None. In an audit, the path of a gap is a canonical id.
    `access` is the matrix of an access review, or None.
    """

    findings: tuple[Finding, ...]
    suppressed: tuple[Suppressed, ...] = ()
    gaps: tuple[Gap, ...] = ()
    skips: tuple[Skip, ...] = ()
    notes: tuple[Note, ...] = ()
    register: tuple[Suppression, ...] = ()
    coverage: Coverage = Coverage()
    live: Audited | None = None
    access: AccessMatrix | None = None

    @property
    def complete(self) -> bool:
        return not self.gaps
