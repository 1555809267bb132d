"""Policy: find undeclared and unused variables, and secret files that are committed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from scanner.lazy_pattern import lazy
from scanner.model import Confidence, Finding, Reference, RuleInfo, Severity

RULES: tuple[RuleInfo, ...] = (
    RuleInfo(
        id="config-undeclared-variable",
        title="Variable is not declared",
        severity=Severity.MEDIUM,
        confidence=Confidence.MEDIUM,
        why="People who set up the application cannot know that it needs this variable. The "
        "application starts with an empty value or not at all, and then somebody writes the "
        "value into the file.",
        fix="Add the name, without a value, to .env.example, or declare the variable where it is "
        "set: in a compose file, a manifest, a chart, a workflow or as a Terraform variable.",
    ),
    RuleInfo(
        id="config-unused-variable",
        title="Declared variable is unused",
        severity=Severity.LOW,
        confidence=Confidence.MEDIUM,
        why="People keep setting the variable, so a valid secret stays in every environment "
        "although nothing needs it.",
        fix="Remove it from the file, and revoke its value.",
    ),
    RuleInfo(
        id="compose-secret-file-committed",
        title="Secret file of a compose file is committed",
        severity=Severity.HIGH,
        confidence=Confidence.HIGH,
        secret_class="api-key",  # noqa: S106 - the class of secrets that it may be
        why="Compose reads the secret from a file that is in the repository. Everyone who can "
        "clone the repository has the secret, and its history keeps it.",
        revoke="Find out what the value gives access to, and disable it there.",
        rotate="Issue a new value, and keep it in a file that git ignores or in a secret store.",
        purge="Revoke the secret first, because forks, clones and CI caches keep it. Then remove "
        "it from the file and from the history (git filter-repo --replace-text).",
        fix="Remove the file from git (git rm --cached) and add it to .gitignore, or use "
        "`environment:` or `external: true` instead.",
    ),
)
RULE_IDS = frozenset(rule.id for rule in RULES)
_UNDECLARED, _UNUSED, _COMMITTED = RULES

# Variables that programs, drivers and SDKs read without being named in the repository.
_READ_ELSEWHERE = lazy(
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
    """The uses of variables that are not in `declared`.

    The confidence is low if the repository has no example environment (`has_example`): the
    variables may be documented elsewhere.
    """
    confidence = Confidence.MEDIUM if has_example else Confidence.LOW
    places = ".env.example, compose file, manifest, chart, workflow or Terraform variable"
    for use in uses:
        if use.name not in declared:
            detail = f"{use.name} is not declared in any {places}"
            yield _finding(_UNDECLARED, use, confidence, detail)


def unused(
    examples: Iterable[Reference], mentioned: Collection[str], *, passed_on: bool
) -> Iterator[Finding]:
    """The variables of example environments that are not in `mentioned`.

    The confidence is low if a whole .env file is passed to a container (`passed_on`): the program
    there may read any of its variables.
    """
    confidence = Confidence.LOW if passed_on else Confidence.MEDIUM
    for each in examples:
        if each.name not in mentioned and not _READ_ELSEWHERE.fullmatch(each.name):
            detail = f"{each.name} appears nowhere else in the repository"
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
