"""Inventory: why something in a live store could not be read."""

from __future__ import annotations

from scanner.model import Gap

GONE = "gone"
"""The kind for a secret that was deleted after it was listed. It becomes a note, not a gap."""

_MAX_SHOWN = 200  # characters of a name or text that a server chose


class ReadError(Exception):
    """Something could not be read. `kind` and `reason` become those of a Gap.

    `reason` is keywatch's own text, because a server's text is hostile. `status` is the HTTP
    status, 0 without a response. `server_text` is what the server said: compare it, never show it.
    `temporary`: another attempt may succeed, after `retry_after` seconds if the server gave them.
    """

    def __init__(
        self,
        kind: str,
        reason: str,
        *,
        status: int = 0,
        server_text: str = "",
        temporary: bool = False,
    ) -> None:
        super().__init__(reason)
        self.kind = kind
        self.reason = reason
        self.status = status
        self.server_text = server_text
        self.temporary = temporary
        self.retry_after = 0.0


def gap(path: str, error: ReadError, advice: str = "") -> Gap:
    """The Gap for an error. `advice` is added if a permission is missing."""
    more = f"; {advice}" if advice and error.kind == "denied" else ""
    return Gap(kind=error.kind, path=path, reason=error.reason + more)


def shortened(text: str) -> str:
    """Text from a server, cut to what fits into one line of a report."""
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"
