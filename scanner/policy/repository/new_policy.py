"""Policy: build the text of a new keywatch.yaml, with comments.

The text contains only names and paths. The caller checks that they are printable and not secret.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from scanner.policy.declarations import class_guess
from scanner.policy.declarations.model import DeclaredSecret, SecretClass, period
from scanner.policy.declarations.secrets_files import by_secret
from scanner.policy.repository.vault_hints import ServiceSuggestion

_LANGUAGES = {
    "Python": "py pyi",
    "JavaScript": "js jsx mjs cjs",
    "TypeScript": "ts tsx",
    "Go": "go",
    "Java": "java",
    "Kotlin": "kt kts",
    "Ruby": "rb",
    "PHP": "php",
    "C#": "cs",
    "C": "c h",
    "C++": "cc cpp cxx hpp",
    "Rust": "rs",
    "Swift": "swift",
    "Scala": "scala",
    "shell": "sh bash zsh",
    "PowerShell": "ps1 psm1",
    "Terraform": "tf",
}
_BY_ENDING = {each: name for name, some in _LANGUAGES.items() for each in some.split()}
# Folders of third-party code. A `vendor` folder counts only if a tool filled it, because the word
# also means a supplier.
_FOREIGN = re.compile(
    r"(?:.*/)?(?:third_party|third-party|thirdparty|node_modules|bower_components|Godeps)/|"
    r"(?:.*/)?vendor/(?=(?:modules\.txt|autoload\.php|bundle/|composer/))"
)
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
# Words that YAML reads as booleans or null.
_NO_WORDS = {"true", "false", "yes", "no", "on", "off", "y", "n", "null"}
_MOST = 500  # secrets: the limit of the schema
_FOLDERS = 30
_HEAD = """\
# keywatch's policy for this repository, created by `keywatch init`. Unknown keys are errors.
# `keywatch policy check` reports where this file, configs/secrets and the repository disagree.
version: 1
"""
_CLASSES = """\
# How often secrets of each class must be rotated, and how late a rotation may be. These are
# the defaults. Add a class here to replace a default or to define a new class.
# classes:
"""
_GUESSED = """\
# The classes are guessed from the names: check each class and add an owner. If a person rotates
# the secret by hand, add a `runbook`.
secrets:
"""
_NO_SECRETS = """\
# secrets:
#   - match: "vault://*/*/secret/app/api-keys"   # canonical ids: * within a part, ** across
#     class: api-key
#     owner: "@team"
#     runbook: docs/runbooks/rotation.md         # how a person rotates it
"""
_NO_SERVICES = """\
# services:
#   api-gateway: {vault_role: api-gateway-role, policies: [api-gateway], needs: [api-key]}
"""


class PolicyInput(NamedTuple):
    """What the new policy is built from. `detect_secrets`: a .secrets.baseline exists."""

    classes: Sequence[SecretClass]
    secrets: Sequence[DeclaredSecret]
    services: Sequence[ServiceSuggestion]
    exclude: Sequence[str]
    detect_secrets: bool


def languages(paths: Iterable[str]) -> list[str]:
    """The programming languages of the files, the most common first."""
    endings = Counter(_BY_ENDING.get(path.rpartition(".")[2], "") for path in paths)
    return [name for name, _ in sorted(endings.items(), key=lambda n: (-n[1], n[0])) if name]


def third_party(paths: Iterable[str]) -> list[str]:
    """Globs for the outermost folders of third-party code."""
    found = {match[0] for match in map(_FOREIGN.match, paths) if match}
    outer = {one for one in found if not any(one != o and one.startswith(o) for o in found)}
    return [one + "**" for one in sorted(outer)[:_FOLDERS]]


def text(seen: PolicyInput) -> str:
    """The text of keywatch.yaml."""
    parts = [_HEAD, _classes(seen.classes), _secrets(seen.secrets), _services(seen.services)]
    return "\n".join([*parts, _scan(seen)])


def _classes(classes: Sequence[SecretClass]) -> str:
    width = max(len(each.name) for each in classes) + 1
    rows = (
        f"#   {each.name + ':':<{width}} {{rotate_every: {period(each.rotate_every)}, "
        f"grace: {period(each.grace)}}}\n"
        for each in classes
    )
    return _CLASSES + "".join(rows)


def _secrets(secrets: Sequence[DeclaredSecret]) -> str:
    head = "# The class and the owner of each secret.\n"
    if not secrets:
        return head + _NO_SECRETS
    rows = "".join(_secret(group[0]) for group in list(by_secret(secrets))[:_MOST])
    return head + _GUESSED + rows


def _secret(one: DeclaredSecret) -> str:
    """The entry for all keys of a secret. It matches any namespace if none is declared."""
    parts = [part or "*" for part in one.segments]
    if one.scheme == "vault" and parts[1] == "-":
        parts[1] = "*"
    match = _quoted(f"{one.scheme}://{'/'.join(parts)}")
    return (
        f"  - match: {match}\n    class: {class_guess.secret_class(one)}\n"
        '    # owner: "@team"\n    # runbook: docs/runbooks/rotation.md\n'
    )


def _services(services: Sequence[ServiceSuggestion]) -> str:
    head = "# The classes of secrets that each service needs; * means all classes.\n"
    if not services:
        return head + _NO_SERVICES
    rows = "".join(map(_service, services))
    return (
        head + "# From policies, roles and manifests: rename them as you like.\nservices:\n" + rows
    )


def _service(one: ServiceSuggestion) -> str:
    source = f"  # {one.path}\n" if one.path else ""
    role = f"    vault_role: {_quoted(one.vault_role)}\n" if one.vault_role else ""
    policies = f"    policies: [{_list(one.policies)}]\n" if one.policies else ""
    needs = f"    needs: [{_list(one.needs)}]\n"
    return f"{source}  {_quoted(one.name)}:\n{role}{policies}{needs}"


def _scan(seen: PolicyInput) -> str:
    mode = "exact" if seen.detect_secrets else '"off"'
    why = "there is a .secrets.baseline" if seen.detect_secrets else "there is no .secrets.baseline"
    exclude = "  # exclude: []       # globs of paths: * within a folder, ** across\n"
    if seen.exclude:
        rows = "".join(f"    - {_quoted(each)}\n" for each in seen.exclude)
        exclude = f"  exclude:          # third-party code in this repository\n{rows}"
    return (
        f"scan:\n{exclude}"
        "  max_file_size: 20MB\n"
        "  fail_on: low         # the lowest severity that fails: low, medium, high, critical\n"
        "  fail_on_confidence: medium    # the lowest confidence that fails: low, medium, high\n"
        "  legacy_pragmas: warn # allow comments of other tools: allow, warn, refuse\n"
        f"  # detect_secrets: {mode}  # the default: {why}\n"
        "\nallow: []              # written by `keywatch allow`\n"
    )


def _quoted(name: str) -> str:
    """The name as a YAML scalar, quoted unless it is a plain word."""
    plain = _WORD.fullmatch(name) and name.lower() not in _NO_WORDS
    return name if plain else json.dumps(name, ensure_ascii=False)


def _list(names: Iterable[str]) -> str:
    return ", ".join(map(_quoted, names))
