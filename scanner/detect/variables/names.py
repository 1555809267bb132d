"""Detect: the variables and the secret files that a file needs from elsewhere in the tree.

The policy checks whether they exist, which needs the whole tree. A file contributes only names, and
no values. Names are searched in the text, not in the parsed structure: a template, a script in a
manifest, or a file that does not parse may also declare a variable.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice

from scanner.detect.engine.chunks import Cursor
from scanner.detect.prefilter import matcher
from scanner.detect.prefilter.matcher import Pattern
from scanner.detect.structure import FileKind, NotParsedError, file_kind, structures
from scanner.detect.values.assignments import is_translation, names_a_secret
from scanner.lazy_pattern import lazy
from scanner.model import Location, Reference

_MAX_LINE = 8192
_CONTEXT = 200  # bytes before and after a name that tell how it is used
_MAX_USES = 5_000  # references in one file
_MAX_NAMES = 300  # of one file
_MAX_OCCURRENCES = 100  # of one name in one file

# Files whose variables need no declaration: tests and documents use made-up names, CI systems and
# template renderers set their own. Examples: tests/a.yaml, .github/workflows/ci.yml, values.yaml.j2
_EXCLUDED_PATHS = lazy(
    r"(?:^|/)(?:tests?|testing|testdata|fixtures?|specs?|__tests__|molecule|examples?|samples?|docs?"
    r"|snapshots?|release-?notes?|change-?logs?|node_modules|vendor|third_party|crds?|\.github"
    r"|\.gitlab|\.circleci|\.buildkite|\.cloudbuild|\.woodpecker|\.azure-?pipelines)/"
    r"|(?:^|/)(?:\.travis|\.drone|\.woodpecker|\.?appveyor|azure-pipelines[^/]*|bitbucket-pipelines"
    r"|buildspec[^/]*|cloudbuild[^/]*|\.gitlab-ci|[^/]*\.gitlab-ci|\.readthedocs|Taskfile|codecov)"
    r"\.ya?ml$|[._-](?:example|sample)(?:[._-][^/]*)?$|\.schema\.json$"
    r"|\.(?:in|tmpl|gotmpl|template|tpl|tftpl|j2|jinja2?|mustache|hbs)$"
)
_EXCLUDED_KINDS = frozenset(("github-workflow", "gitlab-ci", "ansible"))
# Variables that a shell, a CI system or another program sets: HOME, GITHUB_SHA, BUILD_ID
_PREDEFINED = lazy(
    r"(?:ANSIBLE|APACHE|BASH|BITBUCKET|BUILDKITE|CI|CIRCLE|CMAKE|CODEBUILD|DRONE|GITHUB|GITLAB"
    r"|JENKINS|LC|MOLECULE|READTHEDOCS|RUNNER|TRAVIS|XDG|KUBERNETES_SERVICE)_\w*"
    r"|HOME|PATH|PWD|OLDPWD|USER|USERNAME|LOGNAME|SHELL|HOSTNAME|LANG|TERM|TMPDIR|TEMP|TMP|DISPLAY"
    r"|UID|EUID|GID|PPID|RANDOM|IFS|USERPROFILE|APPDATA|LOCALAPPDATA|PROGRAMDATA|PROGRAMFILES|WINDIR"
    r"|SYSTEMROOT|COMPUTERNAME|JAVA_HOME|PYTHONPATH|VIRTUAL_ENV|CONDA_PREFIX|KUBECONFIG|SSH_AUTH_SOCK"
    r"|COMPOSE_PROJECT_NAME|JOB_NAME|BUILD_(?:ID|NUMBER|TAG|URL)|BRANCH_NAME|TAG_NAME"
    r"|COMMIT_SHA|SHORT_SHA|REVISION_ID|REPO_NAME|PROJECT_ID|PROJECT_NUMBER|(?:RUNTIME|STATE|CACHE|LOGS|CREDENTIALS)_DIRECTORY"
    r"|MAIN_?PID|NOTIFY_SOCKET|(?:CONSOLE|FILE)_LOG_PATTERN"
)
_NAME = rb"(?:[A-Z][A-Z0-9_]{1,100}|TF_VAR_\w{1,100})"
# A reference without a default, since one with a default needs no declaration: `${NAME}`,
# `${NAME:?message}`, `$(NAME)`, `{{ env "NAME" }}`, `<%= ENV["NAME"] %>`. Each form begins with one
# fixed character, which makes the search fast.
_USE = lazy(
    rb"\$(?<![$\\]\$)\{(?:env:)?(?P<braced>%(n)s)(?::?\?[^}\n]{0,200})?\}"
    rb"|\$(?<!\$\$)\((?P<manifest>%(n)s)\)"
    rb"|\{\{[^{}\n]{0,60}?\b(?:env|requiredEnv|getenv|mustEnv|env_var)[ \t(]{1,3}"
    rb"[\"'](?P<template>%(n)s)[\"'][ \t)]{0,3}(?:-?\}\}|\|(?![^{}\n]{0,100}\bdefault\b))"
    rb"|<%%=?[^%%\n]{0,60}?\bENV(?:\.fetch\(|\[)[\"'](?P<ruby>%(n)s)[\"'][\])][ \t]{0,3}-?%%>"
    % {b"n": _NAME}
)
_BARE_USE = lazy(rb"\$(?<!\$\$)(?P<bare>%s)\b" % _NAME)  # only in compose files
_MANIFEST = lazy(rb"^apiVersion:[^\n]*$", re.MULTILINE)
_DEFINITION = lazy(rb"^kind:[ \t]*CustomResourceDefinition\b", re.MULTILINE)
_IN_COMMENT = lazy(rb"(?:^|\s)(?:#|//|;|<!--)")
_IN_PROSE = lazy(
    rb"(?i)\b(?:description|documentation|docs?|help|summary|comment|notes?|text)[\"']?[ \t]*[:=]"
)
# The text after, or before, a name that is declared: `NAME=`, `NAME:`, `name: NAME`, `export NAME`,
# `--env NAME`, `secrets.NAME`.
_ASSIGNED = lazy(rb"[\"']?[ \t]*(?:[:?+]?=(?!=)|:(?![\w/?+:=-]))[ \t]*[\"']?")
_BEFORE = lazy(
    rb"(?:\b(?:name|key|variable|secretKey|envVar|env|id)\b[\"']?[ \t]*[:=][ \t]*[\"']?"
    rb"|\b(?:variable|ENV|ARG|export|local|declare|readonly|for|read(?:[ \t]+-\w+)*)[ \t]+[\"']?"
    rb"|(?:^|\s)(?:-e|--env|--build-arg)[ \t=]+[\"']?"
    rb"|\b(?:secrets|vars|inputs)\.|<)$"
)
_ITEMS = (  # the text before and after an item of a list: `- NAME`, `[NAME, NAME]`
    (lazy(rb"^[ \t]*-[ \t]+[\"']?$"), lazy(rb"[\"']?[ \t]*(?:[\r\n#]|$)")),
    (lazy(rb"(?:(?<![\w)\]])\[|,)[ \t]*[\"']?$"), lazy(rb"[\"']?[ \t]*[,\]]")),
)
_REFERENCE = lazy(rb"\$(?:[{(](?:env:)?)?$")
_TERRAFORM = lazy(rb"\bvariable[ \t]+\"?([\w-]{1,100})\"?[ \t]*\{")
_EXAMPLE = lazy(
    rb"^[ \t]*(?P<off>#[ \t]*)?(?:export[ \t]+)?(?P<name>[A-Za-z_]\w{0,100})[ \t]*=", re.MULTILINE
)
_FILE_LINE = lazy(rb"^[ \t]+file:[ \t]*[\"']?([^\s\"'#]+)", re.MULTILINE)


def of_example(path: str, data: bytes) -> tuple[list[Reference], set[str]]:
    """Return the variables of an example file, and the names of those that are commented out."""
    active: dict[str, Reference] = {}
    optional: set[str] = set()
    place = Cursor()
    for found in _EXAMPLE.finditer(data):
        name = found["name"].decode()
        if found["off"]:
            optional.add(name)
        elif name not in active:
            active[name] = _at(name, path, data, found.span("name"), place)
    return list(active.values()), optional


def may_declare(path: str) -> bool:
    """May a file with this path declare variables?"""
    kind = file_kind(path)
    return bool(kind.reader or kind.kinds)


class Declarations:
    """Finds declarations of some variables: where they are set, passed on or required."""

    def __init__(self, names: Sequence[str], engine: str) -> None:
        self._names = names
        # Without `\b`, since Hyperscan compiles plain text in no time; `declared` checks the edges.
        words = [Pattern(name, keywords=(name.lower(),), once=True) for name in names]
        self._matcher = matcher.build(engine, lambda: dict(enumerate(words)), "", None)

    def of(self, path: str, data: bytes) -> set[str]:
        """Return the variables that a file declares."""
        present = [self._names[index] for index, _ in self._matcher.hits(data)]
        return declared(present, data) | _terraform(self._names, path, data)


def declared(names: Iterable[str], data: bytes) -> set[str]:
    """Return those of the names that a file declares."""
    return {name for name in names if _declares(name.encode(), data)}


def _terraform(names: Iterable[str], path: str, data: bytes) -> set[str]:
    """Return the names of Terraform variables. TF_VAR_name sets them, in any letter case."""
    if file_kind(path).reader != "hcl":
        return set()
    there = {name.decode().upper() for name in _TERRAFORM.findall(data)}
    return {name for name in names if name.removeprefix("TF_VAR_").upper() in there}


def _declares(name: bytes, data: bytes) -> bool:
    at = data.find(name)
    for _ in range(_MAX_OCCURRENCES):
        if at < 0:
            return False
        if _is_declaration(name, data, at):
            return True
        at = data.find(name, at + len(name))
    return False


def _is_declaration(name: bytes, data: bytes, at: int) -> bool:
    before, after = _before(data, at), data[at + len(name) : at + len(name) + _CONTEXT]
    if _touches(before[-1:]) or _touches(after[:1]) or _IN_COMMENT.search(before):
        return False
    if _REFERENCE.search(before):
        return False
    if assigned := _ASSIGNED.match(after):  # `A: ${A}` passes on what something else declares
        value = after[assigned.end() :]
        return not re.match(rb"\$\{?" + name + rb"\b", value)
    is_item = any(begins.search(before) and ends.match(after) for begins, ends in _ITEMS)
    return is_item or bool(_BEFORE.search(before))


def _touches(byte: bytes) -> bool:
    return byte.isalnum() or byte in {b"_", b"-"}


def _is_excluded(path: str, kind: FileKind) -> bool:
    return bool(kind.kinds & _EXCLUDED_KINDS or _EXCLUDED_PATHS.search(path)) or is_translation(
        path
    )


def uses(path: str, kind: FileKind, data: bytes) -> Iterator[Reference]:
    """Return the variables that a file needs and does not declare, each where it is first used."""
    found: dict[str, tuple[int, int]] = {}
    for name, span in () if _is_excluded(path, kind) else _needed(kind, data):
        if len(found) < _MAX_NAMES:
            found.setdefault(name, span)
    there = declared(found, data)
    place = Cursor()
    for name, span in sorted(found.items(), key=lambda each: each[1]):
        if name not in there:
            yield _at(name, path, data, span, place)


def _needed(kind: FileKind, data: bytes) -> Iterator[tuple[str, tuple[int, int]]]:
    """Return each reference without a default to a variable that is not predefined."""
    is_manifest = "helm-template" in kind.kinds or _MANIFEST.search(data)
    if is_manifest and _DEFINITION.search(data):
        return
    bare = _BARE_USE.finditer(data) if "compose" in kind.kinds else iter(())
    for match in islice(chain(_USE.finditer(data), bare), _MAX_USES):
        group = str(match.lastgroup)
        name = match[group].decode()
        applies = group != "manifest" or is_manifest
        if applies and not _is_predefined(name) and not _is_prose(kind, data, match.start()):
            yield name, match.span(group)


def _is_predefined(name: str) -> bool:
    """Is the name predefined, or a single word that does not suggest a secret?"""
    return bool(_PREDEFINED.fullmatch(name)) or ("_" not in name and not names_a_secret(name))


def _is_prose(kind: FileKind, data: bytes, at: int) -> bool:
    """Is the offset in a comment or in prose?"""
    before = _before(data, at)
    in_comment = kind.reader != "json" and _IN_COMMENT.search(before)
    start = data.rfind(b"\n", max(0, at - _MAX_LINE), at) + 1  # prose may have long lines
    return bool(in_comment or _IN_PROSE.search(before) or _IN_PROSE.search(data, start, start + 99))


def _before(data: bytes, at: int) -> bytes:
    """Return the text before an offset, in its line."""
    low = max(0, at - _CONTEXT)
    return data[data.rfind(b"\n", low, at) + 1 or low : at]


def _at(name: str, path: str, data: bytes, span: tuple[int, int], place: Cursor) -> Reference:
    line, column = place.move(data, span[0])
    end = column + span[1] - span[0]
    location = Location(path=path, line=line, column=column, end_line=line, end_column=end)
    return Reference(name=name, location=location)


def secret_files(path: str, shown: str, data: bytes) -> Iterator[Reference]:
    """Return the files from which a compose file reads its secrets, as paths from the root."""
    place = Cursor()
    for start, end in sorted(_spans(path, data)):
        text = data[start:end].decode(errors="surrogateescape")
        target = posixpath.normpath(posixpath.join(posixpath.dirname(path), text))
        yield _at(target, shown, data, (start, end), place)


def _spans(path: str, data: bytes) -> set[tuple[int, int]]:
    try:
        read = list(structures(file_kind(path), data))
    except NotParsedError:
        return {found.span(1) for found in _FILE_LINE.finditer(data)}
    return {
        (leaf.start, leaf.end)
        for each in read
        for leaf in each.leaves
        if leaf.path[:1] == ("secrets",) and leaf.path[2:] == ("file",)
    }
