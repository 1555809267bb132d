"""Run git with the network, for repositories of our own cache.

`scanner/inputs/git/commands.py` runs git on repositories without the network. Here it may use https
and ssh, but no other transport, no redirect, no prompt, no hook and no submodule. GitPython starts
the same git, but it can neither watch the size of a clone nor end git's whole process group.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence

from scanner.inputs.git import commands
from scanner.model import GapKind

_SETTINGS = (
    # Redirects could lead to another host, with the token.
    ("http.followRedirects", "false"),
    ("http.sslVerify", "true"),
    ("http.extraHeader", ""),
    ("http.lowSpeedLimit", "1000"),  # bytes a second
    ("http.lowSpeedTime", "60"),
    ("transfer.fsckObjects", "true"),
    ("transfer.bundleURI", "false"),
    ("fetch.fsckObjects", "true"),
    # Mistakes of old versions of git, which harm nothing and which history keeps forever.
    ("fetch.fsck.badTimezone", "ignore"),
    ("fetch.fsck.missingSpaceBeforeDate", "ignore"),
    ("fetch.fsck.zeroPaddedFilemode", "ignore"),
    ("fetch.recurseSubmodules", "false"),
    ("fetch.unpackLimit", "1"),  # one pack a fetch: libgit2 reads packs only
    ("fetch.writeCommitGraph", "false"),
    ("fetch.uriProtocols", ""),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("credential.interactive", "false"),
)
_ENVIRONMENT = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "",
    "SSH_ASKPASS": "",
    "SSH_ASKPASS_REQUIRE": "never",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_GRAFT_FILE": os.devnull,
    "LC_ALL": "C",
}
# All other variables of git are dropped.
_KEPT = frozenset(
    (
        *("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM", "GIT_EXEC_PATH"),
        *("GIT_SSH", "GIT_SSH_COMMAND", "GIT_SSH_VARIANT", "GIT_HTTP_PROXY_AUTHMETHOD"),
        *("GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "GIT_SSL_CERT", "GIT_SSL_KEY"),
    )
)
_CHECK_EVERY = 0.2  # seconds
_PIECE = 1 << 16
_MAX_ERRORS = 1 << 16  # bytes of standard error that are kept
_GRACE = 5.0  # seconds in which git may remove its temporary files

# What git says, from the most to the least telling, and what it means.
_MEANINGS = (
    ("terminal prompts disabled", "denied"),
    ("unable to get password from user", "denied"),  # with credential.interactive=false
    ("Authentication failed", "denied"),
    ("Permission denied", "denied"),
    ("requested URL returned error: 401", "denied"),
    ("requested URL returned error: 403", "denied"),
    ("Host key verification failed", "host-key"),
    ("requested URL returned error: 30", "redirected"),
    ("unable to update url base from redirection", "redirected"),
    ("requested URL returned error: 404", "absent"),
    ("not found", "absent"),
    ("does not appear to be a git repository", "absent"),
    ("transport '", "transport"),
    ("No space left on device", "disk"),
    ("fsck error", "fsck"),
    ("fsckObjects", "fsck"),
    ("SSL certificate", "tls"),
    ("certificate", "tls"),
    ("Could not resolve", "unreachable"),
    ("Failed to connect", "unreachable"),
    ("Couldn't connect", "unreachable"),
    ("Connection refused", "unreachable"),
    ("Connection timed out", "unreachable"),
    ("requested URL returned error: 5", "failing"),
    ("requested URL returned error: 429", "failing"),
    ("RPC failed", "failing"),
    ("early EOF", "failing"),
    ("hung up unexpectedly", "failing"),
)
_REASONS = {
    "denied": "the server does not let us read it: bind a credential helper to the host "
    "(git config --global credential.https://HOST.helper ...), or give the token read access",
    "host-key": "the SSH key of the host is not known: add it to known_hosts",
    "redirected": "the server redirects to another address: write that address, if it is trusted",
    "absent": "the server has no such repository, or hides it from this token",
    "transport": "the address leads to a transport that is not allowed: see url.*.insteadOf in the "
    "git configuration",
    "disk": "the disk of the cache is full: make room, or lower the limit of the cache",
    "fsck": "it has malformed objects (git fsck): ask its owners to repair it",
    "tls": "the certificate of the server is not valid: set http.sslCAInfo for a private authority",
    "unreachable": "the server cannot be reached",
    "failing": "the server broke off: try again later",
    "": "git failed: run git ls-remote on the address to see why",
}
_TEMPORARY = frozenset(("unreachable", "failing"))


class CloneError(Exception):
    """A repository could not be cloned or read. `kind` and `reason` become those of a Gap.

    `reason` says what happened and what to do; it contains no text of the server. `temporary`:
    another attempt may succeed.
    """

    def __init__(self, kind: GapKind, reason: str, *, temporary: bool = False) -> None:
        super().__init__(reason)
        self.kind = kind
        self.reason = reason
        self.temporary = temporary

    def __reduce__(self) -> tuple[object, ...]:
        return _clone_error, (self.kind, self.reason, self.temporary)


def _clone_error(kind: GapKind, reason: str, temporary: bool) -> CloneError:  # noqa: FBT001
    """Build the error again in another process."""
    return CloneError(kind, reason, temporary=temporary)


def run(  # noqa: PLR0913 - the limits of one process
    arguments: Sequence[str],
    *,
    cwd: str,
    seconds: float,
    max_output: int,
    settings: Sequence[tuple[str, str]] = (),
    protocols: str = "https:ssh",
    fed: bytes = b"",
    watch: Callable[[], None] | None = None,
    accepts: Sequence[int] = (0,),
) -> bytes:
    """The output of a git command.

    CloneError if it fails, takes over `seconds` or prints over `max_output` bytes. `settings` are
    added to git's configuration; they travel in the environment, because anyone on the machine can
    read arguments. `watch` is called several times a second; an exception that it raises ends git.
    """
    end = time.monotonic() + seconds
    with tempfile.TemporaryFile() as given:
        given.write(fed)
        given.seek(0)
        process = subprocess.Popen(
            [commands.program(), *arguments],
            cwd=cwd,
            env=_environment(settings, protocols, cwd),
            stdin=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    with _ended(process):
        output, errors = bytearray(), bytearray()
        for stream, data in _read(process):
            if stream == "out":
                output += data
            elif len(errors) < _MAX_ERRORS:
                errors += data
            if watch:
                watch()
            if len(output) > max_output:
                raise CloneError(GapKind.TOO_LARGE, f"it answers with over {max_output:,} bytes")
            if time.monotonic() > end:
                raise CloneError(
                    GapKind.TIMEOUT,
                    f"git {arguments[0]} did not end within {seconds:.0f} s: allow more time",
                    temporary=True,
                )
        if process.wait() not in accepts:
            raise _failure(errors.decode(errors="replace"))
    return bytes(output)


def _read(process: subprocess.Popen[bytes]) -> Iterator[tuple[str, bytes]]:
    """("out" or "err", what was read), and at least several times a second ("", b"")."""
    with selectors.DefaultSelector() as selector:
        for name, pipe in (("out", process.stdout), ("err", process.stderr)):
            if pipe:
                selector.register(pipe, selectors.EVENT_READ, name)
        while selector.get_map():
            ready = selector.select(_CHECK_EVERY)
            for key, _ in ready:
                data = os.read(key.fd, _PIECE)
                if not data:
                    selector.unregister(key.fileobj)
                yield key.data, data
            yield "", b""
            # A credential helper may leave a process behind that holds the pipes open.
            if not ready and process.poll() is not None:
                return


@contextlib.contextmanager
def _ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """End git and its helpers, if they still run, and close the pipes."""
    try:
        yield
    finally:
        if process.poll() is None:
            _signal(process, signal.SIGTERM)  # git removes its temporary files
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_GRACE)
            _signal(process, getattr(signal, "SIGKILL", signal.SIGTERM))
            process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe:
                pipe.close()


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, number)
        else:
            process.kill()


def _environment(settings: Sequence[tuple[str, str]], protocols: str, cwd: str) -> dict[str, str]:
    own = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("GIT_") or name in _KEPT
    }
    neutral = [tuple(each.split("=", 1)) for each in commands.NEUTRAL]
    every = [*_users_settings(), *neutral, *_SETTINGS, *settings]
    for number, (key, value) in enumerate(every):
        own[f"GIT_CONFIG_KEY_{number}"] = key
        own[f"GIT_CONFIG_VALUE_{number}"] = value
    return own | {
        **_ENVIRONMENT,
        "GIT_CONFIG_COUNT": str(len(every)),
        "GIT_ALLOW_PROTOCOL": protocols,
        # A repository around the cache does not control git.
        "GIT_CEILING_DIRECTORIES": os.path.dirname(cwd),
    }


def _users_settings() -> Iterator[tuple[str, str]]:
    """The settings that the user's environment adds to git's configuration."""
    count = os.environ.get("GIT_CONFIG_COUNT", "")
    for number in range(int(count) if count.isdecimal() else 0):
        key = os.environ.get(f"GIT_CONFIG_KEY_{number}")
        if key:
            yield key, os.environ.get(f"GIT_CONFIG_VALUE_{number}", "")


def _failure(said: str) -> CloneError:
    """The error in our own words: git repeats texts of the server, and the address."""
    lines = [line for line in said.splitlines() if not line.startswith("remote:")]
    own = "\n".join(lines)
    meaning = next((meaning for text, meaning in _MEANINGS if text in own), "")
    return CloneError(GapKind.NOT_CLONED, _REASONS[meaning], temporary=meaning in _TEMPORARY)
