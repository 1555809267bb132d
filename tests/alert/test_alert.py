"""`keywatch alert`, with audits' reports and real receivers."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

from scanner.cli import alert
from scanner.cli.parser import Parser
from scanner.console import Console, show_error
from scanner.errors import KeywatchError
from scanner.records import Record
from tests.support import audits
from tests.support.audits import NOW, denied, record
from tests.support.helpers import token, unavailable
from tests.support.receivers import (
    ALERTMANAGER,
    HttpReceiver,
    alertmanager,
    alerts_in,
    http_receiver,
    mail_server,
)
from tests.support.small_backend import Items

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class Done(NamedTuple):
    code: int
    out: str
    err: str


class Watch:
    """A repository, its operator config with alerts, and the commands."""

    def __init__(self, root: Path) -> None:
        self.repository = audits.place(root)
        self.root = root
        self.config = root / "alerts.yaml"

    def configure(self, alerts: str) -> None:
        backends = "backends:\n  prod: {kind: vault, address: 'http://127.0.0.1:1'"
        backends += ", auth: {method: token, env: X}}\n"
        self.config.write_text(f"{backends}alerts:\n{alerts}evidence: {{place: {self.root}/led}}\n")

    def audit(self, items: Items, now: datetime = NOW, *options: str) -> str:
        """The JSON report of an audit."""
        audits.gives(prod=items)
        report = self.root / "run.json"
        audits.run(
            *(self.repository, "--backend=prod", f"--report=json={report}"),
            *("--no-require-complete", f"--now={now.isoformat()}", *options),
        )
        return str(report)

    def send(self, items: Items, now: datetime = NOW) -> Done:
        return self.run("send", self.audit(items, now), now=now)

    def run(
        self, *arguments: str, now: datetime = NOW, environ: Mapping[str, str] | None = None
    ) -> Done:
        out, err = io.StringIO(), io.StringIO()
        console = Console(stdin=io.BytesIO(), out=out, err=err, environ=dict(environ or {}))
        parser = Parser(prog="keywatch alert", allow_abbrev=False)
        alert.add_arguments(parser)
        options = (f"--operator={self.config}", f"--now={now.isoformat()}")
        try:
            code = alert.run(parser.parse_args([*arguments, *options]), console)
        except KeywatchError as error:
            show_error(error, console)
            code = error.exit_code
        return Done(int(code), out.getvalue(), err.getvalue())


@pytest.fixture
def watch(tmp_path: Path) -> Watch:
    return Watch(tmp_path)


@pytest.fixture
def oncall() -> Iterator[HttpReceiver]:
    with http_receiver() as receiver:
        yield receiver


@pytest.fixture
def lead() -> Iterator[HttpReceiver]:
    with http_receiver() as receiver:
        yield receiver


def config(watch: Watch, oncall: HttpReceiver, lead: HttpReceiver, more: str = "") -> str:
    return f"""\
  state: {{file: {watch.root}/alerts.json}}
  channels:
    oncall: {{apprise: "json://{oncall.address}/?:x=1", timeout: 2s}}
    lead: {{apprise: "json://{lead.address}"}}
  routes:
    - name: all
      send: [oncall]
      escalate: [{{after: 30m, send: [lead]}}]
{more}"""


def test_a_late_secret_is_sent_once_and_says_what_to_do(
    watch: Watch, oncall: HttpReceiver, lead: HttpReceiver
) -> None:
    watch.configure(config(watch, oncall, lead))
    late = [record("app/old", 92)]  # in the grace period
    assert watch.send(late).code == 0
    (body,) = oncall.bodies
    text = body["message"]
    assert "LOW: Secret rotation is late" in body["title"]
    for words in ("vault://prod/-/secret/app/old", "Owner: ", "sec-oncall", "Runbook: run.md",
                  "Since: 2026-11-26T12:00:00Z", "Next step: Rotate the secret",
                  "keywatch alert ack "):  # fmt: skip
        assert words in text
    assert watch.send(late, NOW + timedelta(minutes=10)).out.startswith("0 messages delivered")
    assert (len(oncall.bodies), lead.bodies) == (1, [])


def test_an_alert_escalates_until_somebody_acknowledges_it(
    watch: Watch, oncall: HttpReceiver, lead: HttpReceiver
) -> None:
    watch.configure(config(watch, oncall, lead))
    late = [record("app/one", 92), record("app/two", 92)]
    watch.send(late)
    listed = watch.run("list").out.splitlines()
    ident = next(line[:12] for line in listed if "app/one" in line)
    assert watch.run("ack", ident, "--by=Jo").code == 0
    watch.send(late, NOW + HOUR)
    (title,) = lead.titles
    assert "ESCALATED" in title
    assert "app/two" in lead.bodies[0]["message"]
    assert "acknowledged by Jo" in watch.run("list").out
    assert watch.run("ack", "0" * 12, "--by=Jo").code == 2


def test_the_end_of_the_grace_period_tells_the_next_one_even_if_it_was_acknowledged(
    watch: Watch, oncall: HttpReceiver, lead: HttpReceiver
) -> None:
    watch.configure(config(watch, oncall, lead))
    watch.send([record("app/old", 92)])
    ident = watch.run("list").out[:12]
    watch.run("ack", ident, "--by=Jo")
    watch.send([record("app/old", 92)], NOW + 7 * DAY)
    assert ["HIGH" in title for title in oncall.titles] == [False, True]
    assert len(lead.titles) == 1
    assert "acknowledged" not in watch.run("list").out


def test_a_rotated_secret_is_resolved_for_everybody_who_was_told(
    watch: Watch, oncall: HttpReceiver, lead: HttpReceiver
) -> None:
    watch.configure(config(watch, oncall, lead))
    watch.send([record("app/old", 100)])
    watch.send([record("app/old", 1)], NOW + HOUR)
    assert "RESOLVED" in oncall.titles[-1]
    assert "RESOLVED" in lead.titles[-1]
    assert watch.run("list").out == ""


def test_an_audit_of_one_class_resolves_no_alert_of_another(
    watch: Watch, oncall: HttpReceiver, lead: HttpReceiver
) -> None:
    watch.configure(config(watch, oncall, lead))
    watch.send([record("app/old", 100)])
    for number, name in enumerate(("db-credential", "api-key"), start=1):
        now = NOW + number * HOUR
        watch.run("send", watch.audit([record("app/new")], now, f"--class={name}"), now=now)
        assert ("RESOLVED" in oncall.titles[-1]) is (name == "api-key")


def test_what_could_not_be_read_is_not_resolved_and_is_an_alert(
    watch: Watch, oncall: HttpReceiver, lead: HttpReceiver
) -> None:
    watch.configure(config(watch, oncall, lead))
    watch.send([record("app/old", 92)])
    watch.send([record("app/new"), denied("app/old")], NOW + timedelta(minutes=1))
    assert not any("RESOLVED" in title for title in oncall.titles)
    assert "could not be checked" in oncall.titles[-1]
    assert "app/old" in watch.run("list").out


def test_an_event_of_an_audit_log_stays_open_until_somebody_acknowledges_it(
    watch: Watch, oncall: HttpReceiver, lead: HttpReceiver
) -> None:
    watch.configure(config(watch, oncall, lead))

    def send(days: float) -> Done:
        report = Path(watch.audit([record("app/x", days)]))
        report.write_text(report.read_text().replace('"analysis": "audit"', '"analysis": "trail"'))
        return watch.run("send", str(report))

    send(92)
    send(1)
    ident = watch.run("list").out[:12]
    assert watch.run("ack", ident, "--by=Jo").code == 0
    send(1)
    assert (watch.run("list").out, len(oncall.bodies)) == ("", 1)


def test_many_alerts_become_one_digest(
    watch: Watch, oncall: HttpReceiver, lead: HttpReceiver
) -> None:
    watch.configure(config(watch, oncall, lead))
    watch.send([record(f"app/{number}", 92) for number in range(40)])
    (body,) = oncall.bodies
    assert body["title"] == "[keywatch] 40 alerts: 40 low"
    assert "… and 20 more" in body["message"]


def test_without_a_state_escalation_is_refused(
    watch: Watch, oncall: HttpReceiver, lead: HttpReceiver
) -> None:
    text = config(watch, oncall, lead)
    watch.configure("\n".join(text.splitlines()[1:]) + "\n")
    done = watch.send([record("app/old", 92)])
    assert (done.code, "escalation needs a state" in done.err) == (2, True)
    assert oncall.bodies == []


def test_the_ledger_can_hold_the_state(
    watch: Watch, oncall: HttpReceiver, lead: HttpReceiver
) -> None:
    text = config(watch, oncall, lead).splitlines(keepends=True)
    watch.configure("".join(["  state: {ledger: true}\n", *text[1:]]))
    watch.send([record("app/old", 92)])
    watch.send([record("app/old", 92)], NOW + timedelta(minutes=1))
    assert len(oncall.bodies) == 1
    assert "app/old" in watch.run("list").out


def test_quiet_hours_hold_an_alert_that_is_not_critical(
    watch: Watch, oncall: HttpReceiver, lead: HttpReceiver
) -> None:
    quiet = '  quiet_hours: [{class: [api-key], from: "12:30", to: "15:00", zone: Europe/Berlin}]\n'
    watch.configure(config(watch, oncall, lead, quiet))
    done = watch.send([record("app/old", 92), record("app/very-old", 200)])
    assert "1 wait for the end of quiet hours" in done.out
    assert ["CRITICAL" in title for title in oncall.titles] == [True]
    watch.send([record("app/old", 92), record("app/very-old", 200)], NOW + 3 * HOUR)
    assert "LOW" in oncall.titles[-1]


@pytest.mark.parametrize("how", ["500", "redirect", "hangs", "closed"])
def test_a_failing_channel_falls_over_to_the_next_and_is_reported(
    watch: Watch, oncall: HttpReceiver, lead: HttpReceiver, how: str
) -> None:
    text = config(watch, oncall, lead).replace("send: [oncall]", "send: [oncall, lead]")
    if how == "500":
        oncall.status = 500
    elif how == "redirect":
        oncall.status, oncall.location = 307, f"http://{lead.address}/stolen"
    elif how == "hangs":
        oncall.wait = 3
    else:
        text = text.replace(oncall.address, "127.0.0.1:9")
    watch.configure(text)
    done = watch.send([record("app/old", 92)])
    assert (done.code, "channel oncall failed" in done.out) == (1, True)
    assert [title.partition(":")[0] for title in lead.titles] == [
        "[keywatch] LOW",
        "[keywatch] HIGH",
    ]


def test_what_nobody_accepted_is_sent_again(
    watch: Watch, oncall: HttpReceiver, lead: HttpReceiver
) -> None:
    watch.configure(config(watch, oncall, lead))
    oncall.status = 500
    assert watch.send([record("app/old", 92)]).code == 3
    oncall.status = 200
    assert watch.send([record("app/old", 92)]).code == 0
    assert len(oncall.bodies) == 1
    oncall.status = 500
    assert watch.send([record("app/old", 1)]).code == 3
    oncall.status = 200
    watch.send([record("app/old", 1)])
    assert "RESOLVED" in oncall.titles[-1]


@pytest.mark.parametrize(
    "only",
    ["class: [api-key]", "severity: critical", 'owner: ["@sec-oncall"]', "backend: [prod]"],
)
def test_a_route_takes_only_what_it_names(
    watch: Watch, oncall: HttpReceiver, lead: HttpReceiver, only: str
) -> None:
    """Everything goes to oncall; the lead's route takes one of the two secrets, or both."""
    route = f"    - {{name: some, send: [lead], {only}}}\n"
    watch.configure(config(watch, oncall, lead, route).replace("escalate: ", "# escalate: "))
    other = Record(
        id="vault://prod/-/database/static-roles/app",
        kind="static-role",
        dated=record("x", 32).dated,
    )
    assert watch.send([record("app/old", 200), other]).code == 0
    assert len(oncall.bodies) == 2
    names = [body["message"] for body in lead.bodies]
    assert any("secret/app/old" in each for each in names)
    assert any("static-roles/app" in each for each in names) is (only == "backend: [prod]")


