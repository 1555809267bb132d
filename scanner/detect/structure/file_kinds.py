"""Detect: choose the kinds and the reader of a file by its path.

Rules name kinds in `where: {kind: …}`. A file may have several kinds: a compose file is also YAML.
Kinds that only the content shows, such as a Kubernetes manifest, are added when a document is read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from scanner.detect.structure.leaf import Leaf
from scanner.file_types import FILE_TYPES
from scanner.lazy_pattern import lazy

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
# Suffixes of templates and copies: `app.yaml.j2`, `.env.example`.
_COPY_SUFFIX = lazy(
    r"\.(?:j2|jinja2?|tpl|tmpl|gotmpl|erb|ejs|mustache|hbs|template|tftpl|example|sample|dist"
    r"|default|defaults|orig|bak|backup|old|in)$"
)
# `config.example.yaml`, `.env-sample`, `app.yaml.dist`.
_EXAMPLE = lazy(r"(?:^|[._-])(?:example|sample|template|dist|defaults?)(?:$|[._-])")
# Generated files that are not parsed: `Cargo.lock`, `package-lock.json`, `app.min.js`.
_LOCKED = lazy(r"(?:^|[.-])lock(?:$|\.)|^package-lock\.json$|\.min\.|^go\.sum$")
# Kinds by the path. Each row has a kind, words and a pattern. Paths without any of the words are
# rejected before the slower pattern runs, since this is done for every file.
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
# Kinds that the content shows, or another kind implies.
_BY_CONTENT = ("kubernetes", "compose", "ansible", "terraform")
PATH_KINDS = frozenset(kind for kind, _, _ in _BY_PATH) - set(_BY_CONTENT)
KINDS = frozenset((*_BY_SUFFIX.values(), *_BY_CONTENT, *PATH_KINDS))


class FileKind(NamedTuple):
    """What a path says about a file.

    reader: a key of READERS in structure/__init__.py; "" if no reader can parse the file.
    kinds: the kinds that rules may select.
    example: the file is an example with values to fill in.
    """

    reader: str
    kinds: frozenset[str]
    example: bool


@lru_cache(maxsize=256)  # several rules ask for the same file
def file_kind(path: str) -> FileKind:
    """Return the kind of the file at a path. Only the path is used."""
    name = path.rpartition("/")[2].lower()
    bare = name
    while bare not in _BY_NAME and (shorter := _COPY_SUFFIX.sub("", bare)) and shorter != bare:
        bare = shorter
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
    return FileKind(reader=reader, kinds=frozenset(kinds), example=example)


def _reader(name: str) -> str:
    if name in _BY_NAME:
        return _BY_NAME[name]
    if re.match(r"(?:docker|container)file[._-]", name):
        return "dockerfile"
    if re.match(r"\.env(?:[._-]|$)", name) or re.search(r"(?:^|[._-])env$", name):
        return "env"
    return _BY_SUFFIX.get(name.rpartition(".")[2], "") if "." in name else ""


def content_kinds(leaves: Sequence[Leaf]) -> frozenset[str]:
    """Return the kinds that the top keys of a document show."""
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
