"""Send the findings of a saved run to whoever must act, and escalate.

  keywatch alert send FILE --operator FILE    FILE is from `keywatch audit --report json=FILE`
  keywatch alert list --operator FILE         the open alerts
  keywatch alert ack ID --by NAME             stop the escalation of an alert

The operator config says which alerts go where. Exit codes of send: 0 everything was delivered; 1 a
channel failed or an alert matches no route; 3 something was not delivered or not remembered, and
the next run sends it again.

Examples:
  keywatch audit --operator operator.yaml --report json=run.json
  keywatch alert send run.json --operator operator.yaml
  keywatch alert ack 3f9c1d --by alice --operator operator.yaml

"""

from __future__ import annotations

import argparse
import os

from scanner.alert import routes
from scanner.alert.run import Store, acknowledge, send
from scanner.audit import backends, operator_config
from scanner.cli import arguments
from scanner.cli.arguments import moment
from scanner.cli.audit import add_operator
from scanner.configuration.operator import EVIDENCE_PLACE, EvidenceConfig, filled_alerts
from scanner.console import Console, plain, show_error
from scanner.errors import ExitCode
from scanner.evidence.ledger import Ledger
from scanner.masking import masked
from scanner.report import saved, text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="send|list|ack")
    words = "send what is new, changed, to be escalated or resolved"
    sending = actions.add_parser("send", help=words, description=words)
    sending.add_argument(
        "file", type=arguments.path, metavar="FILE", help="a JSON report, or - for standard input"
    )
    words = "list the open alerts"
    listing = actions.add_parser("list", help=words, description=words)
    words = "stop the escalation of an alert"
    acking = actions.add_parser("ack", help=words, description=words)
    acking.add_argument("id", metavar="ID", help="the ID that the alert gives")
    acking.add_argument("--by", required=True, metavar="NAME", help="who takes care of it")
    for action in (sending, listing, acking):
        group = action.add_argument_group("where to")
        add_operator(group)
        arguments.add_now(group)


def run(args: argparse.Namespace, console: Console) -> int:
    now = moment(args.now)
    options = backends.options(backends.BACKENDS)
    operator = operator_config.read(args.operator, console, console.cwd, options)
    where = args.operator or console.environ[operator_config.VARIABLE]
    config = routes.parse(filled_alerts(operator, where, console.environ))
    evidence = operator.evidence or EvidenceConfig(place=EVIDENCE_PLACE)
    ledger = Ledger(os.path.join(console.cwd, evidence.place), evidence.writer)
    store = Store(config, console.cwd, ledger, console.environ)
    if args.action == "ack":
        entry = acknowledge(args.id, masked(args.by), store, now)
        console.write(f"✓ acknowledged: {plain(entry.title)}: {plain(entry.name)}\n")
        return ExitCode.CLEAN
    if args.action == "list":
        for ident, each in store.load().items():
            acked = f", acknowledged by {plain(each.acked_by)}" if each.acked_by else ""
            since = text.moment(each.since)
            console.write(
                f"{ident}  {each.severity:<8} since {since}  {plain(each.title)}:"
                f" {plain(each.name)}{acked}\n"
            )
        return ExitCode.CLEAN
    data = console.stdin.read() if args.file == "-" else console.file(args.file)
    outcome, context = saved.read(data, args.file)
    sent = send(outcome, context, config, store, now)
    for error in sent.errors:
        show_error(error, console)
    for name, reason in sent.failures:
        console.write(f"✗ channel {name} failed: {reason}\n")
    if sent.unrouted:
        console.write(f"✗ {text.count(sent.unrouted, 'alert')} matched no route\n")
    if sent.lost:
        console.write(f"✗ {text.count(sent.lost, 'message')} not delivered; sent again next time\n")
    quiet = f", {sent.quiet} wait for the end of quiet hours" if sent.quiet else ""
    delivered = text.count(sent.delivered, "message")
    console.write(f"{delivered} delivered, {text.count(sent.open, 'alert')} open{quiet}\n")
    if sent.lost or sent.errors:
        return ExitCode.INCOMPLETE
    return ExitCode.FINDINGS if sent.failures or sent.unrouted else ExitCode.CLEAN
