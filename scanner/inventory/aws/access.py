"""Inventory: the accounts of AWS that the operator names, and clients that keep the deadline.

Credentials come from where AWS's own tools look for them (profiles, environment, instance). The
addresses do not: those that the environment or a profile names are ignored.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import boto3
import botocore.session
from botocore.config import Config

from scanner.inventory.aws.errors import FAULTS, explain
from scanner.inventory.aws.required_permissions import NEEDED, policy
from scanner.inventory.deadline import Deadline
from scanner.inventory.interface import Settings
from scanner.inventory.listing import gap, segment
from scanner.model import Gap

if TYPE_CHECKING:
    from types_boto3_sts import STSClient
    from types_boto3_sts.type_defs import AssumeRoleRequestTypeDef

_ATTEMPTS = 5
_PATIENCE = 10  # seconds for a connection, and for an answer
_OPTIONS: Mapping[str, Any] = {
    "retries": {"mode": "standard", "total_max_attempts": _ATTEMPTS},
    "ignore_configured_endpoint_urls": True,
}


class Account(NamedTuple):
    """An account, who reads it (the ARN of a user or role), and how."""

    path: str
    identity: str
    session: boto3.Session


class Access:
    """Opens accounts and services, all under one deadline."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._options = settings.options
        self._deadline = Deadline(settings.timeout)
        patience = min(_PATIENCE, settings.timeout)
        self._making = threading.Lock()
        proxy = self._options.get("proxy")
        self._config = Config(
            connect_timeout=patience,
            read_timeout=patience,
            proxies=dict.fromkeys(("http", "https"), proxy) if proxy else {},
            **_OPTIONS,
        )

    def accounts(self) -> Iterator[Callable[[], Iterator[Account | Gap]]]:
        """What opens each account, and gives it, or a gap where that fails."""
        return (partial(self._account, option) for option in self._options.get("accounts", ({},)))

    def _account(self, option: Mapping[str, str]) -> Iterator[Account | Gap]:
        try:
            yield self._opened(option)
        except FAULTS as error:
            yield gap(_unopened(self._settings.name, option), explain(error))

    def client(self, session: boto3.Session, service: Any, region: str) -> Any:
        """A client of boto3, which sends nothing once the deadline has passed."""
        with self._making:  # a session is not for several threads, a client is
            client = session.client(
                service,
                region_name=region,
                endpoint_url=self._options.get("endpoints", {}).get(service),
                verify=self._options.get("ca", True),
                config=self._config,
            )
        name = client.meta.service_model.service_id.hyphenize()
        client.meta.events.register(f"before-send.{name}", self._before_send)
        client.meta.events.register_first(f"needs-retry.{name}", self._before_waiting)
        return client

    def _opened(self, option: Mapping[str, str]) -> Account:
        session = boto3.Session(profile_name=option.get("profile"), botocore_session=self._core())
        if "role" in option:
            session = self._assumed(self._sts(session), option)
        caller = self._sts(session).get_caller_identity()
        return Account(
            path=f"aws://{self._settings.name}/{segment(caller['Account'])}",
            identity=option.get("role") or _principal(caller["Arn"]),
            session=session,
        )

    def _core(self) -> botocore.session.Session:
        """What is asked on the way to credentials is asked as all else is."""
        core = botocore.session.Session()
        core.set_default_client_config(self._config)
        if "ca" in self._options:
            core.set_config_variable("ca_bundle", self._options["ca"])
        return core

    def _assumed(self, sts: STSClient, option: Mapping[str, str]) -> boto3.Session:
        """A session of the role that can do no more than an audit needs."""
        services = self._options.get("services", tuple(NEEDED))
        request: AssumeRoleRequestTypeDef = {
            "RoleArn": option["role"],
            "RoleSessionName": "keywatch-audit",
            "Policy": json.dumps(policy(services), separators=(",", ":")),
        }
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
        self._deadline.demand()

    def _before_waiting(self, attempts: int, **_event: object) -> bool | None:
        """False ends the attempts, before botocore waits for so long at most."""
        return None if self._deadline.allows(2 ** (attempts - 1)) else False


def _principal(arn: str) -> str:
    """The role of `arn:aws:sts::1:assumed-role/NAME/SESSION`; any other ARN is its own."""
    return (
        arn.rpartition("/")[0].replace(":sts:", ":iam:").replace(":assumed-role/", ":role/")
        if ":assumed-role/" in arn
        else arn
    )


def _unopened(backend: str, option: Mapping[str, str]) -> str:
    """The best that can be said of an account that was not opened: a role's ARN tells its number,
    a profile only its name."""
    role = option.get("role", "")
    name = role.split(":")[4] if role else option.get("profile", "")
    return f"aws://{backend}/{segment(name)}".rstrip("/")
