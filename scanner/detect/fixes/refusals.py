"""Detect: formats that cannot reference a secret, each with what to do instead."""

from __future__ import annotations

import re

from scanner.detect.fixes.edits import Site, UnfixableError
from scanner.file_types import suffixes


def refuse(site: Site) -> None:
    """Raise UnfixableError if the file, by its path or top-level keys, expands no references."""
    for pattern, reason in _CANNOT:
        if pattern.search(site.path):
            raise UnfixableError(reason)
    for top, reason in _CANNOT_BY_KEY.items():
        if top in site.texts or site.leaf.path[:1] == top:
            raise UnfixableError(reason)


_UNKNOWN = "programs that read this file do not expand references: keep it out of the repository"
_CLIENTS = (
    r"(?:^|/)(?:[._]netrc|\.pgpass|pgpass\.conf|\.my\.cnf|\.s3cfg|\.boto|\.esmtprc|\.dockercfg"
    r"|\.dockerconfigjson|\.ftpconfig|\.remote-sync\.json|sftp(?:-config)?\.json|\.gitconfig"
    r"|\.docker/config\.json|\.aws/[^/]*|\.kube/[^/]*|\.cargo/[^/]*|\.vscode/settings\.json"
    r"|sitemanager\.xml|(?i:winscp|ws_ftp)\.ini|rclone\.conf|s?smtp\.conf|\.?msmtprc)$"
    r"|(?:^|/)(?:\.config|etc)/|\.plist$|\.(?:cnf|desktop)$"
)
_CANNOT = tuple(
    (re.compile(pattern), reason)
    for pattern, reason in (
        (
            r"\.tfvars(?:\.|$)",
            "a tfvars file cannot reference a variable: remove the line and set TF_VAR_…",
        ),
        (
            rf"\.(?:{'|'.join(suffixes('sql'))})$",
            "SQL data cannot reference a secret: create the account during setup",
        ),
        (r"\.tfstate(?:\.|$)", "Terraform state stores plain values: keep it in a remote backend"),
        (r"(?:^|/)action\.ya?ml$", "an action has no secrets of its own: make the value an input"),
        (
            r"(?:^|/)kustomization\.ya?ml$",
            "literals of a generator are plain values: let it read an uncommitted file",
        ),
        (
            r"(?:^|/)(?:GNU)?[Mm]akefile$|\.mk$",
            "make takes variables from the environment: remove the line",
        ),
        (r"\.(?:service|socket|timer)$", "systemd expands no variables here: use LoadCredential="),
        (
            r"(?:^|/)(?:\.circleci/config|\.travis|\.drone|\.woodpecker|bitbucket-pipelines|appveyor)\.ya?ml$",
            "add it as a secret variable of the CI system, and remove the line",
        ),
        (
            r"(?:^|/)gradle\.properties$",
            "Gradle takes ORG_GRADLE_PROJECT_… from the environment: remove the line",
        ),
        (
            r"(?:^|/)appsettings[\w.]*\.json$",
            ".NET takes Section__Key from the environment: remove the value",
        ),
        (
            r"(?:^|/)airflow\.cfg$",
            "Airflow takes AIRFLOW__SECTION__KEY from the environment: remove the line",
        ),
        (r"(?:^|/)\.pypirc$", "its format has no references: set TWINE_PASSWORD instead"),
        (_CLIENTS, _UNKNOWN),
        (
            r"(?:^|/)(?!templates/)[^/]*\.(?:tmpl|gotmpl|hbs|mustache|ejs|tftpl)$",
            "keywatch does not know what renders this template: let the renderer supply the value",
        ),
    )
)
# By a top-level key of the document.
_CANNOT_BY_KEY = {
    ("AWSTemplateFormatVersion",): "CloudFormation takes {{resolve:secretsmanager:…}}, or a "
    "parameter with NoEcho and no default",
    ("containerDefinitions",): "ECS takes secrets from `secrets:` with valueFrom, not from here",
}
