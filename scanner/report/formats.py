"""The formats by name. The module of a format is imported when it is used."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, NamedTuple, cast

from scanner.model import Outcome

if TYPE_CHECKING:
    from scanner.report.interface import ReportContext, Reporter

FORMATS = {
    "terminal": ("scanner.report.terminal.terminal", "report"),
    "json": ("scanner.report.json", "report"),
    "sarif": ("scanner.report.sarif.sarif", "github"),
    "sarif-full": ("scanner.report.sarif.sarif", "full"),
    "markdown": ("scanner.report.markdown", "report"),
    "prometheus": ("scanner.report.prometheus", "report"),
    "junit": ("scanner.report.junit", "report"),
    "github": ("scanner.report.github", "report"),
    "gitlab": ("scanner.report.gitlab", "report"),
    "csv": ("scanner.report.csv", "report"),
    "html": ("scanner.report.html.html", "report"),
}


class Needed(NamedTuple):
    """A library that a format needs, and the extra of keywatch that installs it."""

    library: str
    extra: str


_NEEDED = {"html": Needed("jinja2", "html")}


def missing(name: str) -> Needed | None:
    """What the format needs and is not installed, None if nothing is missing."""
    needed = _NEEDED.get(name)
    if needed is None:
        return None
    import importlib.util

    return None if importlib.util.find_spec(needed.library) else needed


def render(name: str, outcome: Outcome, context: ReportContext) -> str:
    """The report in the format `name`, a key of FORMATS; it ends with a newline."""
    return "".join(reporter(name)(outcome, context))


def reporter(name: str) -> Reporter:
    """The reporter of the format `name`, a key of FORMATS."""
    module, function = FORMATS[name]
    return cast("Reporter", getattr(importlib.import_module(module), function))
