"""Policy: the text of a new keywatch.yaml, with comments, from what was seen of a repository.

It holds names and paths alone. Who calls it has made sure that each is printable and no secret.
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
# Folders of other people's code; of `vendor`, a business word too, only those that a tool fills.
_FOREIGN = re.compile(
    r"(?:.*/)?(?:third_party|third-party|thirdparty|node_modules|bower_components|Godeps)/|"
    r"(?:.*/)?vendor/(?=(?:modules\.txt|autoload\.php|bundle/|composer/))"
)
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
_NO_WORDS = {"true", "false", "yes", "no", "on", "off", "y", "n", "null"}
_MOST = 500  # of secrets: what the schema allows
_FOLDERS = 30
_HEAD = """\
# keywatch's policy for this repository, begun by `keywatch init`. An unknown key is an error;
# `keywatch policy check` says where this file, configs/secrets and the repository disagree.
version: 1
"""
_CLASSES = """\
# How often a secret of each class is rotated, and how late that may be. These are the
# defaults; a class that is written here stands in for one of them, or is a new one.
# classes:
"""
_GUESSED = """\
# The classes are guessed from the names: check each, and give it an owner; `runbook` names how a
# person rotates it, where nothing else does.
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
    """What was seen. `detect_secrets` says whether there is a .secrets.baseline."""

    classes: Sequence[SecretClass]
    secrets: Sequence[DeclaredSecret]
    services: Sequence[ServiceSuggestion]
    exclude: Sequence[str]
    detect_secrets: bool


def languages(paths: Iterable[str]) -> list[str]:
    """What the files are written in, the commonest first."""
    endings = Counter(_BY_ENDING.get(path.rpartition(".")[2], "") for path in paths)
    return [name for name, _ in sorted(endings.items(), key=lambda n: (-n[1], n[0])) if name]


def third_party(paths: Iterable[str]) -> list[str]:
    """Globs of the outermost folders of other people's code that there are."""
    found = {match[0] for match in map(_FOREIGN.match, paths) if match}
    outer = {one for one in found if not any(one != o and one.startswith(o) for o in found)}
    return [one + "**" for one in sorted(outer)[:_FOLDERS]]


def text(seen: PolicyInput) -> str:
    """The file."""
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
    head = "# Which secret is of which class, and whose it is.\n"
    if not secrets:
        return head + _NO_SECRETS
    rows = "".join(_secret(group[0]) for group in list(by_secret(secrets))[:_MOST])
    return head + _GUESSED + rows


def _secret(one: DeclaredSecret) -> str:
    """The entry for all of its keys; a namespace that nobody named may be any."""
    parts = [part or "*" for part in one.segments]
    if one.scheme == "vault" and parts[1] == "-":
        parts[1] = "*"
    match = _quoted(f"{one.scheme}://{'/'.join(parts)}")
    return (
        f"  - match: {match}\n    class: {class_guess.secret_class(one)}\n"
        '    # owner: "@team"\n    # runbook: docs/runbooks/rotation.md\n'
    )


def _services(services: Sequence[ServiceSuggestion]) -> str:
    head = "# Who may use which classes of secrets; * is all of them.\n"
    if not services:
        return head + _NO_SERVICES
    rows = "".join(map(_service, services))
    return head + "# From policies, roles and manifests: call each as you do.\nservices:\n" + rows


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
        exclude = f"  exclude:          # other people's code that lies here\n{rows}"
    return (
        f"scan:\n{exclude}"
        "  max_file_size: 20MB\n"
        "  fail_on: low         # the least severity that fails: low, medium, high, critical\n"
        "  legacy_pragmas: warn # allow comments of other tools: allow, warn, refuse\n"
        f"  # detect_secrets: {mode}  # the default here: {why}\n"
        "\nallow: []              # written by `keywatch allow`\n"
    )


def _quoted(name: str) -> str:
    """As a YAML scalar: plain where YAML can only take it for a word."""
    plain = _WORD.fullmatch(name) and name.lower() not in _NO_WORDS
    return name if plain else json.dumps(name, ensure_ascii=False)


def _list(names: Iterable[str]) -> str:
    return ", ".join(map(_quoted, names))
