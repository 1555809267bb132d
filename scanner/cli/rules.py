"""List, explain and test the rules.

keywatch rules list        every rule, those of keywatch.yaml among them, one a line
keywatch rules show ID     one in full: why it matters, what to do after a leak
keywatch rules test FILE   run the examples of a rule file of your own, or of keywatch.yaml
"""

from __future__ import annotations

import argparse
import json
import os
import textwrap

from scanner import cache
from scanner.configuration import repository
from scanner.console import Io
from scanner.detect.rules import examples, model, rulebook
from scanner.errors import ExitCode, UsageError
from scanner.inputs.folder import Folder
from scanner.model import RuleInfo
from scanner.policy.live.rules import RULES as LIVE_RULES
from scanner.policy.repository.rules import RULES as CHECK_RULES
from scanner.policy.rules import RULES as JUDGE_RULES
from scanner.policy.variables import RULES as TREE_RULES
from scanner.report.interface import remedy
from scanner.scan.sources import root_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="list|show|test")
    listing = actions.add_parser("list", help="every rule, those of keywatch.yaml among them")
    listing.add_argument("--json", action="store_true", help="all that is known of each")
    show = actions.add_parser("show", help="one rule in full")
    show.add_argument("rule", metavar="ID")
    test = actions.add_parser("test", help="check a rule file and run its examples")
    test.add_argument("file", metavar="FILE")


def run(args: argparse.Namespace, io: Io) -> int:
    if args.action == "test":
        return _test(args.file, io)
    infos = {**rulebook.load(_own(io), cache_folder=cache.folder()).infos}
    coded = (*JUDGE_RULES, *CHECK_RULES, *TREE_RULES, *LIVE_RULES)
    infos |= {rule.id: rule for rule in coded}
    if args.action == "list":
        io.write(_as_json(infos) if args.json else _as_lines(infos))
        return ExitCode.CLEAN
    if args.rule not in infos:
        raise model.rule_error(args.rule, tuple(infos))
    io.write(_in_full(infos[args.rule]))
    return ExitCode.CLEAN


def _own(io: Io) -> tuple[model.RuleFile, ...]:
    """The rules of the repository's keywatch.yaml, if it has any."""
    data = Folder(root_of((), io.cwd), [], use_git=False).control(repository.NAME)
    settings = repository.load(data, repository.NAME, None)
    return (
        (model.RuleFile(repository.NAME, data, part=True),) if data and settings.has_rules else ()
    )


def _as_json(infos: dict[str, RuleInfo]) -> str:
    rows = [
        info._asdict() | {"severity": info.severity.label, "confidence": info.confidence.label}
        for _, info in sorted(infos.items())
    ]
    return json.dumps(rows, indent=1) + "\n"


def _as_lines(infos: dict[str, RuleInfo]) -> str:
    width = max(map(len, infos))
    return "".join(
        f"{name:<{width}}  {info.severity.label:<8}  {info.title}\n"
        for name, info in sorted(infos.items())
    )


def _in_full(info: RuleInfo) -> str:
    levels = f"{info.severity.label} severity, {info.confidence.label} confidence"
    head = f"{info.id}: {info.title}\n{levels}"
    if info.secret_class:
        head += f", class {info.secret_class}"
    parts = [head, _paragraph(info.why)]
    parts += [_paragraph(f"{step.capitalize()}: {words}") for step, words in remedy(info)]
    if info.source:
        parts.append(f"Format: {info.source} (seen {info.source_date})")
    return "\n\n".join(parts) + "\n"


def _paragraph(words: str) -> str:
    return textwrap.fill(words, 88, break_long_words=False, break_on_hyphens=False)


def _test(given: str, io: Io) -> int:
    """0 when every example is found and no negative is; 1 with a line for each that is not so."""
    source = model.RuleFile(given, io.file(given), os.path.basename(given) == repository.NAME)
    if source.part and not repository.load(source.data, given, None).has_rules:
        raise UsageError(f"{given} holds no rules", todo="write some below rules:")
    shipped = any(source.data == each.data for each in rulebook.shipped())
    faults, count = examples.prove(source, cache.folder(), shipped=shipped)
    for fault in faults:
        io.write(f"{fault}\n")
    io.write(f"{count} examples, {len(faults) or 'none'} at fault\n")
    return ExitCode.FINDINGS if faults else ExitCode.CLEAN
