"""The formats by name. The module of a format is imported when it is used."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, cast

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


_LIBRARIES = {"html": "jinja2"}
"""What a format imports that is not always installed. The extra has the name of the format."""


def missing_library(name: str) -> str:
    """The library that the format needs and that is not installed, "" if there is none."""
    library = _LIBRARIES.get(name, "")
    if not library:
        return ""
    import importlib.util

    return "" if importlib.util.find_spec(library) else library


def render(name: str, outcome: Outcome, context: ReportContext) -> str:
    """The report in the format `name`, a key of FORMATS; it ends with a newline."""
    return "".join(reporter(name)(outcome, context))


def reporter(name: str) -> Reporter:
    """The reporter of the format `name`, a key of FORMATS."""
    module, function = FORMATS[name]
    return cast("Reporter", getattr(importlib.import_module(module), function))
