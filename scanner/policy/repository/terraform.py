"""Policy: find Terraform resources that rotate a secret or write a new value for it.

Files must be laid out as `terraform fmt` does: a block starts at the beginning of a line, and each
attribute has its own line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from scanner.policy.declarations.secrets_files import name_of
from scanner.policy.repository.rotating_commands import RotationAction

MENTIONS = ("rotat", "aws_secretsmanager_secret")
"""Files without any of these words are skipped."""

_BLOCK = re.compile(r'(?m)^resource[ \t]+"([\w-]+)"[ \t]+"([\w-]+)"[ \t]*\{(.*)$')
_ATTRIBUTE = re.compile(r"(?m)^[ \t]*([a-z_]+)[ \t]*=[ \t]*(\S.*)$")
_STRING = re.compile(r'"([^"\n]*)"')
_TEMPLATE = re.compile(r"\$\{[^{}\n]*\}")
_REFERENCE = re.compile(r"\b(aws_secretsmanager_secret\.[\w-]+)\.")


class Block(NamedTuple):
    """One resource, such as `aws_secretsmanager_secret.db`, and the text of its block."""

    kind: str
    label: str
    body: str

    @property
    def name(self) -> str:
        return f"{self.kind}.{self.label}"

    def text(self, attribute: str, default: str = "") -> str:
        """The attribute's string. `*` stands for expressions and other values."""
        for name, value in _ATTRIBUTE.findall(self.body):
            if name == attribute:
                literal = _STRING.match(value)
                return _TEMPLATE.sub("*", literal[1]) if literal else "*"
        return default

    def has(self, word: str) -> bool:
        return word in self.body


def actions(texts: Iterable[str]) -> frozenset[RotationAction]:
    """The rotations of all resources. A resource may refer to a secret of another file."""
    blocks = [block for text in texts for block in _blocks(text)]
    secrets = {
        each.name: each.text("name") for each in blocks if each.kind == "aws_secretsmanager_secret"
    }
    found: set[RotationAction] = set()
    timed = any(each.kind == "time_rotating" for each in blocks)
    for block in blocks:
        found.update(_OF_KIND[block.kind](block) if block.kind in _OF_KIND else ())
        if timed and block.kind in _WRITES and block.has("random_"):
            found.update(_WRITES[block.kind](block))
    return frozenset(
        action._replace(name=secrets.get(action.name, action.name)) for action in found
    )


def _blocks(text: str) -> Iterator[Block]:
    starts = list(_BLOCK.finditer(text))
    ends = [*(start.start() for start in starts), len(text)][1:]
    for start, end in zip(starts, ends, strict=True):
        close = text.find("\n}", start.end(), end)
        body = text[start.end() : end if close < 0 else close]
        yield Block(kind=start[1], label=start[2], body=f"{start[3]}\n{body}")


def _aws_secret(block: Block) -> Iterator[RotationAction]:
    """The secret of a resource: the resource that it refers to, or else its `secret_id`."""
    reference = _REFERENCE.search(block.body)
    yield RotationAction("aws", reference[1] if reference else name_of(block.text("secret_id")))


def _static_role(block: Block) -> Iterator[RotationAction]:
    yield RotationAction("database", block.text("name"))


def _transit(block: Block) -> Iterator[RotationAction]:
    if block.has("auto_rotate_period"):
        yield RotationAction(
            "vault", f"{block.text('backend', 'transit')}/keys/{block.text('name')}"
        )


def _azure_key(block: Block) -> Iterator[RotationAction]:
    if block.has("rotation_policy"):
        yield RotationAction("azure", block.text("name"))


def _azure_secret(block: Block) -> Iterator[RotationAction]:
    yield RotationAction("azure", block.text("name"))


def _kv(block: Block) -> Iterator[RotationAction]:
    yield RotationAction(
        "vault", block.text("path") or f"{block.text('mount')}/{block.text('name')}"
    )


_OF_KIND: Mapping[str, Callable[[Block], Iterator[RotationAction]]] = {
    "aws_secretsmanager_secret_rotation": _aws_secret,
    "vault_database_secret_backend_static_role": _static_role,
    "vault_transit_secret_backend_key": _transit,
    "azurerm_key_vault_key": _azure_key,
}
# Resources that contain a value. They rotate if a `time_rotating` resource renews a random value.
_WRITES: Mapping[str, Callable[[Block], Iterator[RotationAction]]] = {
    "aws_secretsmanager_secret_version": _aws_secret,
    "azurerm_key_vault_secret": _azure_secret,
    "vault_kv_secret_v2": _kv,
    "vault_kv_secret": _kv,
    "vault_generic_secret": _kv,
}
