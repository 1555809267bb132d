"""Inventory: read all configured services in all configured AWS accounts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property, partial
from typing import Any

from scanner.inventory.aws import iam, kms, secretsmanager, ssm
from scanner.inventory.aws.accounts import Account, Accounts
from scanner.inventory.aws.errors import FAILURES, explain
from scanner.inventory.aws.required_permissions import EXCESSIVE, NEEDED, SIMULATE
from scanner.inventory.aws.service_region import ServiceRegion
from scanner.inventory.clock import CloudClock
from scanner.inventory.interface import Settings
from scanner.inventory.listing import ReadSecret, id_part, read_all
from scanner.inventory.threads import in_order
from scanner.model import Gap, Note, NoteKind
from scanner.records import Record

_GLOBAL = "global"
Task = Callable[[], Iterator[Record | Gap | Note]]
_LISTED: Mapping[str, Callable[[ServiceRegion[Any]], Iterator[tuple[str, ReadSecret]]]] = {
    "secretsmanager": secretsmanager.listed,
    "iam": iam.listed,
    "kms": kms.listed,
    "ssm": ssm.listed,
}


class AwsBackend:
    """A Backend (see interface.py)."""

    def __init__(self, settings: Settings, now: datetime) -> None:
        self._settings = settings
        self._now = now
        self._clock = CloudClock(settings, now)
        self._regions = tuple(settings.options["regions"])

    @cached_property
    def _accounts(self) -> Accounts:
        """Created when it is first used, because its deadline starts then."""
        return Accounts(self._settings, answered=self._clock.saw)

    def read(self) -> Iterator[Record | Gap | Note]:
        """Log in to all accounts in parallel, then read their services and regions."""
        yield from self._clock.corrected(self._items(), f"aws://{self._settings.name}")

    def _items(self) -> Iterator[Record | Gap | Note]:
        opened = in_order(self._accounts.log_ins())
        yield from in_order(task for account in list(opened) for task in self._tasks(account))

    def _tasks(self, account: Account | Gap) -> Iterator[Task]:
        """Independent reads of an account. IAM is the same in every region."""
        if isinstance(account, Gap):
            yield partial(iter, (account,))
            return
        for service in self._settings.options.get("services", NEEDED):
            for region in (_GLOBAL,) if service == "iam" else self._regions:
                yield partial(self._service, account, service, region)
        yield partial(self._notes, account)

    def _notes(self, account: Account) -> Iterator[Note]:
        if self._simulated(account) is None:
            yield _excess_unknown(account)

    def excess(self) -> Iterator[str]:
        for account in in_order(self._accounts.log_ins()):
            if isinstance(account, Account):
                for action in self._simulated(account) or ():
                    yield f"{id_part(account.identity)} may {action} on all resources"

    def close(self) -> None:
        """Its credentials end by themselves."""

    def _service(
        self, account: Account, service: str, region: str
    ) -> Iterator[Record | Gap | Note]:
        listing = self._listing(account, service, region)
        return read_all(f"{account.path}/{region}/{service}", listing, FAILURES, explain)

    def _listing(
        self, account: Account, service: str, region: str
    ) -> Iterator[tuple[str, ReadSecret]]:
        at = self._regions[0] if region == _GLOBAL else region
        client = self._accounts.client(account.session, service, at)
        now = self._now + self._clock.ahead
        yield from _LISTED[service](
            ServiceRegion(client=client, region=region, regions=self._regions, now=now)
        )

    def _simulated(self, account: Account) -> Sequence[str] | None:
        """The excessive actions that AWS would allow. None if it does not say."""
        try:
            client = self._accounts.client(account.session, "iam", self._regions[0])
            pages = client.get_paginator("simulate_principal_policy").paginate(
                PolicySourceArn=account.identity, ActionNames=list(EXCESSIVE)
            )
            results = [one for page in pages for one in page["EvaluationResults"]]
            allowed = {one["EvalActionName"] for one in results if one["EvalDecision"] == "allowed"}
            return [action for action in EXCESSIVE if action in allowed]
        except FAILURES:
            return None


def _excess_unknown(account: Account) -> Note:
    who = id_part(account.identity)
    text = f"the excess permissions of {who} are unknown: {SIMULATE} failed"
    return Note(kind=NoteKind.EXCESS_UNKNOWN, path=account.path, text=text)
