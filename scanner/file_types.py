"""Ground: the table of file types by suffix.

Every scanned file is looked up here, so this module imports nothing heavy and reads only the name.
"""

from __future__ import annotations

import functools
from typing import NamedTuple


class FileType(NamedTuple):
    """A type of files.

    family: "code", "config" or "document"; "" if such files may be code or configuration.
    reader: the format that the structure readers know; "" if no reader can parse the files.
    suffixes: lower case, without the dot.
    """

    language: str
    family: str
    reader: str
    suffixes: tuple[str, ...]


FILE_TYPES = tuple(
    FileType(language=language, family=family, reader=reader, suffixes=tuple(suffixes.split()))
    for language, family, reader, suffixes in (
        # Structured files
        ("yaml", "config", "yaml", "yaml yml"),
        ("eyaml", "config", "yaml", "eyaml"),
        ("json", "config", "json", "json jsonc json5"),
        ("json", "", "json", "tfstate webmanifest"),
        ("toml", "config", "toml", "toml"),
        ("ini", "config", "ini", "ini cfg conf cnf properties"),
        ("ini", "", "ini", "rc desktop service"),
        ("env", "config", "env", "env"),
        ("env", "", "env", "envrc"),
        ("hcl", "config", "hcl", "tf tfvars hcl"),
        ("hcl", "", "hcl", "nomad tofu"),
        ("xml", "config", "xml", "xml config"),
        ("xml", "", "xml", "csproj props targets plist"),
        ("dockerfile", "", "dockerfile", "dockerfile containerfile"),
        ("sql", "config", "sql", "sql dump"),
        ("sql", "", "sql", "ddl psql dmp"),
        ("csv", "config", "", "csv tsv"),
        # Scripts
        ("shell", "config", "shell", "sh bash zsh"),
        ("shell", "", "shell", "ksh"),
        ("make", "", "shell", "mk"),
        ("batch", "", "shell", "bat cmd"),
        ("powershell", "", "shell", "ps1"),
        # Programming languages
        ("python", "code", "", "py pyi pyw"),
        ("javascript", "code", "", "js mjs cjs jsx ts mts cts tsx vue svelte astro coffee"),
        ("ruby", "code", "", "rb"),
        ("ruby-build", "code", "", "rake ru gemspec"),
        ("java", "code", "", "java kt scala sc clj cljs"),
        ("go", "code", "", "go"),
        ("dotnet", "code", "", "cs cshtml razor vb fs fsx"),
        ("php", "code", "", "php phtml"),
        ("rust", "code", "", "rs"),
        ("swift", "code", "", "swift"),
        ("dart", "code", "", "dart"),
        ("erlang", "code", "", "ex exs erl"),
        ("perl", "code", "", "pl pm"),
        ("c", "code", "", "c cc cpp cxx h hpp"),
        ("objective-c", "code", "", "m mm"),
        ("other-code", "code", "", "lua cr jl r hs elm nim zig star bzl"),
        ("html", "code", "", "html htm"),
        ("css", "code", "", "css scss less"),
        ("gettext", "code", "", "po pot"),
        # Prose
        ("markdown", "document", "", "md markdown"),
        ("restructuredtext", "document", "", "rst"),
        ("asciidoc", "document", "", "adoc"),
        ("text", "document", "", "txt"),
        ("latex", "document", "", "tex"),
    )
)

_FAMILIES = {suffix: each.family for each in FILE_TYPES for suffix in each.suffixes}


_BINARY_TOO = {"dump", "dmp", "ts", "mts", "m", "plist", "pot", "service", "fs"}
"""Suffixes that binary formats use, too."""


def is_text_suffix(path: str) -> bool:
    """Is the suffix of a file that of a text format only?"""
    suffix = path[path.rfind(".") + 1 :].lower()
    return suffix in _FAMILIES and suffix not in _BINARY_TOO


def suffixes(*languages: str) -> tuple[str, ...]:
    """Return the suffixes of some languages, in the order of the table."""
    return tuple(s for each in FILE_TYPES if each.language in languages for s in each.suffixes)


def endings(*languages: str) -> tuple[str, ...]:
    """Return the same suffixes with their dot, for `str.endswith`."""
    return tuple(f".{suffix}" for suffix in suffixes(*languages))


@functools.lru_cache(maxsize=64)  # each file asks several times
def scope_of(path: str) -> str:
    """Return "code", "config", or "any" if the file may be either."""
    family = _FAMILIES.get(path[path.rfind(".") + 1 :].lower(), "")
    return family if family in {"code", "config"} else "any"


def suffix_of(path: str) -> str:
    """Return the lower-case text after the last dot of a file's name; "" if it has no dot."""
    return path.rpartition(".")[2].lower() if "." in path.rpartition("/")[2] else ""
