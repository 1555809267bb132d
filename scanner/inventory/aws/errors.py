"""Inventory: what can go wrong with AWS, in words of our own.

Of what a server says, only codes that are known here choose the words; its own text is never shown.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from botocore import exceptions
from botocore.parsers import ResponseParserError

from scanner.inventory.deadline import LateError
from scanner.inventory.listing import GONE, Trouble

FAULTS: tuple[type[Exception], ...] = (
    exceptions.BotoCoreError,
    exceptions.ClientError,
    ResponseParserError,
    LateError,
    OSError,
    # Answers of another shape: a proxy's page, or times beyond the calendar.
    ArithmeticError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)

_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403"}
_GONE = {"ResourceNotFoundException", "NotFoundException", "NoSuchEntity", "InvalidResourceId"}
_SKEWED = {"RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture"}
_SKEW_TEXT = re.compile(r"Signature (expired|not yet current)")
_UNKNOWN_CALLER = {
    *(
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "UnrecognizedClientException",
    ),
    *("SignatureDoesNotMatch", "InvalidSignatureException", "IncompleteSignature"),
    *("MissingAuthenticationToken", "MissingAuthenticationTokenException", "AuthFailure"),
}
_THROTTLED = {
    *("Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled"),
    *("TooManyRequestsException", "RequestLimitExceeded", "RequestThrottledException", "429"),
}
_NO_CALLER = (
    exceptions.NoCredentialsError,
    exceptions.PartialCredentialsError,
    exceptions.CredentialRetrievalError,
    exceptions.TokenRetrievalError,
    exceptions.MetadataRetrievalError,
    exceptions.ProfileNotFound,
    exceptions.ConfigParseError,
    exceptions.ConfigNotFound,
    exceptions.InvalidConfigError,
    exceptions.SSOError,
    exceptions.LoginError,
)

_SKEW = Trouble(
    "clock-skew", "this machine's clock is wrong: AWS refuses what is signed 5 minutes off"
)
_UNKNOWN = Trouble(
    "unauthenticated",
    "AWS does not accept the credentials: wrong, expired, or of no use in this region",
)
_NOT_AWS = Trouble("unreadable", "the answer is not one of AWS: is a proxy in between?")


def explain(error: Exception) -> Trouble:
    match error:
        case LateError():
            return Trouble("timeout", str(error))
        case exceptions.ClientError():
            return _refused(error)
        case exceptions.ConnectionError() | exceptions.HTTPClientError():
            return Trouble("unreachable", _connection(error))
        case _ if isinstance(error, _NO_CALLER):
            return Trouble("unauthenticated", "no credentials of AWS that can be used were found")
        case exceptions.BotoCoreError() | OSError():
            return Trouble("unreadable", f"it cannot be asked ({type(error).__name__})")
        case _:
            return _NOT_AWS


def _refused(error: exceptions.ClientError) -> Trouble:
    """What AWS answers in place of what was asked for."""
    said = error.response.get("Error", {})
    code, action = str(said.get("Code")), error.operation_name
    if code in _SKEWED or _SKEW_TEXT.match(str(said.get("Message"))):
        return _SKEW
    if code in _UNKNOWN_CALLER:
        return _UNKNOWN
    if code in _DENIED:
        return Trouble("denied", f"{action} is not allowed to this identity")
    if code in _GONE:
        return Trouble(GONE, "it was deleted while the store was read")
    if code in _THROTTLED:
        return Trouble("throttled", f"AWS takes no more requests for {action} at present")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return Trouble("unreadable", f"AWS answers {action} with an error (HTTP {status})")


def _connection(error: exceptions.BotoCoreError) -> str:
    host = urlsplit(str(error.kwargs.get("endpoint_url", ""))).hostname or "AWS"
    match error:
        case exceptions.SSLError():
            return f"the certificate of {host} is not trusted: does ca name its CA?"
        case exceptions.ProxyConnectionError():
            return "the proxy cannot be reached"
        case exceptions.ReadTimeoutError() | exceptions.ConnectTimeoutError():
            return f"no answer from {host}"
        case _:
            return f"no connection to {host}: its name, the network or a proxy is wrong"
