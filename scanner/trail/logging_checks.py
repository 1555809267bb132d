"""Is everything logged? What the configurations of audit logs say, from files and from live stores.

A file is recognized by its content: the answer of sys/audit, a CloudTrail selector, Azure's
diagnostic settings, or the audit policy of a Kubernetes API server.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from scanner import document
from scanner.audit import backends, environment, operator_config
from scanner.configuration.operator import BackendConfig
from scanner.console import Console
from scanner.errors import ConfigError
from scanner.masking import masked_finding
from scanner.model import Finding, Gap, GapKind, Location, RuleInfo
from scanner.records import Resource
from scanner.trail.event import quoted
from scanner.trail.logging_rules import (
    AZURE,
    CLOUDTRAIL,
    KUBERNETES,
    KUBERNETES_VALUES,
    VAULT_DEVICES,
    VAULT_RAW,
)

_TIMEOUT = 60.0
_READS = ("get", "list", "watch")
_TWO = 2


class Checked(NamedTuple):
    """What is not logged, and what could not be known."""

    findings: tuple[Finding, ...] = ()
    gaps: tuple[Gap, ...] = ()


class Fault(NamedTuple):
    """A rule that a configuration breaks, what it is about, and how."""

    rule: RuleInfo
    subject: str
    detail: str


def check(
    configurations: Sequence[str],
    operator: str | None,
    console: Console,
    root: str,
    now: datetime,
) -> Checked:
    """Check files, and the stores of the operator config. ConfigError for another file."""
    found = [
        _finding(fault, name)
        for name in configurations
        for fault in faults(_parsed(name, console), name)
    ]
    gaps: list[Gap] = []
    if operator:
        config = operator_config.read(operator, console, root, backends.options(backends.BACKENDS))
        environment.clear(console.environ, backends.variables(backends.BACKENDS))
        for entry in config.backends:
            for each in _live(entry, console, now):
                if isinstance(each, Gap):
                    gaps.append(each)
                else:
                    found.append(_finding(each, operator))
    return Checked(tuple(found), tuple(gaps))


def _parsed(name: str, console: Console) -> Any:
    return document.parse(console.file(name), name).data


def _finding(fault: Fault, path: str) -> Finding:
    return masked_finding(
        Finding(
            rule=fault.rule.id,
            location=Location(path=path),
            severity=fault.rule.severity,
            confidence=fault.rule.confidence,
            context=fault.subject,
            detail=fault.detail,
            resource=Resource(id=fault.subject),
        )
    )


def faults(data: Any, name: str) -> list[Fault]:
    """What is not logged by a configuration. ConfigError if it is none that is known."""
    shown = quoted(name)
    try:
        for recognized, judge in _KINDS:
            if recognized(data):
                return [*judge(data, shown)]
    except (AttributeError, TypeError, LookupError):
        pass
    raise ConfigError(
        f"{name} is no configuration of audit logs that keywatch knows",
        todo="docs/trail.md says which commands write one",
        where=f"{name}:1",
    )


def _live(entry: BackendConfig, console: Console, now: datetime) -> Iterator[Fault | Gap]:  # noqa: ARG001
    """What a store says of its own audit. Only Vault tells it to whom it gives its secrets."""
    scheme = {"kubernetes": "k8s"}.get(entry.kind, entry.kind)
    if entry.kind != "vault":
        reason = "the store's API does not say what is logged: give its configuration by --logging"
        yield Gap(kind=GapKind.NOT_KNOWABLE, path=f"{scheme}://{entry.name}", reason=reason)
        return
    settings = backends.settings(entry, timeout=_TIMEOUT, environ=console.environ)
    try:
        from scanner.inventory.vault.review.audit_devices import audit_devices
    except ImportError as error:
        raise backends.not_installed(settings, error) from None
    answer = audit_devices(settings)
    if isinstance(answer, Gap):
        yield answer
    else:
        yield from _vault(answer, entry.name)


def _is_vault(data: Any) -> bool:
    devices = _devices(data)
    return all("type" in each and "options" in each for each in devices.values()) and (
        bool(devices) or data == {} or "request_id" in data
    )


def _devices(data: Any) -> Mapping[str, Any]:
    """The devices by path, of the answer or of its `data`."""
    inner = data.get("data")
    found: Mapping[str, Any] = inner if isinstance(inner, dict) else data
    return {path: each for path, each in found.items() if isinstance(each, dict)}


def _vault(data: Any, name: str) -> Iterator[Fault]:
    devices = _devices(data)
    subject = f"vault://{name}/-/sys/audit"
    if len(devices) < _TWO:
        said = ", ".join(sorted(devices)) or "none"
        yield Fault(VAULT_DEVICES, subject, f"audit devices: {said}")
    for path, each in sorted(devices.items()):
        if str((each["options"] or {}).get("log_raw", "false")).lower() in ("true", "1"):
            yield Fault(VAULT_RAW, f"{subject}/{quoted(path)}", f"the device {path} has log_raw")


def _is_cloudtrail(data: Any) -> bool:
    return isinstance(data, dict) and bool(
        {"EventSelectors", "AdvancedEventSelectors", "IsLogging"} & data.keys()
    )


def _cloudtrail(data: Any, name: str) -> Iterator[Fault]:
    subject = f"aws://{quoted(str(data.get('TrailARN', name)))}"
    if data.get("IsLogging") is False:
        yield Fault(CLOUDTRAIL, subject, "the trail is not logging")
    if "IsLogging" in data:
        return
    simple, advanced = data.get("EventSelectors") or (), data.get("AdvancedEventSelectors") or ()
    if not (any(map(_records_reads, simple)) or any(map(_advanced_reads, advanced))):
        yield Fault(CLOUDTRAIL, subject, "no selector records the reads of secrets and keys")


def _records_reads(selector: Mapping[str, Any]) -> bool:
    excluded = selector.get("ExcludeManagementEventSources") or ()
    return (
        selector.get("IncludeManagementEvents", True) is True
        and selector.get("ReadWriteType", "All") == "All"
        and not excluded
    )


def _advanced_reads(selector: Mapping[str, Any]) -> bool:
    """Management events, reads and writes, of all sources."""
    fields = {each["Field"]: each for each in selector["FieldSelectors"]}
    category = fields.pop("eventCategory", {})
    return "Management" in category.get("Equals", ()) and not fields


def _is_azure(data: Any) -> bool:
    settings = data.get("value") if isinstance(data, dict) else data
    return isinstance(settings, list) and all("logs" in _properties(each) for each in settings)


def _properties(setting: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = setting.get("properties", setting)
    return found


def _azure(data: Any, name: str) -> Iterator[Fault]:
    settings = data["value"] if isinstance(data, dict) else data
    logs = [log for each in settings for log in _properties(each)["logs"] or ()]
    if not any(log.get("enabled") is True and _is_audit(log) for log in logs):
        yield Fault(AZURE, f"azure://{name}", "no enabled category AuditEvent, audit or allLogs")


def _is_audit(log: Mapping[str, Any]) -> bool:
    return log.get("category") == "AuditEvent" or log.get("categoryGroup") in ("audit", "allLogs")


def _is_kubernetes(data: Any) -> bool:
    return (
        isinstance(data, dict)
        and data.get("kind") == "Policy"
        and str(data.get("apiVersion", "")).startswith("audit.k8s.io/")
    )


def _kubernetes(data: Any, name: str) -> Iterator[Fault]:
    """By the first rule that fits any user: rules for some users only leave these out."""
    subject = f"k8s://{name}/*/secrets"
    for verb in _READS:
        level = next(_levels(data.get("rules") or (), verb), "None")
        if level == "None":
            yield Fault(KUBERNETES, f"{subject}?verb={verb}", f"{verb} of secrets has no log")
        elif level != "Metadata":
            detail = f"{verb} of secrets is logged at the level {level}"
            yield Fault(KUBERNETES_VALUES, f"{subject}?verb={verb}", detail)


def _levels(rules: Iterable[Mapping[str, Any]], verb: str) -> Iterator[str]:
    for rule in rules:
        is_partial = any(rule.get(key) for key in ("users", "userGroups", "namespaces"))
        if is_partial or (rule.get("verbs") and verb not in rule["verbs"]):
            continue
        if rule.get("nonResourceURLs") and not rule.get("resources"):
            continue
        if _names_secrets(rule.get("resources")):
            yield str(rule["level"])


def _names_secrets(resources: Sequence[Mapping[str, Any]] | None) -> bool:
    if not resources:
        return True
    return any(
        each.get("group", "") in ("", "*")
        and not each.get("resourceNames")
        and {"secrets", "*", "*/*"} & set(each.get("resources") or ("*",))
        for each in resources
    )


_KINDS: tuple[tuple[Callable[[Any], bool], Callable[[Any, str], Iterator[Fault]]], ...] = (
    (_is_kubernetes, _kubernetes),
    (_is_cloudtrail, _cloudtrail),
    (_is_azure, _azure),
    (_is_vault, _vault),
)
