"""The rules of the findings of `keywatch rotate`, in words."""

from __future__ import annotations

from scanner.model import RuleInfo, Severity
from scanner.policy.rules import described

STUCK = described(
    "rotation-stuck",
    Severity.HIGH,
    "Rotation did not get to its end",
    "A rotation that keywatch began was refused, is in an unknown state, or needs a decision. The"
    " old value stays in use, or nobody knows which value works. If the value leaked, it may still"
    " work.",
    "Read what keywatch rotate status says to do, then run keywatch rotate resume.",
)
MANUAL = described(
    "rotation-manual",
    Severity.MEDIUM,
    "Secret is due, and keywatch cannot rotate it",
    "The operator config does not say how the secret is rotated, so it stays as it is until"
    " somebody rotates it by hand.",
    "Rotate it by hand, or add it to rotation.secrets in the operator config (docs/rotate.md).",
)
RULES: tuple[RuleInfo, ...] = (STUCK, MANUAL)