def test_twice_the_grace_period_tells_the_third_one(
    watch: Watch, oncall: HttpReceiver, lead: HttpReceiver
) -> None:
    with http_receiver() as boss:
        text = config(watch, oncall, lead).replace(
            "[{after: 30m, send: [lead]}]",
            "[{after: 300d, send: [lead]}, {after: 301d, send: [boss]}]",
        )
        text = text.replace(
            "  routes:", f'    boss: {{apprise: "json://{boss.address}"}}\n  routes:'
        )
        watch.configure(text)
        told = []
        for day in (92, 98, 106):  # limit 90 days, grace 7 days
            done = watch.send([record("app/old", 92)], NOW + (day - 92) * DAY)
            assert done.code == 0, done
            told.append([len(each.titles) > 0 for each in (oncall, lead, boss)])
    assert told == [[True, False, False], [True, True, False], [True, True, True]]


def test_an_alert_without_a_route_is_reported(
    watch: Watch, oncall: HttpReceiver, lead: HttpReceiver
) -> None:
    text = config(watch, oncall, lead).replace("name: all", "name: all\n      severity: high")
    watch.configure(text)
    done = watch.send([record("app/old", 92)])
    assert (done.code, "1 alert matched no route" in done.out) == (1, True)


def test_a_damaged_state_silences_nothing(
    watch: Watch, oncall: HttpReceiver, lead: HttpReceiver
) -> None:
    watch.configure(config(watch, oncall, lead))
    (watch.root / "alerts.json").write_text("{")
    assert watch.send([record("app/old", 92)]).code == 3
    assert len(oncall.bodies) == 1
    assert (watch.root / "alerts.json.damaged").read_text() == "{"
    assert watch.send([record("app/old", 92)]).code == 0


