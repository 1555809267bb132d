"""Artefacts in S3. Credentials come from the pod's role: boto3 finds them by itself."""

from __future__ import annotations

import hashlib
from typing import Any

import boto3

BUCKET = "agentaskit-artefacts"
EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()


def client() -> Any:
    return boto3.client("s3", region_name="eu-central-1")


def store(key: str, body: bytes) -> str:
    """Uploads `body` and returns its SHA-256 in hex, which is also its name's last part."""
    digest = hashlib.sha256(body).hexdigest()
    client().put_object(Bucket=BUCKET, Key=f"{key}/{digest}", Body=body)
    return digest
