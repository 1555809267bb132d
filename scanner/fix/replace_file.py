"""Replace a file of the scanned tree atomically.

Links are neither followed nor replaced. A file that changed since it was read is not replaced.
"""

from __future__ import annotations

import os
import stat

from scanner.errors import KeywatchError
from scanner.inputs.folder import Folder


def replace(root: str, path: str, before: bytes | None, after: bytes) -> str:
    """Replace the content `before` (None: no file) by `after`, and keep the file's mode.

    Returns the reason why the file was not replaced, or "".
    """
    target = os.path.join(os.path.realpath(root), *path.split("/"))
    if os.path.realpath(os.path.dirname(target)) != os.path.dirname(target):
        return "its folder is a symbolic link"
    beside = f"{target}.{os.urandom(6).hex()}.tmp"
    try:
        mode = None if before is None else os.lstat(target).st_mode
        if mode is not None and not stat.S_ISREG(mode):
            return "it is a symbolic link, or not a regular file"
        with open(beside, "xb") as file:
            if mode is not None:
                os.chmod(beside, stat.S_IMODE(mode))
            file.write(after)
        if Folder(root, (), use_git=False).control(path) != before:
            return "it changed in the meantime: run the command again"
        os.replace(beside, target)
    except KeywatchError as error:
        return error.why
    except OSError as error:
        return f"it could not be written ({error.strerror})"
    finally:
        if os.path.lexists(beside):
            os.unlink(beside)
    return ""
