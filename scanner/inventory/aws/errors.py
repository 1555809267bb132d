"""Inventory: explain errors of AWS in keywatch's own words.

The text of a server is never shown. Only its known error codes decide what is answer.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from botocore import exceptions
from botocore.parsers import ResponseParserError

from scanner.inventory.errors import GONE, ReadError

FAILURES: tuple[type[Exception], ...] = (
    exceptions.BotoCoreError,
    exceptions.ClientError,
    ResponseParserError,
    ReadError,
    OSError,
    # Answers of another form: a proxy's page, or a time outside the calendar.
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
_BAD_CREDENTIALS = {
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
_NO_CREDENTIALS = (
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

_SKEW = ReadError(
    "clock-skew", "this machine's clock is wrong: AWS refuses requests that are 5 minutes off"
)
_UNAUTHENTICATED = ReadError(
    "unauthenticated",
    "AWS does not accept the credentials: wrong, expired, or not valid in this region",
)
_NOT_AWS = ReadError("unreadable", "the answer does not come from AWS: is there a proxy?")


def explain(error: Exception) -> ReadError:
    match error:
        case ReadError():
            return error
        case exceptions.ClientError():
            return _refused(error)
        case exceptions.ConnectionError() | exceptions.HTTPClientError():
            return ReadError("unreachable", _connection(error))
        case _ if isinstance(error, _NO_CREDENTIALS):
            return ReadError("unauthenticated", "no usable AWS credentials were found")
        case exceptions.BotoCoreError() | OSError():
            return ReadError("unreadable", f"the request failed ({type(error).__name__})")
        case _:
            return _NOT_AWS


def _refused(error: exceptions.ClientError) -> ReadError:
    """The reason why AWS refused a request."""
    answer = error.response.get("Error", {})
    code, action = str(answer.get("Code")), error.operation_name
    if code in _SKEWED or _SKEW_TEXT.match(str(answer.get("Message"))):
        return _SKEW
    if code in _BAD_CREDENTIALS:
        return _UNAUTHENTICATED
    if code in _DENIED:
        return ReadError("denied", f"the auditor may not call {action}")
    if code in _GONE:
        return ReadError(GONE, "it was deleted while the store was read")
    if code in _THROTTLED:
        return ReadError("throttled", f"AWS currently accepts no more requests for {action}")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return ReadError("unreadable", f"AWS answers {action} with an error (HTTP {status})")


def _connection(error: exceptions.BotoCoreError) -> str:
    host = urlsplit(str(error.kwargs.get("endpoint_url", ""))).hostname or "AWS"
    match error:
        case exceptions.SSLError():
            return f"the certificate of {host} is not trusted: does the option ca name its CA?"
        case exceptions.ProxyConnectionError():
            return "the proxy cannot be reached"
        case exceptions.ReadTimeoutError() | exceptions.ConnectTimeoutError():
            return f"no answer from {host}"
        case _:
            return f"no connection to {host}: check the name, the network and the proxy"
