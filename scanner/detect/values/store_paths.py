"""Detect: check addresses of secret stores, and paths in them, in configuration and scripts.

The API of a KV version 2 engine reads secrets under `MOUNT/data/…`. `vault kv`, External Secrets
and others insert `data/`; a path that goes to the API must contain it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from scanner.lazy_pattern import lazy
from scanner.model import Confidence

if TYPE_CHECKING:
    from scanner.detect.engine.candidate import Candidate

_KV_MOUNT = lazy(r"/?(?:secrets?|kv(?:[-_]?v?2)?)/")
# A path whose next part belongs to the API, or is a pattern or a variable.
_API_PART = lazy(r"(?:data|metadata|delete|undelete|destroy|config|subkeys)\*?$|[*+]|[${<%]")
# `http://localhost:8200`, `http://127.0.0.1/`, `http://[::1]`.
_LOCAL_ADDRESS = lazy(
    r"(?i)http://(?:[^/@\s]*@)?(?:localhost|[\w.\-]+\.localhost|127(?:\.\d+){3}|0\.0\.0\.0|\[::1?\])"
    r"(?:[:/?#\"'\s]|$)"
)
_SECRETS_FILE = lazy(r"(?:^|/)configs/secrets/")
# If there is no text before the path, the text after it must show that it is one: a policy in JSON
# (`": {"capabilities`), or the input of a workflow's step (` password | DB_PASSWORD`).
_AFTER_PATH = lazy(
    rb"""["'][ \t]*:[ \t]*\{[ \t]*(?:["'](?:capabilities|policy)|$)|[ \t]+\S+[ \t]*\|[ \t]*\w"""
)


def remote_http(candidate: Candidate) -> Confidence | None:
    """A check: the address uses plain HTTP and is not local."""
    is_local = _LOCAL_ADDRESS.match(candidate.value.decode("latin-1"))
    return None if is_local else Confidence.HIGH


def kv_path(candidate: Candidate) -> Confidence | None:
    """A check: the path below a KV version 2 mount lacks `data/` or another part of the API."""
    path = candidate.value.decode("latin-1")
    before = candidate.line[: candidate.at].strip(b" \t\"'-{,")
    if not before and not _AFTER_PATH.match(candidate.line, candidate.at + len(candidate.value)):
        return None
    if (
        before.endswith(b":")
        and b"path" in before[-6:]
        and not _SECRETS_FILE.search(candidate.path)
    ):
        return None
    mount = _KV_MOUNT.match(path)
    below = path[mount.end() :] if mount else ""
    return Confidence.MEDIUM if below and not _API_PART.match(below.partition("/")[0]) else None


def kv_rotation(candidate: Candidate) -> Confidence | None:
    """A check: the path is in a KV engine, which takes `rotate` for the name of a secret."""
    path = candidate.value.decode("latin-1")
    by_command = re.search(rb"\bkv[ \t]+(?:put|patch)\b", candidate.line[: candidate.at])
    is_kv = by_command or _KV_MOUNT.match(path) or "data" in path.strip("/").split("/")[1:2]
    return Confidence.HIGH if is_kv else None
