"""Rotate the secrets that are due. Prove that the new credential works and the old one does not.

  keywatch rotate plan   --operator FILE [PATH]     what is due, and what it needs; changes nothing
  keywatch rotate apply  --operator FILE [PATH]     rotate it
  keywatch rotate resume --operator FILE [PATH]     go on after a crash or when an overlap has ended
  keywatch rotate status --operator FILE [PATH]     rotations that have not ended, and what to do

The operator config says how to rotate and with which identity. Every step is written to a journal
before it is done. docs/rotate.md explains how to recover from every state.

Examples:
  keywatch rotate plan --operator operator.yaml
  keywatch rotate apply --operator operator.yaml --secret vault://prod/database/static-creds/app
  keywatch rotate status --operator operator.yaml

"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator

from scanner.audit import backends
from scanner.cli import arguments
from scanner.cli.audit import add_operator
from scanner.cli.output import OutputRequest, deliver
from scanner.console import Console, plain
from scanner.errors import ExitCode
from scanner.model import Acceptance, FailOn, Gap
from scanner.policy.declarations.model import period
from scanner.rotate import run as rotate
from scanner.rotate.model import Progress, State
from scanner.rotate.outcome import outcome
from scanner.rotate.plan import Action, Planned, rights
from scanner.rotate.rules import RULES
from scanner.rotate.run import (
    Applied,
    ApplyRequest,
    Plan,
    PlanRequest,
    ResumeRequest,
    StatusRequest,
    World,
)

_FAILED = {State.FAILED, State.CONFLICT, State.CONSUMERS_NOT_READY, State.NEEDS_OPERATOR}
_UNKNOWN = {State.UNKNOWN, State.INTERRUPTED}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    _add_plan(commands.add_parser("plan", help="what is due; changes nothing", allow_abbrev=False))
    _add_apply(commands.add_parser("apply", help="rotate what is due", allow_abbrev=False))
    resume = commands.add_parser("resume", help="go on with unfinished ones", allow_abbrev=False)
    _add_common(resume)
    _add_report(resume)
    resume.add_argument(
        "--abandon",
        action="append",
        default=[],
        metavar="ROTATION",
        help="end this rotation as it is; repeatable",
    )
    status = commands.add_parser("status", help="unfinished rotations", allow_abbrev=False)
    _add_common(status)
    status.add_argument("--all", action="store_true", help="finished rotations, too")


def _add_common(parser: argparse.ArgumentParser) -> None:
    arguments.add_folder(parser)
    add_operator(parser.add_argument_group("which stores"))
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--as-of", metavar="TIME", help="judge as of this time (ISO 8601)")


def _add_plan(parser: argparse.ArgumentParser) -> None:
    _add_common(parser)
    parser.add_argument(
        "--secret",
        action="append",
        default=[],
        metavar="ID",
        help="only this secret, due or not; repeatable",
    )
    parser.add_argument(
        "--backend", action="append", default=[], metavar="NAME", help="only this backend"
    )


def _add_apply(parser: argparse.ArgumentParser) -> None:
    _add_plan(parser)
    parser.add_argument(
        "--now",
        metavar="ID",
        help="rotate this leaked secret at once and revoke the old value without an overlap",
    )
    parser.add_argument("--reason", default="", metavar="TEXT", help="why; it is in the record")
    _add_report(parser)


def _add_report(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--report",
        metavar="FILE",
        type=arguments.path,
        help="write what needs somebody as a JSON report, which keywatch alert send takes",
    )


def run(
    args: argparse.Namespace, console: Console, modules: backends.Modules = backends.BACKENDS
) -> int:
    world = World(console, modules, arguments.moment(args.as_of), real_time=args.as_of is None)
    match args.action:
        case "plan":
            found = rotate.make_plan(_plan_request(args), world)
            _print(console, [_plan_json(found)] if args.json else _plan_text(found))
            return ExitCode.INCOMPLETE if found.gaps else ExitCode.CLEAN
        case "apply":
            request = ApplyRequest(_plan_request(args), args.now or "", args.reason)
            return _finish(rotate.apply(request, world), args, world)
        case "resume":
            asked = ResumeRequest(args.path, args.operator, tuple(args.abandon))
            return _finish(rotate.resume(asked, world), args, world)
    unfinished = rotate.status(StatusRequest(args.path, args.operator, args.all), world)
    if args.json:
        _print(console, [json.dumps([_progress_json(each) for each in unfinished])])
    else:
        _print(console, _status_text(unfinished))
    return ExitCode.CLEAN


def _plan_request(args: argparse.Namespace) -> PlanRequest:
    return PlanRequest(args.path, args.operator, tuple(args.secret), tuple(args.backend))


def _finish(applied: Applied, args: argparse.Namespace, world: World) -> int:
    """Print and report the result. Exit code 3 if the report cannot be written."""
    code = _result(applied, world.console, as_json=args.json)
    if not args.report:
        return code
    found, infos = outcome(applied), {rule.id: rule for rule in RULES}
    root = world.console.cwd
    context = world.console.report_context(infos, world.now, root, FailOn(), "rotate")
    context = context._replace(acceptance=Acceptance.NONE)
    request = OutputRequest(reports=(("json", args.report),), detail=None)
    written = deliver(request, world.console, found, context)
    return code if written else ExitCode.INCOMPLETE


def _result(applied: Applied, console: Console, *, as_json: bool) -> ExitCode:
    if as_json:
        rows = [
            {**_progress_json(each.progress), "record": each.record} for each in applied.results
        ]
        left = [{"secret": item.secret, "why": why} for item, why in applied.left]
        _print(console, [json.dumps({"rotations": rows, "not_rotated": left})])
    else:
        _print(console, _applied_text(applied))
    states = {each.progress.state for each in applied.results}
    if states & _UNKNOWN:
        return ExitCode.INCOMPLETE
    if states & _FAILED or any(item.action is Action.MANUAL for item, _ in applied.left):
        return ExitCode.FINDINGS
    return ExitCode.INCOMPLETE if applied.gaps else ExitCode.CLEAN


def _print(console: Console, lines: Iterable[str]) -> None:
    console.write_all(f"{plain(line)}\n" for line in lines)


def _plan_text(found: Plan) -> Iterator[str]:
    if not found.items:
        yield "nothing is due"
    for number, item in enumerate(found.items, start=1):
        yield f"{number}. {item.secret}  [{item.action.value}]"
        yield from (f"   {line}" for line in _plan_lines(item))
    yield from _gap_lines(found.gaps)


def _plan_lines(item: Planned) -> Iterator[str]:
    policy = item.policy
    limits = f"every {period(policy.rotate_every)}, overlap {period(policy.overlap)}"
    yield f"why: {item.why} ({policy.secret_class}: {limits})"
    if item.missing:
        yield f"manual: {item.missing}"
    if item.overlap:
        yield f"overlap: {item.overlap}"
    for consumer in item.consumers:
        yield f"restarts: {consumer}"
    for right in rights(item):
        yield f"right: {right}"
    for step in item.operator_steps:
        yield f"you: {step}"


def _gap_lines(gaps: Iterable[Gap]) -> Iterator[str]:
    for gap in gaps:
        yield f"not read: {gap.path}: {gap.reason}; it may be due"


def _plan_json(found: Plan) -> str:
    items = [
        item._asdict() | {"policy": item.policy._asdict(), "rights": rights(item)}
        for item in found.items
    ]
    gaps = [{"kind": gap.kind, "path": gap.path, "reason": gap.reason} for gap in found.gaps]
    return json.dumps({"plan": items, "gaps": gaps, "complete": not gaps})


def _applied_text(applied: Applied) -> Iterator[str]:
    if not applied.results and not applied.left:
        yield "nothing to do"
    for each in applied.results:
        yield from _progress_lines(each.progress)
        if each.record:
            yield f"  record: {json.dumps(each.record)}"
    for item, why in applied.left:
        yield f"{item.secret}: not rotated: {why}"
    yield from _gap_lines(applied.gaps)


def _status_text(unfinished: Iterable[Progress]) -> Iterator[str]:
    lines = [line for each in unfinished for line in _progress_lines(each)]
    yield from lines or ["no rotation is unfinished"]


def _progress_lines(progress: Progress) -> Iterator[str]:
    yield f"{progress.rotation.secret}: {progress.state.value} ({progress.rotation.id})"
    if progress.state is State.WAITING and progress.wait_until:
        yield f"  the old value works until {progress.wait_until:%Y-%m-%d %H:%M:%S} UTC"
        yield "  do:  keywatch rotate resume after that"
    if progress.reason:
        yield f"  why: step {progress.step}: {progress.reason}"
    if progress.todo:
        yield f"  do:  {progress.todo}"
    if progress.state is State.INTERRUPTED:
        yield f"  last step: {progress.step or 'none'}"
        yield "  do:  keywatch rotate resume"
    yield from _exposure(progress)


def _exposure(progress: Progress) -> Iterator[str]:
    if progress.rotation.emergency and progress.state is not State.FINISHED:
        yield "  exposed: the leaked value still works, or that is not known"
    elif progress.rotation.emergency:
        yield f"  exposed until {progress.last:%Y-%m-%d %H:%M:%S} UTC at the latest"


def _progress_json(progress: Progress) -> dict[str, object]:
    return {
        "id": progress.rotation.id,
        "secret": progress.rotation.secret,
        "state": progress.state.value,
        "step": progress.step,
        "attempt": progress.attempt,
        "reason": progress.reason,
        "todo": progress.todo,
        "wait_until": progress.wait_until.isoformat() if progress.wait_until else None,
    }
