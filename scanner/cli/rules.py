"""List, show and test rules.

keywatch rules list        list all rules, including those of keywatch.yaml
keywatch rules show ID     show one rule: why it matters, and what to do after a leak
keywatch rules test FILE   run the examples of your own rule file, or of keywatch.yaml

Examples:
  keywatch rules list
  keywatch rules show github-app-user-token
  keywatch rules test configs/own-rules.yaml

"""

from __future__ import annotations

import argparse
import json
import os
import textwrap

from scanner import cache
from scanner.configuration import repository
from scanner.console import Console
from scanner.detect.rules import examples, model, rulebook
from scanner.errors import ExitCode, UsageError
from scanner.inputs.folder import Folder
from scanner.inputs.root import root_of
from scanner.model import RuleInfo
from scanner.policy.access.rules import RULES as ACCESS_RULES
from scanner.policy.live.rules import RULES as LIVE_RULES
from scanner.policy.repository.rules import RULES as CHECK_RULES
from scanner.policy.rules import RULES as JUDGE_RULES
from scanner.policy.variables import RULES as TREE_RULES
from scanner.report.interface import remedy
from scanner.rotate.rules import RULES as ROTATE_RULES
from scanner.trail import rule_infos as trail_rules


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="list|show|test")
    listing = actions.add_parser("list", help="list all rules, including those of keywatch.yaml")
    listing.add_argument(
        "--json", action="store_true", help="print everything about each rule as JSON"
    )
    show = actions.add_parser("show", help="show one rule")
    show.add_argument("rule", metavar="ID")
    test = actions.add_parser("test", help="check a rule file and run its examples")
    test.add_argument("file", metavar="FILE")


def run(args: argparse.Namespace, console: Console) -> int:
    if args.action == "test":
        return _test(args.file, console)
    infos = {**rulebook.load(_own(console), cache_folder=cache.folder()).infos}
    coded = (
        *(*JUDGE_RULES, *CHECK_RULES, *TREE_RULES, *LIVE_RULES, *ACCESS_RULES),
        *trail_rules.rules(),
        *ROTATE_RULES,
    )
    infos |= {rule.id: rule for rule in coded}
    if args.action == "list":
        console.write(_as_json(infos) if args.json else _as_lines(infos))
        return ExitCode.CLEAN
    if args.rule not in infos:
        raise model.rule_error(args.rule, tuple(infos))
    console.write(_in_full(infos[args.rule]))
    return ExitCode.CLEAN


def _own(console: Console) -> tuple[model.RuleFile, ...]:
    """The rules of the repository's keywatch.yaml."""
    data = Folder(root_of((), console.cwd), [], use_git=False).control(repository.NAME)
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


def _test(given: str, console: Console) -> int:
    """0 if every example is found and no negative example is; 1 with a line for each fault."""
    source = model.RuleFile(given, console.file(given), os.path.basename(given) == repository.NAME)
    if source.part and not repository.load(source.data, given, None).has_rules:
        raise UsageError(f"{given} contains no rules", todo="add some under `rules:`")
    shipped = any(source.data == each.data for each in rulebook.shipped())
    faults, count = examples.prove(source, cache.folder(), shipped=shipped)
    for fault in faults:
        console.write(f"{fault}\n")
    console.write(f"{count} examples, {len(faults) or 'none'} failed\n")
    return ExitCode.FINDINGS if faults else ExitCode.CLEAN
