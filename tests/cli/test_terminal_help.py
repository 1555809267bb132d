"""Help, suggestions, completion and the manual page, as a person at a terminal meets them."""

from __future__ import annotations

import io
import os
import pty
import re
import select
import shlex
import shutil
import socket
import sys
import time
from pathlib import Path

import pytest

from scanner.cli import COMMANDS, main
from scanner.cli.parser import parser_of
from scanner.console import Console, Progress

_EXAMPLE = re.compile(r"(?m)^  (?:[^\n]*\| )?keywatch (?P<rest>.*)$")
_STARTS = {
    "bash": ["bash", "--norc", "--noprofile", "-i"],
    "zsh": ["zsh", "-f", "-i"],
    "fish": ["fish", "--no-config", "-i"],
}
_LOADS = {
    "bash": "source {script}",
    "zsh": "fpath=({script.parent} $fpath); autoload -U compinit; compinit -u -D",
    "fish": "source {script}",
}


@pytest.mark.parametrize("command", [*COMMANDS, "allow_list"])
def test_the_help_of_every_command_ends_with_examples_that_parse(command: str) -> None:
    text = parser_of(command).format_help()
    examples = list(_EXAMPLE.finditer(text.partition("\nexamples:\n")[2]))
    assert len(examples) >= 2
    for example in examples:
        words = shlex.split(re.split(r" [|>] ", example["rest"])[0], comments=True)
        name, given = words[0], words[1:]
        if words[:2] == ["allow", "list"]:
            name, given = "allow_list", words[2:]
        parser_of(name).parse_args(given)


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["scna"], "did you mean scan?"),
        (["scan", "--stagd"], "did you mean --staged?"),
        (["scan", "--fail-onn=high"], "did you mean --fail-on?"),
        (["scan", "--fail-on", "hihg"], "did you mean high?"),
        (["rotate", "plan", "--secrt", "x"], "did you mean --secret?"),
        (["evidence", "verfy"], "did you mean verify?"),
        (["rules", "show", "github-app-user-tokn"], "github-app-user-token"),
    ],
)
def test_a_typing_error_is_answered_with_the_nearest_name(
    argv: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(argv) == 2
    assert expected in capsys.readouterr().err


def test_a_word_that_resembles_nothing_gets_no_suggestion(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["scan", "--qqqq"]) == 2
    assert "did you mean" not in capsys.readouterr().err


def test_an_unknown_option_names_the_help_of_its_own_command(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["rotate", "plan", "--secrt", "x"]) == 2
    assert "run keywatch rotate plan --help" in capsys.readouterr().err


def test_a_path_in_place_of_a_command_says_how_to_scan_it(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main([str(tmp_path)]) == 2
    assert "keywatch scan" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
@pytest.mark.parametrize("shell", _STARTS)
def test_the_tab_key_completes_commands_options_and_files(
    shell: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if not shutil.which(shell):
        if os.environ.get("CI"):
            pytest.fail(f"{shell} is not installed")
        pytest.skip(f"{shell} is not installed")
    main(["completion", shell])
    script = tmp_path / "_keywatch"
    script.write_text(capsys.readouterr().out, encoding="utf-8")
    (tmp_path / "operator-of-payments.yaml").touch()
    typed = {
        "keywatch aud\t": "keywatch audit ",
        "--oper\t": "--operator ",
        "operator-of\t": "operator-of-payments.yaml",
    }
    shown = _typed(shell, script, typed)
    assert all(each in shown for each in typed.values()), shown


def _typed(shell: str, script: Path, keys: dict[str, str]) -> str:
    """What a shell's screen shows after these keys. Each is typed when the last has its answer."""
    pid, screen = pty.fork()
    if pid == 0:
        os.chdir(script.parent)
        os.environ.update(TERM="dumb", PS1="> ", HOME=str(script.parent))
        os.execvp(_STARTS[shell][0], _STARTS[shell])
    try:
        _read(screen, "> ", 5)
        os.write(screen, f" {_LOADS[shell].format(script=script)}; echo loa''ded\n".encode())
        _read(screen, "loaded", 20)
        shown = ""
        for typed, answer in keys.items():
            os.write(screen, typed.encode())
            shown += _read(screen, answer, 10)
        return shown
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        os.close(screen)


def _read(screen: int, until: str, seconds: float) -> str:
    text, end = "", time.monotonic() + seconds
    while until not in text and time.monotonic() < end:
        if select.select([screen], [], [], 0.1)[0]:
            text += re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]| ?\x08", "", os.read(screen, 65536).decode())
    return text


def _repository(folder: Path) -> Path:
    folder.mkdir()
    (folder / "a b.py").write_text(f'db_password = "{"kV9#tq2Lw7"}xR"\n', encoding="utf-8")
    return folder


def test_places_are_links_where_the_terminal_shows_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = _repository(tmp_path / "repo")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("FORCE_HYPERLINK", "1")
    main(
        ["scan", ".", "--no-git", "--color", "always", "--report", f"terminal={tmp_path / 'file'}"]
    )
    main(["scan", ".", "--no-git", "--color", "always"])
    shown = capsys.readouterr().out
    link = f"file://{socket.gethostname()}{tmp_path}/repo/a%20b.py"
    assert f";{link}\x1b\\" in shown
    assert "file://" not in (tmp_path / "file").read_text(encoding="utf-8")
    monkeypatch.setenv("FORCE_HYPERLINK", "0")
    main(["scan", ".", "--no-git", "--color", "always"])
    assert "file://" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("environ", "linked"),
    [
        ({"TERM_PROGRAM": "WezTerm"}, True),
        ({"TERM": "xterm-kitty"}, True),
        ({"VTE_VERSION": "7006"}, True),
        ({"VTE_VERSION": "4200"}, False),
        ({"TERM": "xterm-256color"}, False),
        ({"TERM_PROGRAM": "vscode", "NO_COLOR": "1"}, False),
    ],
)
def test_only_terminals_that_are_known_to_show_links_get_them(
    environ: dict[str, str], linked: bool
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    console = Console(io.BytesIO(), Terminal(), Terminal(), environ)
    assert bool(console.links) is linked


def test_progress_shows_the_rate_and_the_remaining_time(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    seconds = iter([0.0, 0.5, 2.0, 4.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(seconds))
    err = Terminal()
    progress = Progress(err, 400, "files")
    progress.at(10)
    assert err.getvalue() == ""  # nothing in the first second
    progress.at(100)
    assert err.getvalue().endswith("keywatch: 100 of 400 files, 50/s, 6 s left")
    progress.at(300)
    assert err.getvalue().endswith("keywatch: 300 of 400 files, 75/s, 1 s left")
    progress.clear()
    assert err.getvalue().endswith("\r\x1b[K")
