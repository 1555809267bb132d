"""AWS on this machine: moto's server, told what it lacks, which writes down what it is asked.

An answer that a test gives in moto's place is held against AWS's own model of the service, as
botocore's Stubber does.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import boto3
import botocore.session
import pytest
from botocore.config import Config
from botocore.validate import validate_parameters
from moto.server import ThreadedMotoServer

from scanner.inventory.aws.required_permissions import NEEDED
from scanner.inventory.interface import Settings
from tests.support.helpers import alone

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

ACCOUNT = "123456789012"
REGION = "eu-central-1"
NOW = datetime(2025, 6, 15, 12, 0, tzinfo=UTC)
PROTOCOLS = {
    "secretsmanager": "application/x-amz-json-1.1",
    "kms": "application/x-amz-json-1.1",
    "ssm": "application/x-amz-json-1.1",
    "cloudtrail": "application/x-amz-json-1.1",
    "iam": "text/xml",
    "sts": "text/xml",
}
ALLOWED = {f"{service}:{action}" for service, actions in NEEDED.items() for action in actions} | {
    *("sts:GetCallerIdentity", "sts:AssumeRole", "iam:SimulatePrincipalPolicy")
}
_SETUP = "the-test-itself"
_OUTPUT = botocore.session.Session()

Answer = tuple[int, str] | Mapping[str, Any]
"""An HTTP status and a body, or what botocore makes of a good answer in JSON."""
Asked = Mapping[str, Any]


def ago(**span: float) -> datetime:
    return NOW - timedelta(**span)


class Aws:
    """What the backends ask goes to `answers` first, by `service:Action`, then to moto."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: list[str] = []
        self.bodies: list[str] = []
        self.answers: dict[str, Callable[[Asked], Answer]] = {}

    def settings(self, timeout: float = 30, **options: Any) -> Settings:
        return Settings(
            name="prod",
            kind="aws",
            options={
                "regions": [REGION],
                "endpoints": dict.fromkeys(PROTOCOLS, self.url),
                **options,
            },
            timeout=timeout,
            environ={},
            clock=datetime.now(UTC),
        )

    def client(self, service: Any, region: str = REGION) -> Any:
        """For the test itself: not written down."""
        return boto3.client(
            service,
            region_name=region,
            endpoint_url=self.url,
            config=Config(user_agent_extra=_SETUP),
        )

    def reset(self) -> None:
        request = urllib.request.Request(f"{self.url}/moto-api/reset", method="POST")
        urllib.request.urlopen(request).close()
        self.asked.clear()
        self.bodies.clear()
        self.answers.clear()
        # moto cannot simulate policies.
        self.answers["iam:SimulatePrincipalPolicy"] = lambda _: (403, refusal("AccessDenied"))

    def around(self, app: WSGIApplication) -> WSGIApplication:
        def asked(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
            agent = environ.get("HTTP_USER_AGENT", "")
            if _SETUP in agent or environ["PATH_INFO"].startswith("/moto-api"):
                return app(environ, start)
            return self._asked(app, environ, start)

        return asked

    def _asked(
        self, app: WSGIApplication, environ: WSGIEnvironment, start: StartResponse
    ) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = BytesIO(body)
        target = environ.get("HTTP_X_AMZ_TARGET", "")
        form = {key: values[0] for key, values in parse_qs(body.decode()).items()}
        action = target.rpartition(".")[2] or form.get("Action") or str(environ["PATH_INFO"])
        service = environ["HTTP_AUTHORIZATION"].split("/")[3]
        self.asked.append(f"{service}:{action}")
        self.bodies.append(body.decode())
        answer = self.answers.get(self.asked[-1])
        if answer is None:
            return app(environ, start)
        status, text = _written(service, action, answer(json.loads(body) if target else form))
        headers = [("Content-Type", PROTOCOLS[service]), ("Content-Length", str(len(text)))]
        start(f"{status} As The Test Says", headers)
        return [text]


def _written(service: str, action: str, answer: Answer) -> tuple[int, bytes]:
    if isinstance(answer, tuple):
        return answer[0], answer[1].encode()
    shape = _OUTPUT.get_service_model(service).operation_model(action).output_shape
    assert shape
    validate_parameters(dict(answer), shape)
    return 200, json.dumps(answer, default=datetime.timestamp).encode()


def refusal(code: str, message: str = "no") -> str:
    """An error of the services that speak XML."""
    return (
        f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code>"
        f"<Message>{message}</Message></Error><RequestId>x</RequestId></ErrorResponse>"
    )


@contextmanager
def watched(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    """An empty AWS, and credentials for it. In the end: was nothing asked but what may be?"""
    alone(monkeypatch, "AWS_")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test" * 5)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    aws.reset()
    yield aws
    assert set(aws.asked) <= ALLOWED
    assert not any("WithDecryption" in body for body in aws.bodies)


@contextmanager
def serving() -> Iterator[Aws]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    aws = Aws(f"http://{host}:{port}")
    inner = server._server
    assert inner
    inner.app = aws.around(inner.app)
    yield aws
    server.stop()
