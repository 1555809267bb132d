"""Inventory: Kubernetes: Secrets as metadata, what their controllers say of them, and which
workloads still run on the value before. docs/kubernetes.md says what each date proves."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from scanner.inventory.interface import Backend, Settings
from scanner.inventory.kubernetes import required_permissions as manifests

EXTRA = "kubernetes"
OPTIONS: Mapping[str, Any] = {
    "context": {
        "type": "string",
        "minLength": 1,
        "description": "name a context of the kubeconfig",
    },
    "kubeconfig": {
        "type": "string",
        "minLength": 1,
        "description": "name a file; without it, and with a context, it is KUBECONFIG's",
    },
    "exec": {
        "type": "boolean",
        "description": "true to let the kubeconfig run a program that logs in",
    },
    "namespaces": {
        "type": "array",
        "minItems": 1,
        "uniqueItems": True,
        "items": {
            "type": "string",
            "pattern": "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$",
            "description": "name a namespace as the cluster does",
        },
    },
}


def connect(settings: Settings, now: datetime) -> Backend:
    """The cluster of a kubeconfig's context; without `context` and `kubeconfig`, the one that this
    runs in."""
    from scanner.inventory.kubernetes.cluster import Cluster

    return Cluster(settings, now)


def permissions(settings: Settings) -> str:
    return manifests.permissions(settings.name, settings.options.get("namespaces", ()))
