"""The place where an issued credential is stored: `store` of an entry."""

from __future__ import annotations

from scanner.rotate.config import Entry
from scanner.rotate.executors import issued
from scanner.rotate.executors.aws_secrets_manager import SecretSink
from scanner.rotate.executors.azure import SecretVersionSink
from scanner.rotate.executors.interface import Target
from scanner.rotate.executors.vault_kv import KvSink
from scanner.rotate.stores import SecretId


def manual(entry: Entry) -> str:
    if not entry.store:
        return "no `store` says where to put the new credential"
    return "" if entry.fields else "no `field` or `fields` says where in the store it belongs"


def of(target: Target) -> issued.Sink:
    place = SecretId(target.entry.store)
    match place.scheme:
        case "aws":
            return SecretSink(target, place)
        case "azure":
            return SecretVersionSink(target, place)
    return KvSink(target, place)
