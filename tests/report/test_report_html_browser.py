"""The HTML report in a real browser: Debian's Chromium, without a window."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from bench import html_report as bench_html
from scanner.report.formats import render
from scanner.report.text import for_log, visible
from tests.report.test_report_hostile import NAMES, besides
from tests.report.test_report_hostile import context as hostile_context
from tests.report.test_report_hostile import outcome as hostile_outcome
from tests.support import html_pages
from tests.support.helpers import unavailable
from tests.support.npm_packages import installed
from tests.support.report_values import context, finding, outcome

PHONE = {"width": 390, "height": 844}
SHOWN = "#findings ul.found > li:visible"
SEARCH = "#findings input[type=search]"


@pytest.fixture(scope="session")
def browser(hermetic: None) -> Iterator[Browser]:
    if not shutil.which("chromium"):
        unavailable("there is no Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def axe(outer_environ: Mapping[str, str]) -> str:
    """The script of axe-core, which checks a page for accessibility."""
    return installed("axe-core", outer_environ).with_suffix(".min.js").read_text(encoding="utf-8")


class Opened:
    """A page, and what it did: requests, messages of the console, dialogs."""

    def __init__(self, view: BrowserContext, file: Path) -> None:
        self.file = file.as_uri()
        self.events: list[str] = []
        self.page: Page = view.new_page()
        self.page.on("request", lambda request: self.events.append(request.url))
        self.page.on("console", lambda message: self.events.append(message.text))
        self.page.on("pageerror", lambda error: self.events.append(str(error)))
        self.page.on("dialog", self._dialog)
        self.page.goto(self.file)

    def _dialog(self, dialog: Any) -> None:
        self.events.append(dialog.message)
        dialog.dismiss()

    @property
    def is_quiet(self) -> bool:
        """Nothing was asked for but the file itself, and the browser had nothing to say."""
        return self.events == [self.file]


Open = Callable[..., Opened]


@pytest.fixture
def opening(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    """Opens a page that is given as text, with options of the browser's context."""
    views: list[BrowserContext] = []

    def opened(text: str, **options: Any) -> Opened:
        file = tmp_path / f"{len(views)}.html"
        file.write_text(text, encoding="utf-8")
        views.append(browser.new_context(**options))
        return Opened(views[-1], file)

    yield opened
    for view in views:
        view.close()


@pytest.fixture(scope="module")
def everything() -> str:
    """A page with each section."""
    return render("html", html_pages.outcome(), html_pages.given())


@pytest.fixture(scope="module")
def three() -> str:
    """A page with a critical, a high and a low finding, of three rules."""
    found = (
        finding("acme-token", "src/app.py", 3, fingerprint="aa" * 16),
        finding("bolt-key", "src/other.py", 1, fingerprint="bb" * 16),
        finding("dune-id", "lib/app.py", 9, fingerprint="cc" * 16),
    )
    return render("html", outcome(*found), context())


@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 390)])
def test_each_theme_is_accessible_and_loads_nothing(
    theme: str, width: int, everything: str, opening: Open, axe: str
) -> None:
    size = {"width": width, "height": 844}
    # The page's own policy allows no other script, so axe comes by the browser's debugger.
    opened = opening(everything, color_scheme=theme, viewport=size, bypass_csp=True)
    page = opened.page
    assert opened.is_quiet, opened.events
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
    page.evaluate(axe)
    result = page.evaluate("axe.run(document, {resultTypes: ['violations', 'incomplete']})")
    wrong = [
        (each["id"], [node["html"] for node in each["nodes"]]) for each in result["violations"]
    ]
    assert wrong == []
    # Contrast is only unsure where axe cannot see what is behind a text.
    assert {each["id"] for each in result["incomplete"]} <= {"color-contrast"}
    assert len(result["passes"]) > 20


def test_the_policy_of_the_page_blocks_the_network_and_other_scripts(
    everything: str, opening: Open
) -> None:
    spoiled = everything.replace(
        "</main>", '<img src="https://a.invalid/"><script>alert(1)</script></main>'
    )
    opened = opening(spoiled)
    said = [each for each in opened.events if "://" not in each.split("'")[0]]
    assert len(said) == 2
    assert all("Content Security Policy" in each for each in said)


def test_a_search_shows_only_what_has_all_its_words(three: str, opening: Open) -> None:
    opened = opening(three)
    page = opened.page
    expect(page.locator(SHOWN)).to_have_count(3)
    page.fill(SEARCH, "APP.PY credential")
    expect(page.locator(SHOWN)).to_have_count(2)
    expect(page.locator("#findings output")).to_have_text("2 of 3 findings")
    expect(page.locator("section.rule:visible")).to_have_count(2)
    page.fill(SEARCH, "app.py dune-id")
    expect(page.locator(SHOWN)).to_have_count(1)
    expect(page.locator(SHOWN)).to_have_attribute("id", "cc" * 16)
    page.fill(SEARCH, "nothing like this")
    expect(page.locator("#findings output")).to_have_text("0 of 3 findings")
    page.click("text=Show all")
    expect(page.locator(SHOWN)).to_have_count(3)
    assert opened.is_quiet, opened.events


