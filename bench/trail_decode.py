"""Benchmark: a bare typed decode of each line of a file, and nothing else."""

from __future__ import annotations

import sys

import msgspec

from scanner.trail.formats.vault import Entry


def main() -> None:
    decode = msgspec.json.Decoder(Entry).decode
    with open(sys.argv[1], "rb") as file:
        for line in file:
            decode(line)


if __name__ == "__main__":
    main()
