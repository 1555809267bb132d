"""The detections that Sigma cannot express: each with its reason, false positives and tuning."""

from __future__ import annotations

from scanner.model import Severity
from scanner.policy.rules import described
from scanner.trail.sigma.rule_files import Described

OUTSIDE_MAPPING = "trail-read-outside-mapping"
UNKNOWN_IDENTITY = "trail-read-unknown-identity"
FIRST_READ = "trail-first-read"
NEW_SOURCE = "trail-new-source"
OUTSIDE_SOURCES = "trail-source-not-allowed"
OLD_VERSION = "trail-old-version-read"
UNUSUAL_TIME = "trail-unusual-time"
UNUSUAL_RATE = "trail-unusual-rate"
RAW_VALUES = "trail-raw-values"
SILENCE = "trail-log-silence"
_LEARNING = (
    "The learning period is --learn TIME, 7 days by default; the history is in --state FILE."
)


def _of(  # noqa: PLR0913, PLR0917 - a table of words
    name: str, severity: Severity, title: str, why: str, fix: str, false: str, tuning: str
) -> Described:
    info = described(name, severity, title, why, fix)
    return Described(info, false, tuning, "scanner/trail/detections")


DETECTIONS: tuple[Described, ...] = (
    _of(
        OUTSIDE_MAPPING,
        Severity.HIGH,
        "Service reads a secret that it does not need",
        "The read succeeded, so the store's policy allows it. But `services` of keywatch.yaml"
        " says that this service does not need secrets of this class. Its policy is too wide, or"
        " its credentials are used by somebody else.",
        "Find out what made the read. Narrow the service's policy, and rotate the secret if the"
        " read was not the service's own.",
        "A service whose needs changed before keywatch.yaml did.",
        "Add the class to `needs` of the service in keywatch.yaml. A service is known by its"
        " `vault_role`, by its name, or by its `policies`.",
    ),
    _of(
        UNKNOWN_IDENTITY,
        Severity.MEDIUM,
        "Secret is read by an identity that is no service",
        "keywatch.yaml gives the secret a class, and none of its `services` is the identity that"
        " read the value.",
        "Find out who reads the secret. Add the service to keywatch.yaml, or take the access away.",
        "People who read a secret while they work on an incident; tools that copy secrets.",
        "Add the reader to `services`. It is only reported for Vault, and only if keywatch.yaml has"
        " services.",
    ),
    _of(
        FIRST_READ,
        Severity.MEDIUM,
        "Identity reads a secret that it never read before",
        "The identity was known for the whole learning period and never read this secret, and"
        " `services` of keywatch.yaml does not say that it needs it. Whoever has its credentials"
        " may be looking for more.",
        "Find out what the identity needs the secret for. If nobody knows, take the access away and"
        " rotate the secret.",
        "New secrets; new versions of an application; people who work on an incident.",
        _LEARNING + " Add the secret's class to `needs` of the service in keywatch.yaml. Nodes of"
        " Kubernetes are never reported: they read the secrets of the pods that they get.",
    ),
    _of(
        NEW_SOURCE,
        Severity.MEDIUM,
        "Identity appears from a new network",
        "The identity was known for the whole learning period, and never used a network like this"
        " one (/24 of IPv4, /64 of IPv6). A stolen token is mostly used from elsewhere.",
        "Find out what has the address. Revoke the identity's tokens if it is not yours.",
        "A new cluster, a new availability zone, a change of the network.",
        _LEARNING + " Where the networks of a service are known, list them as `sources` of the"
        " service in keywatch.yaml.",
    ),
    _of(
        OUTSIDE_SOURCES,
        Severity.MEDIUM,
        "Service calls from a network that is not its own",
        "`sources` of the service in keywatch.yaml lists its networks, and the call came from"
        " another one.",
        "Find out what has the address. Revoke the service's tokens if it is not yours.",
        "A change of the network before keywatch.yaml was changed; a proxy in between.",
        "Correct `sources` of the service in keywatch.yaml.",
    ),
    _of(
        OLD_VERSION,
        Severity.MEDIUM,
        "Old version of a secret is read after its rotation",
        "A client asked for an older version after a new one was written, and after the old one may"
        " be used no longer. It fails when the old value is revoked, or somebody tries old values.",
        "Have the client read the current version. Then delete or destroy the old one.",
        "A rollback; tools that compare versions.",
        "The old version may be read for the `overlap`, or else the `grace`, of its class.",
    ),
    _of(
        UNUSUAL_TIME,
        Severity.MEDIUM,
        "Identity is active at an unusual hour",
        "In its whole history the identity was never active at this hour of the day, nor an hour"
        " before or after, and it keeps to at most 16 hours of the day.",
        "Ask the owner of the identity. Revoke its tokens if nobody knows about it.",
        "On-call work, deployments at night, a change to or from summer time.",
        _LEARNING + " It needs activity on at least 5 days.",
    ),
    _of(
        UNUSUAL_RATE,
        Severity.MEDIUM,
        "Identity calls far more often than it ever did",
        "Within one hour the identity made over 10 times as many calls as in the busiest hour of"
        " its history, and over 200.",
        "Find out what the calls asked for. Revoke the identity's tokens if they are not its own.",
        "A client in a loop; the first load test.",
        _LEARNING,
    ),
    _of(
        RAW_VALUES,
        Severity.HIGH,
        "Audit log contains values in the clear",
        "An audit device with log_raw writes tokens and values of secrets instead of their HMACs."
        " Whoever can read the log can read the secrets.",
        "Turn log_raw off, delete the log, and rotate the secrets and tokens in it.",
        "None known.",
        "There is nothing to tune.",
    ),
    _of(
        SILENCE,
        Severity.HIGH,
        "Audit log is silent",
        "There is a stretch without any event, longer than the log's expected heartbeat. The store"
        " was down, its audit was off, or a part of the log was removed.",
        "Look up in the server's own log whether it was down, and find the missing part.",
        "Servers that nobody uses at night.",
        "Set the longest silence with --heartbeat TIME (1h by default, 0s turns it off).",
    ),
)
BY_ID = {each.info.id: each for each in DETECTIONS}
