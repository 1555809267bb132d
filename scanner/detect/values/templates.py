"""Detect: is a value a reference, and what in it is a literal?

One table, `_FORMS`, holds every syntax that names a value kept elsewhere. `judge` cuts a value
into references and text; it passes only if the whole of it is a reference, or nothing secret is
left in its text and in what stands for a variable that is not set.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple


class Verdict(enum.StrEnum):
    """What a value is. The last six are what rules may flag; UNDECLARED only its document tells."""

    EMPTY = "empty"
    REFERENCE = "reference"
    SAFE_DEFAULT = "safe-default"
    PLACEHOLDER = "placeholder"
    LITERAL = "literal"
    LITERAL_DEFAULT = "literal-default"
    MIXED = "mixed-literal"
    MALFORMED = "malformed"
    UNDECLARED = "undeclared"


class Judged(NamedTuple):
    """A verdict, and where in the value the text that it is about stands."""

    verdict: Verdict
    start: int = 0
    end: int = 0
    variable: str = ""


class _Default(NamedTuple):
    start: int
    end: int
    variable: str


class _Piece(NamedTuple):
    """A reference, from `start` to `end`, and what is used where it is not set."""

    start: int
    end: int
    defaults: tuple[_Default, ...] = ()
    malformed: bool = False


_NAME = r"[A-Za-z_][\w.\-]*"
# `${env:X}`: the word before the colon names what resolves it (Serverless, OmegaConf, log4j …).
_RESOLVERS = (
    r"(?:env|ssm|self|opt|file|sys|vault|cf|s3|param|aws|secret|secrets|secretsmanager|azure|gcp|sops"
    r"|oc\.env|oc\.decode|oc\.select|strToBool|kv|keyvault|akv|output|expr|docker|k8s|var|localenv|op"
    r"|environment|variables|inputs|config|configmap|profile|stage|git|credstash)"
)
_BODY = re.compile(
    rf"(?P<resolver>{_RESOLVERS}:)?(?P<name>[!#]?(?:[A-Z_][A-Z0-9_]*(?![\w.\[])|{_NAME}(?:\[[^\]]*\])*))"
    r"(?:(?P<alt>:?\+)|(?P<error>:?\?)|(?P<dash>:?[-=])|(?P<comma>,\s*)|(?P<colon>:)"
    r"|(?P<shell>[/%#^@]|,,|:\d))?"
)
_STRING = re.compile(
    r"'((?:[^'\\]|\\.|'')*)'|\"((?:[^\"\\]|\\.)*)\"|`([^`]*)`|\\\"((?:[^\"\\])*)\\\""
)
# Inside an expression, what introduces a value for when the reference is not set. `named`: the
# first string after it is the variable's name.
_FALLBACKS = re.compile(
    r"\|\|=?|\?\?|\?:|\b(?P<named>getenv|get_env|env_var|envOrDefault|fetch|environ\.get|keyOrDefault)\b"
    r"|\|\s*(?:default|d)\b|\b(?:default|coalesce|ternary|or|else)\b"
)
_LITERAL_EXPRESSION = re.compile(
    r"""\s*-?\s*(?:'[^']*'|"[^"]*"|\\"[^"\\]*\\"|`[^`]*`)\s*(?:\|[^|]*)*-?\s*"""
)
_WORD = re.compile(rf"(?:\.|\bvar\.|\bsecrets\.|\bvars\.|\benv\.|\bENV\W+|['\"])?({_NAME})")
# The whole value names a place in a secret store, a file or the environment.
_ELSEWHERE = re.compile(
    r"(?:vault|bao):\S|ref\+\w+://|(?:op|secret|sm|gcpsm|gcp-?sm|awssm|aws-?sm|awsssm|azurekv|akv|keyvault"
    r"|azure-?kv|vault|bws|doppler|infisical|pass|gopass|keyring|keychain|env|exec|cmd|ssm|kms|sops"
    r"|secretsmanager|berglas|chamber|lastpass|bitwarden|k8s|kubernetes|secrets?|file|conjur)://?\S"
    r"|(?:ssm|secretsmanager|env|file|keyring|sm|kms|conjur|k8s):[\w/.]"
    r"|arn:aws[\w-]*:|@Microsoft\.KeyVault\(|projects/[^/\s]+/secrets/"
    r"|%?(?:env|getenv|secret|vault|file|os\.environ)\(|(?:process\.env|os\.environ|ENV)\b[.\[]"
    r"|/(?:run|var/run|etc|mnt|vault|secrets?|opt|var|home|usr|data|app|tmp)/\S*$|~/\S+$|\./\S+$|\.\./"
    r"|A[gQ][A-D][A-Za-z0-9+/]{330,}={0,2}$"  # sealed by kubeseal: an RSA block comes first
    r"|\{cipher\}|ENC[(\[]|\{vault\b|\$ANSIBLE_VAULT;|secretKeyRef\b|valueFrom\b"
    r"|(?:var|local|data|module|each|self|ephemeral|resource|path|count|terraform|random_password|aws_\w+|azurerm_\w+|google_\w+|vault_\w+"
    r"|random_\w+|tls_\w+)\.\w[\w.\[\]*\"-]*$",
)
_CRYPT = re.compile(r"\$(?:1|2[abxy]?|5|6|7|y|gy|md5|sha1|apr1|argon2\w*|pbkdf2[\w-]*|scrypt)[$,]")