def test_a_clock_that_moved_back_does_not_escalate(
    watch: Watch, oncall: HttpReceiver, lead: HttpReceiver
) -> None:
    watch.configure(config(watch, oncall, lead))
    watch.send([record("app/old", 100)])
    assert watch.send([record("app/old", 100)], NOW - DAY).code == 0
    assert all("Since: 2026" in body["message"] for body in oncall.bodies)


def test_names_and_tokens_do_no_harm_in_any_channel(
    watch: Watch, oncall: HttpReceiver, lead: HttpReceiver
) -> None:
    watch.configure(config(watch, oncall, lead))
    name = f"app/<!channel>@here [x](http://evil.example) {token()}\n\r*b*"
    done = watch.send([record(name, 92)])
    (body,) = oncall.bodies
    text = body["title"] + body["message"]
    for words in ("<!channel>", "@here", "[x](", "http://evil", token(), "*b*"):
        assert words not in text
        assert words not in done.out
    oncall.status = 500
    done = watch.send([record(name, 200)])
    assert "x=1" not in done.out + done.err
    assert oncall.address not in done.out + done.err


def test_mail_is_sent_by_a_real_server(watch: Watch) -> None:
    with mail_server() as (place, mailbox):
        host, _, port = place.partition(":")
        watch.configure(
            f"""\
  channels:
    mail: {{apprise: "mailto://{host}:{port}?from=kw@example.org&to=sec@example.org&smtp={host}&mode=insecure"}}
  routes: [{{name: all, send: [mail]}}]
"""
        )
        done = watch.send([record("app/<b>x", 92)])
    assert done.code == 0, done
    (message,) = mailbox.messages
    assert message["to"] == "sec@example.org"
    assert "Secret rotation is late" in message["subject"]
    assert "<b>x" not in message.as_string()


