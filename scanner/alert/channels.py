"""Deliver messages: by apprise to chats, pagers, mail and webhooks, or to Alertmanager's API.

No channel follows a redirect, and each one has a time limit. Addresses may contain tokens, so no
error repeats one.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from scanner import project
from scanner.alert.messages import Message
from scanner.alert.routes import Channel
from scanner.errors import UsageError
from scanner.inventory.deadline import Deadline
from scanner.inventory.errors import ReadError
from scanner.model import Severity

_MAX_PARTS = 10_000


class DeliveryError(Exception):
    """A channel did not accept a message. The text is keywatch's own."""


def send(channel: Channel, messages: Sequence[Message]) -> None:
    """Send by apprise. DeliveryError with the reason if one message was not accepted."""
    try:
        import apprise
    except ImportError:
        raise _not_installed("apprise") from None
    asset = apprise.AppriseAsset(
        app_id="keywatch", app_desc="keywatch", http_redirects=False, async_mode=False
    )
    target = apprise.Apprise(asset=asset)
    logger = logging.getLogger("apprise")
    logger.setLevel(logging.CRITICAL + 1)  # its texts contain addresses
    if not target.add(channel.apprise):
        raise DeliveryError("apprise does not know its address")
    answers: list[bool] = []

    def notify() -> None:
        try:
            answers.extend(
                bool(
                    target.notify(
                        title=message.title,
                        body=message.body,
                        notify_type=_type(channel, message),
                        body_format=apprise.NotifyFormat.TEXT,
                        interpret_escapes=False,
                    )
                )
                for message in messages
            )
        except Exception:  # noqa: BLE001 - its text may contain the address
            answers.append(False)

    thread = threading.Thread(target=notify, daemon=True)
    thread.start()
    thread.join(channel.timeout)
    if thread.is_alive():
        raise DeliveryError(f"it did not accept the message within {channel.timeout} s")
    if not all(answers):
        raise DeliveryError("it refused the message, answered with an error, or redirected")


def _type(channel: Channel, message: Message) -> str:
    """How urgent apprise calls the message: pagers use it, and chats show it as a colour.

    Opsgenie gets no success: for that, apprise closes an alert that the same process sent, and
    sends nothing if there is none.
    """
    if message.severity is None:
        is_opsgenie = channel.apprise.lower().startswith("opsgenie:")
        return "warning" if is_opsgenie else "success"
    return "failure" if message.severity >= Severity.HIGH else "warning"


def post(channel: Channel, alerts: Sequence[dict[str, Any]]) -> None:
    """Send to Alertmanager. DeliveryError with the reason if it did not accept the alerts."""
    try:
        from urllib3 import PoolManager

        from scanner.inventory.http import HttpClient, Response
    except ImportError:
        raise _not_installed("urllib3") from None

    def read(response: Response) -> None:
        if response.status != 200:
            raise ReadError(
                "refused",
                f"it answered {response.status}",
                temporary=response.status == 429 or response.status >= 500,
            )

    if urlsplit(channel.alertmanager).scheme not in {"http", "https"}:
        raise DeliveryError("its address is not an http address")
    headers = {"Content-Type": "application/json"}
    if channel.token:
        headers["Authorization"] = f"Bearer {channel.token}"
    with PoolManager() as pool:
        base = channel.alertmanager.rstrip("/")
        client = HttpClient(pool, base, Deadline(channel.timeout), max_parts=_MAX_PARTS)
        body = json.dumps(alerts).encode()
        try:
            client.request("POST", "/api/v2/alerts", headers, read, body=body)
        except ReadError as error:
            raise DeliveryError(error.reason) from None


def _not_installed(library: str) -> UsageError:
    todo = f"pip install {project.requirement('alert')}"
    return UsageError(f"{library} is not installed", todo=todo)
