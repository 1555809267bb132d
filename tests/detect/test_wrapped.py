"""Literals that are written in several pieces, or on another line than their name."""

from __future__ import annotations

from typing import Any

import pytest

from scanner.detect.detector import Detector
from scanner.detect.rules.samples import expand
from tests.support import helpers

FIRST, SECOND = expand("{base62:9}", 4), expand("{base62:9}", 5)
WHOLE = FIRST + SECOND

JOINED = {
    "plus": ("a.py", f'password = "{FIRST}" + "{SECOND}"'),
    "a dot": ("a.php", f"$password = '{FIRST}' . '{SECOND}';"),
    "an ampersand": ("a.vb", f'password = "{FIRST}" & "{SECOND}"'),
    "plus before a line break": ("a.java", f'String password = "{FIRST}" +\n    "{SECOND}";'),
    "plus after a line break": ("a.js", f'const password = "{FIRST}"\n  + "{SECOND}";'),
    "nothing": ("a.py", f"PASSWORD = '{FIRST}' '{SECOND}'"),
    "a backslash": ("a.py", f'password = "{FIRST}" \\\n    "{SECOND}"'),
    "brackets": ("a.py", f'password = ("{FIRST}"\n            "{SECOND}")'),
    "brackets of their own lines": ("a.py", f'password = (\n    "{FIRST}"\n    "{SECOND}"\n)'),
    "lines of C": ("a.c", f'const char *password =\n    "{FIRST}"\n    "{SECOND}";'),
    "three": ("a.go", f'password := "{FIRST[:4]}" + "{FIRST[4:]}" +\n\t"{SECOND}"'),
}
WRAPPED = {
    "JavaScript": ("a.js", f'const apiSecret =\n  "{WHOLE}";'),
    "TypeScript": ("a.ts", f"const apiSecret: string =\n  '{WHOLE}';"),
    "Java": ("A.java", f'private static final String CLIENT_SECRET =\n      "{WHOLE}";'),
    "PHP": ("a.php", f"$config['db_password'] =\n   '{WHOLE}';"),
    "a dictionary": ("a.py", f'{{"password":\n    "{WHOLE}"}}'),
    "a long string of Python": ("a.py", f'client_secret = """\n{WHOLE}\n"""'),
    "a long string of JavaScript": ("a.js", f"const password = `\n  {WHOLE}\n`;"),
    "a hash of Ruby": ("a.rb", f":password =>\n  '{WHOLE}'"),
}
NONE = {
    "a sentence in two pieces": ("a.py", 'password = "Please enter " + "your password"'),
    "a sentence on the next line": ("a.js", 'const password =\n  "Please enter your password";'),
    "a call on the next line": ("a.js", f"const apiSecret =\n  read{WHOLE}();"),
    "a list of names": ("a.py", 'secrets = [\n    "db-password",\n    "db-user",\n]'),
    "what the class is for": ("a.py", 'class ResetPassword:\n    "Sends a link to the user."'),
    "the next line of a file of variables": (".env.example", f"PASSWORD=\nAPP_SETTING={WHOLE}"),
    "another line without a name": ("a.py", f'x =\n    "{WHOLE}"'),
    "code without quotes after brackets": ("a.py", f"password = (\n    {WHOLE}\n)"),
}


@pytest.fixture(params=["hyperscan", "re"])
def detector(request: pytest.FixtureRequest) -> Detector:
    return helpers.detector(request.param)


def found(detector: Detector, path: str, text: str) -> list[Any]:
    seen = detector.observe(path, [f"{text}\n".encode()])
    return list(seen.findings) if seen else []


@pytest.mark.parametrize("case", JOINED)
def test_literals_that_are_joined_are_one_value(detector: Detector, case: str) -> None:
    path, text = JOINED[case]
    (finding,) = found(detector, path, text)
    assert finding.preview == "(18 characters)"
    lines = text.split("\n")
    last = next(i for i, line in enumerate(lines) if SECOND in line)
    ends = finding.location.end_line, finding.location.end_column
    assert ends == (last + 1, lines[last].index(SECOND) + len(SECOND) + 1)


@pytest.mark.parametrize("case", WRAPPED)
def test_a_literal_on_the_line_after_its_name_is_found_there(detector: Detector, case: str) -> None:
    (finding,) = found(detector, *WRAPPED[case])
    assert (finding.location.line, finding.preview) == (2, "(18 characters)")


@pytest.mark.parametrize("case", NONE)
def test_what_is_no_secret_in_one_line_is_none_in_two(detector: Detector, case: str) -> None:
    assert found(detector, *NONE[case]) == []


def test_a_piece_that_is_filled_in_ends_the_value(detector: Detector) -> None:
    (finding,) = found(detector, "a.py", f'password = "{WHOLE}" + f"{{user}}"')
    assert finding.preview == "(18 characters)"
    assert finding.location.end_column == 13 + len(WHOLE)


def test_a_configuration_file_joins_nothing(detector: Detector) -> None:
    found_ = found(detector, "a.yaml", f'password: "{WHOLE}"\n"next": "{SECOND}"')
    assert [each.preview for each in found_] == ["(18 characters)"]


def test_a_very_long_chain_of_pieces_ends_in_time(detector: Detector) -> None:
    chain = " + ".join([f'"{FIRST}"'] * 20_000)
    assert len(found(detector, "a.js", f"const password = {chain};")) <= 1
