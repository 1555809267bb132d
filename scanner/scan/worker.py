"""Read and scan batches of files. This is what each worker process runs."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from scanner import cache, globs, pool
from scanner.detect.detector import (
    NO_NAME_RESULT,
    SCOPES,
    Detector,
    NameResult,
    matcher_for,
    patterns,
)
from scanner.detect.rules.rulebook import Rulebook
from scanner.inputs.interface import Blob, Source
from scanner.model import MEMBER, Gap, GapKind, Skip, SkipKind
from scanner.scan.result import ScanResult

if TYPE_CHECKING:
    from scanner.detect.detect_secrets import DetectSecretsSettings
    from scanner.detect.explain.trace import Trace
    from scanner.detect.variables.collector import Watcher
    from scanner.inputs.archives.archives import Archives


class WorkerConfig(NamedTuple):
    """Everything that a worker process needs to scan files.

    `variables` are the names to look for, None unless the whole tree is scanned. If `alone`, no
    other process runs, so files that need much memory are scanned at once.
    """

    source: Source
    rulebook: Rulebook
    matcher: str
    max_size: int
    cache_folder: str | None
    settings: DetectSecretsSettings | None
    exclude: tuple[str, ...]
    archives: bool = False
    variables: tuple[str, ...] | None = None
    alone: bool = False

    def scan_function(self) -> Callable[[Sequence[str]], ScanResult]:
        return self.file_scanner().scan

    def file_scanner(self) -> FileScanner:
        excluded = globs.matcher(self.exclude)
        return FileScanner(
            source=self.source,
            detector=self.detector(),
            max_size=self.max_size,
            excluded=excluded,
            watcher=None if self.variables is None else _watcher(self.variables, self.matcher),
            archives=_archives(self.source, self.max_size, excluded) if self.archives else None,
            alone=self.alone,
        )

    def detector(self, trace: Trace | None = None, mac_key: bytes | None = None) -> Detector:
        ready = _matcher(self.rulebook, self.matcher, self.cache_folder, self.settings)
        return Detector(self.rulebook, ready, self.settings, trace, mac_key=mac_key)

    def prepare(self) -> None:
        """Load what any file may need. Forked worker processes inherit it."""
        self.compile()
        self.detector().prepare()

    def compile(self, scopes: Callable[[], Iterable[str]] = lambda: SCOPES) -> None:
        """Fill an empty cache, as on a fresh CI machine, with one process for each database.

        Otherwise the first file would wait until one process has compiled them one by one.
        """
        folder, missing = self.cache_folder, self.detector().missing(SCOPES)
        if folder is None or not missing or not cache.is_usable(folder):
            return
        wanted = self.detector().missing(scopes())
        if wanted[1:]:
            patterns(self.rulebook)  # made first, so that the processes share them
            for _ in pool.run(partial(_compiler, self), wanted, most=1, patience=0):
                pass  # if a worker is lost, the first file that needs the database compiles it


_matcher = functools.lru_cache(maxsize=1)(matcher_for)


def _compiler(config: WorkerConfig) -> Callable[[Sequence[str]], None]:
    return config.detector().load


class FileScanner(NamedTuple):
    """Reads and scans batches of paths. Built by WorkerConfig."""

    source: Source
    detector: Detector
    max_size: int
    excluded: Callable[[str], bool]
    watcher: Watcher | None = None
    archives: Archives | None = None
    alone: bool = False

    def scan(self, paths: Sequence[str]) -> ScanResult:
        result = ScanResult()
        names = self.detector.names(paths)
        may_be_heavy = self.detector.is_heavy(self.max_size) and not self.alone
        for path in paths:
            name = names.get(path, NO_NAME_RESULT)
            if self.excluded(path):
                result.skips.append(Skip(kind=SkipKind.EXCLUDED, path=_shown(path, name)))
                continue
            if self.archives:
                result.add(self._scan_archive(self.archives, path, name))
                continue
            content = self.source.read(path, self.max_size)
            if may_be_heavy and self._is_heavy(content):
                result.heavy.append(path)
                continue
            if name.observation:
                result.observations.append(name.observation)
            self._scan_content(content, _shown(path, name), name.rules, result)
        return result

    def _scan_archive(self, archives: Archives, path: str, name: NameResult) -> ScanResult:
        """Scan a file that may be an archive. If a part of it is heavy, the whole file is."""
        result = ScanResult()
        if name.observation:
            result.observations.append(name.observation)
        shown = _shown(path, name)
        try:
            for content in archives.read(path):
                if self._is_heavy(content):
                    result = ScanResult()
                    result.heavy.append(path)
                    break
                if content.path == path:
                    self._scan_content(content, shown, name.rules, result)
                else:
                    inner = content._replace(path=shown + content.path[len(path) :])
                    self._scan_member(inner, result)
        except Exception as error:  # noqa: BLE001 - one odd file must not hide what is in the others
            result.gaps.append(Gap(kind=GapKind.INTERNAL, path=shown, reason=_defect(error)))
        return result

    def _scan_member(self, content: Blob | Skip | Gap, result: ScanResult) -> None:
        name = self.detector.names((content.path,)).get(content.path, NO_NAME_RESULT)
        if name.observation:
            result.observations.append(name.observation)
        self._scan_content(content, _shown(content.path, name), name.rules, result)

    def _is_heavy(self, content: Blob | Skip | Gap) -> bool:
        if self.alone or not isinstance(content, Blob):
            return False
        return self.detector.is_heavy(content.size)

    def _scan_content(
        self, content: Blob | Skip | Gap, shown: str, called: Sequence[int], result: ScanResult
    ) -> None:
        if isinstance(content, Skip):
            result.skips.append(content._replace(path=shown))
        elif isinstance(content, Gap):
            result.gaps.append(content._replace(path=shown))
        else:
            self._scan_text(content, shown, called, result)

    def _scan_text(self, blob: Blob, shown: str, called: Sequence[int], result: ScanResult) -> None:
        watcher = self.watcher
        if MEMBER in blob.path:
            watcher = None  # an archive's files neither declare nor use variables of the tree
        elif watcher is None and "compose" in blob.path:
            watcher = _watcher(None, "")
        text, uses = blob.chunks, None
        if watcher:
            text = watcher.over(blob.path, shown, text, result)
            uses = partial(watcher.uses, blob.path, shown, result)
        try:
            observation = self.detector.observe(shown, text, blob.size, called, uses)
        except OSError as error:
            reason = error.strerror or "it could not be read to its end"
            result.gaps.append(Gap(kind=GapKind.UNREADABLE, path=shown, reason=reason))
            return
        except Exception as error:  # noqa: BLE001 - one odd file must not hide what is in the others
            result.gaps.append(Gap(kind=GapKind.INTERNAL, path=shown, reason=_defect(error)))
            return
        result.files += 1
        result.size += blob.size
        if observation:
            result.observations.append(observation)


def _shown(path: str, name: NameResult) -> str:
    """The path with any secret in it masked."""
    return name.observation.path if name.observation else path


def _archives(source: Source, max_size: int, excluded: Callable[[str], bool]) -> Archives:
    from scanner.inputs.archives.archives import Archives

    return Archives(source, max_size, excluded)


def _watcher(names: Sequence[str] | None, engine: str) -> Watcher:
    from scanner.detect.variables.collector import Watcher

    return Watcher(names, engine)


def _defect(error: Exception) -> str:
    """Name the kind and the place of an internal error, never its text: it may quote the file."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    place = f"{trace.tb_frame.f_code.co_name}:{trace.tb_lineno}" if trace else "unknown"
    return f"a defect of keywatch, {type(error).__name__} in {place}: please report it"
