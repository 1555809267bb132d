"""What a command asks a scan to do. Built by the command line, read by every step of a scan."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from scanner.inputs.git.revisions import Change
    from scanner.inputs.interface import Source
    from scanner.model import Confidence


class HistoryRequest(NamedTuple):
    """Scan past commits: a range such as `v1.0..HEAD`, or every ref if `range` is empty."""

    range: str = ""
    stashes: bool = False
    notes: bool = False
    since_last: bool = False


class CommitSelection(NamedTuple):
    """Commits to scan, and the source of the files that control the scan.

    `is_trusted`: these files do not come from the scanned commits, so what the commits change in
    them has no effect. `newer` is the newest commit of the base branch, "" if the policy of that
    commit need not be compared with the source's.
    """

    source: Source
    changes: tuple[Change, ...] = ()
    history: HistoryRequest | None = None
    is_trusted: bool = False
    newer: str = ""


class ScanRequest(NamedTuple):
    """One scan, as it was asked for.

    What to read: `paths` (the whole repository if empty), git's index (`staged`), standard input
    judged as the path `stdin_name`, the commits of a `diff` or a `history`, or the commits of a
    `push`. With `staged_first`, a path that is not staged is read from the working tree instead.

    `approve` names a commit, or a file outside the repository: the exceptions in it count even if
    the scanned commits add them. `max_file_size` is in bytes, None if keywatch.yaml decides.

    `min_confidence` is what the user asked for, `default_confidence` applies if nobody, not even
    keywatch.yaml, asks for another.
    """

    paths: tuple[str, ...] = ()
    staged: bool = False
    staged_first: bool = False
    stdin_name: str | None = None
    no_git: bool = False
    diff: str | None = None
    trust: str | None = None
    approve: str | None = None
    history: HistoryRequest | None = None
    push: CommitSelection | None = None
    archives: bool = False
    max_file_size: int | None = None
    exclude: tuple[str, ...] = ()
    config: str | None = None
    rules: tuple[str, ...] = ()
    matcher: str = "auto"
    baseline: str | None = None
    detect_secrets: str | None = None
    min_confidence: Confidence | None = None
    default_confidence: Confidence | None = None

    @property
    def reads_commits(self) -> bool:
        return self.diff is not None or self.history is not None or self.push is not None
