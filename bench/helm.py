"""Benchmark: a seeded tree of Helm charts, for want of a network: YAML in quantity.

Each chart depends on the seed and its own number alone, so the first charts of a large tree are the
same as a small tree. Passwords are random letters; nothing here was ever a secret.
"""

from __future__ import annotations

import json
import random
import string
from collections.abc import Iterator
from pathlib import Path

SEED = 20
WORDS = tuple(
    # One line of them is easier to read than a column.
    """api worker cache queue ingest index gateway proxy broker replica primary metrics exporter
    console backup scheduler controller webhook registry search archive session mailer storage
    """.split()
)
KINDS = ("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob")
PROBES = ("livenessProbe", "readinessProbe", "startupProbe")


def write_tree(folder: Path, charts: int) -> None:
    """Write `charts` charts below `folder`: about 600 KB and 30 YAML files each."""
    for number in range(charts):
        for name, text in chart(number):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")


def chart(number: int) -> Iterator[tuple[str, str]]:
    """(path, text) of each file of one chart."""
    rng = random.Random(SEED * 100_000 + number)  # noqa: S311 (a tree that can be made again)
    name = f"{rng.choice(WORDS)}-{number:03d}"
    parts = rng.sample(WORDS, 8)
    yield f"{name}/Chart.yaml", _about(rng, name)
    yield f"{name}/Chart.lock", _lock(rng)
    yield f"{name}/values.yaml", "\n".join(_values(rng, part) for part in parts)
    yield f"{name}/values.schema.json", json.dumps(_schema(parts), indent=2)
    yield f"{name}/README.md", _readme(rng, name, parts)
    yield f"{name}/ci/test-values.yaml", "\n".join(_settings(rng, part) for part in parts)
    for part in parts:
        for kind in ("Service", "Secret", rng.choice(KINDS)):
            yield f"{name}/templates/{part}/{kind.lower()}.yaml", _template(rng, name, part, kind)
    for part in parts[:3]:
        yield f"{name}/crds/{part}.yaml", _definition(rng, name, part)


def _about(rng: random.Random, name: str) -> str:
    return (
        f"apiVersion: v2\nname: {name}\nversion: {_version(rng)}\nappVersion: {_version(rng)}\n"
        f"annotations:\n  images: |\n    - name: {name}\n      image: {_image(rng, name)}\n"
    )


def _lock(rng: random.Random) -> str:
    return (
        "dependencies:\n- name: common\n  repository: oci://registry.example.org/charts\n"
        f"  version: {_version(rng)}\ndigest: sha256:{rng.randbytes(32).hex()}\n"
        'generated: "2025-03-04T05:06:07.123456789Z"\n'
    )


def _values(rng: random.Random, part: str) -> str:
    lines = [f"## @section {part} parameters", f"{part}:"]
    fields = ("replicaCount", "image", "auth", "tls", "persistence", "service", "rbac")
    lines += [f"  ## @param {part}.{field} {_sentence(rng, 12)}" for field in fields]
    lines += [f"  replicaCount: {rng.randint(1, 5)}", *_image_block(rng, part), *_auth(rng)]
    for probe in PROBES:
        lines += [f"  ## {_sentence(rng, 20)}", *_probe(rng, probe)]
    for number in range(60):
        word = rng.choice(WORDS)
        lines += [
            f"  ## @param {part}.{word}{number}.enabled {_sentence(rng, 10)}",
            f"  ## ref: https://docs.example.org/{part}/{word}#{rng.choice(WORDS)}",
            f"  {word}{number}:",
            f"    enabled: {rng.choice(('true', 'false'))}",
            '    existingSecret: ""',
            f'    name: "{{{{ .Release.Name }}}}-{word}"',
            f"    labels: {{app.kubernetes.io/component: {word}}}",
            f"    resources: {{limits: {{cpu: {rng.randint(1, 8)}00m, memory: 256Mi}}}}",
            "    extraEnvVars: []",
            '    extraEnvVarsSecret: ""',
        ]
    return "\n".join(lines) + "\n"


def _auth(rng: random.Random) -> list[str]:
    value = _password(rng) if rng.random() < 0.2 else ""
    return [
        "  auth:",
        f"    username: {rng.choice(WORDS)}",
        f'    password: "{value}"',
        '    existingSecret: ""',
        '    existingSecretPasswordKey: ""',
    ]


def _image_block(rng: random.Random, part: str) -> list[str]:
    digest = f"sha256:{rng.randbytes(32).hex()}" if rng.random() < 0.2 else ""
    return [
        "  image:",
        "    registry: registry.example.org",
        f"    repository: charts/{part}",
        f"    tag: {_version(rng)}-debian-12-r{rng.randint(0, 30)}",
        f'    digest: "{digest}"',
        "    pullSecrets: []",
    ]


