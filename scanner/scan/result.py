"""What a scan found, before it is judged."""

from __future__ import annotations

from collections.abc import Callable

from scanner.model import Gap, Observation, Reference, Skip


class ScanResult:
    """Observations in no particular order: the judge sorts them.

    `files` and `size` count what was read. `uses`, `secret_files` and `mentioned` are collected by
    detect/variables/collector.py and become observations at the end. `heavy` lists paths to scan
    when no other process runs. `when_delivered` is called after the reports of a complete run were
    written.
    """

    def __init__(self) -> None:
        self.observations: list[Observation] = []
        self.skips: list[Skip] = []
        self.gaps: list[Gap] = []
        self.files = 0
        self.size = 0
        self.uses: list[Reference] = []
        self.secret_files: list[Reference] = []
        self.mentioned: set[str] = set()
        self.heavy: list[str] = []
        self.when_delivered: Callable[[], None] | None = None

    @property
    def is_clean(self) -> bool:
        return not (self.observations or self.gaps)

    @property
    def handled(self) -> int:
        """How many files were scanned, skipped or could not be read."""
        return self.files + len(self.skips) + len(self.gaps)

    def add(self, other: ScanResult) -> None:
        self.observations += other.observations
        self.skips += other.skips
        self.gaps += other.gaps
        self.files += other.files
        self.size += other.size
        self.uses += other.uses
        self.secret_files += other.secret_files
        self.mentioned |= other.mentioned
        self.heavy += other.heavy
