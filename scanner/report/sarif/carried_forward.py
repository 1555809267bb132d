"""Read the live results of an earlier SARIF log of keywatch.

A run repeats the results that it could not check again. Otherwise, a store that is down for a night
would close all its alerts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from scanner.errors import ConfigError
from scanner.model import Confidence, Finding, Location, Severity
from scanner.records import Resource
from scanner.report import uris


def findings(data: bytes, where: str) -> tuple[Finding, ...]:
    """The results about live secrets, each with the time of the run that found it.

    ConfigError if it is not a SARIF log of keywatch.
    """
    return tuple(each for each in results(data, where) if each.resource)


def results(data: bytes, where: str) -> tuple[Finding, ...]:
    """All results, including those about files."""
    try:
        return tuple(_finding(result, when) for result, when in _results(json.loads(data)))
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        raise ConfigError(
            f"{where} is not a SARIF log of keywatch",
            todo="name the file that `--report sarif=FILE` of the last run wrote",
        ) from None


def _results(log: Any) -> Iterator[tuple[Any, str]]:
    for run in log["runs"]:
        if run["tool"]["driver"]["name"] != "keywatch":
            raise ValueError
        when = str(run["invocations"][0]["startTimeUtc"])
        yield from ((result, when) for result in run["results"] if "properties" in result)


def _finding(result: Any, when: str) -> Finding:
    properties = result["properties"]
    resource = properties.get("resource")
    place = result["locations"][0]["physicalLocation"]
    path, line = uris.path(place["artifactLocation"]["uri"]), int(place["region"]["startLine"])
    return Finding(
        rule=str(result["ruleId"]),
        location=Location(path=path, line=line, end_line=line),
        severity=Severity[properties["severity"].upper()],
        confidence=Confidence[properties["confidence"].upper()],
        context=str(properties["context"]),
        fingerprint=str(result["partialFingerprints"]["keywatch/v1"]),
        detail=str(resource["detail"]) if resource else "",
        resource=_resource(resource, when) if resource else None,
    )


def _resource(value: Any, when: str) -> Resource:
    return Resource(
        id=str(value["id"]),
        owner=str(value["owner"]),
        runbook=str(value["runbook"]),
        as_of=str(value["as_of"] or when),
    )
