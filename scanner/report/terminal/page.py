"""Lines for a terminal, made with rich: styles, wrapping, and the width of wide letters.

rich does not read the environment here, and does not interpret markup in texts.
"""

from __future__ import annotations

import io
from collections.abc import Sequence

from rich.cells import cell_len as cells
from rich.console import Console
from rich.text import Text

__all__ = ["Page", "Part", "cells"]

NARROWEST, WIDEST = 80, 200
Part = tuple[str, str]  # visible text, style


class Page:
    """Collects lines. `width` is brought into the range that reads well."""

    def __init__(self, *, width: int, color: bool) -> None:
        self.width = max(NARROWEST, min(WIDEST, width))
        self._written = io.StringIO()
        self._console = Console(
            file=self._written,
            width=self.width,
            color_system="standard" if color else None,
            force_terminal=color,
            force_jupyter=False,
            force_interactive=False,
            no_color=not color,
            legacy_windows=False,
            _environ={},
        )

    def line(self, *parts: Part) -> None:
        """One line that never breaks, so that a location in it can be clicked and copied."""
        self._print(Text.assemble(*parts))

    def paragraph(
        self, words: str, *, indent: int, label: Part = ("", ""), style: str = ""
    ) -> None:
        """`words` in the room right of `indent`, which holds `label` on the first line."""
        lines = Text(words, style=style).wrap(self._console, self.width - indent, overflow="fold")
        for number, line in enumerate(lines):
            margin = (label[0].ljust(indent), label[1]) if number == 0 else (" " * indent, "")
            line.rstrip()
            self._print(Text.assemble(margin, line))

    def items(self, items: Sequence[str], *, indent: int) -> None:
        """Short items with dots between them; lines break between items."""
        line = items[0]
        for item in items[1:]:
            longer = f"{line} · {item}"
            if cells(longer) > self.width - indent:
                self.paragraph(line, indent=indent)
                longer = item
            line = longer
        self.paragraph(line, indent=indent)

    def space(self) -> None:
        self._print(Text())

    def render(self) -> str:
        return self._written.getvalue()

    def _print(self, line: Text) -> None:
        self._console.print(line, soft_wrap=True, markup=False, highlight=False, emoji=False)
