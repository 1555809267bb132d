"""What people are told of detect-secrets' findings: rules/detect-secrets.yaml."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from scanner.detect.detect_secrets import library
from scanner.detect.detect_secrets.rule_texts import infos, rule_id
from scanner.detect.detect_secrets.settings import PLUGINS
from scanner.model import Confidence, Severity

RULES = Path(__file__).resolve().parents[2] / "rules"
DATA = (RULES / "detect-secrets.yaml").read_bytes()
RAW = yaml.safe_load(DATA)
SCHEMA = json.loads((RULES / "schema/rule.schema.json").read_text())
SAME = ("title", "severity", "confidence", "class", "why", "revoke", "rotate", "purge", "source")
RULE = SCHEMA["$defs"]["rule"]["properties"]
FIELDS = {name: RULE[name] for name in SAME} | {
    "id": RULE["id"],
    "type": {"enum": sorted(PLUGINS.values())},
    "vendor": SCHEMA["properties"]["vendor"],
}


@pytest.mark.parametrize("entry", RAW["rules"], ids=lambda entry: str(entry["id"]))
def test_an_entry_has_the_fields_of_a_rule(entry: dict[str, Any]) -> None:
    schema = {
        "type": "object",
        "properties": FIELDS,
        "required": sorted(set(FIELDS) - {"vendor"}),
        "additionalProperties": False,
        "$defs": SCHEMA["$defs"],
    }
    jsonschema.Draft202012Validator(schema).validate(RAW["defaults"] | entry)
    assert entry["id"] == rule_id(entry["type"])


def test_every_type_of_detect_secrets_has_its_words_once() -> None:
    assert sorted(entry["type"] for entry in RAW["rules"]) == sorted(PLUGINS.values())
    assert set(infos(DATA)) == {rule_id(kind) for kind in PLUGINS.values()}


@pytest.mark.parametrize("name", PLUGINS)
def test_a_plugin_calls_its_findings_by_the_type_written_here(name: str) -> None:
    assert library.plugin(name, {}).secret_type == PLUGINS[name]


def test_what_is_only_likely_is_said_to_be_no_more() -> None:
    likely = ("base64-high-entropy-string", "hex-high-entropy-string", "secret-keyword")
    for name in (*likely, "public-ip-ipv4"):
        info = infos(DATA)[f"ds-{name}"]
        assert info.confidence <= Confidence.MEDIUM
        assert info.severity <= Severity.MEDIUM
