"""Find and read the operator config.

A repository cannot name it: otherwise anyone who can change the repository could send the audit to
another server.
"""

from __future__ import annotations

import os

from scanner.audit import operator_paths
from scanner.configuration import operator, repository
from scanner.configuration.operator import OperatorConfig, OptionSchemas
from scanner.console import Console
from scanner.errors import UsageError

VARIABLE = "KEYWATCH_OPERATOR"


def read(given: str | None, console: Console, root: str, options: OptionSchemas) -> OperatorConfig:
    """Read the operator config that `given` or KEYWATCH_OPERATOR names.

    UsageError if it is inside the repository at `root`, unless it is the repository's keywatch.yaml
    and was named by hand.
    """
    name = given or console.environ.get(VARIABLE)
    if not name:
        raise UsageError(
            "no operator config was given, so keywatch does not know which stores to audit",
            todo=f"name it with --operator FILE or in {VARIABLE}",
        )
    path, root = os.path.abspath(os.path.join(console.cwd, name)), os.path.realpath(root)
    is_policy = given is not None and os.path.realpath(path) == os.path.join(root, repository.NAME)
    if not is_policy and (
        _leads_through(root, path) or _leads_through(root, os.path.realpath(path))
    ):
        raise UsageError(
            f"the operator config {name} is inside the audited repository",
            why="anyone who can change the repository could send the audit to another server",
            todo="keep it outside the repository; for your own repository, you can give"
            f" --operator {repository.NAME}",
        )
    data = console.file(name, f"the operator config {name}")
    found = operator.parse(data, name, console.environ, options, is_policy=is_policy)
    return operator_paths.resolved(
        found,
        os.path.dirname(path),
        console.environ,
        lambda each: _leads_through(root, each) or _leads_through(root, os.path.realpath(each)),
    )


def _leads_through(folder: str, path: str) -> bool:
    """Is the folder, under any name, above the path?"""
    above = os.path.dirname(path)
    return above != path and (os.path.realpath(above) == folder or _leads_through(folder, above))