class _Form(NamedTuple):
    """A syntax: how it begins, what ends it (a pattern may do both, `close` is "" then), and
    whether what is inside is an expression, or only says where the value is (`resolved`)."""

    opening: str
    close: str = ""
    expression: bool = False
    resolved: bool = False


_FORMS = (
    _Form(r"\$\{\{", "}}", expression=True),  # GitHub, Azure pipelines
    _Form(r"\{\{", "}}", expression=True),  # Helm, Go, Jinja, Handlebars
    _Form(r"<%[=-]?", "%>", expression=True),  # ERB, EJS
    _Form(r"\{%", "%}", expression=True),
    _Form(r"#\{", "}", expression=True),  # Ruby, SpEL, Octopus
    _Form(r"\$\(", ")"),  # Kubernetes, Make, a command
    _Form(r"\$\[\[", "]]"),  # Azure, GitLab inputs
    _Form(r"\[\[", "]]"),
    _Form(r"[%@$]\{", "}"),  # Logstash, Apache, Jenkins
    _Form(r"\?\{", "}", resolved=True),  # Kapitan
    _Form(r"\$__\w+\{", "}"),  # Grafana
    _Form(r"\$\$?[A-Za-z_]\w*"),
    _Form(r"`[^`\n]+`"),  # a command
    _Form(r"%\([\w.]+\)[sd]"),  # Python's configparser
    _Form(r"%~?[A-Za-z_][\w.]*%|!\w+!|@[A-Z_][A-Z0-9_.]*@|__[A-Z][A-Z0-9_]*__"),
    _Form(r"%[sdqvr](?![\w%])|\$\[\w[\w.]*\]"),
    _Form(r"\{(?:[a-z_][\w.:\-]*|[A-Z]+:\d+)\}"),  # a format's field
)
_OPENINGS = re.compile("|".join(f"({form.opening})" for form in _FORMS))  # its group says which
# What a template looks like that nothing will replace.
_BROKEN = re.compile(
    r"\$ \{\s*[A-Za-z_]\w*\s*\}|(?<![\w{$])\$[A-Za-z_]\w*\}|^\{[A-Z][A-Z0-9_]*\}$|\{\s*\}$"
    r"|^\$\w+\s+\}$|^\$\{?$|^\{\{\s*$|^[A-Z][A-Z0-9_]*\}$|^%[A-Z][A-Z0-9_]+$|^\$\[\w+$"
)
# Words around a reference that are no part of a secret: `Bearer ${T}`, `${APP}-auth`.
_NAMING = re.compile(
    r"(?:[A-Za-z]+[-_./: ])+|(?:[-_./ ](?:[A-Za-z]+|v?\d)|:(?:[A-Za-z]+|\d{1,5}))+"
    r"|[^\w]*|/[\w./\-]*|[\w.\-]*/|--?[\w\-]+[ =]"
)
_AROUND = re.compile(
    r"(?:bearer|basic|token|apikey|api-key|key|digest|negotiate|v\d)\s*$", re.IGNORECASE
)
_CONNECTION = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://")
_USERINFO = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://[^/?#\s]*?:([^/?#\s]*)@")
_PARAMETER = re.compile(
    r"(?i)(?:^|[?&;\s,])(?:password|passwd|pwd|secret|token|api_?key|access_?key|account_?key"
    r"|sharedaccesskey|sig|client_?secret)\s*=\s*([^;&\s]*)"
)
_LARGEST = 20_000  # characters of one value that are looked at
_DEEPEST = 8


def judge(value: str, *, broken: bool = True) -> Judged:
    """The verdict on one value as it is written, without its quotes.

    `broken`: may `{VAR}`, `${ VAR }` and their like stand for a template that nothing replaces?
    """
    return _judge(value[:_LARGEST], 0, broken=broken)


