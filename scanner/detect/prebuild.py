"""Detect: compile the shipped rules when a wheel is built."""

from __future__ import annotations

import os
import shutil

from scanner.detect.detector import matcher_for
from scanner.detect.prefilter.matcher import DATABASES
from scanner.detect.rules import rulebook


def write(folder: str) -> list[str]:
    """Write the compiled rules to a new folder, and return the names of its files.

    There are no databases if Hyperscan is not installed.
    """
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder, mode=0o700)
    book = rulebook.load(cache_folder=folder)
    for table in rulebook.TABLES:
        book.shipped_table(table)
    matcher_for(book, "auto", folder).load(DATABASES)
    return sorted(name for name in os.listdir(folder) if not name.endswith(".key"))
