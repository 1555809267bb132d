"""Detect: addresses of secret stores, and paths in them, as configuration and scripts write them.

A KV version 2 engine is read under `MOUNT/data/…`. `vault kv`, External Secrets and others put that
part in themselves; where the path is the API's own, it must be written.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from scanner.model import Confidence

if TYPE_CHECKING:
    from scanner.detect.engine.candidate import Candidate

_KV = re.compile(r"/?(?:secrets?|kv(?:[-_]?v?2)?)/")
_ENDPOINTS = re.compile(r"(?:data|metadata|delete|undelete|destroy|config|subkeys)\*?$|[*+]|[${<%]")
_LOCAL = re.compile(
    r"(?i)http://(?:[^/@\s]*@)?(?:localhost|[\w.\-]+\.localhost|127(?:\.\d+){3}|0\.0\.0\.0|\[::1?\])"
    r"(?:[:/?#\"'\s]|$)"
)
_DECLARED = re.compile(r"(?:^|/)configs/secrets/")
# Where nothing before the path says what it is, what follows does: a policy in JSON, or a line of
# the secrets that a workflow's step asks for.
_AFTER = re.compile(
    rb"""["'][ \t]*:[ \t]*\{[ \t]*(?:["'](?:capabilities|policy)|$)|[ \t]+\S+[ \t]*\|[ \t]*\w"""
)


def remote_http(candidate: Candidate) -> Confidence | None:
    """A check: an address of another host, without TLS."""
    is_local = _LOCAL.match(candidate.value.decode("latin-1"))
    return None if is_local else Confidence.HIGH


def kv_path(candidate: Candidate) -> Confidence | None:
    """A check: a path below a KV version 2 mount that lacks the API's own part."""
    path = candidate.value.decode("latin-1")
    before = candidate.line[: candidate.at].strip(b" \t\"'-{,")
    if not before and not _AFTER.match(candidate.line, candidate.at + len(candidate.value)):
        return None
    if before.endswith(b":") and b"path" in before[-6:] and not _DECLARED.search(candidate.path):
        return None
    mount = _KV.match(path)
    below = path[mount.end() :] if mount else ""
    return Confidence.MEDIUM if below and not _ENDPOINTS.match(below.partition("/")[0]) else None


def kv_rotation(candidate: Candidate) -> Confidence | None:
    """A check: a path of a KV engine, below which `rotate` is only one more secret."""
    path = candidate.value.decode("latin-1")
    by_kv = re.search(rb"\bkv[ \t]+(?:put|patch)\b", candidate.line[: candidate.at])
    is_kv = by_kv or _KV.match(path) or "data" in path.strip("/").split("/")[1:2]
    return Confidence.HIGH if is_kv else None