def may_refer(value: str) -> bool:
    """Does anything in it look like the beginning of a reference?"""
    return _OPENINGS.search(value) is not None


def _judge(value: str, depth: int, *, broken: bool = False) -> Judged:
    start, end = _stripped(value)
    inner = value[start:end]
    is_word = inner.isalnum()  # as most are: without a sign, no template
    if broken and not is_word and (wrong := _broken(inner)):
        return Judged(Verdict.MALFORMED, start + wrong.start(), start + wrong.end())
    known = next((verdict for verdict, is_one in _WHOLE if is_one(inner)), None)
    if known or is_word:
        return Judged(known or Verdict.LITERAL, start, end)
    pieces = list(_pieces(value))
    if not pieces:
        return Judged(Verdict.LITERAL, start, end)
    if unclosed := next((piece for piece in pieces if piece.malformed), None):
        verdict = Verdict.MALFORMED if broken else Verdict.LITERAL
        return Judged(verdict, unclosed.start, unclosed.end)
    if not all(value[p.start] == "{" != value[p.start + 1] for p in pieces) and (
        left := _left(value, pieces)
    ):
        return Judged(Verdict.MIXED, *left)
    return _defaults(value, pieces, depth)


def _broken(text: str) -> re.Match[str] | None:
    """A template that nothing will replace; `$B}` is none where it ends `${A:-$B}`."""
    for wrong in _BROKEN.finditer(text):
        before = text[: wrong.start()]
        if before.count("{") <= before.count("}") or not wrong[0].endswith("}"):
            return wrong
    return None


_EMPTY = frozenset(
    ("", "null", "~", "None", "nil", "none", "undefined", "[]", "{}", '""', "''", "NULL")
)
_TO_FILL_IN = re.compile(
    r"^(?:<[^<>%]*>|\[[^\[\]]*\]|\.{3,}|\*{2,}|-+|_+|#+|\?+)$|\.\.\.$|\*{3,}|x{4,}|X{4,}"
)
# What a whole value may be, the first that it is.
# Most references are of this kind, and are known at once.
_PLAIN = re.compile(
    r"\{\{-?\s*[.$]?[\w.]+\s*(?:\|\s*(?:quote|squote|b64enc|trim|toString|n?indent \d+)\s*)*-?\}\}"
    r"|\$\{\w+\}"
)
_WHOLE: tuple[tuple[Verdict, Callable[[str], object]], ...] = (
    (Verdict.EMPTY, _EMPTY.__contains__),
    (Verdict.REFERENCE, _PLAIN.fullmatch),
    (Verdict.LITERAL, _CRYPT.match),
    (Verdict.REFERENCE, _ELSEWHERE.match),
    (Verdict.PLACEHOLDER, _TO_FILL_IN.search),
)


def _stripped(value: str) -> tuple[int, int]:
    start = len(value) - len(value.lstrip())
    end = max(len(value.rstrip()), start)
    if end - start > 1 and value[start] == value[end - 1] and value[start] in "\"'":
        return start + 1, end - 1
    return start, end


def _defaults(value: str, pieces: list[_Piece], depth: int) -> Judged:
    """The first default that is a literal; else whether there are any."""
    safe = Verdict.REFERENCE
    for piece in pieces:
        for default in piece.defaults:
            text = value[default.start : default.end]
            inner = _judge(text, depth + 1) if depth < _DEEPEST else Judged(Verdict.LITERAL)
            if inner.verdict not in {Verdict.EMPTY, Verdict.REFERENCE, Verdict.SAFE_DEFAULT}:
                at = default.start + inner.start
                end = default.start + (inner.end or len(text))
                return Judged(Verdict.LITERAL_DEFAULT, at, end, inner.variable or default.variable)
            safe = Verdict.SAFE_DEFAULT
    return Judged(safe, pieces[0].start, pieces[-1].end)


def _left(value: str, pieces: list[_Piece]) -> tuple[int, int] | None:
    """Where text is left outside the references that may be a secret's.

    In a URL and in `key=value;` lists only what stands for the password counts.
    """
    kept = list(value)
    for piece in pieces:
        kept[piece.start : piece.end] = "\0" * (piece.end - piece.start)
    text = "".join(kept)
    secrets = [m.span(1) for m in _USERINFO.finditer(text)]
    secrets += [m.span(1) for m in _PARAMETER.finditer(text)]
    if not secrets and not _CONNECTION.search(text):
        secrets = [(0, len(text))]
    for start, end in secrets:
        for m in re.finditer(r"[^\0]+", text[start:end]):
            found = m[0]
            if not _NAMING.fullmatch(found) and not _AROUND.match(found.strip(" :\"'\\")):
                return start + m.start(), start + m.end()
    return None


