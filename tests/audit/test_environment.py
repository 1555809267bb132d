"""What an audit hears of its environment: credentials, and no addresses."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from scanner.audit import backends, environment
from tests.support.helpers import Keywatch, write_files

KEPT = {
    "PATH": "/bin",
    "HOME": "/root",
    "AWS_ACCESS_KEY_ID": "made-up",
    "AWS_PROFILE": "ours",
    "AWS_ROLE_ARN": "arn:aws:iam::1:role/x",
    "AWS_WEB_IDENTITY_TOKEN_FILE": "/var/run/token",
    "AZURE_CLIENT_ID": "made-up",
    "KUBECONFIG": "/etc/kube",
    "SSL_CERT_FILE": "/etc/ssl/cert.pem",
}


@pytest.mark.parametrize(
    "name",
    [
        *("HTTPS_PROXY", "http_proxy", "ALL_PROXY", "no_proxy"),
        *("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
        *("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SECRETS_MANAGER", "AWS_DATA_PATH", "AWS_CSM_HOST"),
        *("AWS_EC2_METADATA_SERVICE_ENDPOINT", "AZURE_AUTHORITY_HOST"),
        *("AZURE_REGIONAL_AUTHORITY_NAME", "AZURE_POD_IDENTITY_AUTHORITY_HOST"),
    ],
)
def test_what_leads_elsewhere_is_taken_out_and_credentials_stay(name: str) -> None:
    environ = KEPT | {name: "attacker.example"}
    environment.clear(environ, backends.variables(backends.BACKENDS))
    assert environ == KEPT | {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}


@pytest.mark.parametrize(
    ("address", "stays"),
    [
        ("http://169.254.170.23/v1/credentials", True),
        ("http://[fd00:ec2::23]/v1/credentials", True),
        ("http://localhost:42356/msi/token", True),
        ("http://127.0.0.1:41741/msi/token", True),
        ("https://attacker.example/token", False),
        ("http://169.254.170.23.attacker.example/", False),
        ("http://10.0.0.7/token", False),
        ("http://[", False),
        ("", False),
    ],
)
def test_a_machines_credentials_come_from_the_machine(address: str, *, stays: bool) -> None:
    environ = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": address, "IDENTITY_ENDPOINT": address}
    environment.clear(environ, backends.variables(backends.BACKENDS))
    assert ("IDENTITY_ENDPOINT" in environ) is stays
    assert ("AWS_CONTAINER_CREDENTIALS_FULL_URI" in environ) is stays


OIDC = "ACTIONS_ID_TOKEN_REQUEST_URL"


@pytest.mark.parametrize(
    ("address", "server", "stays"),
    [
        ("https://run-1.actions.githubusercontent.com/x?y", "", True),
        ("https://run-1.actions.ours.ghe.com/x", "https://ours.ghe.com", True),
        ("https://git.example.org/_services/token/x", "https://git.example.org", True),
        ("https://127.0.0.1:4711/x", "https://github.com", True),
        ("https://attacker.example/x", "https://github.com", False),
        ("https://attackergithub.com/x", "https://github.com", False),
        ("https://[/x", "https://github.com", False),
    ],
)
def test_the_token_of_a_job_comes_from_github(address: str, server: str, *, stays: bool) -> None:
    environ = {OIDC: address, "GITHUB_SERVER_URL": server}
    environment.clear(environ, backends.variables(backends.BACKENDS))
    assert (OIDC in environ) is stays


OPERATOR = """\
backends:
  aws: {kind: aws, regions: [eu-central-1], services: [iam], endpoints: {sts: "http://127.0.0.1:9",
        iam: "http://127.0.0.1:9"}}
  mail: {kind: azure, vaults: ["https://kv-prod.vault.azure.net"],
         auth: {method: service-principal, tenant_id: t, client_id: c, client_secret: made-up}}
"""


def test_no_audit_asks_a_proxy_that_the_environment_names(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    write_files(tmp_path, {"repository/keywatch.yaml": "version: 1\n", "operator.yaml": OPERATOR})
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        address = f"http://127.0.0.1:{proxy.getsockname()[1]}"
        done = keywatch(
            *("audit", "--operator=../operator.yaml", "--timeout=3s"),
            cwd=tmp_path / "repository",
            HTTPS_PROXY=address,
            HTTP_PROXY=address,
            AWS_ENDPOINT_URL=address,
            AWS_ACCESS_KEY_ID="made-up",
            AWS_SECRET_ACCESS_KEY="made" + "-up",
            AWS_EC2_METADATA_DISABLED="true",
        )
        assert done.returncode == 3
        proxy.setblocking(False)
        with pytest.raises(BlockingIOError):  # who had called would be waiting
            proxy.accept()
