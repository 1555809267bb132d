"""deploy/dask, checked by the published schemas of the Dask operator and of Kubernetes."""

from __future__ import annotations

import importlib.util
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from tests.project.test_deploy import DEPLOY, tool

DASK = DEPLOY / "dask"
CRDS = "operator/deployment/helm/dask-kubernetes-operator/crds"


def documents(name: str) -> list[dict[str, Any]]:
    return [*yaml.safe_load_all((DASK / name).read_text())]


def schema(kind: str) -> dict[str, Any]:
    """The schema of a kind of the operator."""
    found = importlib.util.find_spec("dask_kubernetes")
    assert found is not None
    folder = next(iter(found.submodule_search_locations or ()))
    path = Path(folder, CRDS, f"{kind.lower()}.yaml")
    (version,) = yaml.safe_load(path.read_text())["spec"]["versions"]
    checked: dict[str, Any] = version["schema"]["openAPIV3Schema"]
    return checked


def pods() -> list[dict[str, Any]]:
    cluster, _ = documents("cluster.yaml")
    job = documents("job.yaml")[0]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    return [cluster["spec"]["worker"]["spec"], cluster["spec"]["scheduler"]["spec"], job]


def test_the_cluster_and_its_autoscaling_fit_the_schemas_of_the_operator() -> None:
    for document in documents("cluster.yaml"):
        jsonschema.validate(document, schema(document["kind"]))


def test_the_pods_fit_the_strict_schemas_of_kubernetes_and_run_without_rights(
    tmp_path: Path,
) -> None:
    validate = tool("kubernetes-validate", "pip install kubernetes-validate")
    for number, spec in enumerate(pods()):
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod"}, "spec": spec}
        path = tmp_path / f"{number}.yaml"
        path.write_text(yaml.safe_dump(pod))
        done = subprocess.run([validate, "--strict", str(path)], capture_output=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        (container,) = spec["containers"]
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert container["securityContext"]["readOnlyRootFilesystem"] is True


def test_the_cluster_refuses_connections_without_tls() -> None:
    for spec in pods()[:2]:
        variables = {each["name"]: each["value"] for each in spec["containers"][0]["env"]}
        assert variables["DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION"] == "true"
