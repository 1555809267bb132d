"""Audit logs for tests and the benchmark: lines as OpenBao 2.7 writes them, records as AWS, Azure
and Kubernetes publish their schemas. All made up, and the same for the same seed."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

START = datetime(2026, 11, 2, 8, 0, tzinfo=UTC)
DENIED = "1 error occurred:\n\t* permission denied\n\n"


def hmac(text: str) -> str:
    return "hmac-sha256:" + hashlib.sha256(text.encode()).hexdigest()


def uuid(number: int) -> str:
    return f"{number & 0xFFFFFFFF:08x}-0000-4000-8000-{number:012x}"


def stamp(when: datetime) -> str:
    return f"{when:%Y-%m-%dT%H:%M:%S.%f}123Z"


class VaultLog:
    """Calls of one server; each gives its request and its response."""

    def __init__(self, first_id: int = 1, *, raw: bool = False) -> None:
        self._number = first_id
        self._raw = raw

    def call(  # noqa: PLR0913 - what a line may say
        self,
        when: datetime,
        path: str,
        operation: str = "read",
        *,
        role: str = "worker-role",
        policies: tuple[str, ...] = ("default", "workers"),
        address: str = "10.20.0.7",
        error: str = "",
        version: int = 0,
        token: str = "",
        names_token: str = "",
        mount_type: str = "kv",
    ) -> list[bytes]:
        """Without a role, the token is not known to the server."""
        self._number += 1
        mount = "/".join(path.split("/")[: 2 if path.startswith("auth/") else 1]) + "/"
        kind = {"sys/": "system", "auth/": "token", "transit/": "transit"}.get(
            mount if not path.startswith("auth/") else "auth/", mount_type
        )
        auth: dict[str, Any] = {"token_type": "default"}
        if role:
            auth = {
                "client_token": self._hidden(f"token of {role}{token}"),
                "accessor": hmac(f"accessor of {role}{token}"),
                "display_name": "token" if role == "root" else "approle",
                "policies": [*policies],
                "token_policies": [*policies],
                "policy_results": {
                    "allowed": not error,
                    "granting_policies": [
                        {"name": policies[-1], "namespace_id": "root", "type": "acl"}
                    ],
                },
                "metadata": {"role_name": role},
                "entity_id": uuid(int(hashlib.sha256(role.encode()).hexdigest()[:6], 16)),
                "token_type": "service",
                "token_ttl": 2764800,
                "token_issue_time": "2026-11-02T07:00:00Z",
            }
            if role == "root":
                del auth["metadata"], auth["entity_id"]
        request: dict[str, Any] = {
            "id": uuid(self._number),
            "client_id": auth.get("entity_id", ""),
            "operation": operation,
            "mount_point": mount,
            "mount_type": kind,
            "mount_running_version": "v2.7.2+builtin.bao",
            "mount_class": "secret",
            "client_token": self._hidden(token or f"token of {role}{token}"),
            "client_token_accessor": auth.get("accessor", ""),
            "namespace": {"id": "root"},
            "path": path,
            "remote_address": address,
            "remote_port": 36596,
        }
        if names_token:
            request["data"] = {"token": self._hidden(names_token)}
        first = {"time": stamp(when), "type": "request", "auth": auth, "request": request}
        data: dict[str, Any] = {}
        if version and operation == "read":
            value = "value-of-a-raw-log" if self._raw else hmac("value")
            data = {"data": {"password": value}, "metadata": {"version": version}}
            data["metadata"] |= {"created_time": stamp(when), "destroyed": False}
        elif version:
            data = {"created_time": stamp(when), "version": version}
        response = {"mount_point": mount, "mount_type": kind, "data": data}
        second = {**first, "time": stamp(when + timedelta(milliseconds=1)), "type": "response"}
        second["response"] = response
        if error:
            first["error"] = second["error"] = error
        return [line(first), line(second)]

    def _hidden(self, token: str) -> str:
        return f"hvs.{token}" if self._raw else hmac(token)


def line(entry: Any) -> bytes:
    return json.dumps(entry, separators=(",", ":")).encode() + b"\n"


def normal_day(  # noqa: PLR0913 - what the day is like
    calls: int,
    *,
    seed: int = 7,
    services: int = 50,
    secrets: int = 2_000,
    begin: datetime = START,
    hours: float = 24.0,
) -> Iterator[bytes]:
    """A day of services that read their own secrets, with a denial now and then.

    Two lines for each call, about 1.4 KB each, as in the log of a real server.
    """
    chance = random.Random(seed)
    own = secrets // services
    shapes = [_shape(number) for number in range(services)]
    refused = [_shape(number, DENIED) for number in range(services)]
    seconds = hours * 3_600 / max(calls, 1)
    for number in range(calls):
        # One denial in a thousand calls, each by another service.
        is_denied = number % 1_000 == 999
        service = number // 1_000 % services if is_denied else chance.randrange(services)
        path = f"secret/data/service-{service:02}/secret-{chance.randrange(own):02}"
        first, second = refused[service] if is_denied else shapes[service]
        when = begin + timedelta(seconds=number * seconds)
        fields = {"id": uuid(number), "path": "sys/mounts" if is_denied else path}
        yield first % {**fields, "time": stamp(when)}
        yield second % {**fields, "time": stamp(when + timedelta(microseconds=700))}


def _shape(service: int, error: str = "") -> tuple[Filled, Filled]:
    """The lines of a service's read, with places for time, id and path."""
    log = VaultLog()
    first, second = log.call(
        START,
        "%(path)s",
        role=f"service-{service:02}-role",
        policies=("default", f"service-{service:02}"),
        address=f"10.20.{service // 10}.{service + 10}",
        error=error,
        version=0 if error else 1,
    )
    return Filled(first), Filled(second)


