"""Inventory: the CloudTrail trails that record what happens in each account and region."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from scanner.inventory.aws.accounts import Account, Accounts
from scanner.inventory.aws.errors import FAILURES, explain
from scanner.inventory.aws.required_permissions import TRAILS
from scanner.inventory.errors import ReadError, gap
from scanner.inventory.interface import Settings
from scanner.inventory.listing import id_part
from scanner.inventory.threads import in_order
from scanner.model import Gap


class Trail(NamedTuple):
    """A trail that covers a region.

    `selectors` is the answer of GetEventSelectors. `is_delivered`: its last delivery was accepted.
    `unread` says why its status or its selectors could not be read; the other fields are then
    empty.
    """

    name: str
    is_logging: bool = False
    is_delivered: bool = False
    selectors: Mapping[str, Any] = {}
    unread: Gap | None = None


class Region(NamedTuple):
    """All trails that cover a region of an account. `path` is its ID, with `cloudtrail` added."""

    path: str
    trails: tuple[Trail, ...]


def read(settings: Settings) -> Iterator[Region | Gap]:
    """Each region of each account. Raises nothing: a region that could not be read is a Gap."""
    accounts = Accounts(settings, TRAILS)
    for account in in_order(accounts.log_ins()):
        if isinstance(account, Gap):
            yield account
            continue
        known: dict[str, Trail] = {}
        for region in settings.options["regions"]:
            yield _region(accounts, account, region, known)


def _region(
    accounts: Accounts, account: Account, region: str, known: dict[str, Trail]
) -> Region | Gap:
    """`known` holds the trails that earlier regions have, too, by ARN."""
    path = f"{account.path}/{region}/cloudtrail"
    try:
        listed = accounts.client(account.session, "cloudtrail", region).describe_trails()
        for trail in listed["trailList"]:
            if trail["TrailARN"] not in known:
                place = f"{path}/{id_part(trail['Name'])}"
                known[trail["TrailARN"]] = _trail(accounts, account, trail, place)
        return Region(path, tuple(known[trail["TrailARN"]] for trail in listed["trailList"]))
    except FAILURES as error:
        return gap(path, explain(error))


def _trail(accounts: Accounts, account: Account, trail: Mapping[str, Any], place: str) -> Trail:
    """The trail, asked for in its home region, which is the only one that always knows it."""
    name, arn = str(trail["Name"]), trail["TrailARN"]
    try:
        client = accounts.client(account.session, "cloudtrail", trail["HomeRegion"])
        status = client.get_trail_status(Name=arn)
        return Trail(
            name=name,
            is_logging=status["IsLogging"] is True,
            is_delivered=not status.get("LatestDeliveryError"),
            selectors=client.get_event_selectors(TrailName=arn),
        )
    except FAILURES as error:
        failure = explain(error)
        reason = f"the trail {id_part(name)}: {failure.reason}"
        return Trail(name=name, unread=gap(place, ReadError(failure.kind, reason)))
