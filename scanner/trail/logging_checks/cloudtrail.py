"""Which events the trails of CloudTrail record.

Reads of secrets, parameters and keys are management events. There are no data events about them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from scanner.inventory.interface import Settings
from scanner.model import Gap
from scanner.trail.event import quoted
from scanner.trail.logging_checks.interface import Fault
from scanner.trail.logging_checks.rules import CLOUDTRAIL

if TYPE_CHECKING:
    from scanner.inventory.aws.trails import Region, Trail

_SOURCES = {
    "kms.amazonaws.com": "KMS",
    "secretsmanager.amazonaws.com": "Secrets Manager",
    "ssm.amazonaws.com": "Parameter Store",
}
_READ, _WRITE = "reads", "writes"
_TYPES = {"All": (_READ, _WRITE), "ReadOnly": (_READ,), "WriteOnly": (_WRITE,)}
_BY_FLAG = {"true": (_READ,), "false": (_WRITE,)}

Event = tuple[str, str]
"""An event source, and `reads` or `writes`."""
_ALL = frozenset((source, kind) for source in _SOURCES for kind in (_READ, _WRITE))


def recognizes(data: Any) -> bool:
    return isinstance(data, dict) and bool(
        {"EventSelectors", "AdvancedEventSelectors", "IsLogging"} & data.keys()
    )


def faults(data: Any, name: str) -> Iterator[Fault]:
    """Of the selectors or the status of one trail."""
    subject = f"aws://{quoted(str(data.get('TrailARN', name)))}"
    if data.get("IsLogging") is False:
        yield Fault(CLOUDTRAIL, subject, "the trail is not logging")
    if "IsLogging" not in data and (left := _ALL - recorded(data)):
        yield Fault(CLOUDTRAIL, subject, f"no selector records {_said(left)}")


def live(settings: Settings, *, has_file: bool) -> Iterator[Fault | Gap]:  # noqa: ARG001
    from scanner.inventory.aws import trails

    for found in trails.read(settings):
        if isinstance(found, Gap):
            yield found
        else:
            yield from _region(found)


def _region(region: Region) -> Iterator[Fault | Gap]:
    """All trails of a region together must record everything. If one of them could not be read,
    what the others leave out is not known."""
    left = _ALL.difference(*map(_recorded_by, region.trails))
    unread = [trail.unread for trail in region.trails if trail.unread]
    if left and unread:
        yield from unread
    elif left:
        states = [*filter(None, map(_state, region.trails))]
        why = f"; {'; '.join(states)}" if states else ""
        why = why if region.trails else "; the region has no trail"
        yield Fault(CLOUDTRAIL, region.path, f"no trail records {_said(left)}{why}")


def _recorded_by(trail: Trail) -> frozenset[Event]:
    works = trail.is_logging and trail.is_delivered
    return recorded(trail.selectors) if works else frozenset()


def _state(trail: Trail) -> str:
    if not trail.is_logging:
        return f"the trail {quoted(trail.name)} is not logging"
    return "" if trail.is_delivered else f"the trail {quoted(trail.name)} cannot deliver its log"


def recorded(answer: Mapping[str, Any]) -> frozenset[Event]:
    """The events that the selectors of a trail record. `answer` is that of GetEventSelectors."""
    simple, advanced = answer.get("EventSelectors") or (), answer.get("AdvancedEventSelectors")
    found = [*map(_by_simple, simple), *map(_by_advanced, advanced or ())]
    return frozenset[Event]().union(*found)


def _by_simple(selector: Mapping[str, Any]) -> frozenset[Event]:
    if selector.get("IncludeManagementEvents", True) is not True:
        return frozenset()
    sources = _SOURCES.keys() - {*(selector.get("ExcludeManagementEventSources") or ())}
    kinds = _TYPES.get(selector.get("ReadWriteType", "All"), ())
    return frozenset((source, kind) for source in sources for kind in kinds)


def _by_advanced(selector: Mapping[str, Any]) -> frozenset[Event]:
    """Each field narrows the selector. One that is not known may leave out any event."""
    fields = {each["Field"]: each for each in selector["FieldSelectors"]}
    if "Management" not in fields.pop("eventCategory", {}).get("Equals", ()):
        return frozenset()
    flags = fields.pop("readOnly", {}).get("Equals", _BY_FLAG)
    kinds = [kind for flag in flags for kind in _BY_FLAG.get(str(flag).lower(), ())]
    source = fields.pop("eventSource", {})
    if fields or source.keys() - {"Field", "Equals", "NotEquals"}:
        return frozenset()
    sources = {*_SOURCES} & {*source.get("Equals", _SOURCES)} - {*source.get("NotEquals", ())}
    return frozenset((name, kind) for name in sources for kind in kinds)


def _said(events: frozenset[Event]) -> str:
    """`reads of KMS, reads and writes of Parameter Store`."""
    parts = []
    for source, name in _SOURCES.items():
        kinds = [kind for kind in (_READ, _WRITE) if (source, kind) in events]
        if kinds:
            parts.append(f"{' and '.join(kinds)} of {name}")
    return ", ".join(parts)
