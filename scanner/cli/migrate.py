"""Convert the configuration of gitleaks or TruffleHog.

  keywatch migrate gitleaks .gitleaks.toml       print a keywatch.yaml with its rules and paths
  keywatch migrate gitleaks .gitleaksignore      print the commands that accept the same findings
  keywatch migrate trufflehog config.yaml        print a keywatch.yaml with its custom detectors
  keywatch migrate trufflehog exclude-paths.txt  print a keywatch.yaml with its excluded paths

What does not carry over is listed on standard error, with the reason; the exit code is then 1. A
baseline of detect-secrets needs no conversion: keywatch reads .secrets.baseline as it is.

Examples:
  keywatch migrate gitleaks .gitleaks.toml > keywatch.yaml
  keywatch migrate gitleaks .gitleaksignore
  keywatch migrate trufflehog trufflehog.yaml --output own-rules.yaml

"""

from __future__ import annotations

import argparse
import os

from scanner import files
from scanner.cli.arguments import add_now, moment
from scanner.console import Console, plain
from scanner.errors import ExitCode, UsageError
from scanner.migrate.run import MigrateRequest, migrate, summary, text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("tool", choices=("gitleaks", "trufflehog"), help="whose file it is")
    parser.add_argument("file", metavar="FILE", help="a config file or an ignore file")
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="write the keywatch.yaml here; it must not exist"
    )
    add_now(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    path = os.path.join(console.cwd, args.output) if args.output else ""
    if path and os.path.lexists(path):
        raise UsageError(
            f"{args.output} exists already",
            why="it is never overwritten",
            todo="name another file, and copy what you want to keep from it",
        )
    found = migrate(MigrateRequest(args.tool, args.file), console, moment(args.now))
    made = text(found)
    if path and made:
        files.write_file(path, made.encode())
    else:
        console.write(made)
    for command in found.commands:
        console.write(command + "\n")
    for line in (*found.notes, *summary(found.left)):
        console.error_line(plain(line))
    return ExitCode.FINDINGS if found.left else ExitCode.CLEAN
