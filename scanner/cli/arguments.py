"""Command-line options that several commands share, and the requests that they mean."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from scanner.configuration.repository import KEYWATCH_BASELINE, SECRETS_BASELINE, size_of
from scanner.errors import UsageError
from scanner.model import Confidence, Severity
from scanner.scan.request import HistoryRequest, ScanRequest

if TYPE_CHECKING:
    from datetime import datetime

SEVERITIES = [level.label for level in Severity]
STDIN_NAME = "stdin"
CONFIDENCES = [level.label for level in Confidence]


class Shown:
    """Which options the help of a command shows: all, or these. The others work as well."""

    def __init__(self, *names: str) -> None:
        self._names = names

    def __call__(self, name: str, text: str) -> str:
        return text if not self._names or name in self._names else argparse.SUPPRESS


ALL = Shown()


def add_inputs(parser: argparse.ArgumentParser, shown: Shown = ALL) -> None:
    """What a scan reads."""
    stdin = ", or - for standard input" if shown is ALL else ""
    parser.add_argument(
        "paths",
        nargs="*",
        type=path,
        metavar="PATH",
        help=shown(
            "paths",
            f"files and folders to scan{stdin}; default: the repository that contains the current"
            " folder",
        ),
    )
    group = parser.add_argument_group("what to read")
    group.add_argument(
        "--staged",
        action="store_true",
        help=shown("--staged", "the staged content (git's index)"),
    )
    group.add_argument(
        "--stdin",
        action="store_true",
        help=shown("--stdin", "one file from standard input; the same as -"),
    )
    group.add_argument(
        "--stdin-name",
        metavar="NAME",
        help=shown(
            "--stdin-name", f"file name to assume for standard input; default: {STDIN_NAME}"
        ),
    )
    group.add_argument(
        "--no-git", action="store_true", help=shown("--no-git", "all files, including ignored ones")
    )
    group.add_argument(
        "--archives",
        action="store_true",
        help=shown(
            "--archives", "also files in archives: zip, jar, wheel, tar, gz, xz, container images …"
        ),
    )
    group.add_argument(
        "--exclude",
        action="append",
        default=[],
        type=glob,
        metavar="GLOB",
        help=shown("--exclude", "files to leave out, such as 'third_party/**'; can be repeated"),
    )
    group.add_argument(
        "--max-file-size",
        type=size,
        metavar="SIZE",
        help=shown(
            "--max-file-size",
            "skip larger files, such as 50MB; default: max_file_size of keywatch.yaml, or else"
            " 20MB",
        ),
    )
    add_config(group)
    _add_commits(parser, shown)


def add_config(group: argparse._ActionsContainer) -> None:
    group.add_argument(
        "--config",
        type=path,
        metavar="FILE",
        help="a policy to use instead of the repository's keywatch.yaml",
    )


def _add_commits(parser: argparse.ArgumentParser, shown: Shown) -> None:
    group = parser.add_argument_group("read commits instead of files")
    group.add_argument(
        "--diff",
        metavar="BASE[..HEAD]",
        help=shown(
            "--diff",
            "commits on HEAD since it branched from BASE (a pull request); the policy of their"
            " merge base applies",
        ),
    )
    group.add_argument(
        "--trust",
        metavar="REF",
        help=shown(
            "--trust", "with --diff: use the policy of this commit instead of the merge base"
        ),
    )
    group.add_argument(
        "--approve",
        metavar="REF|FILE",
        help=shown(
            "--approve",
            "with --diff: the exceptions (allow) of this commit, or of this file outside the"
            " repository, were approved and count in this run",
        ),
    )
    group.add_argument(
        "--history",
        nargs="?",
        const="",
        metavar="RANGE",
        help=shown(
            "--history",
            "the lines that each commit added, on all refs or in a range such as v1.0..HEAD",
        ),
    )
    group.add_argument(
        "--since-last",
        action="store_true",
        help=shown("--since-last", "with --history: only commits that no earlier run has scanned"),
    )
    group.add_argument(
        "--stashes",
        action="store_true",
        help=shown("--stashes", "with --history: also git stashes"),
    )
    group.add_argument(
        "--notes", action="store_true", help=shown("--notes", "with --history: also git notes")
    )


def add_detection(parser: argparse.ArgumentParser, shown: Shown = ALL) -> None:
    """How a scan looks for secrets."""
    group = parser.add_argument_group("how to scan")
    group.add_argument(
        "--rules",
        action="append",
        default=[],
        type=path,
        metavar="FILE",
        help=shown("--rules", "a file with your own rules; can be repeated"),
    )
    group.add_argument(
        "--matcher",
        choices=("auto", "hyperscan", "re"),
        default="auto",
        help=shown(
            "--matcher", "the engine of the prefilter; re is slower and needs no compiled code"
        ),
    )


def add_baselines(parser: argparse.ArgumentParser, shown: Shown = ALL) -> None:
    """Which findings are accepted already."""
    group = parser.add_argument_group("accepted findings")
    group.add_argument(
        "--baseline",
        type=path,
        metavar="FILE",
        help=shown(
            "--baseline",
            "a keywatch or detect-secrets baseline; default:"
            f" {KEYWATCH_BASELINE} and {SECRETS_BASELINE}, if they exist",
        ),
    )
    group.add_argument(
        "--detect-secrets",
        choices=("exact", "off"),
        help=shown(
            "--detect-secrets",
            "exact: also find exactly what detect-secrets 1.5.0 finds; this is the default if"
            f" there is a {SECRETS_BASELINE}",
        ),
    )


def add_full_scan(parser: argparse.ArgumentParser, *shown: str) -> None:
    """The options of a command that scans first: inputs, detection, baselines and the time.

    `shown` are the ones that its help shows.
    """
    show = Shown(*shown)
    add_inputs(parser, show)
    add_detection(parser, show)
    add_baselines(parser, show)
    add_now(parser)


def add_folder(parser: argparse.ArgumentParser) -> None:
    """The argument of a command that looks at one repository."""
    parser.add_argument(
        "path",
        nargs="?",
        default=".",
        type=path,
        metavar="PATH",
        help="the repository, or a folder in it; default: the current folder",
    )


def add_fail_on(group: argparse._ActionsContainer) -> None:
    group.add_argument(
        "--fail-on",
        choices=SEVERITIES,
        help="lowest severity for exit code 1; default: fail_on of keywatch.yaml, or else low",
    )


def add_strict(group: argparse._ActionsContainer) -> None:
    group.add_argument(
        "--strict",
        action="store_true",
        help="also fail on findings of low confidence, and on undeclared and unused variables",
    )


def add_color(group: argparse._ActionsContainer) -> None:
    group.add_argument(
        "--color",
        choices=("auto", "always", "never"),
        default="auto",
        metavar="WHEN",
        help="auto, always or never; auto heeds NO_COLOR, FORCE_COLOR and the terminal",
    )


def add_now(group: argparse._ActionsContainer) -> None:
    group.add_argument(
        "--now", metavar="TIME", help="use this time instead of the current time (ISO 8601)"
    )


def scan_request(args: argparse.Namespace) -> ScanRequest:
    """The scan that the options of `add_full_scan` ask for.

    UsageError if they contradict each other.
    """
    paths = tuple(args.paths)
    stdin = args.stdin or paths == ("-",)
    if args.stdin_name is not None and not stdin:
        raise UsageError("--stdin-name belongs to --stdin", todo="add --stdin, or leave it out")
    if args.history is None and (args.since_last or args.stashes or args.notes):
        raise UsageError(
            "--since-last, --stashes and --notes belong to --history", todo="add --history"
        )
    return ScanRequest(
        paths=() if paths == ("-",) else paths,
        staged=args.staged,
        stdin_name=(args.stdin_name or STDIN_NAME) if stdin else None,
        no_git=args.no_git,
        diff=args.diff,
        trust=args.trust,
        approve=args.approve,
        history=_history(args),
        archives=args.archives,
        max_file_size=args.max_file_size,
        exclude=tuple(args.exclude),
        config=args.config,
        rules=tuple(args.rules),
        matcher=args.matcher,
        baseline=args.baseline,
        detect_secrets=args.detect_secrets,
    )


def _history(args: argparse.Namespace) -> HistoryRequest | None:
    if args.history is None:
        return None
    return HistoryRequest(args.history, args.stashes, args.notes, args.since_last)


def path(text: str) -> str:
    """A path of the command line. UsageError for an empty one.

    An empty path usually comes from a variable that is not set, and would mean the current folder.
    """
    if not text.strip():
        raise UsageError(
            "an empty path was given",
            why="perhaps it comes from a variable that is not set",
            todo="name a file or folder, or leave it out",
        )
    return text


def glob(text: str) -> str:
    """A pattern of the command line. UsageError if it cannot match anything."""
    if not text.strip("./ "):
        raise UsageError(
            f"the pattern {text!r} matches no file",
            todo="write it as 'third_party/**', or leave it out",
        )
    if "[" in text.rpartition("]")[2]:
        raise UsageError(
            f"the pattern {text!r} is invalid",
            why="it has a [ without a ]",
            todo="write ? for a bracket in a name",
        )
    return text


def size(text: str) -> int:
    """A number of bytes of the command line, such as 50MB."""
    try:
        return size_of(text.upper())
    except ValueError:
        raise UsageError(f"{text} is not a size", todo="write it as 50MB") from None


def severity(label: str | None) -> Severity | None:
    return Severity[label.upper()] if label else None


def moment(text: str | None) -> datetime:
    """The time of --now, or the clock's time. UsageError if it is not a time.

    Called once for each command; the result is handed down.
    """
    from datetime import UTC, datetime

    if text is None:
        return datetime.now(UTC)
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"--now {text} is not a time",
            why="it must be in ISO 8601",
            todo="write it as --now 2027-01-31T12:00:00Z",
        ) from None
    if not 1970 < value.year < 9000:
        raise UsageError("--now is out of range", todo="give a year from 1971 to 8999")
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
