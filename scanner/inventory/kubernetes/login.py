"""Inventory: how to connect to a Kubernetes API server: from a pod in it, or with a kubeconfig."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kubernetes import config
from kubernetes.client import Configuration
from kubernetes.config import incluster_config

from scanner.inventory.errors import ReadError
from scanner.inventory.kubernetes.programs import runs_program

_DEFAULT = "~/.kube/config"


def configuration(options: Mapping[str, Any], environ: Mapping[str, str]) -> Configuration:
    """Address, CA, proxy and credentials. ReadError if they are not available."""
    found = Configuration()
    if "context" not in options and "kubeconfig" not in options:
        return _of_pod(found, environ)
    file = options.get("kubeconfig") or environ.get("KUBECONFIG") or _DEFAULT
    context = options.get("context")
    if not options.get("exec") and runs_program(file):
        raise _unconfigured(f"{file} runs a program to log in: allow it with exec: true")
    try:
        config.load_kube_config(
            config_file=file, context=context, client_configuration=found, persist_config=False
        )
    except Exception:  # noqa: BLE001 - whatever its parser, plugins and providers raise
        # Their texts are not shown: they quote the user of the kubeconfig with the token.
        named = f"the context {context}" if context else "its current context"
        raise _unconfigured(f"{named} in the kubeconfig {file} cannot be used") from None
    if not found.verify_ssl:
        raise _unconfigured(
            f"{file} sets insecure-skip-tls-verify: any server that answers would get the token"
        )
    return found


def _of_pod(found: Configuration, environ: Mapping[str, str]) -> Configuration:
    try:
        incluster_config.InClusterConfigLoader(
            token_filename=incluster_config.SERVICE_TOKEN_FILENAME,
            cert_filename=incluster_config.SERVICE_CERT_FILENAME,
            environ=environ,
        ).load_and_set(found)
    except (config.ConfigException, OSError):
        reason = "keywatch does not run in a pod, and no context of a kubeconfig is configured"
        raise _unconfigured(reason) from None
    return found


def _unconfigured(reason: str) -> ReadError:
    return ReadError("unconfigured", reason)
