"""Inventory: all services of all accounts of AWS that a backend names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property, partial
from typing import Any

from scanner.inventory.aws import iam, kms, secretsmanager, ssm
from scanner.inventory.aws.access import Access, Account
from scanner.inventory.aws.errors import FAULTS, explain
from scanner.inventory.aws.place import Place
from scanner.inventory.aws.required_permissions import EXCESSIVE, NEEDED, SIMULATE
from scanner.inventory.interface import Settings
from scanner.inventory.listing import Look, segment, walk
from scanner.inventory.threads import in_order
from scanner.model import Gap, Note, NoteKind
from scanner.records import Record

_GLOBAL = "global"
Part = Callable[[], Iterator[Record | Gap | Note]]
_LISTED: Mapping[str, Callable[[Place[Any]], Iterator[tuple[str, Look]]]] = {
    "secretsmanager": secretsmanager.listed,
    "iam": iam.listed,
    "kms": kms.listed,
    "ssm": ssm.listed,
}


class Reader:
    """A Backend (see interface.py)."""

    def __init__(self, settings: Settings, now: datetime) -> None:
        self._settings = settings
        self._now = now
        self._regions = tuple(settings.options["regions"])

    @cached_property
    def _access(self) -> Access:
        """Made when it is first needed: its time begins then."""
        return Access(self._settings)

    def read(self) -> Iterator[Record | Gap | Note]:
        """Accounts are opened at once, then their services in all regions are read at once."""
        opened = in_order(self._access.accounts())
        yield from in_order(part for account in list(opened) for part in self._parts(account))

    def _parts(self, account: Account | Gap) -> Iterator[Part]:
        """What is read of an account, each without the others. IAM is the same in every region."""
        if isinstance(account, Gap):
            yield partial(iter, (account,))
            return
        for service in self._settings.options.get("services", NEEDED):
            for region in (_GLOBAL,) if service == "iam" else self._regions:
                yield partial(self._service, account, service, region)
        yield partial(self._notes, account)

    def _notes(self, account: Account) -> Iterator[Note]:
        if self._simulated(account) is None:
            yield _untold(account)

    def excess(self) -> Iterator[str]:
        for account in in_order(self._access.accounts()):
            if isinstance(account, Account):
                for action in self._simulated(account) or ():
                    yield f"{segment(account.identity)} may {action} on all resources"

    def _service(
        self, account: Account, service: str, region: str
    ) -> Iterator[Record | Gap | Note]:
        listing = self._listing(account, service, region)
        return walk(f"{account.path}/{region}/{service}", listing, FAULTS, explain)

    def _listing(self, account: Account, service: str, region: str) -> Iterator[tuple[str, Look]]:
        at = self._regions[0] if region == _GLOBAL else region
        client = self._access.client(account.session, service, at)
        yield from _LISTED[service](Place(client, region, self._regions, self._now))

    def _simulated(self, account: Account) -> Sequence[str] | None:
        """The excessive actions that AWS would allow, None where it does not say."""
        try:
            client = self._access.client(account.session, "iam", self._regions[0])
            pages = client.get_paginator("simulate_principal_policy").paginate(
                PolicySourceArn=account.identity, ActionNames=list(EXCESSIVE)
            )
            results = [one for page in pages for one in page["EvaluationResults"]]
            allowed = {one["EvalActionName"] for one in results if one["EvalDecision"] == "allowed"}
            return [action for action in EXCESSIVE if action in allowed]
        except FAULTS:
            return None


def _untold(account: Account) -> Note:
    who = segment(account.identity)
    text = f"which rights {who} holds beyond need is not told: {SIMULATE} failed"
    return Note(kind=NoteKind.EXCESS_UNKNOWN, path=account.path, text=text)
