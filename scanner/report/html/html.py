"""HTML: one page that needs no network and works without scripts.

The page forbids everything by its own Content-Security-Policy, except its own style and script,
which it names by their hashes. Every value is made visible and escaped by the environment, so the
template cannot forget it.
"""

from __future__ import annotations

import functools
import re
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import jinja2

from scanner.fingerprints import digest
from scanner.model import Outcome
from scanner.report import text
from scanner.report.html import build, live
from scanner.report.html.page import Page
from scanner.report.interface import ReportContext

_PART = re.compile(r"[^/_.]+[/_.]*|[/_.]+")
"""A part of a path or name, after which a line may be broken."""
_PIECES = 500  # parts of the template that are joined to one piece of text


def report(outcome: Outcome, context: ReportContext) -> Iterator[str]:
    """The page of a run."""
    return render(build.page(outcome, context))


def render(page: Page) -> Iterator[str]:
    """The page as HTML, in pieces."""
    environment = _environment()
    style, script = (_hash(environment, name) for name in ("style.css", "script.js"))
    template = environment.get_template("page.html")
    stream = template.stream(page=page, style_hash=style, script_hash=script, bar_width=live.WIDTH)
    stream.enable_buffering(_PIECES)
    return iter(stream)


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("scanner.report.html"),
        autoescape=True,
        finalize=_shown,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["breakable"] = _PART.findall
    return environment


def _shown(value: Any) -> Any:
    """Make invisible characters visible. What a macro returns was already escaped."""
    if isinstance(value, str) and not hasattr(value, "__html__"):
        return text.for_log(text.visible(value))
    return value


def _hash(environment: jinja2.Environment, name: str) -> str:
    """The source that a Content-Security-Policy allows: the SHA-256 of the whole text."""
    included = environment.get_template(name).render()
    return f"sha256-{b64encode(digest(included.encode())).decode()}"
