"""Benchmark: the floor. One process reads every file and makes the one pass; nothing else.

Run by the interpreter that keywatch is installed in: `python -I floor.py TREE`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

from scanner import cache
from scanner.detect import detector
from scanner.detect.prefilter import matcher
from scanner.detect.rules import rulebook
from scanner.file_types import scope_of

_HEAD = 8192


def main(tree: str) -> None:
    folder = cache.folder()
    rules = rulebook.load(cache_folder=folder)
    ready = matcher.build("hyperscan", lambda: detector.patterns(rules), rules.shipped_key, folder)
    hits = size = 0
    for path in _files(tree):
        with open(path, "rb") as file:
            data = file.read()
        size += len(data)
        if b"\0" not in data[:_HEAD]:  # keywatch does not scan binary files either
            hits += len(ready.hits(data, scope_of(path)))
    print(f"{size} bytes, {hits} hits")


def _files(folder: str) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if entry.name != ".git":
                    yield from _files(entry.path)
            elif entry.is_file(follow_symlinks=False):
                yield entry.path


if __name__ == "__main__":
    main(sys.argv[1])
