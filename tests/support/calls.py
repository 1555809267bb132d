"""Watch the calls of a function without replacing it."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from types import CodeType, FrameType
from typing import Any


@contextlib.contextmanager
def watched(function: Callable[..., Any], note: Callable[[FrameType], object]) -> Iterator[None]:
    """Call `note` with the frame of each call of `function`, also in processes forked meanwhile.

    Python's profiling hook reports the calls, so the code under test stays as it is.
    """
    code: CodeType = function.__code__

    def profile(frame: FrameType, event: str, _arg: object) -> None:
        if event == "call" and frame.f_code is code:
            note(frame)

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        yield
    finally:
        sys.setprofile(before)
