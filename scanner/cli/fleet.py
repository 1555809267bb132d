"""Scan the repositories and audit the stores of an organisation, on this machine's cores or a Dask
cluster.

  keywatch fleet scan --folder DIR       all clones below a folder
  keywatch fleet scan --github ACME      the repositories of an organisation
  keywatch fleet audit --operator FILE   all stores of an operator config

Examples:
  keywatch fleet scan --folder clones/ --output results/
  keywatch fleet scan --github acme --no-forks --scheduler tls://scheduler.example.com:8786
  keywatch fleet audit --operator operator.yaml --report html=stores.html

"""

from __future__ import annotations

import argparse
import os

from scanner.cli import arguments, audit, output
from scanner.cli.arguments import moment
from scanner.console import Console, plain
from scanner.errors import ExitCode, UsageError
from scanner.fleet.request import CloneLimits, EngineRequest, FleetRequest
from scanner.fleet.targets import Host, Listing, TargetsRequest
from scanner.model import Confidence, FailOn, Severity

_SCAN = """The results are in the folder of --output: an overview, the merged findings, and a SARIF
report for each repository. Only commits that no earlier run has scanned are scanned. A run that was
interrupted continues if it is started again."""
_AUDIT = """Each backend of the operator config is audited by one worker, which reads the operator
config at the same path as here, and logs in with what its own environment gives it."""
_OUTPUT = "keywatch-fleet"
_STATE = "state.sqlite"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    scan = actions.add_parser(
        "scan", help="scan the history of many repositories", description=_SCAN, allow_abbrev=False
    )
    _add_targets(scan.add_argument_group("which repositories"))
    _add_clones(scan.add_argument_group("clones"))
    _add_detection(scan.add_argument_group("how to scan"))
    add_engine(scan.add_argument_group("which cluster"))
    _add_results(scan.add_argument_group("results"))
    check = actions.add_parser(
        "audit", help="audit many stores", description=_AUDIT, allow_abbrev=False
    )
    arguments.add_folder(check)
    group = check.add_argument_group("which stores")
    audit.add_operator(group)
    audit.add_backends(group)
    add_engine(check.add_argument_group("which cluster"))
    group = check.add_argument_group("how to check and report")
    arguments.add_fail_on(group)
    audit.add_completeness(group)
    output.add_arguments(group)
    arguments.add_now(group)


def _add_targets(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--folder",
        action="append",
        default=[],
        type=arguments.path,
        metavar="DIR",
        help="a folder with clones at any depth; can be repeated",
    )
    group.add_argument(
        "--list",
        action="append",
        default=[],
        type=arguments.path,
        metavar="FILE",
        help="a file with one address or path in each line; can be repeated",
    )
    for host, example in (("github", "api/v3"), ("gitlab", "api/v4"), ("gitea", "api/v1")):
        group.add_argument(
            f"--{host}",
            action="append",
            default=[],
            metavar="OWNER[@API]",
            help=f"all repositories of an owner, such as acme or"
            f" acme@https://{host}.example.com/{example}; can be repeated",
        )
    group.add_argument(
        "--include",
        action="append",
        default=[],
        type=arguments.glob,
        metavar="GLOB",
        help="only repositories with such a name; can be repeated",
    )
    group.add_argument(
        "--exclude",
        action="append",
        default=[],
        type=arguments.glob,
        metavar="GLOB",
        help="no repositories with such a name; can be repeated",
    )
    group.add_argument("--no-archived", action="store_true", help="no archived repositories")
    group.add_argument("--no-forks", action="store_true", help="no forks")
    group.add_argument(
        "--loopback-http",
        action="store_true",
        help="allow http:// for servers on this machine; other servers need https or ssh",
    )


def _add_clones(group: argparse._ArgumentGroup) -> None:
    limits = CloneLimits()
    group.add_argument(
        "--clone-folder",
        type=arguments.path,
        metavar="DIR",
        help="where workers keep clones; default: in the user's cache folder",
    )
    group.add_argument(
        "--clone-folder-size",
        type=arguments.size,
        default=limits.cache,
        metavar="SIZE",
        help="the most that all clones of a machine may take; default: 50GB",
    )
    group.add_argument(
        "--max-repository-size",
        type=arguments.size,
        default=limits.repository,
        metavar="SIZE",
        help="the most that one clone may take; a larger repository is reported as not scanned;"
        " default: 20GB",
    )
    group.add_argument(
        "--clone-timeout",
        type=audit.period,
        default=limits.seconds,
        metavar="TIME",
        help="time for a clone or a fetch, such as 90s or 2h; default: 1h",
    )


def _add_detection(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--rules",
        action="append",
        default=[],
        type=arguments.path,
        metavar="FILE",
        help="a file with your own rules, for all repositories; can be repeated",
    )
    group.add_argument(
        "--matcher",
        choices=("auto", "hyperscan", "re"),
        default="auto",
        help="the engine of the prefilter; re is slower and needs no compiled code",
    )
    group.add_argument(
        "--unit-commits",
        type=_number,
        default=FleetRequest._field_defaults["unit"],
        metavar="N",
        help="the most commits that a worker scans in one piece; default: 2000",
    )
    group.add_argument(
        "--unit-timeout",
        type=audit.period,
        default=FleetRequest._field_defaults["seconds"],
        metavar="TIME",
        help="time for one piece; default: 30m",
    )