def test_alertmanager_gets_open_alerts_and_resolved_ones(watch: Watch, tmp_path: Path) -> None:
    if not ALERTMANAGER:
        unavailable("there is no Alertmanager: apt-get install prometheus-alertmanager")
    folder = tmp_path / "alertmanager"
    folder.mkdir()
    now = datetime.now(UTC).replace(microsecond=0)
    old = record("app/old", 92)
    assert old.dated
    when = now - 92 * DAY
    old = old._replace(dated=old.dated._replace(earliest=when, latest=when))
    fresh = old._replace(dated=old.dated and old.dated._replace(earliest=now, latest=now))
    with alertmanager(folder) as address:
        watch.configure(
            f"""\
  state: {{file: {watch.root}/alerts.json}}
  channels: {{am: {{alertmanager: "{address}"}}}}
  routes: [{{name: all, send: [am]}}]
"""
        )
        assert watch.send([old], now - timedelta(minutes=1)).code == 0
        (found,) = alerts_in(address)
        assert found["labels"]["severity"] == "low"
        assert found["labels"]["name"] == "vault://prod/-/secret/app/old"
        assert found["annotations"]["next_step"].startswith("Rotate the secret")
        assert watch.send([fresh], now).code == 0
        assert alerts_in(address) == []


def test_alertmanager_that_redirects_is_not_followed(
    watch: Watch, oncall: HttpReceiver, lead: HttpReceiver
) -> None:
    oncall.status, oncall.location = 307, f"http://{lead.address}/stolen"
    watch.configure(
        f"""\
  channels: {{am: {{alertmanager: "http://{oncall.address}", token: "{token()}"}}}}
  routes: [{{name: all, send: [am]}}]
"""
    )
    done = watch.send([record("app/old", 92)])
    assert (done.code, "it redirects" in done.out) == (3, True)
    assert lead.bodies == []
    assert token() not in done.out + done.err


@pytest.mark.parametrize(
    ("channels", "more", "words"),
    [
        ("{a: {apprise: x, alertmanager: 'http://x'}}", "", "must have one address"),
        ("{b: {apprise: x}}", "", "unknown channel a"),
        ("{a: {apprise: x}}", "from: '10:00', to: '11:00', zone: Mars", "unknown time zone"),
        ("{a: {apprise: '${NOT_SET}'}}", "", "not set"),
        ("{a: {aprise: x}}", "", "did you mean apprise"),
    ],
)
def test_a_mistake_in_the_configuration_is_explained(
    watch: Watch, channels: str, more: str, words: str
) -> None:
    quiet = f"  quiet_hours: [{{{more}}}]\n" if more else ""
    watch.configure(f"  channels: {channels}\n  routes: [{{name: r, send: [a]}}]\n{quiet}")
    done = watch.send([record("app/old", 92)])
    assert (done.code, words in done.err) == (2, True), done
