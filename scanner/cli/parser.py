"""The parser of every command, with suggestions for typing errors."""

from __future__ import annotations

import argparse
import importlib
import re
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

from scanner.console import plain
from scanner.errors import ExitCode

_EXAMPLES = "\n\nExamples:\n"
_UNKNOWN = "unrecognized arguments: "
_CHOICE = re.compile(r"invalid choice: '?(?P<given>.*?)'? \(choose from (?P<choices>.*)\)")
_OPTION = re.compile(r"(?<![\w-])--?[a-z][a-z-]*")


class Parser(argparse.ArgumentParser):
    """An ArgumentParser with our exit code, suggestions and a hint to --help."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**{"formatter_class": formatter, "allow_abbrev": False, **settings})
        self.commands: Mapping[str, Parser] = {}

    def add_subparsers(self, **settings: Any) -> Any:
        """Add the commands of this command, and keep them as `commands`, by their names."""
        actions = super().add_subparsers(**settings)
        self.commands = actions.choices
        return actions

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Refuse unknown options here, so that the innermost command names its own options."""
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(_UNKNOWN + " ".join(unknown))
        return found, unknown

    def error(self, message: str) -> NoReturn:
        lines = [f"{self.prog}: {plain(message)}", *self._suggestions(message)]
        lines.append(f"run {self.prog} --help for the options")
        self.exit(ExitCode.USAGE, "\n  ".join(lines) + "\n")

    def _suggestions(self, message: str) -> Iterable[str]:
        if message.startswith(_UNKNOWN):
            words = message.removeprefix(_UNKNOWN).split()
            given = [word.partition("=")[0] for word in words if word.startswith("-")]
            known = _OPTION.findall(self.format_usage())
        elif choice := _CHOICE.search(message):
            given = [choice["given"]]
            known = [each.strip(" '") for each in choice["choices"].split(",")]
        else:
            return
        for word in given:
            if near := nearest(word, known):
                yield f"did you mean {plain(near)}?"


def nearest(word: str, known: Iterable[str]) -> str:
    """The word of `known` that `word` is most likely a typing error of, or ""."""
    from difflib import get_close_matches

    return next(iter(get_close_matches(word, known, n=1, cutoff=0.7)), "")


def formatter(prog: str) -> argparse.HelpFormatter:
    """A formatter of fixed width. By default, argparse measures the terminal for each argument."""
    return argparse.RawDescriptionHelpFormatter(prog, width=100)


def parser_of(name: str) -> Parser:
    """The parser of a command's module, such as "scan" or "allow_list".

    The examples at the end of the module's docstring are shown below the options.
    """
    module = importlib.import_module(f"scanner.cli.{name}")
    parser = Parser(prog=f"keywatch {name.replace('_', ' ')}", **described(module.__doc__))
    module.add_arguments(parser)
    return parser


def described(docstring: str | None) -> Mapping[str, str]:
    """A docstring as the description and the epilog of a parser."""
    text, _, examples = (docstring or "").partition(_EXAMPLES)
    return {"description": text} | ({"epilog": f"examples:\n{examples}"} if examples else {})


def whole(commands: Mapping[str, str], kind: type[Parser] = Parser) -> Parser:
    """One parser of all commands, for completion, the manual page and the reference."""
    parser = kind(prog="keywatch", description="Find secrets, and check the age of live ones.")
    actions = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name, text in commands.items():
        module = importlib.import_module(f"scanner.cli.{name}")
        part = actions.add_parser(name, help=text, **described(module.__doc__))
        module.add_arguments(part)
    return parser