class Filled:
    """A line with places in it."""

    def __init__(self, made: bytes) -> None:
        text = made.decode()
        entry = json.loads(text)
        mount = entry["request"]["mount_point"]
        text = text.replace(f'"mount_point":"{mount}"', '"mount_point":"secret/"')
        text = text.replace(entry["request"]["id"], "%(id)s", 1)
        self._text = text.replace(entry["time"], "%(time)s", 1)

    def __mod__(self, fields: dict[str, str]) -> bytes:
        return (self._text % fields).encode()


def aws(  # noqa: PLR0913 - what a record may say
    when: datetime,
    name: str,
    *,
    secret: str = "prod/db",
    role: str = "workers",
    error: str = "",
    source: str = "secretsmanager.amazonaws.com",
    kind: str = "AssumedRole",
    address: str = "10.20.0.7",
    stage: str = "",
    number: int = 0,
) -> dict[str, Any]:
    """A record of CloudTrail."""
    arn = (
        "arn:aws:iam::111122223333:root"
        if kind == "Root"
        else (f"arn:aws:sts::111122223333:assumed-role/{role}/session")
    )
    parameters: dict[str, Any] = {"secretId": secret}
    if stage:
        parameters["versionStage"] = stage
    record: dict[str, Any] = {
        "eventVersion": "1.08",
        "userIdentity": {"type": kind, "arn": arn, "accountId": "111122223333"},
        "eventTime": f"{when:%Y-%m-%dT%H:%M:%SZ}",
        "eventSource": source,
        "eventName": name,
        "awsRegion": "eu-central-1",
        "sourceIPAddress": address,
        "requestParameters": parameters,
        "responseElements": None,
        "eventID": uuid(number or abs(hash((when, name, secret, role))) % 10**9),
        "recipientAccountId": "111122223333",
    }
    if error:
        record["errorCode"] = error
    return record


def azure(  # noqa: PLR0913 - what a record may say
    when: datetime,
    name: str,
    *,
    secret: str = "db",
    code: int = 200,
    user: str = "worker@example.org",
    number: int = 0,
) -> dict[str, Any]:
    """A record of Key Vault's diagnostic log."""
    return {
        "time": f"{when:%Y-%m-%dT%H:%M:%S.%f}0Z",
        "category": "AuditEvent",
        "operationName": name,
        "resultType": "Success",
        "resultSignature": "OK",
        "correlationId": uuid(number or abs(hash((when, name, secret, code))) % 10**9),
        "callerIpAddress": "10.20.0.7",
        "resourceId": "/SUBSCRIPTIONS/S/RESOURCEGROUPS/G/PROVIDERS/MICROSOFT.KEYVAULT/VAULTS/APP",
        "identity": {"claim": {"oid": "11111111-2222-3333-4444-555555555555", "upn": user}},
        "properties": {
            "httpStatusCode": code,
            "requestUri": f"https://app.vault.azure.net/secrets/{secret}/?api-version=7.4",
        },
    }


def kubernetes(  # noqa: PLR0913 - what an event may say
    when: datetime,
    verb: str,
    *,
    name: str = "db",
    user: str = "system:serviceaccount:app:workers",
    decision: str = "allow",
    resource: str = "secrets",
    impersonated: str = "",
    stage: str = "ResponseComplete",
    number: int = 0,
) -> dict[str, Any]:
    """An audit event of an API server."""
    event: dict[str, Any] = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Metadata",
        "auditID": uuid(number or abs(hash((when, verb, name, user))) % 10**9),
        "stage": stage,
        "requestURI": f"/api/v1/namespaces/app/{resource}/{name}",
        "verb": verb,
        "user": {"username": user, "groups": ["system:authenticated"]},
        "sourceIPs": ["10.20.0.7"],
        "objectRef": {"resource": resource, "namespace": "app", "apiVersion": "v1", "name": name},
        "responseStatus": {"metadata": {}, "code": 403 if decision == "forbid" else 200},
        "requestReceivedTimestamp": f"{when:%Y-%m-%dT%H:%M:%S.%fZ}",
        "stageTimestamp": f"{when:%Y-%m-%dT%H:%M:%S.%fZ}",
        "annotations": {"authorization.k8s.io/decision": decision},
    }
    if impersonated:
        event["impersonatedUser"] = {"username": impersonated}
    return event