def add_engine(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--workers",
        type=_number,
        metavar="N",
        help="worker processes on this machine; default: one for each core",
    )
    group.add_argument(
        "--worker-memory",
        type=arguments.size,
        default=0,
        metavar="SIZE",
        help="the most memory of each; default: an equal share of this machine's",
    )
    group.add_argument(
        "--scheduler",
        default="",
        metavar="tls://HOST:PORT",
        help="use a running Dask cluster instead",
    )
    for name, words in (
        ("ca", "the CA of the cluster's certificates"),
        ("cert", "the certificate of this client"),
        ("key", "the key of this client"),
    ):
        group.add_argument(f"--tls-{name}", default="", metavar="FILE", help=words)
    group.add_argument(
        "--dashboard",
        nargs="?",
        type=int,
        const=8787,
        metavar="PORT",
        help="show Dask's dashboard on 127.0.0.1; it needs the package bokeh; default port: 8787",
    )


def _add_results(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--output",
        default=_OUTPUT,
        type=arguments.path,
        metavar="DIR",
        help=f"the folder of the results; default: {_OUTPUT}",
    )
    group.add_argument(
        "--report",
        type=_html,
        metavar="html=FILE",
        help="also write an HTML report; it needs the package jinja2 (the extra html)",
    )
    group.add_argument(
        "--state",
        type=arguments.path,
        metavar="FILE",
        help=f"the file that remembers what was scanned; default: {_STATE} in the folder of"
        " --output",
    )
    group.add_argument(
        "--resume",
        action="store_true",
        help="continue an unfinished run without asking again for repositories that it finished",
    )
    arguments.add_fail_on(group)
    arguments.add_strict(group)
    group.add_argument(
        "--require-complete",
        action="store_true",
        help="exit with 3 if something could not be scanned, even if there are findings",
    )
    group.add_argument("-q", "--quiet", action="store_true", help="do not print the overview")
    arguments.add_now(group)


def run(args: argparse.Namespace, console: Console) -> int:
    return (_audit if args.action == "audit" else _scan)(args, console)


def _audit(args: argparse.Namespace, console: Console) -> int:
    from scanner.audit.run import AuditRequest
    from scanner.fleet.audit import audit_stores

    reports = output.output_request(args)
    request = AuditRequest(
        path=args.path,
        operator=args.operator,
        backends=tuple(args.backend),
        timeout=args.timeout,
        clock=moment(None) if args.now else None,
        require_exact=args.require_exact,
    )
    finished = audit_stores(request, engine_request(args), console, moment(args.now))
    if finished is None:
        return ExitCode.USAGE
    context = finished.report_context(console, reports.fail_on)
    written = output.deliver(reports, console, finished.outcome, context)
    return output.exit_code(
        finished.outcome,
        context.fail_on,
        written=written,
        require_complete=reports.require_complete,
    )


def _scan(args: argparse.Namespace, console: Console) -> int:
    from scanner.fleet import run as fleet

    request = _request(args, console)
    finished = fleet.scan(request, console, moment(args.now))
    if not args.quiet:
        console.write(plain_lines(finished.overview.text()))
        console.write(f"\nResults: {plain(request.output)}\n")
    if finished.failing and (finished.overview.complete or not args.require_complete):
        return ExitCode.FINDINGS
    return ExitCode.CLEAN if finished.overview.complete else ExitCode.INCOMPLETE


def plain_lines(text: str) -> str:
    return "".join(f"{plain(line)}\n" for line in text.splitlines())


def _html(given: str) -> str:
    form, _, path = given.partition("=")
    if form != "html" or not path:
        raise argparse.ArgumentTypeError("write it as html=FILE; other formats are in --output")
    return path


def _request(args: argparse.Namespace, console: Console) -> FleetRequest:
    folder = os.path.join(console.cwd, args.output)
    return FleetRequest(
        targets=TargetsRequest(
            files=tuple(os.path.join(console.cwd, each) for each in args.list),
            folders=tuple(os.path.join(console.cwd, each) for each in args.folder),
            listings=tuple(
                _listing(host, given) for host in Host for given in getattr(args, host.value)
            ),
            include=tuple(args.include),
            exclude=tuple(args.exclude),
            archived=not args.no_archived,
            forks=not args.no_forks,
            loopback_http=args.loopback_http,
        ),
        engine=engine_request(args),
        clones=CloneLimits(
            folder=os.path.join(console.cwd, args.clone_folder) if args.clone_folder else "",
            cache=args.clone_folder_size,
            repository=args.max_repository_size,
            seconds=args.clone_timeout,
            loopback_http=args.loopback_http,
        ),
        output=folder,
        state=os.path.join(console.cwd, args.state) if args.state else f"{folder}/{_STATE}",
        resume=args.resume,
        unit=args.unit_commits,
        seconds=args.unit_timeout,
        rules=tuple((each, console.file(each, f"--rules {each}")) for each in args.rules),
        matcher=args.matcher,
        fail_on=_fail_on(args),
        html=os.path.join(console.cwd, args.report) if args.report else "",
    )


def engine_request(args: argparse.Namespace) -> EngineRequest:
    return EngineRequest(
        scheduler=args.scheduler,
        workers=args.workers or len(os.sched_getaffinity(0)),
        tls_ca=args.tls_ca,
        tls_cert=args.tls_cert,
        tls_key=args.tls_key,
        memory=args.worker_memory,
        dashboard=args.dashboard,
    )


def _fail_on(args: argparse.Namespace) -> FailOn | None:
    if args.fail_on is None and not args.strict:
        return None
    severity = arguments.severity(args.fail_on) or Severity.LOW
    return FailOn(severity, Confidence.LOW if args.strict else Confidence.MEDIUM)


def _listing(host: Host, given: str) -> Listing:
    owner, _, api = given.partition("@")
    if not owner or (host is Host.GITEA and not api):
        raise UsageError(
            f"--{host.value} {given} does not name a list of repositories",
            todo=f"write it as --{host.value} acme@https://{host.value}.example.com/api/…",
        )
    return Listing(host, owner, api)


def _number(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 1_000_000:
        raise argparse.ArgumentTypeError("write a number from 1 on")
    return int(text)
