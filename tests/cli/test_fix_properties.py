"""Whatever the document: a fix changes the value's bytes alone, and the rest parses as before."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Sequence
from typing import Any
from xml.etree import ElementTree as ET

import yaml
from hypothesis import given
from hypothesis import strategies as st

from scanner.detect import fixes
from scanner.detect.rules.samples import expand
from scanner.model import Finding
from tests.support.helpers import detector

REFERENCE = re.compile(r"\$\{[A-Z_\d]+\}")


def observer(path: str) -> Callable[[bytes], Sequence[Finding]]:
    def observe(data: bytes) -> Sequence[Finding]:
        seen = detector().observe(path, [data], len(data))
        return seen.findings if seen else ()

    return observe


def fixed(path: str, data: bytes) -> fixes.FixedFile:
    observe = observer(path)
    return fixes.fix(path, data, observe(data), observe, fixes.VariableNames())


WORDS = st.sampled_from("alpha beta gamma delta host port user name items notes list".split())
SCALARS = st.one_of(
    st.integers(0, 99999),
    st.booleans(),
    st.sampled_from(["", "x", "two words", "a: b", "#x", "- y", "ünï", "it's", 'say "so"', "{z}"]),
)
SECRETS = st.integers(0, 10**6).map(lambda seed: expand("{alnum:6}{ALNUM:4}{digits:4}", seed))
HOLDERS = st.sampled_from(["password", "db_password", "apiToken", "DB_PASSWORD"])
FLAT = st.dictionaries(WORDS, SCALARS, max_size=5)
TREES = st.recursive(
    FLAT,
    lambda inner: st.dictionaries(
        WORDS,
        st.one_of(SCALARS, inner, st.lists(st.one_of(SCALARS, inner), max_size=3)),
        max_size=4,
    ),
    max_leaves=8,
)
Made = tuple[dict[str, Any], list[str]]


@st.composite
def with_secrets(draw: st.DrawFn, trees: st.SearchStrategy[dict[str, Any]]) -> Made:
    """A tree with secrets in one to three of its dictionaries, and the secrets."""
    tree: dict[str, Any] = draw(trees)
    secrets: list[str] = []
    places = [tree, *(value for value in tree.values() if isinstance(value, dict))]
    for place in places[: draw(st.integers(1, 3))]:
        secrets.append(draw(SECRETS))
        place[draw(HOLDERS)] = secrets[-1]
    return tree, secrets


def without(tree: Any, secrets: Sequence[str]) -> Any:
    """The tree with None in the place of secrets and of references."""
    if isinstance(tree, dict):
        return {key: without(value, secrets) for key, value in tree.items()}
    if isinstance(tree, list):
        return [without(value, secrets) for value in tree]
    is_one = isinstance(tree, str) and (tree in secrets or REFERENCE.fullmatch(tree))
    return None if is_one else tree


def fixed_text(path: str, text: str, secrets: Sequence[str]) -> str:
    """The text after its fix. All but the secrets, and quotes around them, is as before."""
    done = fixed(path, text.encode())
    assert not done.unfixed
    after = done.data.decode()
    value = "|".join(map(re.escape, secrets))
    kept = re.split(rf"[\"']?(?:{value})[\"']?", text)
    assert re.split(rf"[\"']?{REFERENCE.pattern}[\"']?", after) == kept
    assert fixed(path, done.data).replaced == ()
    shown = "\n".join(line for hunk in done.hunks for line in (*hunk.old, *hunk.new))
    assert not any(s[i : i + 4] in shown for s in secrets for i in range(len(s) - 3))
    return after


@given(
    made=with_secrets(TREES),
    flow=st.sampled_from([True, False, None]),
    indent=st.integers(2, 6),
    style=st.sampled_from([None, "'", '"']),
    crlf=st.booleans(),
)
def test_of_yaml(made: Made, flow: bool | None, indent: int, style: str | None, crlf: bool) -> None:
    tree, secrets = made
    text: str = yaml.safe_dump(
        tree,
        default_flow_style=flow,
        indent=indent,
        default_style=style,
        allow_unicode=True,
        line_break="\r\n" if crlf else "\n",
    )
    after = fixed_text("app.yaml", text, secrets)
    assert without(yaml.safe_load(after), ()) == without(yaml.safe_load(text), secrets)


@given(made=with_secrets(TREES), indent=st.sampled_from([None, 1, 4]), in_ascii=st.booleans())
def test_of_json(made: Made, indent: int | None, in_ascii: bool) -> None:
    tree, secrets = made
    text = json.dumps(tree, indent=indent, ensure_ascii=in_ascii)
    after = fixed_text("app.json", text, secrets)
    assert without(json.loads(after), ()) == without(json.loads(text), secrets)


@given(made=with_secrets(FLAT), section=WORDS, quote=st.sampled_from(["'", '"']))
def test_of_toml(made: Made, section: str, quote: str) -> None:
    tree, secrets = made
    lines = [
        f"{key} = {quote}{value}{quote} # why"
        if value in secrets
        else f"{key} = {json.dumps(value)}"
        for key, value in tree.items()
    ]
    text = f"[{section}]\n" + "\n".join(lines) + "\n"
    after = fixed_text("app.toml", text, secrets)
    assert without(tomllib.loads(after), ()) == without(tomllib.loads(text), secrets)


@given(made=with_secrets(FLAT), in_attributes=st.booleans())
def test_of_xml(made: Made, in_attributes: bool) -> None:
    tree, secrets = made
    root = ET.Element("c")
    for key, value in tree.items():
        attributes = {"key": key, "value": str(value)} if in_attributes else {}
        element = ET.SubElement(root, "add" if in_attributes else key, attributes)
        element.text = None if in_attributes else str(value)
    text = ET.tostring(root, encoding="unicode")
    after = fixed_text("app.xml", text, secrets)
    assert elements(after, ()) == elements(text, secrets)


def elements(text: str, secrets: Sequence[str]) -> list[Any]:
    return [
        (each.tag, without(dict(each.attrib), secrets), without(each.text, secrets))
        for each in ET.fromstring(text).iter()
    ]


@given(made=with_secrets(FLAT), sign=st.sampled_from(["=", " = ", ": "]), crlf=st.booleans())
def test_of_ini(made: Made, sign: str, crlf: bool) -> None:
    tree, secrets = made
    end = "\r\n" if crlf else "\n"
    text = end.join(["; settings", *(f"{key}{sign}{value}" for key, value in tree.items()), ""])
    assert fixed_text("app.ini", text, secrets).count(end) == text.count(end)


@given(made=with_secrets(FLAT))
def test_of_terraform(made: Made) -> None:
    tree, secrets = made
    lines = [f"  {key:<12} = {json.dumps(value)} # why" for key, value in tree.items()]
    text = "\n".join(['resource "a_b" "c" {', *lines, "}", ""])
    after = fixed("main.tf", text.encode()).data.decode()
    value = "|".join(f'"{secret}"' for secret in secrets)
    assert re.split(r"var\.[a-z_\d]+", after) == re.split(value, text)
