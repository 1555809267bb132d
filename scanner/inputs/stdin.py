"""Read one file from standard input, as if it were at a given path."""

from __future__ import annotations

from collections.abc import Sequence
from io import BufferedIOBase, BytesIO
from typing import IO

from scanner.inputs import text_encoding
from scanner.inputs.folder import Folder
from scanner.inputs.interface import Blob, too_large_to_hold
from scanner.model import Gap, GapKind, Skip


class Stdin:
    """Standard input under the name `name`; control files come from the folder `root`."""

    def __init__(self, root: str, name: str, stream: IO[bytes]) -> None:
        self.root = root
        self.whole_tree = False
        self._name = name
        self._stream = stream
        self._start = b""  # read by `open`
        self._folder = Folder(root, (), use_git=False)

    def paths(self) -> Sequence[str]:
        return (self._name,)

    def open(self, path: str, most: int) -> BufferedIOBase | Gap | None:
        try:
            self._start = self._stream.read(most + 1)
        except (OSError, ValueError):
            return None
        if len(self._start) > most:
            return too_large_to_hold(path, most)
        return BytesIO(self._start)

    def read(self, path: str, most: int) -> Blob | Skip | Gap:
        try:
            data = self._start + self._stream.read(max(most + 1 - len(self._start), 0))
        except (OSError, ValueError):  # it is closed, or opened only for writing
            reason = "standard input cannot be read: pipe the file into it"
            return Gap(kind=GapKind.UNREADABLE, path=path, reason=reason)
        if len(data) > most:
            return Gap(kind=GapKind.TOO_LARGE, path=path, reason=f"it is over {most} bytes")
        return text_encoding.blob(path, len(data), data, (data,))

    def control(self, path: str) -> bytes | None:
        return self._folder.control(path)
