"""A vault of the Azure fake that can be written to: secrets and keys with versions.

The shapes are those of azure_cloud.py; of PUT, PATCH and rotate, those of the examples of API
version 7.5 (SetSecret, UpdateSecret, RotateKey).
"""

from __future__ import annotations

import json
from typing import Any

from tests.support.azure_cloud import Answer, Asked, Azure, refused, said

HOST = "kv-prod.vault.azure.net"


class WritableVault:
    """Versions by kind and name, the newest last."""

    def __init__(self, azure: Azure, now: int) -> None:
        self._now = now
        self.held: dict[str, dict[str, list[dict[str, Any]]]] = {"secrets": {}, "keys": {}}
        azure.answers[HOST] = self.answer

    def set(self, name: str, value: str, **tags: str) -> None:
        self._add("secrets", name, {"value": value, "tags": tags})

    def key(self, name: str) -> None:
        self._add("keys", name, {})

    def enabled(self, name: str) -> list[dict[str, Any]]:
        return [each for each in self.held["secrets"][name] if each["attributes"]["enabled"]]

    def answer(self, asked: Asked) -> Answer:  # noqa: PLR0911 - one for each operation
        kind, *rest = asked.path.strip("/").split("/")
        held = self.held.get(kind, {})
        if not rest:
            listed = [self._listed(kind, name, each[-1]) for name, each in held.items()]
            return said({"value": listed, "nextLink": None})
        name, what = rest[0], rest[1] if len(rest) > 1 else ""
        if asked.method == "PUT":
            body = json.loads(asked.body)
            self._add(kind, name, {"value": body["value"], "tags": body.get("tags") or {}})
            return said(self._whole(kind, name, held[name][-1]))
        if name not in held:
            return refused(404, "SecretNotFound")
        if what == "versions":
            listed = [self._listed(kind, name, each, versioned=True) for each in held[name]]
            return said({"value": listed, "nextLink": None})
        if what == "rotate":
            self._add(kind, name, {})
            return said(self._whole(kind, name, held[name][-1]))
        if what == "rotationpolicy":
            return said({"id": f"https://{HOST}/keys/{name}/rotationpolicy", "attributes": {}})
        found = [each for each in held[name] if what in ("", each["version"])][-1]
        if asked.method == "PATCH":
            found["attributes"] |= json.loads(asked.body)["attributes"]
        return said(self._whole(kind, name, found))

    def _add(self, kind: str, name: str, one: dict[str, Any]) -> None:
        versions = self.held[kind].setdefault(name, [])
        epoch = self._now + len(versions)
        attributes = {"enabled": True, "created": epoch, "updated": epoch}
        versions.append({**one, "version": f"{len(versions):032x}", "attributes": attributes})

    def _listed(
        self, kind: str, name: str, one: dict[str, Any], *, versioned: bool = False
    ) -> dict[str, Any]:
        below = f"/{one['version']}" if versioned else ""
        field = "kid" if kind == "keys" else "id"
        item = {field: f"https://{HOST}/{kind}/{name}{below}", "attributes": one["attributes"]}
        return {**item, **({"tags": one["tags"]} if one.get("tags") else {})}

    def _whole(self, kind: str, name: str, one: dict[str, Any]) -> dict[str, Any]:
        found = self._listed(kind, name, one, versioned=True)
        if kind == "keys":
            return {"key": {"kid": found["kid"], "kty": "RSA"}, "attributes": one["attributes"]}
        return {**found, "value": one["value"]}
