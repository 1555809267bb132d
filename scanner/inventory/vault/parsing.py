"""Inventory: answers of Vault that do not have the documented form."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from scanner.inventory.errors import ReadError


@contextmanager
def parsing() -> Iterator[None]:
    """Turn what an unexpected answer raises while it is parsed into a ReadError."""
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        reason = "the answer does not have the form that Vault documents"
        raise ReadError("malformed", reason) from None
