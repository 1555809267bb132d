"""Names and addresses as URIs. Not in `text`, because a clean run needs none of this."""

from __future__ import annotations

from urllib.parse import quote, unquote_to_bytes


def relative(path: str) -> str:
    """A path as a relative URI reference: its bytes, percent-encoded."""
    return quote(_raw(path), safe="/")


def path(uri: str) -> str:
    """The path of a URI that `relative` made."""
    return unquote_to_bytes(uri).decode("utf-8", "surrogateescape")


def web(address: str) -> str:
    """An address as a valid URI, with invalid characters percent-encoded."""
    return quote(_raw(address), safe=":/?#[]@!$&'()*+,;=%~")


def _raw(path: str) -> bytes:
    try:
        return path.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return path.encode("utf-8", "surrogatepass")
