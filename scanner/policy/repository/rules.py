"""Policy: the rules of `keywatch policy check`. Nothing can be allowed against them: they are about
the policy itself, and are mended in it."""

from __future__ import annotations

from collections.abc import Iterable

from scanner import document
from scanner.model import Finding, RuleInfo, Severity
from scanner.policy.rules import described, finding_of

UNKNOWN_CLASS = "policy-unknown-class"
DUPLICATE = "policy-duplicate-secret"
IDLE_MATCH = "policy-idle-match"
CONFLICT = "policy-class-conflict"
UNMET = "policy-unmet-need"
NO_RUNBOOK = "policy-runbook-missing"
UNROTATED = "policy-unrotated-secret"
NO_EFFECT = "policy-rotation-without-effect"
NO_HOOK = "policy-hook-missing"
NO_BASELINE = "policy-baseline-missing"
NO_CI = "policy-ci-missing"

RULES: tuple[RuleInfo, ...] = (
    described(
        UNKNOWN_CLASS,
        Severity.HIGH,
        "Unknown secret class",
        "A class says how often a secret is rotated. Of a class that nobody defined, no period is "
        "known, and no secret of it is ever overdue.",
        "Name a class that there is, or define this one under `classes` in keywatch.yaml.",
    ),
    described(
        DUPLICATE,
        Severity.MEDIUM,
        "Secret declared twice",
        "Two declarations of one secret drift apart: one is renamed or removed, and the other "
        "still says where it is.",
        "Take one of the two declarations out.",
    ),
    described(
        IDLE_MATCH,
        Severity.MEDIUM,
        "Entry that matches no declared secret",
        "The class, the owner and the period of this entry are those of no secret. The secret that "
        "it was meant for has none.",
        "Correct the glob, declare the secret in configs/secrets, or take the entry out.",
    ),
    described(
        CONFLICT,
        Severity.HIGH,
        "Secret of two classes",
        "Two entries of `secrets` give one secret different periods, and neither is the more "
        "specific. Which one holds is nobody's decision.",
        "Make one of the two globs more specific, or give both the same class.",
    ),
    described(
        UNMET,
        Severity.MEDIUM,
        "Service that needs what nothing provides",
        "The service says that it needs a class of secrets, and no declared secret is of it: "
        "either it may read more than it uses, or what it uses is not declared.",
        "Declare the secret and give it the class, or take the class out of `needs`.",
    ),
    described(
        NO_RUNBOOK,
        Severity.MEDIUM,
        "Runbook that is not there",
        "A runbook is how a person rotates the secret. The one named here is no file of this "
        "repository, so nobody can follow it.",
        "Name a file of the repository, counted from its top, or an https address.",
    ),
    described(
        UNROTATED,
        Severity.HIGH,
        "Secret that nothing rotates",
        "No script, CI job, CronJob, generator or Terraform resource of this repository writes a "
        "new value for it, and its entry names no runbook. Its age will only grow.",
        "Write a new value where rotation runs (scripts/rotate_secrets.sh, a scheduled job, a "
        "CronJob), let the store rotate it, or name in its entry the runbook by which a person "
        "does.",
    ),
    described(
        NO_EFFECT,
        Severity.HIGH,
        "Rotation that rotates nothing",
        "The key-value engine has no rotate operation: a write below `…/rotate` makes an entry of "
        "that name, and the secret keeps its value. Whoever reads the log believes otherwise.",
        "Write the new value to the secret's own path: vault kv patch PATH KEY=VALUE, with the "
        "value from a file or standard input.",
    ),
    described(
        NO_HOOK,
        Severity.MEDIUM,
        "No hook that looks for secrets",
        "What the hook does not stop is in the history of every clone before CI sees it.",
        "Add the hook to .pre-commit-config.yaml, and run pre-commit install in each clone.",
    ),
    described(
        NO_BASELINE,
        Severity.MEDIUM,
        "Baseline that cannot be used",
        "The hook names a baseline that is not in the repository or is none: it fails in each "
        "clone, and whoever it stops goes past it with --no-verify.",
        "Commit the file: keywatch baseline create --detect-secrets exact writes it anew.",
    ),
    described(
        NO_CI,
        Severity.MEDIUM,
        "No CI job that looks for secrets",
        "A hook can be skipped, and a clone may have none. Only a job sees every change.",
        "Add a job that scans, and demand its result before a merge.",
    ),
)
_BY_ID = {rule.id: rule for rule in RULES}


def finding(rule: str, where: str, detail: str, context: str) -> Finding:
    """A finding of one of these rules at `file:line`; `context` keeps its identity."""
    return finding_of(_BY_ID[rule], where, detail, context)


def nearest(name: str, known: Iterable[str]) -> str:
    """`; did you mean X?`, or "" where nothing is near. Bounded: both may be hostile."""
    near = document.nearest(name, sorted(known)[:200])
    return f"; {near}" if near else ""
