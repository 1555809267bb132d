"""Detect: is a file code or configuration? By its name alone, and at once: every file is asked.

What is for one of them alone is not looked for in the other: the one pass is the faster for it.
"""

from __future__ import annotations

import functools

_CODE = frozenset(
    "py pyi pyw js mjs cjs jsx ts mts cts tsx vue svelte astro rb rake ru gemspec java kt scala"
    " sc clj cljs go cs cshtml razor vb fs fsx php phtml rs swift dart ex exs erl pl pm lua cr"
    " jl r hs elm nim zig c cc cpp cxx h hpp m mm coffee star bzl html htm css scss less"
    " po pot".split()
)
_CONFIG = frozenset(
    "yaml yml eyaml json jsonc json5 toml ini cfg conf cnf properties env tf tfvars hcl xml"
    " config sh bash zsh csv tsv sql dump".split()
)


@functools.lru_cache(maxsize=64)  # asked again and again of the same file
def scope_of(path: str) -> str:
    """`code`, `config`, or `any` where it may be both."""
    suffix = path[path.rfind(".") + 1 :].lower()
    if suffix in _CODE:
        return "code"
    return "config" if suffix in _CONFIG else "any"


def suffix_of(path: str) -> str:
    """What follows the last dot of a file's name, in small letters; "" where it has none."""
    return path.rpartition(".")[2].lower() if "." in path.rpartition("/")[2] else ""
