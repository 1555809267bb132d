"""What CONTRIBUTING.md allows a test to replace in our own code: limits and other constants."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OURS = ("scanner", "action", "bench", "docs", "examples", "tests")
CONSTANT = re.compile(r"_?[A-Z][A-Z0-9_]*")


def is_ours(module: str) -> bool:
    return module.split(".", maxsplit=1)[0] in OURS


def replaced(tree: ast.Module) -> Iterator[str]:
    """Yield what a test module replaces in our code, as `matcher.build`."""
    imported = {
        alias.asname or alias.name.split(".")[0]: f"{node.module}.{alias.name}"
        if isinstance(node, ast.ImportFrom)
        else alias.name
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for alias in node.names
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        if node.func.attr == "setattr":
            target, name = node.args[0], node.args[1]
            if isinstance(target, ast.Constant):
                if is_ours(str(target.value)):
                    yield str(target.value)
            elif is_ours(imported.get(ast.unparse(target).split(".")[0], "")):
                yield f"{ast.unparse(target)}.{ast.unparse(name).strip(chr(39))}"
        elif ast.unparse(node.func) in {"mock.patch", "mock.patch.object", "mocker.patch"}:
            yield ast.unparse(node)


def test_tests_replace_only_constants_of_our_own_code() -> None:
    wrong = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        for name in replaced(ast.parse(path.read_bytes()))
        if not CONSTANT.fullmatch(name.rsplit(".", 1)[-1])
    }
    assert wrong == set()


def test_a_replaced_function_is_noticed() -> None:
    text = """
from scanner.detect.prefilter import matcher
import scanner.cache as cache
import os
patch.setattr(matcher, "build", None)
patch.setattr(matcher, "LIMIT", 1)
patch.setattr(cache, "folder", None)
patch.setattr("scanner.pool._workers", None)
patch.setattr(os, "cpu_count", None)
"""
    found = [*replaced(ast.parse(text))]
    assert found == ["matcher.build", "matcher.LIMIT", "cache.folder", "scanner.pool._workers"]
    assert [bool(CONSTANT.fullmatch(name.rsplit(".", 1)[-1])) for name in found] == [
        *(False, True, False, False),
    ]
