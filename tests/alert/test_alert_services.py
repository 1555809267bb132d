"""Alerts to Slack, Teams, PagerDuty and Opsgenie: apprise is real, and so are the addresses that it
asks. A proxy on this machine answers in place of the services, over TLS."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.alert.test_alert import HOUR, Watch
from tests.support import azure_cloud
from tests.support.audits import NOW, record
from tests.support.azure_cloud import Answer, Asked, Azure
from tests.support.helpers import token

KEY = "-".join(("06ed4ef0", "38aa", "4231", "b1e4", "0" * 12))
CHANNEL = "/".join(("T1JJ3T3L2", "A1BRTD4JD", "k" * 24))
SERVICES = {
    "hooks.slack.com": (f"slack://{CHANNEL}", 200, "ok"),
    "prod-1.westeurope.logic.azure.com": (
        "workflows://prod-1.westeurope.logic.azure.com:443/made-up/signature",
        200,
        "",
    ),
    "events.pagerduty.com": ("pagerduty://made-up-integration@made-up-key", 202, "{}"),
    "api.opsgenie.com": (
        f"opsgenie://{KEY}",
        202,
        json.dumps({"result": "Request will be processed", "requestId": "r"}),
    ),
}


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azure]:
    with azure_cloud.serving(tmp_path_factory.mktemp("proxy")) as server:
        yield server


@pytest.mark.parametrize("host", SERVICES)
def test_a_service_gets_an_alert_whose_names_do_nothing(
    proxy: Azure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    address, status, body = SERVICES[host]
    asked: list[Asked] = []

    def answer(one: Asked) -> Answer:
        asked.append(one)
        return Answer(status, body)

    monkeypatch.setattr(proxy, "answer", answer)
    monkeypatch.setenv("HTTPS_PROXY", proxy.proxy)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(proxy.ca))
    watch = Watch(tmp_path)
    watch.configure(
        f"  state: {{file: {tmp_path}/alerts.json}}\n"
        f"  channels: {{it: {{apprise: '{address}'}}}}\n  routes: [{{name: all, send: [it]}}]\n"
    )
    name = f"app/<!channel>@here<https://evil.example|x>[x](http://evil.example){token()}*b*<b>"
    done = watch.send([record(name, 92)])
    assert (done.code, done.out) == (0, "1 message delivered, 1 alert open\n"), done
    (one,) = asked
    assert (one.host, one.method) == (host, "POST")
    sent = " ".join(_texts(json.loads(one.body))).replace("\\", "")  # Teams reads Markdown
    assert "Secret rotation is late" in sent
    assert "sec-oncall" in sent
    for words in ("<!channel>", "@here", "<https://", "[x](", token(), "*b*", "<b>"):
        assert words not in sent
    assert watch.send([record(name, 1)], NOW + HOUR).code == 0
    assert "RESOLVED" in " ".join(_texts(json.loads(asked[-1].body)))


def _texts(data: Any) -> Iterator[str]:
    """Every text of a JSON document: other places do not reach a person."""
    if isinstance(data, str):
        yield data
    elif isinstance(data, dict):
        for each in data.values():
            yield from _texts(each)
    elif isinstance(data, list):
        for each in data:
            yield from _texts(each)
