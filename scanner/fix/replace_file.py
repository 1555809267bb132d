"""The command line: a file of the tree, as it was read, becomes another, whole or not at all.

A link is neither followed nor replaced, and what changed since it was read stays as it is.
"""

from __future__ import annotations

import os
import stat

from scanner.errors import KeywatchError
from scanner.inputs.folder import Folder


def replace(root: str, path: str, before: bytes | None, after: bytes) -> str:
    """Write `after` in the place of `before` (None: no file), with the file's mode. Why it was not
    done, "" where it was."""
    target = os.path.join(os.path.realpath(root), *path.split("/"))
    if os.path.realpath(os.path.dirname(target)) != os.path.dirname(target):
        return "its folder is a link"
    beside = f"{target}.{os.urandom(6).hex()}.tmp"
    try:
        mode = None if before is None else os.lstat(target).st_mode
        if mode is not None and not stat.S_ISREG(mode):
            return "it is a link, or no file"
        with open(beside, "xb") as file:
            if mode is not None:
                os.chmod(beside, stat.S_IMODE(mode))
            file.write(after)
        if Folder(root, (), use_git=False).control(path) != before:
            return "it changed in between: run it again"
        os.replace(beside, target)
    except KeywatchError as error:
        return error.why
    except OSError as error:
        return f"it could not be written ({error.strerror})"
    finally:
        if os.path.lexists(beside):
            os.unlink(beside)
    return ""
