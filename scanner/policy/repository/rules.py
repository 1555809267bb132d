"""Policy: the rules of `keywatch policy check`. No exception can suppress their findings: the
policy itself has to be fixed."""

from __future__ import annotations

from collections.abc import Iterable

from scanner import document
from scanner.model import Finding, Location, RuleInfo, Severity
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
        "Secret class is not defined",
        "A class defines how often a secret is rotated. If the class is not defined, there is "
        "no rotation period, and its secrets are never reported as overdue.",
        "Use the name of an existing class, or define this one under `classes` in keywatch.yaml.",
    ),
    described(
        DUPLICATE,
        Severity.MEDIUM,
        "Secret is declared twice",
        "Two declarations of one secret drift apart: when one is renamed or removed, the other"
        " still gives the old location.",
        "Remove one of the two declarations.",
    ),
    described(
        IDLE_MATCH,
        Severity.MEDIUM,
        "Entry matches no declared secret",
        "The class, owner and period of this entry apply to no secret. The secret that it was "
        "meant for has none of them.",
        "Correct the glob, declare the secret in configs/secrets, or remove the entry.",
    ),
    described(
        CONFLICT,
        Severity.HIGH,
        "Secret has two classes",
        "Two entries of `secrets` give one secret different periods, and neither entry is more"
        " specific. It is undecided which period applies.",
        "Make one of the two globs more specific, or give both entries the same class.",
    ),
    described(
        UNMET,
        Severity.MEDIUM,
        "Service needs a class that no secret has",
        "The service lists a class of secrets under `needs`, but no declared secret has this "
        "class. Either the service may read more than it uses, or a secret that it uses is not"
        " declared.",
        "Declare the secret and give it the class, or remove the class from `needs`.",
    ),
    described(
        NO_RUNBOOK,
        Severity.MEDIUM,
        "Runbook does not exist",
        "A runbook describes how a person rotates the secret. The file named here is not in "
        "this repository, so nobody can follow it.",
        "Give the path of a file, relative to the top of the repository, or an https address.",
    ),
    described(
        UNROTATED,
        Severity.HIGH,
        "Nothing rotates the secret",
        "No script, CI job, CronJob, generator or Terraform resource of this repository writes"
        " a new value for the secret, and its entry names no runbook. The value only gets "
        "older.",
        "Write a new value where rotation runs (scripts/rotate_secrets.sh, a scheduled job, a "
        "CronJob), let the store rotate the secret, or name a runbook for manual rotation in "
        "its entry.",
    ),
    described(
        NO_EFFECT,
        Severity.HIGH,
        "Rotation command does not rotate the secret",
        "The key-value engine has no rotate operation. A write to a path ending in `/rotate` "
        "creates an entry of that name, and the secret keeps its value. The log looks as if "
        "the rotation had worked.",
        "Write the new value to the secret's own path: vault kv patch PATH KEY=VALUE, with the"
        " value from a file or standard input.",
    ),
    described(
        NO_HOOK,
        Severity.MEDIUM,
        "No pre-commit hook scans for secrets",
        "Without a hook, a committed secret is in the history of every clone before CI sees it.",
        "Add the hook to .pre-commit-config.yaml, and run pre-commit install in each clone.",
    ),
    described(
        NO_BASELINE,
        Severity.MEDIUM,
        "Baseline cannot be used",
        "The hook names a baseline that is missing from the repository or is not a valid "
        "baseline. The hook fails in each clone, and developers bypass it with --no-verify.",
        "Create the file with `keywatch baseline create --detect-secrets exact`, and commit it.",
    ),
    described(
        NO_CI,
        Severity.MEDIUM,
        "No CI job scans for secrets",
        "A hook can be skipped, and a clone may not have one. Only a CI job sees every change.",
        "Add a job that scans, and require it to pass before a merge.",
    ),
)
_BY_ID = {rule.id: rule for rule in RULES}


def finding(rule: str, location: Location, detail: str, context: str) -> Finding:
    """A finding of one of these rules at `file:line`; `context` keeps its identity."""
    return finding_of(_BY_ID[rule], location, detail, context)


def nearest(name: str, known: Iterable[str]) -> str:
    """`; did you mean X?`, or "" if no known name is similar.

    Only 200 names are compared, since the repository may be hostile.
    """
    near = document.nearest(name, sorted(known)[:200])
    return f"; {near}" if near else ""