def test_a_severity_can_be_left_out(three: str, opening: Open) -> None:
    page = opening(three).page
    page.uncheck("input[value=critical]")
    expect(page.locator(SHOWN)).to_have_count(2)
    page.uncheck("input[value=low]")
    expect(page.locator(SHOWN)).to_have_count(1)
    expect(page.locator(SHOWN)).to_have_attribute("id", "bb" * 16)


def test_each_other_section_has_its_own_search(everything: str, opening: Open) -> None:
    page = opening(everything).page
    page.fill("#rotation input[type=search]", "overdue")
    expect(page.locator("#rotation tbody tr:visible")).to_have_count(2)
    assert page.locator(SHOWN).count() == len(html_pages.outcome().findings)


def test_a_link_leads_to_its_finding_although_a_filter_hides_it(three: str, opening: Open) -> None:
    page = opening(three).page
    page.fill(SEARCH, "dune-id")
    expect(page.locator(SHOWN)).to_have_count(1)
    page.evaluate(f"location.hash = '{'aa' * 16}'")
    expect(page.locator(SHOWN)).to_have_count(3)
    expect(page.locator("li:target")).to_be_in_viewport()
    assert page.input_value(SEARCH) == ""


def test_without_scripts_everything_is_there(everything: str, opening: Open) -> None:
    opened = opening(everything, java_script_enabled=False)
    page = opened.page
    assert page.locator(SHOWN).count() == len(html_pages.outcome().findings)
    assert page.locator("form.filter:visible").count() == 0
    page.locator(".remedy").first.locator("summary").click()
    expect(page.get_by_text("Delete it at acme-token.")).to_be_visible()
    assert opened.is_quiet, opened.events


def test_the_keyboard_reaches_everything(three: str, opening: Open) -> None:
    page = opening(three).page
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.keyboard.press("/")
    expect(page.locator(SEARCH)).to_be_focused()
    page.keyboard.type("other.py")
    expect(page.locator(SHOWN)).to_have_count(1)
    for _ in range(5):  # three severities, "Show all", and the remedy of the first rule shown
        page.keyboard.press("Tab")
    expect(page.locator("summary:focus")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Delete it at bolt-key.")).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.hash") == f"#{'bb' * 16}"


def test_a_print_is_light_and_shows_what_is_folded(everything: str, opening: Open) -> None:
    page = opening(everything, color_scheme="dark").page
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == (
        "rgb(255, 255, 255)"
    )
    expect(page.get_by_text("Delete it at acme-token.").first).to_be_visible()
    assert page.locator("nav:visible, form:visible").count() == 0


def test_a_table_is_still_a_table_on_a_phone(everything: str, opening: Open) -> None:
    page = opening(everything, viewport=PHONE).page
    table = page.get_by_role("table", name="What could not be checked")
    expect(table.get_by_role("row").last.get_by_role("cell").first).to_be_visible()


def test_hostile_names_are_shown_and_do_nothing(opening: Open) -> None:
    outcomes = [hostile_outcome(words) for words in NAMES.values()]
    result = outcomes[0]._replace(
        findings=tuple(one for each in outcomes for one in each.findings),
        gaps=tuple(one for each in outcomes for one in each.gaps),
        register=tuple(one for each in outcomes for one in each.register),
        access=besides(NAMES["HTML"])[0],
    )
    words = NAMES["HTML"]
    text = render("html", result, hostile_context(words)._replace(earlier=besides(words)[1]))
    for options in ({}, {"viewport": PHONE}):
        opened = opening(text, **options)
        page = opened.page
        assert opened.is_quiet, opened.events
        assert page.locator("h1").inner_text() == words
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= page.viewport_size["width"]  # type: ignore[index]
        shown = page.locator("#findings").inner_text()
        for name, each in NAMES.items():
            if len(each) < 200 and not each.isspace():
                assert " ".join(for_log(visible(each)).split()) in shown, name


@pytest.mark.slow
def test_a_large_report_opens_in_at_most_twice_the_time_of_a_bare_table(
    browser: Browser, tmp_path: Path
) -> None:
    report = bench_html.written(tmp_path / "report.html", 1500)
    table = bench_html.bare(tmp_path / "table.html", 1500)
    ours, theirs = (bench_html.opened(browser, file, runs=3) for file in (report, table))
    assert ours <= 2 * theirs


def test_a_link_into_a_large_report_shows_its_finding(opening: Open) -> None:
    found = (finding(path=f"src/{n}.py", fingerprint=f"{n:032x}") for n in range(1000))
    opened = opening(render("html", outcome(*found), context()))
    opened.page.goto(f"{opened.file}#{900:032x}")
    expect(opened.page.locator("li:target")).to_be_in_viewport()