def _probe(rng: random.Random, name: str) -> list[str]:
    numbers = {key: rng.randint(1, 30) for key in ("periodSeconds", "timeoutSeconds")}
    return [f"  {name}:", *(f"    {key}: {value}" for key, value in numbers.items())]


def _settings(rng: random.Random, part: str) -> str:
    return "\n".join([f"{part}:", f"  replicaCount: {rng.randint(1, 3)}", *_auth(rng)])


def _template(rng: random.Random, name: str, part: str, kind: str) -> str:
    head = (
        f"{{{{- if .Values.{part}.enabled }}}}\napiVersion: v1\nkind: {kind}\nmetadata:\n"
        f'  name: {{{{ include "{name}.fullname" . }}}}-{part}\n'
        f"  namespace: {{{{ .Release.Namespace | quote }}}}\n  labels:\n"
        f'    {{{{- include "common.labels.standard" . | nindent 4 }}}}\n'
    )
    bodies = {"Secret": _secret, "Service": _service}
    body = bodies.get(kind, _workload)(rng, part)
    return f"{head}{body}{{{{- end }}}}\n"


def _secret(rng: random.Random, part: str) -> str:
    keys = "".join(
        f"  {word}-password: {{{{ .Values.{part}.auth.password | b64enc | quote }}}}\n"
        for word in rng.sample(WORDS, 6)
    )
    return f"type: Opaque\ndata:\n{keys}"


def _service(rng: random.Random, part: str) -> str:
    ports = "".join(
        f"    - name: {word}\n      port: {{{{ .Values.{part}.service.ports.{word} }}}}\n"
        f"      targetPort: {rng.randint(1024, 60000)}\n"
        for word in rng.sample(WORDS, 8)
    )
    return f"spec:\n  type: ClusterIP\n  ports:\n{ports}"


def _workload(rng: random.Random, part: str) -> str:
    variables = "".join(
        f"            - name: {part.upper()}_{rng.choice(WORDS).upper()}_PASSWORD\n"
        f"              valueFrom:\n                secretKeyRef:\n"
        f'                  name: {{{{ include "{part}.secretName" . }}}}\n'
        f"                  key: {rng.choice(WORDS)}-password\n"
        f"            - name: {part.upper()}_{rng.choice(WORDS).upper()}_URL\n"
        f'              value: "https://{rng.choice(WORDS)}.example.org/{part}"\n'
        for _ in range(20)
    )
    return (
        "spec:\n  template:\n    metadata:\n      annotations:\n        checksum/config: "
        f"{{{{ include (print $.Template.BasePath) . | sha256sum }}}}\n"
        f"    spec:\n      containers:\n        - name: {part}\n"
        f"          image: {_image(rng, part)}\n          env:\n{variables}"
    )


def _definition(rng: random.Random, name: str, part: str) -> str:
    """A long plain YAML file: what makes a pure-Python YAML loader slow."""
    head = (
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata:\n"
        f"  name: {part}s.{name}.example.org\nspec:\n  versions:\n  - name: v1\n    schema:\n"
        "      openAPIV3Schema:\n        type: object\n        properties:\n"
    )
    return head + "".join(
        f"          {rng.choice(WORDS)}{number}:\n"
        f"            type: {rng.choice(('string', 'object'))}\n"
        f"            description: >-\n              {_sentence(rng, 14)}\n"
        f"              {_sentence(rng, 14)}\n            x-kubernetes-map-type: atomic\n"
        for number in range(250)
    )


def _schema(parts: list[str]) -> dict[str, object]:
    field = {"type": "string", "description": "A value of this part", "default": ""}
    fields = {f"{word}{number}": field for word in WORDS for number in range(4)}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "properties": {part: {"type": "object", "properties": fields} for part in parts},
    }


def _readme(rng: random.Random, name: str, parts: list[str]) -> str:
    rows = (
        f'| `{part}.{rng.choice(WORDS)}{number}.existingSecret` | {_sentence(rng, 14)} | `""` |'
        for part in parts
        for number in range(60)
    )
    return "\n".join([f"# {name}", "", "| Name | Description | Value |", "|---|---|---|", *rows])


def _sentence(rng: random.Random, words: int) -> str:
    return " ".join(rng.choices(WORDS, k=words)).capitalize()


def _version(rng: random.Random) -> str:
    return f"{rng.randint(0, 20)}.{rng.randint(0, 30)}.{rng.randint(0, 30)}"


def _image(rng: random.Random, name: str) -> str:
    return f"registry.example.org/charts/{name}:{_version(rng)}"


def _password(rng: random.Random) -> str:
    return "".join(rng.choices(string.ascii_letters + string.digits, k=rng.randint(10, 24)))
