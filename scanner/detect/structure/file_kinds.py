"""Detect: what kind of file a path names, and which reader knows its structure.

A kind is a word that rules write in `where: {kind: …}`. A file may be of several: a compose file is
YAML, too. What only the content tells (a Kubernetes manifest) is added when a document is read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from scanner.detect.structure.leaf import Leaf
from scanner.file_types import FILE_TYPES

_BY_SUFFIX = {suffix: each.reader for each in FILE_TYPES if each.reader for suffix in each.suffixes}
_BY_NAME = {
    "dockerfile": "dockerfile",
    "containerfile": "dockerfile",
    "makefile": "shell",
    "jenkinsfile": "",
    "pipfile": "toml",
    "pipfile.lock": "json",
    ".gitconfig": "ini",
    ".npmrc": "ini",
    ".yarnrc": "ini",
    ".pypirc": "ini",
    ".my.cnf": "ini",
    ".s3cfg": "ini",
    ".boto": "ini",
    ".esmtprc": "ini",
    ".env": "env",
    ".envrc": "env",
    ".flaskenv": "env",
    ".dockercfg": "json",
    ".dockerconfigjson": "json",
    ".ftpconfig": "json",
    ".remote-sync.json": "json",
    "composer.lock": "json",
}
# What a template of a file is called, before or after the file's own suffix.
_AROUND = re.compile(
    r"\.(?:j2|jinja2?|tpl|tmpl|gotmpl|erb|ejs|mustache|hbs|template|tftpl|example|sample|dist"
    r"|default|defaults|orig|bak|backup|old|in)$"
)
_EXAMPLE = re.compile(r"(?:^|[._-])(?:example|sample|template|dist|defaults?)(?:$|[._-])")
_LOCKED = re.compile(r"(?:^|[.-])lock(?:$|\.)|^package-lock\.json$|\.min\.|^go\.sum$")
# Kinds by the path: each with words, one of which is in all such paths, since every file is asked.
_BY_PATH = [
    (kind, words.split(), pattern)
    for kind, words, pattern in (
        (
            "compose",
            "compose stack",
            r"(?:^|/)(?:docker-)?(?:compose|stack)(?:[._-][^/]*)?\.ya?ml$",
        ),
        (
            "github-workflow",
            ".github/ action.",
            r"(?:^|/)\.github/(?:workflows|actions)/.*\.ya?ml$|(?:^|/)action\.ya?ml$",
        ),
        (
            "gitlab-ci",
            "gitlab",
            r"(?:^|/)(?:\.gitlab-ci|[^/]*\.gitlab-ci)\.ya?ml$|(?:^|/)\.gitlab/ci/",
        ),
        (
            "helm-values",
            "values",
            r"(?:^|/)values[^/]*\.ya?ml$|(?:^|/)ci/[^/]*values[^/]*\.ya?ml$",
        ),
        ("helm-template", "templates/", r"(?:^|/)templates/.*\.(?:ya?ml|tpl)$"),
        (
            "ansible",
            "_vars/ roles/ playbook ansible/",
            r"(?:^|/)(?:group_vars|host_vars|roles|playbooks?|ansible)/",
        ),
        (
            "spring",
            "application bootstrap",
            r"(?:^|/)(?:application|bootstrap)(?:-[^/]*)?\.(?:ya?ml|properties)$",
        ),
        ("secrets-config", "configs/secrets/", r"(?:^|/)configs/secrets/[^/]*\.ya?ml$"),
        ("vault-policy", ".hcl", r"(?:^|/)(?:vault|policies|policy)/.*\.hcl$"),
        (
            "env-example",
            "env. example. sample.",
            r"(?:^|/)(?:\.env\.|[\w.-]*\.?env\.|example\.|sample\.)[\w.-]*$",
        ),
        (
            "verbatim",
            "package.json composer.json bower.json config.json dockerconfigjson auth.json",
            r"(?:^|/)(?:(?:package|composer|bower|auth)\.json|\.docker/config\.json|\.dockerconfigjson)$",
        ),
        ("tfvars", ".tfvars", r"\.tfvars(?:\.json)?(?:\.[\w]+)?$"),
        ("tfstate", ".tfstate", r"\.tfstate(?:\.backup)?$"),
    )
]
# What only the content, or several of these, tell.
_BY_CONTENT = ("kubernetes", "compose", "ansible", "terraform")
PATH_KINDS = frozenset(kind for kind, _, _ in _BY_PATH) - set(_BY_CONTENT)
KINDS = frozenset((*_BY_SUFFIX.values(), *_BY_CONTENT, *PATH_KINDS))


class FileKind(NamedTuple):
    """`reader`: the format, a key of READERS in structure/__init__.py, "" where none reads it.
    `kinds`: all that rules may call the file. `example`: it shows what to fill in."""

    reader: str
    kinds: frozenset[str]
    example: bool


@lru_cache(maxsize=256)  # each rule that is met in a file asks
def file_kind(path: str) -> FileKind:
    """The kind of the file at a path, by its name alone."""
    name = path.rpartition("/")[2].lower()
    bare = name
    while bare not in _BY_NAME and (cut := _AROUND.sub("", bare)) and cut != bare:
        bare = cut
    reader = "" if _LOCKED.search(name) else _reader(bare)
    kinds = {reader} if reader else set()
    if reader == "hcl" and not bare.endswith((".hcl", ".nomad")):
        kinds.add("terraform")
    example = bool(_EXAMPLE.search(name))
    kinds |= {
        kind
        for kind, words, pattern in _BY_PATH
        if any(word in path for word in words) and re.search(pattern, path)
    }
    if "env-example" in kinds and not (example and reader == "env"):
        kinds.discard("env-example")
    return FileKind(reader, frozenset(kinds), example)


def _reader(name: str) -> str:
    if name in _BY_NAME:
        return _BY_NAME[name]
    if re.match(r"(?:docker|container)file[._-]", name):
        return "dockerfile"
    if re.match(r"\.env(?:[._-]|$)", name) or re.search(r"(?:^|[._-])env$", name):
        return "env"
    return _BY_SUFFIX.get(name.rpartition(".")[2], "") if "." in name else ""


def content_kinds(leaves: Sequence[Leaf]) -> frozenset[str]:
    """What a document is by its own first keys."""
    top = {leaf.path[0]: leaf for leaf in leaves if leaf.path and isinstance(leaf.path[0], str)}
    kinds = set()
    if "apiVersion" in top and "kind" in top:
        kinds.add("kubernetes")
    if "services" in top and any(
        leaf.path[2:3] in {("image",), ("build",), ("environment",)} for leaf in leaves
    ):
        kinds.add("compose")
    if any(leaf.path[1:2] in {("hosts",), ("tasks",)} for leaf in leaves):
        kinds.add("ansible")
    return frozenset(kinds)
