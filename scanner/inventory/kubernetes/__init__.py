"""Inventory: Kubernetes: metadata of Secrets, what their controllers report, and which workloads
still use a previous value. docs/kubernetes.md says what each date proves."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from scanner.inventory.interface import Backend, Options, Settings, Variables
from scanner.inventory.kubernetes import required_permissions

SCHEME = "k8s"
EXTRA = "kubernetes"
VARIABLES = Variables()
OPTIONS: Mapping[str, Any] = {
    "context": {
        "type": "string",
        "minLength": 1,
        "description": "The name of a context in the kubeconfig.",
    },
    "kubeconfig": {
        "type": "string",
        "minLength": 1,
        "description": "A kubeconfig file. Default, if context is given: the one in KUBECONFIG.",
    },
    "exec": {
        "type": "boolean",
        "description": "true to let the kubeconfig run a program that logs in",
    },
    "namespaces": {
        "examples": ["[web, jobs]"],
        "type": "array",
        "minItems": 1,
        "uniqueItems": True,
        "items": {
            "title": "the name of a namespace",
            "examples": ["web"],
            "type": "string",
            "pattern": "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$",
            "description": "The name of a namespace in the cluster.",
        },
    },
}


def connect(settings: Settings, now: datetime) -> Backend:
    """The cluster of a kubeconfig context, or the one that keywatch runs in.

    The second applies if neither `context` nor `kubeconfig` is given.
    """
    from scanner.inventory.kubernetes.backend import KubernetesBackend

    return KubernetesBackend(settings, now)


def permissions(settings: Settings) -> str:
    namespaces = settings.options.get("namespaces", ())
    return required_permissions.permissions(settings.name, namespaces)


def scopes(options: Options) -> Iterator[str]:
    for namespace in options.get("namespaces", ("*",)):
        yield f"{namespace}/**"


def addresses(options: Options) -> Sequence[str]:  # noqa: ARG001 - a kubeconfig has it, not an option
    return ()


def login_advice(options: Options) -> str:
    if "context" not in options and "kubeconfig" not in options:
        return "run keywatch in a pod with a service account, or add context: NAME"
    words = ["kubectl", "auth", "whoami"]
    words += [f"--{name}={options[name]}" for name in ("kubeconfig", "context") if name in options]
    return f"log in to the cluster again, and check with {shlex.join(words)}"


def identities(options: Options) -> Sequence[str]:  # noqa: ARG001 - a kubeconfig has it, not an option
    return ()
