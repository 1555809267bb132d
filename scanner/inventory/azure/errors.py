"""Inventory: explain errors of Azure in keywatch's own words.

The text of a server is never shown. Only its known error codes decide what is said.
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

from scanner.inventory.errors import GONE, ReadError

FAILURES: tuple[type[Exception], ...] = (
    AzureError,
    ReadError,
    OSError,
    # Answers of another form: a proxy's page, or a time outside the calendar.
    ArithmeticError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
)

_REFUSALS: Mapping[str, str] = {
    "ForbiddenByRbac": "no role allows it to the auditor",
    "ForbiddenByPolicy": "no access policy of the vault allows it to the auditor",
    "AccessDenied": "no access policy of the vault allows it to the auditor",
    "ForbiddenByFirewall": "the vault's firewall blocks this machine",
    "ForbiddenByConnection": "the vault can be reached only from private networks",
}
_STATUS: Mapping[int, ReadError] = {
    404: ReadError(GONE, "it was deleted while the store was read"),
    429: ReadError("throttled", "the vault currently accepts no more requests"),
}
_NOT_AZURE = ReadError("unreadable", "the answer does not come from Key Vault: is there a proxy?")
_BROKEN = "the connection broke off before the answer was complete"
_OTHER_ERRORS: tuple[tuple[type[Exception], ReadError], ...] = (
    (
        ClientAuthenticationError,
        ReadError("unauthenticated", "Azure does not accept the login, or no login was found"),
    ),
    (DecodeError, _NOT_AZURE),
    (ServiceResponseError, ReadError("unreachable", _BROKEN)),
    (AzureError, ReadError("unreadable", "the request to Key Vault failed")),
    (OSError, ReadError("unreadable", "a file that the login needs cannot be read")),
)


def explain(error: Exception) -> ReadError:
    match error:
        case ReadError():
            return error
        case ServiceRequestError():
            return ReadError("unreachable", _connection(error))
        case ClientAuthenticationError(__cause__=(ReadError() | AzureError() | OSError()) as cause):
            return explain(cause)
        case HttpResponseError(status_code=int() as status) if status >= 400 and status != 401:
            return _refused(error, status)
    return next((one for kind, one in _OTHER_ERRORS if isinstance(error, kind)), _NOT_AZURE)


def _refused(error: HttpResponseError, status: int) -> ReadError:
    """The reason why Key Vault refused a request."""
    if status == 403:
        return ReadError("denied", _REFUSALS.get(_inner(error), "the auditor has no permission"))
    other = ReadError("unreadable", f"Key Vault answers with an error (HTTP {status})")
    return _STATUS.get(status, other)


def _inner(error: HttpResponseError) -> str:
    """The code of `{"error": {"code": "Forbidden", "innererror": {"code": "ForbiddenByRbac"}}}`."""
    inner = error.error.innererror if error.error else None
    return str(inner.get("code")) if isinstance(inner, Mapping) else ""


def _connection(error: ServiceRequestError) -> str:
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return "the certificate is not trusted: does the option ca name its CA?"
    return "no connection: check the vault's name, the network and the proxy"
