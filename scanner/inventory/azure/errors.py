"""Inventory: what can go wrong with Azure, in words of our own.

Of what a server says, only codes that are known here choose the words; its own text is never shown.
"""

from __future__ import annotations

from collections.abc import Mapping

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    DecodeError,
    HttpResponseError,
    ServiceRequestError,
    ServiceResponseError,
)

from scanner.inventory.deadline import LateError
from scanner.inventory.listing import GONE, Trouble

FAULTS: tuple[type[Exception], ...] = (
    AzureError,
    LateError,
    OSError,
    # Answers of another shape: a proxy's page, or times beyond the calendar.
    ArithmeticError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
)

_REFUSALS: Mapping[str, str] = {
    "ForbiddenByRbac": "no role allows it to this identity",
    "ForbiddenByPolicy": "no access policy of the vault allows it to this identity",
    "AccessDenied": "no access policy of the vault allows it to this identity",
    "ForbiddenByFirewall": "the vault's firewall does not let this machine in",
    "ForbiddenByConnection": "the vault answers in private networks alone",
}
_STATUS: Mapping[int, Trouble] = {
    404: Trouble(GONE, "it was deleted while the store was read"),
    429: Trouble("throttled", "the vault takes no more requests at present"),
}
_NOT_AZURE = Trouble("unreadable", "the answer is not one of Key Vault: is a proxy in between?")
_BROKEN = "the connection broke before the answer was there"
_TROUBLES: tuple[tuple[type[Exception], Trouble], ...] = (
    (
        ClientAuthenticationError,
        Trouble("unauthenticated", "Azure does not accept the login, or there is none"),
    ),
    (DecodeError, _NOT_AZURE),
    (ServiceResponseError, Trouble("unreachable", _BROKEN)),
    (AzureError, Trouble("unreadable", "Key Vault cannot be asked")),
    (OSError, Trouble("unreadable", "a file that it takes to ask cannot be read")),
)


def explain(error: Exception) -> Trouble:
    match error:
        case LateError():
            return Trouble("timeout", str(error))
        case ServiceRequestError():
            return Trouble("unreachable", _connection(error))
        case ClientAuthenticationError(__cause__=(LateError() | AzureError() | OSError()) as cause):
            return explain(cause)
        case HttpResponseError(status_code=int() as status) if status >= 400 and status != 401:
            return _refused(error, status)
    return next((one for kind, one in _TROUBLES if isinstance(error, kind)), _NOT_AZURE)


def _refused(error: HttpResponseError, status: int) -> Trouble:
    """What Key Vault answers in place of what was asked for."""
    if status == 403:
        return Trouble("denied", _REFUSALS.get(_inner(error), "it is not allowed to this identity"))
    other = Trouble("unreadable", f"Key Vault answers with an error (HTTP {status})")
    return _STATUS.get(status, other)


def _inner(error: HttpResponseError) -> str:
    """The code of `{"error": {"code": "Forbidden", "innererror": {"code": "ForbiddenByRbac"}}}`."""
    inner = error.error.innererror if error.error else None
    return str(inner.get("code")) if isinstance(inner, Mapping) else ""


def _connection(error: ServiceRequestError) -> str:
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return "the certificate is not trusted: does ca name its CA?"
    return "no connection: the vault's name, the network or a proxy is wrong"
