"""The command line: which file is the operator's. No repository may say that.

Whoever may change a repository could otherwise send the audit, and how it logs in, elsewhere.
"""

from __future__ import annotations

import argparse
import os

from scanner.configuration import operator, repository
from scanner.configuration.operator import Operator, Options
from scanner.console import Io
from scanner.errors import UsageError

_VARIABLE = "KEYWATCH_OPERATOR"


def add_arguments(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--operator",
        metavar="FILE",
        help=f"the live stores and how to log in to each; default: {_VARIABLE}",
    )


def read(given: str | None, io: Io, root: str, options: Options) -> Operator:
    """What the operator says, `root` being the repository's folder. UsageError for a file that the
    repository holds, unless it is its keywatch.yaml, said by hand."""
    name = given or io.environ.get(_VARIABLE)
    if not name:
        raise UsageError(
            "no operator's file says which live stores there are",
            todo=f"name it with --operator FILE or in {_VARIABLE}",
        )
    path, root = os.path.abspath(os.path.join(io.cwd, name)), os.path.realpath(root)
    is_policy = given is not None and os.path.realpath(path) == os.path.join(root, repository.NAME)
    if not is_policy and (
        _leads_through(root, path) or _leads_through(root, os.path.realpath(path))
    ):
        raise UsageError(
            f"the operator's file {name} lies in the repository that is audited",
            why="whoever may change the repository could send the audit elsewhere",
            todo=f"keep it elsewhere, or say --operator {repository.NAME} for a repository of"
            " your own",
        )
    data = io.file(name, f"the operator's file {name}")
    return operator.operator(data, name, io.environ, options, is_policy=is_policy)


def _leads_through(folder: str, path: str) -> bool:
    """Is the folder one of those above the path, by whatever name?"""
    above = os.path.dirname(path)
    return above != path and (os.path.realpath(above) == folder or _leads_through(folder, above))
