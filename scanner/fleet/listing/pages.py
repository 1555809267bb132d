"""Read the pages of a listing API, with a token, within its rate limits and within a deadline.

The project's own HTTP client is used, not PyGithub or python-gitlab: it follows no redirect, limits
the size of an answer and ends at a deadline, and one request in three dialects is all that is
needed. The number of the next page is counted here. A link of the server decides only whether there
is one, never where the token is sent.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

import urllib3

from scanner.fleet import addresses
from scanner.fleet.credentials import Credential
from scanner.inventory.deadline import Deadline
from scanner.inventory.errors import ReadError
from scanner.inventory.http import TEMPORARY_STATUSES, HttpClient, Response, server_time

_MAX_PARTS = 500_000  # JSON lists and objects in a page
_MAX_PAGES = 20_000
_PAUSES = (0.5, 2.0, 5.0, 15.0)  # seconds between attempts
_MAX_WAITS = 100  # times that a rate limit may stop one page
_NEXT = re.compile(r'<([^<>]*)>\s*;[^,<]*\brel="?next\b')
_STATUS = {
    401: ("unauthenticated", "it does not accept the token: it is wrong or expired"),
    403: ("denied", "the token may not list the repositories"),
    404: ("absent", "there is no such owner, or the token may not see it"),
}
_NOT_LOGGED_IN = "; no token was sent: bind a credential helper to {origin} (docs/fleet.md)"


class Dialect(NamedTuple):
    """What differs between the APIs.

    `page_size` is the name of its parameter and its largest value; `total` the header with the
    number of all items, "" if there is none.
    """

    page_size: tuple[str, int]
    total: str
    authorization: Callable[[Credential], str]


class Api:
    """The API at `base`, an https address without user, query or fragment.

    `credential` is for its host. All requests together may take `seconds`.
    """

    def __init__(
        self, base: str, dialect: Dialect, credential: Credential | None, seconds: float
    ) -> None:
        self._origin = addresses.origin_of(base)
        self._dialect = dialect
        self._deadline = Deadline(seconds)
        self._headers = {"Accept": "application/json", "User-Agent": "keywatch"}
        if credential:
            self._headers["Authorization"] = dialect.authorization(credential)
        self._has_token = credential is not None
        pool = urllib3.connection_from_url(self._origin, maxsize=1)
        path = urlsplit(base).path.rstrip("/")
        self._http = HttpClient(pool, path, self._deadline, max_parts=_MAX_PARTS)

    def items(self, path: str, query: Mapping[str, str]) -> Iterator[Mapping[str, Any]]:
        """The objects of a list, page by page.

        ReadError if a page cannot be read, or if the pages cannot be what the server says: they
        repeat, never end, lead to another host or have fewer items than announced.
        """
        name, size = self._dialect.page_size
        earlier: set[int] = set()
        count = 0
        for number in range(1, _MAX_PAGES + 1):
            target = f"{path}?{urlencode({**query, name: str(size), 'page': str(number)})}"
            page = self._page(target)
            content = hash(page.body)
            if page.items and content in earlier:
                raise ReadError("unreadable", f"its page {number} repeats an earlier page")
            earlier.add(content)
            yield from page.items
            count += len(page.items)
            if not self._goes_on(page, size):
                break
        else:
            raise ReadError("too-large", f"its list has over {_MAX_PAGES:,} pages")
        if count < page.total:
            raise ReadError(
                "unreadable", f"its list ended after {count:,} of {page.total:,} repositories"
            )

    def _goes_on(self, page: _Page, size: int) -> bool:
        """Is there another page? Without a header, until one is not full."""
        if page.link is None:
            return len(page.items) >= size
        match = _NEXT.search(page.link)
        if match is None:
            return False
        try:
            origin = addresses.origin_of(match[1])
        except ValueError:
            origin = ""
        if origin != self._origin:
            raise ReadError("redirected", "its next page is at another host, which is not asked")
        return True

    def _page(self, target: str) -> _Page:
        """Read one page. A rate limit is waited for, as long as the deadline allows."""
        pauses = iter(_PAUSES)
        for _ in range(_MAX_WAITS):
            asked = _Asked(self)
            try:
                return self._http.request("GET", target, self._headers, asked.read, retry=False)
            except ReadError as error:
                pause = asked.wait or next(pauses, None)
                if not error.temporary or pause is None:
                    raise
                if not self._deadline.allows(pause):
                    if asked.wait:
                        reason = f"its rate limit ends in {pause:,.0f} s, after the time limit"
                        raise ReadError("throttled", f"{reason}: allow more time") from None
                    raise
                time.sleep(pause)
        raise ReadError("throttled", "its rate limit never ends")

    def refusal(self, status: int) -> ReadError:
        kind, reason = _STATUS.get(status, ("unreadable", "it fails, or is another kind of API"))
        advice = "" if self._has_token else _NOT_LOGGED_IN.format(origin=self._origin)
        return ReadError(
            kind,
            f"HTTP {status}: {reason}{advice}",
            status=status,
            temporary=status in TEMPORARY_STATUSES,
        )

    def total_in(self, headers: Mapping[str, str]) -> int:
        given = headers.get(self._dialect.total, "") if self._dialect.total else ""
        return int(given) if re.fullmatch(r"[0-9]{1,9}", given) else 0


class _Page(NamedTuple):
    """`link` is the header with the next page, None if there is no such header."""

    items: list[Mapping[str, Any]]
    link: str | None
    total: int
    body: bytes


class _Asked:
    """One request. `wait` is how many seconds the server asks to wait, 0 if it does not."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self.wait = 0.0

    def read(self, response: Response) -> _Page:
        headers = response.headers
        if response.status in {403, 429}:
            self.wait = _wait(headers)
        if self.wait:
            raise ReadError("throttled", "its rate limit is reached", temporary=True)
        if response.status != 200:
            raise self._api.refusal(response.status)
        try:
            items = json.loads(response.body)
        except (ValueError, RecursionError):
            raise ReadError("unreadable", "its answer is not valid JSON: is it an API?") from None
        if not isinstance(items, list) or not all(isinstance(each, dict) for each in items):
            raise ReadError("unreadable", "its answer is not a list of repositories")
        return _Page(items, headers.get("Link"), self._api.total_in(headers), response.body)


def _wait(headers: Mapping[str, str]) -> float:
    """The seconds until the rate limit ends, by the server's own clock. 0 if there is no limit."""
    after = headers.get("Retry-After", "")
    if re.fullmatch(r"[0-9]{1,9}", after):
        return float(after) + 1
    left = headers.get("X-RateLimit-Remaining", headers.get("RateLimit-Remaining", ""))
    end = headers.get("X-RateLimit-Reset", headers.get("RateLimit-Reset", ""))
    now = server_time(headers)
    if left.strip() == "0" and re.fullmatch(r"[0-9]{1,12}", end) and now:
        return max(float(end) - now.timestamp(), 0.0) + 1
    return 0.0
