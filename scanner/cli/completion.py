"""Print the completion script of a shell.

Examples:
  keywatch completion bash > ~/.local/share/bash-completion/completions/keywatch
  keywatch completion zsh > "${fpath[1]}/_keywatch"
  keywatch completion fish > ~/.config/fish/completions/keywatch.fish

"""

from __future__ import annotations

import argparse
from typing import Any

from scanner import cli
from scanner.cli.parser import Parser, whole
from scanner.console import Console
from scanner.errors import ExitCode

_SHELLS = ("bash", "zsh", "fish")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=_SHELLS, help="the shell to print it for")


def run(args: argparse.Namespace, console: Console) -> int:
    import shtab

    script = shtab.complete(whole(cli.COMMANDS, _Completed), shell=args.shell)
    console.write(script.rstrip("\n") + "\n")
    return ExitCode.CLEAN


class _Completed(Parser):
    """A parser that says which arguments are files and folders. It does not parse."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        for name in (None, "store", "append"):
            self.register("action", name, _Argument)


class _Argument(argparse.Action):
    """An argument that the shell completes by what its metavar says."""

    def __init__(self, *names: Any, **settings: Any) -> None:
        import shtab

        super().__init__(*names, **settings)
        if isinstance(self.metavar, str):
            if "FILE" in self.metavar or "PATH" in self.metavar:
                self.complete = shtab.FILE
            elif self.metavar in ("FOLDER", "DIR"):
                self.complete = shtab.DIRECTORY

    def __call__(self, *_: Any) -> None:
        raise NotImplementedError
