"""Detect: plaintext -> what may be shown of it."""

from __future__ import annotations

from collections.abc import Sequence

_SHOWN_FROM = 20


def text(data: bytes) -> str:
    """Bytes of a file as text: UTF-8 where they are, else Latin-1. Never raises."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def preview(value: bytes, keywords: Sequence[str] = (), said: str = "") -> str:
    """The masked form: the format's own prefix and the last 2 characters, from 20 characters on.

    The prefix is the longest of `keywords` (lower case) that the value starts with: literals of
    the format, so they tell nothing about this value. A shorter value shows its length alone.
    `said`: what else there is to say of it.
    """
    shown = text(value)
    length = f"({len(shown)} characters{said})"
    if len(shown) < _SHOWN_FROM:
        return length
    lowered = shown.lower()
    prefix = max((len(k) for k in keywords if lowered.startswith(k)), default=0)
    return f"{shown[:prefix]}…{shown[-2:]} {length}"
