"""Turn a request into a plan: what is read, by which rules, with which baselines."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from scanner import cache
from scanner.detect.rules import rulebook
from scanner.errors import UsageError
from scanner.scan import baselines, sources
from scanner.scan.worker import WorkerConfig

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scanner.console import Console
    from scanner.detect.rules.model import RuleFile
    from scanner.detect.rules.rulebook import Rulebook
    from scanner.policy.exceptions.allow_entries import AllowEntry
    from scanner.scan.baselines import Baselines
    from scanner.scan.request import ScanRequest
    from scanner.scan.sources import Selection


class ScanPlan(NamedTuple):
    """A scan that is ready to run. `approved` are exceptions that count although the scanned
    commits add them."""

    request: ScanRequest
    selection: Selection
    baselines: Baselines
    workers: WorkerConfig
    approved: tuple[AllowEntry, ...] = ()


def make(
    request: ScanRequest,
    console: Console,
    selection: Selection | None = None,
    rule_files: Sequence[RuleFile] = (),
) -> ScanPlan:
    """Plan a scan. `selection` is what the request selects, if the caller already knows it.
    `rule_files` are added to those of `--rules`.

    UsageError or ConfigError if the request or a file that it depends on is wrong.
    """
    if selection is None:
        selection = sources.select(request, console, cache.folder())
    known = baselines.read(request, console, selection)
    workers = WorkerConfig(
        source=selection.source,
        rulebook=_rulebook(request, console, selection, rule_files),
        matcher=request.matcher,
        max_size=selection.config.max_file_size
        if request.max_file_size is None
        else request.max_file_size,
        cache_folder=selection.cache_folder,
        settings=known.settings,
        exclude=selection.exclude,
        archives=selection.archives,
    )
    return ScanPlan(request, selection, known, workers, _approved(request, console, selection))


def _approved(
    request: ScanRequest, console: Console, selection: Selection
) -> tuple[AllowEntry, ...]:
    if not request.approve:
        return ()
    from scanner.scan import approval

    source = selection.source
    return approval.approved(request.approve, selection.config_path, source.root, console)


def _rulebook(
    request: ScanRequest, console: Console, selection: Selection, rule_files: Sequence[RuleFile]
) -> Rulebook:
    """The shipped rules and those of keywatch.yaml and --rules, without the disabled ones."""
    extra = [*rule_files, *(_rule_file(path, console, selection) for path in request.rules)]
    if selection.config.has_rules and selection.config_data is not None:
        from scanner.detect.rules.model import RuleFile

        extra.append(RuleFile(selection.config_name, selection.config_data, part=True))
    disabled = selection.config.disable_rules
    if disabled:
        from scanner.policy.variables import RULE_IDS

        disabled = {rule: where for rule, where in disabled.items() if rule not in RULE_IDS}
    return rulebook.load(extra, disabled=disabled, cache_folder=selection.cache_folder)


def _rule_file(given: str, console: Console, selection: Selection) -> RuleFile:
    """Read a file of --rules. For a change, read it from the commit whose policy applies."""
    from scanner.detect.rules.model import RuleFile

    path = sources.path_in_commit(given, console, selection.source)
    data = selection.source.control(path) if path else None
    if data is not None:
        return RuleFile(given, data)
    if path:
        why = "the commit whose policy applies has no such file"
        raise UsageError(f"--rules {given} cannot be read", why=why, todo="leave it out")
    return RuleFile(given, console.file(given, f"--rules {given}"))
