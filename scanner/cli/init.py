"""Write a commented keywatch.yaml from what is in the repository.

  keywatch init [PATH]

It uses names and paths from configs/secrets, Vault policies and roles, and manifests, never a
value. An existing keywatch.yaml is not changed.

Examples:
  keywatch init
  keywatch init ../payments

"""

from __future__ import annotations

import argparse

from scanner.cli import arguments
from scanner.console import Console, plain
from scanner.errors import ExitCode
from scanner.repository import create_policy


def add_arguments(parser: argparse.ArgumentParser) -> None:
    arguments.add_folder(parser)


def run(args: argparse.Namespace, console: Console) -> int:
    for line in create_policy.create(args.path, console):
        console.write(plain(line) + "\n")
    return ExitCode.CLEAN
