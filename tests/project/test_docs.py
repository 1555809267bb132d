"""docs/rules/: a page for each rule, as docs/generate.py makes it, and none left over; and
docs/coverage.md, with the totals that the README names. Its picture and its table of peers."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import yaml

from docs import coverage, generate, peers, picture
from examples import plant
from scanner.policy.access import rules as access_rules
from scanner.policy.live import rules
from scanner.rotate.rules import RULES as ROTATE_RULES
from scanner.trail import rule_infos as trail_rules
from tests.support.helpers import Keywatch

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / "docs" / "rules"


def test_the_pages_are_those_that_the_rules_give() -> None:
    argv = [sys.executable, "-m", "docs.generate", "--check"]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_every_rule_that_is_listed_has_a_page_and_the_index_leads_to_it(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    rows = json.loads(keywatch("rules", "list", "--json", cwd=tmp_path).stdout)
    wanted = {f"{row['id']}.md" for row in rows}
    assert {page.name for page in PAGES.glob("*.md")} == wanted | {"README.md"}
    index = (PAGES / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\]\(([\w-]+\.md)\)", index)) == wanted


def test_a_page_shows_what_its_rule_finds_and_what_it_does_not() -> None:
    """Those of detect-secrets' plugins do not: their proof is that both find the same. Nor do those
    about live secrets, access and audit logs, of which no text holds an example."""
    coded = {*rules.BY_ID, *access_rules.BY_ID, *(rule.id for rule in ROTATE_RULES)}
    without = {*coded, *(rule.id for rule in trail_rules.rules())}
    for page in {*PAGES.glob("[!R]*.md")} - {PAGES / f"{name}.md" for name in without}:
        text = page.read_text(encoding="utf-8")
        headings = {"## Reported\n", "## Not reported\n"} - set(re.findall(r"## .+\n", text))
        assert not headings or page.name.startswith("ds-"), page.name


def test_a_page_says_what_rules_show_says(keywatch: Keywatch, tmp_path: Path) -> None:
    shown = keywatch("rules", "show", "kubernetes-secret-manifest", cwd=tmp_path).stdout.decode()
    page = (PAGES / "kubernetes-secret-manifest.md").read_text(encoding="utf-8")
    (why,) = re.findall(r"## Why it matters\n\n(.+)\n", page)
    assert why in " ".join(shown.split())
    assert "`**[?kind=Secret].stringData.*`" in page


def test_a_page_with_another_text_and_one_without_a_rule_are_named_and_put_right(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pages = generate.pages()

    def main(*arguments: str) -> int:
        return generate.main(arguments, lambda: pages, tmp_path)

    assert main() == 0
    (tmp_path / "docs/coverage.md").write_text("old")
    (tmp_path / "docs/rules/gone.md").write_text("of a rule that is no more")
    capsys.readouterr()
    assert main("--check") == 1
    named = capsys.readouterr().out
    assert named.count("\n") == 2
    assert "docs/rules/gone.md" in named
    assert main() == 0
    assert main("--check") == 0
    assert not (tmp_path / "docs/rules/gone.md").exists()


def test_every_link_of_a_page_leads_somewhere() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "bench" / "RESULTS.md"]
    lost = [(page.name, link) for page in pages for link in _links(page) if not _leads(page, link)]
    assert lost == []


def _links(page: Path) -> list[str]:
    text = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    return [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]


def _leads(page: Path, link: str) -> bool:
    """Whether the file is there, and the heading, named as GitHub names it."""
    path, _, heading = link.partition("#")
    target = page.parent / path if path else page
    if not heading or not target.exists():
        return target.exists()
    titles = re.findall(r"(?m)^#+ (.+)$", target.read_text(encoding="utf-8"))
    return heading in {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in titles}


def test_the_table_of_peers_has_the_figures_of_the_benchmark() -> None:
    """Without the range beside them; a tool that was not measured has a dash."""
    results = (ROOT / "bench" / "RESULTS.md").read_text(encoding="utf-8")
    lines = peers.table(results).splitlines()
    assert len(lines) == 2 + len(peers.FIGURES) + 2
    assert lines[1] == "|---|---|---|---|---|---|"
    cells = [cell for line in lines[2:-2] for cell in line.split(" | ")[1:]]
    assert all(re.fullmatch(r"[\d.,]+|-| ?\|?", cell.rstrip(" |")) for cell in cells)
    own = re.search(r"(?m)^\| django, git \| .*", results)
    assert own
    assert f"| {own[0].split(' | ')[3].split()[0]} |" in lines[2]


def test_the_picture_is_a_drawing_of_a_report_and_masks_its_secrets() -> None:
    drawn = (ROOT / "docs" / "terminal.svg").read_text(encoding="utf-8")
    root = ET.fromstring(drawn)
    shown = ["".join(each.itertext()) for each in root.iter("{http://www.w3.org/2000/svg}text")]
    assert shown[0].startswith("$ keywatch scan ")
    assert any("AWS secret access key '…" in text for text in shown)
    plants = [one for one in plant.load_manifest().plants if one.file.startswith(picture.SCANNED)]
    values = [value for one in plants for value in re.findall(r'"([^"]{12,})"', one.template)]
    assert len(values) >= 3
    assert not [value for value in values if value in drawn]


def test_the_readme_names_the_totals_of_the_coverage_table() -> None:
    coverage = (ROOT / "docs" / "coverage.md").read_text(encoding="utf-8")
    totals = re.compile(r"\b(\d+) types are known by their own format.*?(\d+) are\s", re.DOTALL)
    (counted,) = totals.findall(coverage)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (named,) = re.findall(
        r"\[(\d+) credential types\]\(docs/coverage.md\).*?(\d+) more", readme, re.DOTALL
    )
    assert named == counted


def test_the_coverage_table_has_each_rule_on_secrets_once_with_what_makes_it_certain() -> None:
    text = (ROOT / "docs" / "coverage.md").read_text(encoding="utf-8")
    rows = re.findall(r"\| \[([\w-]+)\]\(rules/\1\.md\) \| ([\w ]+) \|", text)
    declared = [
        rule["id"]
        for file in (ROOT / "rules" / "secrets").glob("*.yaml")
        for rule in yaml.safe_load(file.read_bytes())["rules"]
    ]
    assert sorted(name for name, _ in rows) == sorted(declared)
    totals = {name: int(count) for name, count in re.findall(r"\| ([\w ]+) \| (\d+) \|", text)}
    assert Counter(certain for _, certain in rows) == totals


@pytest.mark.parametrize(
    ("rule", "certain"),
    [
        ("npm-access-token", coverage.CHECKSUM),
        ("jwt", coverage.STRUCTURE),
        ("anthropic-api-key", coverage.SHAPE),
        ("generic-password", coverage.NAME),
    ],
)
def test_what_makes_a_credential_certain_is_read_from_its_rule(rule: str, certain: str) -> None:
    text = (ROOT / "docs" / "coverage.md").read_text(encoding="utf-8")
    assert re.search(rf"\(rules/{rule}\.md\) \| {certain} \|", text)
