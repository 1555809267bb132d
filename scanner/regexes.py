"""Ground: the regular expressions of modules, kept compiled from one process to the next.

Python compiles them anew in each process, by a compiler that is written in Python: a tenth of a
scan's time. Only what is compiled while a module is loaded is kept: never an expression that is
made of what was read.
"""

from __future__ import annotations

import contextlib
import importlib
import marshal
import re
import sys
from array import array
from collections.abc import Iterator
from types import FrameType
from typing import Any

from scanner import cache

_Key = tuple[bool, str | bytes, int]
"""Is it of bytes? The expression, and what it is compiled with."""

_Parts = tuple[int, bytes, int, dict[str, int], tuple[str | None, ...]]
"""What the engine is given: flags, code, the number of groups, their numbers, their names."""

# Those whose compiler is the one that is written down here. With any other all is as ever.
_IS_KNOWN = sys.implementation.name == "cpython" and (3, 11) <= sys.version_info[:2] <= (3, 13)
_MOST = 2000  # expressions: more are of versions that are gone
_LOADER = "_call_with_frames_removed"  # runs what a module says
_FORMAT = 1  # of what is kept: another one has another name

_kept: dict[_Key, _Parts] = {}
_new: set[_Key] = set()
_entered: FrameType | None = None


@contextlib.contextmanager
def kept(folder: str | None) -> Iterator[None]:
    """Within, take what earlier processes kept in the cache; then keep what this one had to compile
    for the next. What cannot be kept, or taken, is compiled as ever."""
    global _entered  # noqa: PLW0603
    if not folder or not _IS_KNOWN:
        yield
        return
    data = cache.load(_name(), folder)
    with contextlib.suppress(ValueError, TypeError, EOFError):
        _kept.update(marshal.loads(data) if data else {})  # noqa: S302 - this user's process wrote it
    _entered = sys._getframe(2)  # noqa: SLF001 - of whoever calls
    _compiler.compile = _compile
    try:
        yield
        with contextlib.suppress(Exception):
            _keep(folder)
    finally:
        _compiler.compile = _compile_anew
        _entered = None
        _kept.clear()
        _new.clear()


def _keep(folder: str) -> None:
    new = tuple(_new)
    if new:
        every = {} if len(_kept) > _MOST else _kept
        parts = {key: _parts(*key[1:]) for key in new}
        cache.store(_name(), marshal.dumps(every | parts), folder)


def _compile(pattern: Any, flags: int = 0) -> re.Pattern[Any]:
    """In the place of Python's own compiler."""
    made: re.Pattern[Any]
    key = type(pattern) is bytes, pattern, flags
    if key in _kept:
        with contextlib.suppress(Exception):
            every, code, *groups = _kept[key]
            made = _engine.compile(pattern, every, [*memoryview(code).cast("I")], *groups)
            return made
    made = _compile_anew(pattern, flags)
    if type(pattern) in (str, bytes) and type(flags) is int and _is_of_a_module():
        _new.add(key)
    return made


def _parts(pattern: str | bytes, flags: int) -> _Parts:
    parsed = _compiler._parser.parse(pattern, flags)  # noqa: SLF001 - see _IS_KNOWN
    code = array("I", _compiler._code(parsed, flags)).tobytes()  # noqa: SLF001
    state = parsed.state
    names = {number: name for name, number in state.groupdict.items()}
    in_order = tuple(map(names.get, range(state.groups)))
    return flags | state.flags, code, state.groups - 1, state.groupdict, in_order


def _is_of_a_module() -> bool:
    """Is a module being loaded, which compiles what it has written down?"""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001
    while frame is not None and frame is not _entered:
        if frame.f_code.co_name == _LOADER:
            return True
        frame = frame.f_back
    return False


def _name() -> str:
    about = (str(_FORMAT), sys.version, sys.byteorder, str(sys.maxsize), str(_engine.MAGIC))
    return f"regexes-{cache.key(*about)}.code"


if _IS_KNOWN:
    _compiler: Any = importlib.import_module("re._compiler")
    _engine: Any = importlib.import_module("_sre")
    _compile_anew = _compiler.compile
