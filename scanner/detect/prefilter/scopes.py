"""Detect: tell from a file's name whether it is code or configuration.

The prefilter searches a file only for the patterns of its scope, which makes it faster. This module
is asked about every file, so it imports nothing else.
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


@functools.lru_cache(maxsize=64)  # each file asks several times
def scope_of(path: str) -> str:
    """Return "code", "config", or "any" if the file may be either."""
    suffix = path[path.rfind(".") + 1 :].lower()
    if suffix in _CODE:
        return "code"
    return "config" if suffix in _CONFIG else "any"


def suffix_of(path: str) -> str:
    """Return the lower-case text after the last dot of a file's name; "" if it has no dot."""
    return path.rpartition(".")[2].lower() if "." in path.rpartition("/")[2] else ""
