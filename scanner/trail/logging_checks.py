"""Is everything logged? What the configurations of audit logs say."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from scanner.console import Console
from scanner.model import Finding, Gap, RuleInfo

RULES: tuple[RuleInfo, ...] = ()


class Checked(NamedTuple):
    findings: tuple[Finding, ...] = ()
    gaps: tuple[Gap, ...] = ()


def check(
    configurations: Sequence[str],
    operator: str | None,
    console: Console,
    root: str,
    now: datetime,
) -> Checked:
    return Checked()
