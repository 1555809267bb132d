"""What several test files say in the same words."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Protocol


class Keywatch(Protocol):
    """What the fixture `keywatch` gives: the command as a process of its own."""

    def __call__(
        self, *arguments: str, cwd: Path, stdin: bytes = b"", **variables: str
    ) -> subprocess.CompletedProcess[bytes]: ...
