"""Regular expressions that are compiled when they are first used.

A run uses few of them. Compiling all of them takes a quarter of the time of a hook with a finding.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import Any, AnyStr, cast


def lazy(pattern: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
    """What re.compile returns, compiled at its first use. re.error is raised only then."""
    return cast("re.Pattern[AnyStr]", _LazyPattern(pattern, flags))


class _LazyPattern:
    def __init__(self, pattern: Any, flags: int) -> None:
        self.pattern = pattern
        self._flags = flags

    @cached_property
    def _compiled(self) -> re.Pattern[Any]:
        return re.compile(self.pattern, self._flags)

    def __getattr__(self, name: str) -> Any:
        """A method of the pattern, kept so that the next use takes no longer than usual."""
        value = getattr(self._compiled, name)
        setattr(self, name, value)
        return value
