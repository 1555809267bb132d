"""Replace a file of the scanned tree with its fixed version."""

from __future__ import annotations

import os
import stat

from scanner import files
from scanner.errors import KeywatchError
from scanner.inputs.folder import Folder


class _ChangedError(Exception):
    """The file is not what it was when it was read."""


def replace(root: str, path: str, before: bytes | None, after: bytes) -> str:
    """Replace the content `before` (None: no file) with `after`, and keep the file's mode.

    Returns "", or why the file was not replaced: it is a link, is in a linked folder, has changed,
    or cannot be written.
    """
    target = os.path.join(os.path.realpath(root), *path.split("/"))
    if os.path.realpath(os.path.dirname(target)) != os.path.dirname(target):
        return "its folder is a symbolic link"

    def check() -> None:
        if Folder(root, (), use_git=False).control(path) != before:
            raise _ChangedError

    try:
        mode = None if before is None else os.lstat(target).st_mode
        if mode is not None and not stat.S_ISREG(mode):
            return "it is a symbolic link, or not a regular file"
        files.replace(target, [after], mode=mode and stat.S_IMODE(mode), check=check)
    except _ChangedError:
        return "it changed in the meantime: run the command again"
    except KeywatchError as error:
        return error.why
    except OSError as error:
        return f"it could not be written ({error.strerror})"
    return ""