def _pieces(value: str) -> Iterator[_Piece]:
    at = 0
    while opening := _OPENINGS.search(value, at):
        piece = _piece(value, opening)
        yield piece
        at = max(piece.end, opening.end())


def _piece(value: str, opening: re.Match[str]) -> _Piece:
    form, start = _FORMS[(opening.lastindex or 1) - 1], opening.start()
    if not form.close:
        return _Piece(start, opening.end())
    end = _closing(value, opening.end(), opening[0], form.close)
    if end < 0:  # a command may go on in the next line
        return _Piece(start, len(value), malformed=form.close in {"}", "}}", "%>"})
    body, inside = value[opening.end() : end], opening.end()
    whole = end + len(form.close)
    if form.expression:
        return _Piece(start, whole, tuple(_of_expression(body, inside)))
    if form.close == "}" and not form.resolved:
        return _braced(value, start, inside, end)
    return _Piece(start, whole, malformed=not body.strip())


def _closing(value: str, at: int, opening: str, close: str) -> int:
    """Where the closing mark of a form stands; -1 where it is missing. Forms nest."""
    depth, first = 0, opening[-len(close) :] if len(close) > 1 else opening[-1]
    while at < len(value):
        if value.startswith(close, at):
            if not depth:
                return at
            depth -= 1
            at += len(close)
        elif value.startswith(first, at):
            depth += 1
            at += len(first)
        else:
            at += 1
    return -1


def _braced(value: str, start: int, inside: int, end: int) -> _Piece:
    """`${…}`: shell, compose, Spring, HCL, JavaScript, resolvers."""
    body = value[inside:end]
    name = _BODY.match(body)
    if not body.strip() or (body != body.strip() and re.fullmatch(r"\s*[A-Z_][A-Z0-9_]*\s*", body)):
        return _Piece(start, end + 1, malformed=True)
    if not name:
        return _Piece(start, end + 1, tuple(_of_expression(body, inside)))
    variable, kind, rest = name["name"], name.lastgroup, inside + name.end()
    if kind in {"alt", "dash", "colon"} or (
        kind == "comma" and (name["resolver"] or "." not in variable)
    ):
        return _Piece(start, end + 1, (_Default(rest, end, variable),))
    if kind in {"error", "shell"} or name.end() == len(body):
        return _Piece(start, end + 1)
    return _Piece(start, end + 1, tuple(_of_expression(body, inside)))


def _of_expression(body: str, inside: int) -> Iterator[_Default]:
    """The strings that an expression gives where its reference is not set; or all of it is one."""
    if _LITERAL_EXPRESSION.fullmatch(body):
        if found := _STRING.search(body):
            yield _default(found, inside, "")
        return
    for fallback in _FALLBACKS.finditer(body):
        word = _variable(body, fallback)
        strings = _own_strings(body, fallback)
        for found in strings[1:] if fallback["named"] else strings:
            yield _default(found, inside, word)


def _own_strings(body: str, fallback: re.Match[str]) -> list[re.Match[str]]:
    """The strings that the fallback gives: no argument of another call, no part of a sum."""
    at = fallback.end()
    called = fallback[0][-1:].isalnum() and body[at:].lstrip()[:1] == "("
    deepest = 1 if called or body[at:].lstrip()[:1] in {"(", "{"} else 0
    strings = []
    for found in _STRING.finditer(body, at):
        before = _STRING.sub("", body[at : found.start()])
        depth = sum(map(before.count, "([{")) - sum(map(before.count, ")]}"))
        around = before.rstrip()[-1:] + body[found.end() :].lstrip()[:1]
        if depth <= deepest and "+" not in around and "~" not in around:
            strings.append(found)
    return strings


def _default(found: re.Match[str], inside: int, word: str) -> _Default:
    start, end = found.span(found.lastindex or 0)
    return _Default(inside + start, inside + end, word)


def _variable(body: str, fallback: re.Match[str]) -> str:
    """The name that the fallback is for: right of a function's name, else left of the operator."""
    if fallback["named"]:
        found = _STRING.search(body, fallback.end())
        return next((g for g in found.groups() if g), "") if found else ""
    before = body[: fallback.start()].rstrip(" |")
    words = _WORD.findall(before) or _WORD.findall(_STRING.sub("", body[fallback.end() :]))
    return str(words[-1]).rpartition(".")[2] if words else ""
