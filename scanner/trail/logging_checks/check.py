"""Check what is logged: configurations of audit logs in files, and what live stores say.

A file is recognized by its content: the answer of sys/audit, a CloudTrail selector, Azure's
diagnostic settings, or the audit policy of a Kubernetes API server.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, cast

from scanner import document
from scanner.audit import backends, environment, operator_config
from scanner.configuration.operator import BackendConfig
from scanner.console import Console
from scanner.errors import ConfigError
from scanner.masking import masked_finding
from scanner.model import Finding, Gap, Location
from scanner.records import Resource
from scanner.trail.event import quoted
from scanner.trail.logging_checks import azure, cloudtrail, kubernetes, vault
from scanner.trail.logging_checks.interface import Fault, Module

_TIMEOUT = 60.0
_MODULES: Mapping[str, Module] = {
    # Vault comes last: almost any mapping may be a list of its devices.
    "kubernetes": cast("Module", kubernetes),
    "aws": cast("Module", cloudtrail),
    "azure": cast("Module", azure),
    "vault": cast("Module", vault),
}
"""By kind of backend."""


class Checked(NamedTuple):
    """What is not logged, and what could not be known."""

    findings: tuple[Finding, ...] = ()
    gaps: tuple[Gap, ...] = ()


def check_logging(
    configurations: Sequence[str],
    operator: str | None,
    console: Console,
    root: str,
    now: datetime,
) -> Checked:
    """Check files, and the stores of the operator config. ConfigError for another file."""
    found: list[Finding] = []
    gaps: list[Gap] = []
    given: Counter[str] = Counter()
    for name in configurations:
        data = document.parse(console.file(name), name).data
        kind, seen = judged(data, name)
        given[kind] += 1
        found += (_finding(each, name) for each in seen)
    if operator:
        config = operator_config.read(operator, console, root, backends.options(backends.BACKENDS))
        environment.clear(console.environ, backends.variables(backends.BACKENDS))
        stores = Counter(entry.kind for entry in config.backends)
        for entry in config.backends:
            has_file = given[entry.kind] >= stores[entry.kind]
            for one in _live(entry, console, now, has_file=has_file):
                if isinstance(one, Gap):
                    gaps.append(one)
                else:
                    found.append(_finding(one, operator))
    return Checked(tuple(found), tuple(gaps))


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


def judged(data: Any, name: str) -> tuple[str, list[Fault]]:
    """The kind of store of a configuration, and what it does not log.

    ConfigError if it is no configuration that is known.
    """
    try:
        for kind, module in _MODULES.items():
            if module.recognizes(data):
                return kind, [*module.faults(data, quoted(name))]
    except (AttributeError, TypeError, LookupError):
        pass
    raise ConfigError(
        f"{name} is no configuration of audit logs that keywatch knows",
        todo="docs/trail.md says which commands write one",
        where=f"{name}:1",
    )


def _live(
    entry: BackendConfig, console: Console, now: datetime, *, has_file: bool
) -> Iterator[Fault | Gap]:
    settings = backends.settings(entry, timeout=_TIMEOUT, environ=console.environ)
    # ConfigError for options that cannot work; it sends nothing.
    backends.connected(settings, backends.BACKENDS, now)
    try:
        yield from _MODULES[entry.kind].live(settings, has_file=has_file)
    except ImportError as error:
        raise backends.not_installed(settings, error) from None
