"""Detect: mask a secret for display."""

from __future__ import annotations

from collections.abc import Sequence

_SHOWN_FROM = 20  # characters


def text(data: bytes) -> str:
    """Decode bytes of a file as UTF-8, or as Latin-1 if they are not UTF-8. Never raises."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def preview(value: bytes, keywords: Sequence[str] = (), detail: str = "") -> str:
    """Return the masked form of a value: its prefix, its last 2 characters and its length.

    The prefix is the longest of `keywords` (lower case) that the value starts with. It belongs to
    the format and tells nothing about this value. Of a value with under 20 characters, only the
    length is shown. `detail` is added to the length.
    """
    shown = text(value)
    length = f"({len(shown)} characters{detail})"
    if len(shown) < _SHOWN_FROM:
        return length
    lowered = shown.lower()
    prefix = max((len(k) for k in keywords if lowered.startswith(k)), default=0)
    return f"{shown[:prefix]}…{shown[-2:]} {length}"
