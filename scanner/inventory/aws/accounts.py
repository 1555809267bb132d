"""Inventory: log in to the AWS accounts in the operator config, and create clients.

Credentials come from where AWS's own tools look for them (profiles, environment, instance).
Addresses in the environment or in a profile are ignored.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import boto3
import botocore.session
from botocore.config import Config

from scanner.inventory.aws.errors import FAILURES, explain
from scanner.inventory.aws.required_permissions import NEEDED, allowing, policy
from scanner.inventory.deadline import Deadline
from scanner.inventory.errors import ReadError, gap
from scanner.inventory.interface import Settings
from scanner.inventory.listing import id_part
from scanner.model import Gap

if TYPE_CHECKING:
    from types_boto3_sts import STSClient
    from types_boto3_sts.type_defs import AssumeRoleRequestTypeDef

_ATTEMPTS = 5
_TIMEOUT = 10  # seconds for a connection, and for an answer
_OPTIONS: Mapping[str, Any] = {
    "retries": {"mode": "standard", "total_max_attempts": _ATTEMPTS},
    "ignore_configured_endpoint_urls": True,
}


class Account(NamedTuple):
    """An account, the ARN of the user or role that reads it, and its session."""

    path: str
    identity: str
    session: boto3.Session


class Accounts:
    """Logs in to accounts and creates clients of services, with one deadline for everything.

    The session of an assumed role is limited to `actions`, by default those that an audit needs.
    `writes`: it is not limited, and no request is sent twice. `answered` gets the headers of each
    answer.
    """

    def __init__(
        self,
        settings: Settings,
        actions: Sequence[str] | None = None,
        *,
        writes: bool = False,
        answered: Callable[[Mapping[str, str]], None] = lambda _headers: None,
    ) -> None:
        self._answered = answered
        self._settings = settings
        self._writes = writes
        self._options = settings.options
        services = self._options.get("services", tuple(NEEDED))
        self._policy = policy(services) if actions is None else allowing(actions)
        self._deadline = Deadline(settings.timeout)
        timeout = min(_TIMEOUT, settings.timeout)
        self._session_lock = threading.Lock()
        proxy = self._options.get("proxy")
        self._config = Config(
            connect_timeout=timeout,
            read_timeout=timeout,
            proxies=dict.fromkeys(("http", "https"), str(proxy)) if proxy else {},
            **{**_OPTIONS, **({"retries": {"total_max_attempts": 1}} if writes else {})},
        )

    def log_ins(self) -> Iterator[Callable[[], Iterator[Account | Gap]]]:
        """One function for each account. It logs in and returns the account, or a gap."""
        return (partial(self._account, option) for option in self._options.get("accounts", ({},)))

    def _account(self, option: Mapping[str, str]) -> Iterator[Account | Gap]:
        try:
            yield self.log_in(option)
        except FAILURES as error:
            yield _failed(self._settings.name, option, explain(error))

    def client(self, session: boto3.Session, service: Any, region: str) -> Any:
        """A boto3 client that sends nothing after the deadline."""
        with self._session_lock:  # sessions are not thread-safe, clients are
            client = session.client(
                service,
                region_name=region,
                endpoint_url=self._options.get("endpoints", {}).get(service),
                verify=self._options.get("ca", True),
                config=self._config,
            )
        name = client.meta.service_model.service_id.hyphenize()
        client.meta.events.register(f"before-send.{name}", self._before_send)
        client.meta.events.register(f"after-call.{name}", self._after_call)
        client.meta.events.register_first(f"needs-retry.{name}", self._before_waiting)
        return client

    def log_in(self, option: Mapping[str, str]) -> Account:
        """An error of FAILURES if that fails."""
        session = boto3.Session(profile_name=option.get("profile"), botocore_session=self._core())
        if "role" in option:
            session = self._assumed(self._sts(session), option)
        caller = self._sts(session).get_caller_identity()
        return Account(
            path=f"aws://{self._settings.name}/{id_part(caller['Account'])}",
            identity=option.get("role") or _principal(caller["Arn"]),
            session=session,
        )

    def _core(self) -> botocore.session.Session:
        """A session whose requests for credentials use the same proxy, CA and timeouts."""
        core = botocore.session.Session()
        core.set_default_client_config(self._config)
        if "ca" in self._options:
            core.set_config_variable("ca_bundle", self._options["ca"])
        return core

    def _assumed(self, sts: STSClient, option: Mapping[str, str]) -> boto3.Session:
        """A session of the role. For reading, it is limited to the actions that are needed."""
        request: AssumeRoleRequestTypeDef = {
            "RoleArn": option["role"],
            "RoleSessionName": "keywatch-rotate" if self._writes else "keywatch-audit",
        }
        if not self._writes:
            request["Policy"] = json.dumps(self._policy, separators=(",", ":"))
        if "external_id" in option:
            request["ExternalId"] = option["external_id"]
        given = sts.assume_role(**request)["Credentials"]
        return boto3.Session(
            aws_access_key_id=given["AccessKeyId"],
            aws_secret_access_key=given["SecretAccessKey"],
            aws_session_token=given["SessionToken"],
        )

    def _sts(self, session: boto3.Session) -> STSClient:
        sts: STSClient = self.client(session, "sts", self._options["regions"][0])
        return sts

    def _before_send(self, **_event: object) -> None:
        self._deadline.left()

    def _after_call(self, http_response: Any, **_event: object) -> None:
        self._answered(http_response.headers)

    def _before_waiting(self, attempts: int, **_event: object) -> bool | None:
        """Return False to stop retrying if botocore's next pause could pass the deadline."""
        return None if self._deadline.allows(2 ** (attempts - 1)) else False


def session_of(key_id: str, secret: str) -> boto3.Session:
    """A session with this access key, to find out whether the key works."""
    return boto3.Session(aws_access_key_id=key_id, aws_secret_access_key=secret)


def _principal(arn: str) -> str:
    """The role for `arn:aws:sts::1:assumed-role/NAME/SESSION`, otherwise the ARN itself."""
    return (
        arn.rpartition("/")[0].replace(":sts:", ":iam:").replace(":assumed-role/", ":role/")
        if ":assumed-role/" in arn
        else arn
    )


def _failed(backend: str, option: Mapping[str, str], error: ReadError) -> Gap:
    """The Gap of an account whose login failed. It covers all secrets that it may hide.

    The ARN of a role has the account's number. Which account a profile belongs to is unknown, so
    its Gap covers the whole backend.
    """
    role = option.get("role", "")
    number = role.split(":")[4] if role else ""
    found = gap(f"aws://{backend}/{id_part(number)}".rstrip("/"), error)
    profile = "" if role else option.get("profile", "")
    return found._replace(reason=f"profile {profile}: {found.reason}") if profile else found
