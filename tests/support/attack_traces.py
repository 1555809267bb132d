"""An attack for each detection of `keywatch trail`, and what its finding is about."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

from tests.support.audit_logs import DENIED, START, VaultLog, aws, azure, kubernetes, line

DB = "secret/data/agentaskit/db-credentials"
API = "secret/data/agentaskit/api-keys"
SECOND, MINUTE, HOUR, DAY = (timedelta(seconds=n) for n in (1, 60, 3_600, 86_400))
Trace = Iterator[bytes]


def calls(count: int, path: str = DB, *, every: timedelta = SECOND, **more: Any) -> Trace:
    log = VaultLog()
    for number in range(count):
        yield from log.call(START + every * number, path.replace("#", str(number)), **more)


def one(path: str, operation: str = "update", **more: Any) -> Trace:
    yield from VaultLog().call(
        START, path, operation, role="admin", policies=("default", "admin"), **more
    )


def revoked() -> Trace:
    log = VaultLog()
    yield from log.call(START, "auth/token/revoke", "update", role="admin", names_token="stolen")
    yield from log.call(START + HOUR / 2, DB, role="", token="stolen", error=DENIED)


def logged_out() -> Trace:
    log = VaultLog()
    yield from log.call(START, "auth/token/revoke-self", "update", token="left")
    yield from log.call(START + MINUTE, DB, role="", token="left", error=DENIED)


def old_version() -> Trace:
    log = VaultLog()
    yield from log.call(START, DB, "update", role="admin", version=4)
    yield from log.call(START + 30 * HOUR, DB, version=3)


def days(count: int = 9, *, hour: int = 9, address: str = "10.20.0.7") -> Trace:
    """Work at one hour of each day."""
    log = VaultLog(1_000)
    for day in range(count):
        for number in range(20):
            when = START.replace(hour=hour) + DAY * day + MINUTE * number
            yield from log.call(when, DB, address=address)


def at_night() -> Trace:
    yield from days()
    yield from VaultLog(90_000).call(START.replace(hour=3) + 9 * DAY, DB)


def elsewhere() -> Trace:
    yield from days()
    yield from VaultLog(90_000).call(START.replace(hour=9) + 9 * DAY, DB, address="203.0.113.9")


def in_a_rush() -> Trace:
    yield from days()
    log = VaultLog(90_000)
    for number in range(300):
        yield from log.call(START.replace(hour=9) + 9 * DAY + SECOND * number, DB)


def silent() -> Trace:
    log = VaultLog()
    yield from log.call(START, DB)
    yield from log.call(START + 2 * HOUR, DB)


def aws_many(count: int, name: str, **more: Any) -> Trace:
    for number in range(count):
        told = {key: str(value).replace("#", str(number)) for key, value in more.items()}
        yield line(aws(START + SECOND * number, name, number=number + 1, **told))


def azure_many(count: int, name: str, *, code: int, secret: str) -> Trace:
    for number in range(count):
        named = secret.replace("#", str(number))
        yield line(azure(START + SECOND * number, name, code=code, secret=named, number=number + 1))


def kubernetes_many(count: int, verb: str, *, name: str, decision: str = "allow") -> Trace:
    for number in range(count):
        when, named = START + SECOND * number, name.replace("#", str(number))
        yield line(kubernetes(when, verb, name=named, decision=decision, number=number + 1))


def first_read(secret: str = "prod/other") -> Trace:
    for day in range(9):
        yield line(aws(START + DAY * day, "GetSecretValue", number=day + 1))
    yield line(aws(START + 9 * DAY, "GetSecretValue", secret=secret, number=99))


def node(name: str) -> Trace:
    """A kubelet that gets another pod after days."""
    for day, secret in ((0, "db"), (9, "other")):
        yield line(kubernetes(START + day * DAY, "get", user=name, name=secret, number=day + 1))


WORKER = "vault://prod?by=worker-role"
SM = "aws://prod/111122223333/eu-central-1/secretsmanager"
TRACES: dict[str, tuple[Callable[[], Trace], str]] = {
    "trail-vault-root-token": (
        lambda: iter(VaultLog().call(START, DB, role="root", policies=("root",))),
        "vault://prod?by=token",
    ),
    "trail-vault-generate-root": (
        lambda: one("sys/generate-root/attempt"),
        "vault://prod/-/sys/generate-root/attempt?by=admin",
    ),
    "trail-vault-policy-changed": (
        lambda: one("sys/policies/acl/workers"),
        "vault://prod/-/sys/policies/acl/workers?by=admin",
    ),
    "trail-vault-auth-changed": (
        lambda: one("sys/auth/userpass"),
        "vault://prod/-/sys/auth/userpass?by=admin",
    ),
    "trail-vault-role-changed": (
        lambda: one("auth/kubernetes/role/worker-role"),
        "vault://prod/-/auth/kubernetes/role/worker-role?by=admin",
    ),
    "trail-vault-audit-changed": (
        lambda: one("sys/audit/file", "delete"),
        "vault://prod/-/sys/audit/file?by=admin",
    ),
    "trail-vault-denied-burst": (lambda: calls(10, "sys/mounts", error=DENIED), WORKER),
    "trail-vault-path-enumeration": (
        lambda: calls(10, "secret/data/try-#", error=DENIED, every=40 * SECOND),
        WORKER,
    ),
    "trail-vault-mass-read": (lambda: calls(50, "secret/data/any/#"), WORKER),
    "trail-vault-key-exported": (
        lambda: calls(1, "transit/export/encryption-key/app"),
        "vault://prod/-/transit/keys/app?by=worker-role",
    ),
    "trail-vault-revoked-token": (revoked, "vault://prod?from=10.20.0.7"),
    "trail-vault-token-after-logout": (logged_out, "vault://prod?from=10.20.0.7"),
    "trail-read-outside-mapping": (
        lambda: calls(1, DB, role="api-gateway-role", policies=("default", "api-gateway")),
        "vault://prod/-/secret/agentaskit/db-credentials?by=api-gateway-role",
    ),
    "trail-read-unknown-identity": (
        lambda: calls(1, DB, role="someone", policies=("default", "people")),
        "vault://prod/-/secret/agentaskit/db-credentials?by=someone",
    ),
    "trail-old-version-read": (
        old_version,
        "vault://prod/-/secret/agentaskit/db-credentials?by=worker-role",
    ),
    "trail-unusual-time": (at_night, WORKER),
    "trail-unusual-rate": (in_a_rush, WORKER),
    "trail-first-read": (first_read, f"{SM}/prod/other?by=workers"),
    "trail-new-source": (elsewhere, f"{WORKER}&from=203.0.113.0%2F24".replace("%2F", "/")),
    "trail-log-silence": (silent, ""),
    "trail-raw-values": (
        lambda: iter(VaultLog(raw=True).call(START, DB, version=1)),
        "",
    ),
    "trail-aws-denied-burst": (
        lambda: aws_many(5, "GetSecretValue", error="AccessDeniedException"),
        "aws://prod?by=workers",
    ),
    "trail-aws-secret-enumeration": (
        lambda: aws_many(5, "GetSecretValue", secret="try-#", error="AccessDenied"),
        "aws://prod?by=workers",
    ),
    "trail-aws-mass-read": (
        lambda: aws_many(20, "GetSecretValue", secret="any-#"),
        "aws://prod?by=workers",
    ),
    "trail-aws-root-user": (
        lambda: aws_many(1, "GetSecretValue", kind="Root"),
        "aws://prod?by=arn:aws:iam::111122223333:root",
    ),
    "trail-aws-access-changed": (
        lambda: aws_many(1, "PutResourcePolicy"),
        f"{SM}/prod/db?by=workers",
    ),
    "trail-aws-logging-changed": (
        lambda: aws_many(1, "StopLogging", source="cloudtrail.amazonaws.com"),
        "",
    ),
    "trail-aws-rotation-failed": (lambda: aws_many(1, "RotationFailed"), f"{SM}/prod/db"),
    "trail-aws-secret-deleted": (lambda: aws_many(1, "DeleteSecret"), f"{SM}/prod/db?by=workers"),
    "trail-azure-denied-burst": (
        lambda: azure_many(5, "SecretGet", code=403, secret="db"),
        "azure://prod?by=worker@example.org",
    ),
    "trail-azure-secret-enumeration": (
        lambda: azure_many(5, "SecretGet", code=403, secret="try-#"),
        "azure://prod?by=worker@example.org",
    ),
    "trail-azure-mass-read": (
        lambda: azure_many(20, "SecretGet", code=200, secret="any-#"),
        "azure://prod?by=worker@example.org",
    ),
    "trail-azure-access-changed": (lambda: azure_many(1, "VaultPatch", code=200, secret=""), ""),
    "trail-azure-secret-deleted": (
        lambda: azure_many(1, "SecretPurge", code=200, secret="db"),
        "azure://prod/app/secrets/db?by=worker@example.org",
    ),
    "trail-kubernetes-denied-burst": (
        lambda: kubernetes_many(5, "get", name="db", decision="forbid"),
        "k8s://prod?by=system:serviceaccount:app:workers",
    ),
    "trail-kubernetes-rapid-get": (
        lambda: kubernetes_many(20, "get", name="any-#"),
        "k8s://prod?by=system:serviceaccount:app:workers",
    ),
    "trail-kubernetes-secrets-listed": (
        lambda: kubernetes_many(1, "list", name=""),
        "k8s://prod?by=system:serviceaccount:app:workers",
    ),
    "trail-kubernetes-anonymous": (
        lambda: iter([line(kubernetes(START, "get", user="system:anonymous", decision="forbid"))]),
        "k8s://prod?from=10.20.0.7",
    ),
    "trail-kubernetes-impersonation": (
        lambda: iter([line(kubernetes(START, "get", user="ann", impersonated="root"))]),
        "k8s://prod/app/secret/db?by=ann",
    ),
    "trail-kubernetes-access-changed": (
        lambda: iter([line(kubernetes(START, "create", user="ann", resource="rolebindings"))]),
        "k8s://prod/app/rolebindings/db?by=ann",
    ),
}
