"""The reference of the command line, docs/command-line.md, and the manual page, docs/keywatch.1."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator

from argparse_manpage.manpage import Manpage

from scanner.cli import COMMANDS
from scanner.cli.parser import Parser, parser_of, whole

_USAGE = re.compile(r"(?m)^usage: .+(?:\n +.+)*")
"""Where argparse breaks these lines depends on the version of Python."""
_SHORT = re.compile(r"(?m)^(  -\w) \S+(, --\S+ \S+)")
"""Before Python 3.13, argparse writes `-f FMT, --format FMT`, and later `-f, --format FMT`."""
_TEXT = re.compile(r"(?m)^\.(?!(?:TH|SH|SS|TP|RS|RE|B|PP)\b)")
"""A dot that begins a line of text: troff would take the line as a command."""
_INDENTED = re.compile(r"(?m)^(?:  .*\n)+")
_HEADER = """\
# Command line

`make docs` writes this page. It is what `keywatch COMMAND --help` prints; `man keywatch` has the
same. `keywatch completion SHELL` prints the completion script for bash, zsh or fish.

"""
_END = r"""
.SH EXIT STATUS
.TP
.B 0
Clean: nothing that fails the run.
.TP
.B 1
There are findings.
.TP
.B 2
Wrong usage, or an invalid configuration.
.TP
.B 3
Incomplete: something should have been checked and was not.
.TP
.B 4
An internal error.
.TP
.B 130
Interrupted.
.SH FILES
.TP
.I keywatch.yaml
The policy of a repository: what is scanned, exceptions, the owners and ages of secrets.
.TP
.I .secrets.baseline
The baseline of detect-secrets, if there is one.
.TP
.I .keywatch.baseline
The accepted findings of keywatch.
.SH ENVIRONMENT
.TP
.B NO_COLOR, FORCE_COLOR
Whether reports on a terminal have colours; \-\-color decides first.
"""


def reference() -> str:
    """The help of every command, with a heading for each."""
    return _HEADER + "\n".join(_commands()).rstrip("\n") + "\n"


def _commands() -> Iterator[str]:
    for name in COMMANDS:
        yield from _section(f"keywatch {name}", parser_of(name))
        if name == "allow":
            yield from _section("keywatch allow list", parser_of("allow_list"))


def _section(title: str, parser: Parser, mark: str = "##") -> Iterator[str]:
    text = _USAGE.sub(_wrapped, _SHORT.sub(_same_width, parser.format_help()))
    yield f"{mark} {title}\n"
    yield f"```text\n{text}```\n"
    for name, command in parser.commands.items():
        yield from _section(f"{title} {name}", command, "###")


def _wrapped(usage: re.Match[str]) -> str:
    """The usage on lines of one width, with an option and its value on the same line."""
    words = re.sub(r"\s+", " ", usage[0])
    kept = re.sub(r"(\[[^\][ ]+) (?=[^][ ]+\])", "\\1\0", words)
    lines = textwrap.wrap(kept, 96, subsequent_indent=" " * 8, break_on_hyphens=False)
    return "\n".join(lines).replace("\0", " ")


def _same_width(match: re.Match[str]) -> str:
    return (match[1] + match[2]).ljust(len(match[0]))


def man_page() -> str:
    """The manual page, in troff."""
    parser = whole(COMMANDS)
    parser.man_short_description = "find secrets, and check the age of live ones"  # type: ignore[attr-defined]
    page = str(Manpage(parser, format="single-commands-section"))
    page = re.sub(r"(?m)^\.TH .*", ".TH KEYWATCH 1", page, count=1)
    page = page.replace(".SH\nPOSITIONAL ARGUMENTS", ".SH COMMANDS")
    page = _USAGE.sub(lambda usage: " ".join(usage[0].split()), page)
    page = _TEXT.sub(r"\\&\g<0>", page)
    page = _INDENTED.sub(r".nf\n\g<0>.fi\n", page)
    return page.rstrip("\n") + _END
