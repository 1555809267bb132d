"""The audit policy of a Kubernetes API server, and whether the server uses one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from scanner.inventory.interface import Settings
from scanner.model import Gap, GapKind
from scanner.trail.event import quoted
from scanner.trail.logging_checks.interface import Fault
from scanner.trail.logging_checks.rules import KUBERNETES, KUBERNETES_OFF, KUBERNETES_VALUES

_READS = ("get", "list", "watch")
_LAST_STAGE = "ResponseComplete"
"""The stage that says how a request ended. keywatch reads the events of this stage."""
_MANAGED = (
    "no API server runs as a pod that this identity can see, so the API does not say what is"
    " logged: check it where the control plane is managed"
)
_NO_FILE = (
    "the audit policy is a file on the nodes of the control plane: give it by --logging, once for"
    " each cluster"
)


def recognizes(data: Any) -> bool:
    return (
        isinstance(data, dict)
        and data.get("kind") == "Policy"
        and str(data.get("apiVersion", "")).startswith("audit.k8s.io/")
    )


def faults(data: Any, name: str) -> Iterator[Fault]:
    """By the first rule that fits any user: rules for some users only leave these out."""
    subject = f"k8s://{name}/*/secrets"
    for verb in _READS:
        level = next(_levels(data, verb), "None")
        if level == "None":
            yield Fault(KUBERNETES, f"{subject}?verb={verb}", f"{verb} of secrets has no log")
        elif level != "Metadata":
            detail = f"{verb} of secrets is logged at the level {level}"
            yield Fault(KUBERNETES_VALUES, f"{subject}?verb={verb}", detail)


def live(settings: Settings, *, has_file: bool) -> Iterator[Fault | Gap]:
    from scanner.inventory.kubernetes import audit_log

    place = f"k8s://{settings.name}/{audit_log.NAMESPACE}/pods"
    servers = audit_log.read(settings)
    if isinstance(servers, Gap):
        yield servers
        return
    if not servers:
        yield Gap(kind=GapKind.NOT_KNOWABLE, path=place, reason=_MANAGED)
    for server in servers:
        subject = f"{place}/{quoted(server.pod)}"
        if not server.has_policy:
            yield Fault(KUBERNETES_OFF, subject, "it has no --audit-policy-file")
        elif not server.has_log:
            detail = "it has neither --audit-log-path nor --audit-webhook-config-file"
            yield Fault(KUBERNETES_OFF, subject, detail)
    if not has_file and any(server.has_policy for server in servers):
        yield Gap(kind=GapKind.NOT_KNOWABLE, path=place, reason=_NO_FILE)


def _levels(policy: Mapping[str, Any], verb: str) -> Iterator[str]:
    for rule in policy.get("rules") or ():
        is_partial = any(rule.get(key) for key in ("users", "userGroups", "namespaces"))
        if is_partial or (rule.get("verbs") and verb not in rule["verbs"]):
            continue
        if rule.get("nonResourceURLs") and not rule.get("resources"):
            continue
        if _names_secrets(rule.get("resources")):
            yield "None" if _LAST_STAGE in _left_out(policy, rule) else str(rule["level"])


def _left_out(*holders: Mapping[str, Any]) -> Iterable[str]:
    return (stage for each in holders for stage in each.get("omitStages") or ())


def _names_secrets(resources: Sequence[Mapping[str, Any]] | None) -> bool:
    if not resources:
        return True
    return any(
        each.get("group", "") in ("", "*")
        and not each.get("resourceNames")
        and {"secrets", "*", "*/*"} & set(each.get("resources") or ("*",))
        for each in resources
    )
