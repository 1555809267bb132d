"""Policy: what files say of other places, held against the whole tree: is it there, is it used?"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator

from scanner.model import Confidence, Finding, Reference, RuleInfo, Severity

RULES: tuple[RuleInfo, ...] = (
    RuleInfo(
        id="config-undeclared-variable",
        title="Variable that nothing declares",
        severity=Severity.MEDIUM,
        confidence=Confidence.MEDIUM,
        secret_class="",
        why="Nobody who sets the application up can know of it: it starts with an empty value, or "
        "not at all, and then somebody writes the value into the file.",
        revoke="",
        rotate="",
        purge="",
        fix="Add its name, without a value, to .env.example, or declare it where it is set: in a "
        "compose file, a manifest, a chart, a workflow or as a Terraform variable.",
    ),
    RuleInfo(
        id="config-unused-variable",
        title="Declared variable that nothing uses",
        severity=Severity.LOW,
        confidence=Confidence.MEDIUM,
        secret_class="",
        why="People keep on setting it, so a secret that opens something still lies in every "
        "environment, and nothing would fail without it.",
        revoke="",
        rotate="",
        purge="",
        fix="Take it out of the file, and revoke what it held.",
    ),
    RuleInfo(
        id="compose-secret-file-committed",
        title="Secret file of a compose file in the repository",
        severity=Severity.HIGH,
        confidence=Confidence.HIGH,
        secret_class="api-key",  # noqa: S106 - the class of secrets that it may be
        why="Compose reads the secret from a file that everybody with the repository has, and so "
        "has its history.",
        revoke="Find out what the value opens and disable it there.",
        rotate="Issue a new value, and keep it in a file that git ignores or in the secret store.",
        purge="Take the file out of the repository, then out of the history once it is revoked.",
        fix="Take the file out of git (git rm --cached) and into .gitignore, or use "
        "`environment:` or `external: true` in its place.",
    ),
)
RULE_IDS = frozenset(rule.id for rule in RULES)
_UNDECLARED, _UNUSED, _COMMITTED = RULES

# What programs, drivers and SDKs read by themselves, without a word in the repository.
_READ_ELSEWHERE = re.compile(
    r"(?:AWS|AZURE|ARM|GOOGLE|GCP|GCLOUD|CLOUDSDK|DOCKER|COMPOSE|BUILDKIT|POSTGRES|MYSQL|MARIADB"
    r"|MONGO_INITDB|RABBITMQ_DEFAULT|PGADMIN_DEFAULT|MINIO_ROOT|KC|KEYCLOAK|GF|TRAEFIK|VAULT|CONSUL"
    r"|NOMAD|TF|OTEL|SENTRY|DD|NEW_RELIC|OPENAI|ANTHROPIC|HF|HUGGING_FACE|LANGCHAIN|LANGSMITH|WANDB"
    r"|SPRING|SERVER|JAVA|JDK|CATALINA|NODE|NPM|YARN|PYTHON|PIP|UV|DJANGO|FLASK|GUNICORN|UVICORN|CELERY"
    r"|RAILS|RACK|BUNDLE|ASPNETCORE|DOTNET|PHP|COMPOSER|APACHE|NGINX|VIRTUAL|LETSENCRYPT|GIT|GITHUB|GH"
    r"|SSL|CURL|REQUESTS|LC|XDG|KUBE|HELM|NEXT|NUXT|VITE)_\w+"
    r"|PG[A-Z]+|(?i:https?_proxy|no_proxy|all_proxy)|TZ|LANG|TERM|HOST|HOSTNAME|PORT|DEBUG|UID|GID"
    r"|PUID|PGID|HOME|PATH|USER|NO_COLOR|DATABASE_URL|LD_LIBRARY_PATH|LOG_?LEVEL|RUST_LOG|MALLOC_\w+"
)


def undeclared(
    uses: Iterable[Reference], declared: Collection[str], *, has_example: bool
) -> Iterator[Finding]:
    """The uses of variables that are none of `declared`. Where no file lists the variables, whoever
    runs the application may well know them from elsewhere: that is less sure."""
    confidence = Confidence.MEDIUM if has_example else Confidence.LOW
    places = ".env.example, compose file, manifest, chart, workflow or Terraform variable"
    for use in uses:
        if use.name not in declared:
            detail = f"no {places} declares {use.name}"
            yield _finding(_UNDECLARED, use, confidence, detail)


def unused(
    examples: Iterable[Reference], mentioned: Collection[str], *, passed_on: bool
) -> Iterator[Finding]:
    """The variables of example environments that are none of `mentioned`. Where a file of variables
    is `passed_on` as a whole, what runs there may read any of them: that is less sure."""
    confidence = Confidence.LOW if passed_on else Confidence.MEDIUM
    for each in examples:
        if each.name not in mentioned and not _READ_ELSEWHERE.fullmatch(each.name):
            detail = f"nothing else in the repository names {each.name}"
            yield _finding(_UNUSED, each, confidence, detail)


def committed(secret_files: Iterable[Reference], paths: Collection[str]) -> Iterator[Finding]:
    """The secret files that are among the paths of the repository."""
    for each in secret_files:
        if each.name in paths:
            yield _finding(
                _COMMITTED, each, _COMMITTED.confidence, f"{each.name} is in the repository"
            )


def _finding(rule: RuleInfo, at: Reference, confidence: Confidence, detail: str) -> Finding:
    return Finding(
        rule=rule.id,
        location=at.location,
        severity=rule.severity,
        confidence=confidence,
        context=at.name,
        detail=detail,
    )
