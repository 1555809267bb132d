"""Benchmark: inputs that are large or deep on purpose. Each holds one planted token."""

from __future__ import annotations

import random
import string
import zlib
from collections.abc import Callable
from pathlib import Path

MEGABYTE = 1_000_000
LINE = b"The quick brown fox reads one more line of an ordinary log file and jumps.\n"
PIECE = LINE * 10_000


def token() -> bytes:
    """A made-up GitHub token with a valid checksum."""
    digits = string.digits + string.ascii_uppercase + string.ascii_lowercase
    rng = random.Random(62)  # noqa: S311 (made up, and the same each time)
    body = "".join(rng.choices(digits, k=30))
    rest, check = zlib.crc32(body.encode()), ""
    for _ in range(6):
        rest, digit = divmod(rest, 62)
        check = digits[digit] + check
    return ("gh" + "p_" + body + check).encode()


def huge_file(folder: Path) -> None:
    """200 MB of lines, the token on the last one."""
    with (folder / "huge.log").open("wb") as file:
        for _ in range(200 * MEGABYTE // len(PIECE) + 1):
            file.write(PIECE)
        file.write(_assignment() + b"\n")


def long_line(folder: Path) -> None:
    """50 MB without a line break, the token in the middle."""
    half = PIECE.replace(b"\n", b" ") * (25 * MEGABYTE // len(PIECE) + 1)
    (folder / "line.js").write_bytes(half + _assignment() + half)


def spaces(folder: Path) -> None:
    """10 MB of spaces inside one line, in Python and in YAML, the token behind them."""
    for name, start in (("spaces.py", b"password = "), ("spaces.yaml", b"password: ")):
        line = start + b" " * (10 * MEGABYTE) + b'"' + token() + b'"\n'
        (folder / name).write_bytes(line)


def at_the_limit(folder: Path) -> None:
    """Text, YAML, INI and JSON of 19.9 MB each, just under the default limit, the token last."""
    bodies = {
        "limit.log": (LINE, _assignment()),
        "limit.yaml": (b"- {name: worker, text: some words of a value}\n", b"- " + _pair()),
        "limit.ini": (b"[part]\nname = worker\ntext = some words of a value\n", _assignment()),
        "limit.json": (b'{"name": "worker", "text": "some words"},\n', b"{" + _pair() + b"}]"),
    }
    for name, (line, last) in bodies.items():
        start = b"[" if name.endswith("json") else b""
        text = start + line * ((19_900_000 - len(last)) // len(line)) + last + b"\n"
        (folder / name).write_bytes(text)


def tiny_files(folder: Path) -> None:
    """100,000 files in 1,000 folders, the token in one of them."""
    for number in range(1000):
        inner = folder / f"{number:03d}"
        inner.mkdir()
        for name in range(100):
            (inner / f"{name}.txt").write_bytes(b"value = %d\n" % name)
    (folder / "500" / "50.txt").write_bytes(_assignment() + b"\n")


def deep_folders(folder: Path) -> None:
    """50 nested folders, the token in the last one."""
    inner = folder.joinpath(*["deeper"] * 50)
    inner.mkdir(parents=True)
    (inner / "settings.py").write_bytes(_assignment() + b"\n")


def deep_structures(folder: Path) -> None:
    """JSON and YAML, 50 deep and 100,000 deep, the token at the bottom."""
    for depth in (50, 100_000):
        nested = b'{"a":' * depth + b'"' + token() + b'"' + b"}" * depth
        (folder / f"nested{depth}.json").write_bytes(nested)
        (folder / f"flow{depth}.yaml").write_bytes(b"[" * depth + token() + b"]" * depth)
    lines = (b" " * level + b"key:\n" for level in range(50))
    (folder / "block.yaml").write_bytes(b"".join(lines) + b" " * 50 + b"- {" + _pair() + b"}\n")


Shape = Callable[[Path], None]
SHAPES: tuple[Shape, ...] = (
    huge_file,
    long_line,
    spaces,
    at_the_limit,
    tiny_files,
    deep_folders,
    deep_structures,
)


def _assignment() -> bytes:
    return b'access = "' + token() + b'"'


def _pair() -> bytes:
    return b'"access": "' + token() + b'"'
