"""Detect: decide whether a value is a reference, and which part of it is a literal.

The table `_SYNTAXES` holds every syntax of a reference. `judge` splits a value into references and
text. A value is a reference if neither the text nor the default of a variable can be secret.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from scanner.lazy_pattern import lazy


class Verdict(enum.StrEnum):
    """What a value is. Rules may flag the last six. UNDECLARED needs the rest of the document."""

    EMPTY = "empty"
    REFERENCE = "reference"
    SAFE_DEFAULT = "safe-default"
    PLACEHOLDER = "placeholder"
    LITERAL = "literal"
    LITERAL_DEFAULT = "literal-default"
    MIXED = "mixed-literal"
    MALFORMED = "malformed"
    UNDECLARED = "undeclared"


class Judgement(NamedTuple):
    """A verdict, the span of the judged text in the value, and the variable of a default."""

    verdict: Verdict
    start: int = 0
    end: int = 0
    variable: str = ""


class _Default(NamedTuple):
    """The span of a default in the value, and the variable that it is for."""

    start: int
    end: int
    variable: str


class _Reference(NamedTuple):
    """The span of a reference in the value, and its defaults."""

    start: int
    end: int
    defaults: tuple[_Default, ...] = ()
    malformed: bool = False


_NAME = r"[A-Za-z_][\w.\-]*"
# `${env:X}`: the word before the colon names the resolver (Serverless, OmegaConf, log4j …).
_RESOLVER = (
    r"(?:env|ssm|self|opt|file|sys|vault|cf|s3|param|aws|secret|secrets|secretsmanager|azure|gcp|sops"
    r"|oc\.env|oc\.decode|oc\.select|strToBool|kv|keyvault|akv|output|expr|docker|k8s|var|localenv|op"
    r"|environment|variables|inputs|config|configmap|profile|stage|git|credstash)"
)
# The beginning of `${…}`: the variable and the operator after it, `env:NAME:-`.
_BRACED = lazy(
    rf"(?P<resolver>{_RESOLVER}:)?(?P<name>[!#]?(?:[A-Z_][A-Z0-9_]*(?![\w.\[])|{_NAME}(?:\[[^\]]*\])*))"
    r"(?:(?P<alt>:?\+)|(?P<error>:?\?)|(?P<dash>:?[-=])|(?P<comma>,\s*)|(?P<colon>:)"
    r"|(?P<shell>[/%#^@]|,,|:\d))?"
)
# A string of an expression, in one of four kinds of quotes.
_STRING = lazy(r"'((?:[^'\\]|\\.|'')*)'|\"((?:[^\"\\]|\\.)*)\"|`([^`]*)`|\\\"((?:[^\"\\])*)\\\"")
# Operators and functions of an expression that a default follows. `named`: the first string after
# it is the variable's name, as in `getenv("NAME", "default")`.
_FALLBACK = lazy(
    r"\|\|=?|\?\?|\?:|\b(?P<named>getenv|get_env|env_var|envOrDefault|fetch|environ\.get|keyOrDefault)\b"
    r"|\|\s*(?:default|d)\b|\b(?:default|coalesce|ternary|or|else)\b"
)
# An expression that is only a string, maybe with filters: `{{ "literal" | quote }}`.
_LITERAL_EXPRESSION = lazy(
    r"""\s*-?\s*(?:'[^']*'|"[^"]*"|\\"[^"\\]*\\"|`[^`]*`)\s*(?:\|[^|]*)*-?\s*"""
)
# A name in an expression: `.Values.password`, `var.token`, `ENV["NAME`.
_VARIABLE_NAME = lazy(rf"(?:\.|\bvar\.|\bsecrets\.|\bvars\.|\benv\.|\bENV\W+|['\"])?({_NAME})")
# A whole value that names a secret in a store, a file or a variable. An example for each line:
# `vault:secret/db`; `op://vault/item`; `gcp-sm://x`; `kms://key`; `env:NAME`; an ARN; `getenv(`;
# `/run/secrets/db`; a sealed secret; `ENC[`; `var.password`; `random_password.db`.
_STORE_OR_FILE = lazy(
    r"(?:vault|bao):\S|ref\+\w+://|(?:op|secret|sm|gcpsm|gcp-?sm|awssm|aws-?sm|awsssm|azurekv|akv|keyvault"
    r"|azure-?kv|vault|bws|doppler|infisical|pass|gopass|keyring|keychain|env|exec|cmd|ssm|kms|sops"
    r"|secretsmanager|berglas|chamber|lastpass|bitwarden|k8s|kubernetes|secrets?|file|conjur)://?\S"
    r"|(?:ssm|secretsmanager|env|file|keyring|sm|kms|conjur|k8s):[\w/.]"
    r"|arn:aws[\w-]*:|@Microsoft\.KeyVault\(|projects/[^/\s]+/secrets/"
    r"|%?(?:env|getenv|secret|vault|file|os\.environ)\(|(?:process\.env|import\.meta\.env|os\.environ|ENV)\b[.\[]"
    r"|/(?:run|var/run|etc|mnt|vault|secrets?|opt|var|home|usr|data|app|tmp)/\S*$|~/\S+$|\./\S+$|\.\./"
    r"|A[gQ][A-D][A-Za-z0-9+/]{330,}={0,2}$"  # sealed by kubeseal: an RSA block comes first
    r"|\{cipher\}|ENC[(\[]|\{vault\b|\$ANSIBLE_VAULT;|secretKeyRef\b|valueFrom\b"
    r"|(?:var|local|data|module|each|self|ephemeral|resource|path|count|terraform|random_password|aws_\w+|azurerm_\w+|google_\w+|vault_\w+"
    r"|random_\w+|tls_\w+)\.\w[\w.\[\]*\"-]*$",
)
# `$2b$12$…`, `$argon2id$…`: a literal, although it begins like a variable.
_PASSWORD_HASH = lazy(
    r"\$(?:1|2[abxy]?|5|6|7|y|gy|md5|sha1|apr1|argon2\w*|pbkdf2[\w-]*|scrypt)[$,]"
)


class _Syntax(NamedTuple):
    """A syntax of references.

    opening: a pattern for its beginning, or for all of it.
    close: the text that ends it; "" if `opening` matches all of it.
    expression: its body is an expression, which may hold defaults.
    resolved: its body is only the address of the value.
    """

    opening: str
    close: str = ""
    expression: bool = False
    resolved: bool = False


_SYNTAXES = (
    _Syntax(opening=r"\$\{\{", close="}}", expression=True),  # GitHub, Azure pipelines
    _Syntax(opening=r"\{\{", close="}}", expression=True),  # Helm, Go, Jinja, Handlebars
    _Syntax(opening=r"<%[=-]?", close="%>", expression=True),  # ERB, EJS
    _Syntax(opening=r"\{%", close="%}", expression=True),
    _Syntax(opening=r"#\{", close="}", expression=True),  # Ruby, SpEL, Octopus
    _Syntax(opening=r"\$\(", close=")"),  # Kubernetes, Make, a command
    _Syntax(opening=r"\$\[\[", close="]]"),  # Azure, GitLab inputs
    _Syntax(opening=r"\[\[", close="]]"),
    _Syntax(opening=r"[%@$]\{", close="}"),  # Logstash, Apache, Jenkins
    _Syntax(opening=r"\?\{", close="}", resolved=True),  # Kapitan
    _Syntax(opening=r"\$__\w+\{", close="}"),  # Grafana
    _Syntax(opening=r"\$\$?[A-Za-z_]\w*"),
    _Syntax(opening=r"`[^`\n]+`"),  # a command
    _Syntax(opening=r"%\([\w.]+\)[sd]"),  # Python's configparser
    _Syntax(opening=r"%~?[A-Za-z_][\w.]*%|!\w+!|@[A-Z_][A-Z0-9_.]*@|__[A-Z][A-Z0-9_]*__"),
    _Syntax(opening=r"%[sdqvr](?![\w%])|\$\[\w[\w.]*\]"),
    _Syntax(opening=r"\{(?:[a-z_][\w.:\-]*|[A-Z]+:\d+)\}"),  # a format's field
)
_OPENINGS = lazy(
    "|".join(f"({syntax.opening})" for syntax in _SYNTAXES)
)  # the number of its group is the syntax
# Templates with an error, so that nothing replaces them: `$ {NAME}`, `$NAME}`, `{NAME}`, `${`,
# `NAME}`, `%NAME`, `$[name`.
_BROKEN_TEMPLATE = lazy(
    r"\$ \{\s*[A-Za-z_]\w*\s*\}|(?<![\w{$])\$[A-Za-z_]\w*\}|^\{[A-Z][A-Z0-9_]*\}$|\{\s*\}$"
    r"|^\$\w+\s+\}$|^\$\{?$|^\{\{\s*$|^[A-Z][A-Z0-9_]*\}$|^%[A-Z][A-Z0-9_]+$|^\$\[\w+$"
)
# The rest of `${NAME#"$PREFIX-"}` up to the inner quote.
_CUT_EXPANSION = lazy(r"""\w+(?:##?|%%?|//?)["']?.*""")
# Words around a reference that are not part of a secret: `Bearer ${T}`, `${APP}-auth`.
_AFFIX = lazy(
    r"(?:[A-Za-z]+[-_./: ])+|(?:[-_./ ](?:[A-Za-z]+|v?\d)|:(?:[A-Za-z]+|\d{1,5}))+"
    r"|[^\w]*|/[\w./\-]*|[\w.\-]*/|--?[\w\-]+[ =]"
)
# Words before a token: `Bearer`, `Basic`.
_AUTH_SCHEME = lazy(
    r"(?:bearer|basic|token|apikey|api-key|key|digest|negotiate|v\d)\s*$", re.IGNORECASE
)
_URL_SCHEME = lazy(r"[A-Za-z][A-Za-z0-9+.\-]*://")
# The password of a URL: `postgres://user:PASSWORD@`.
_USERINFO = lazy(r"[A-Za-z][A-Za-z0-9+.\-]*://[^/?#\s]*?:([^/?#\s]*)@")
# The secret of a list: `Password=SECRET;`, `?token=SECRET`.
_SECRET_PARAMETER = lazy(
    r"(?i)(?:^|[?&;\s,])(?:password|passwd|pwd|secret|token|api_?key|access_?key|account_?key"
    r"|sharedaccesskey|sig|client_?secret)\s*=\s*([^;&\s]*)"
)
_MAX_LENGTH = 20_000  # characters of a value that are judged
_MAX_DEPTH = 8  # of defaults inside defaults


def judge(value: str, *, broken: bool = True) -> Judgement:
    """Judge a value as it is written, with or without its quotes.

    broken: report templates with an error, such as `{VAR}` and `${ VAR }`, as MALFORMED.
    """
    return _judge(value[:_MAX_LENGTH], 0, broken=broken)


def may_refer(value: str) -> bool:
    """Does the value contain something like the beginning of a reference?"""
    return _OPENINGS.search(value) is not None


def _judge(value: str, depth: int, *, broken: bool = False) -> Judgement:
    start, end = _unquoted_span(value)
    inner = value[start:end]
    is_word = inner.isalnum()  # a template has other characters
    if broken and not is_word and (wrong := _broken_template(inner)):
        return Judgement(
            verdict=Verdict.MALFORMED, start=start + wrong.start(), end=start + wrong.end()
        )
    known = next((verdict for verdict, matches in _WHOLE_VALUES if matches(inner)), None)
    if known or is_word:
        return Judgement(verdict=known or Verdict.LITERAL, start=start, end=end)
    references = list(_references(value))
    if not references:
        return Judgement(verdict=Verdict.LITERAL, start=start, end=end)
    if unclosed := next((reference for reference in references if reference.malformed), None):
        verdict = Verdict.MALFORMED if broken else Verdict.LITERAL
        return Judgement(verdict=verdict, start=unclosed.start, end=unclosed.end)
    if not all(_is_format_field(value, reference) for reference in references):
        literal = _literal_outside(value, references)
        if literal:
            start, end = literal
            return Judgement(verdict=Verdict.MIXED, start=start, end=end)
    return _literal_default(value, references, depth)


def _is_format_field(value: str, reference: _Reference) -> bool:
    """Is it `{name}`, which begins with one brace?"""
    return value[reference.start] == "{" and value[reference.start + 1] != "{"


def _broken_template(text: str) -> re.Match[str] | None:
    """Return the first broken template. In `${A:-$B}`, the end `$B}` is not one."""
    for wrong in _BROKEN_TEMPLATE.finditer(text):
        before = text[: wrong.start()]
        if before.count("{") <= before.count("}") or not wrong[0].endswith("}"):
            return wrong
    return None


_EMPTY_VALUES = frozenset(
    ("", "null", "~", "None", "nil", "none", "undefined", "[]", "{}", '""', "''", "NULL")
)
# `<password>`, `[token]`, `...`, `***`, `abcxxxx`.
_PLACEHOLDER = lazy(
    r"^(?:<[^<>%]*>|\[[^\[\]]*\]|\.{3,}|\*{2,}|-+|_+|#+|\?+)$|\.\.\.$|\*{3,}|x{4,}|X{4,}"
)
# Most references look like `{{ .Values.name | quote }}` or `${NAME}`; this finds them fast.
_COMMON_REFERENCE = lazy(
    r"\{\{-?\s*[.$]?[\w.]+\s*(?:\|\s*(?:quote|squote|b64enc|trim|toString|n?indent \d+)\s*)*-?\}\}"
    r"|\$\{\w+\}"
)
# The first that matches is the verdict on the whole value.
_WHOLE_VALUES: tuple[tuple[Verdict, Callable[[str], object]], ...] = (
    (Verdict.EMPTY, _EMPTY_VALUES.__contains__),
    (Verdict.REFERENCE, _COMMON_REFERENCE.fullmatch),
    (Verdict.LITERAL, _PASSWORD_HASH.match),
    (Verdict.REFERENCE, _STORE_OR_FILE.match),
    (Verdict.PLACEHOLDER, _PLACEHOLDER.search),
)


def _unquoted_span(value: str) -> tuple[int, int]:
    start = len(value) - len(value.lstrip())
    end = max(len(value.rstrip()), start)
    if end - start > 1 and value[start] == value[end - 1] and value[start] in "\"'":
        return start + 1, end - 1
    return start, end


def _literal_default(value: str, references: list[_Reference], depth: int) -> Judgement:
    """Return the first default that is a literal; else SAFE_DEFAULT, or REFERENCE without any."""
    safe = Verdict.REFERENCE
    for reference in references:
        for default in reference.defaults:
            text = value[default.start : default.end]
            inner = (
                _judge(text, depth + 1)
                if depth < _MAX_DEPTH
                else Judgement(verdict=Verdict.LITERAL)
            )
            if inner.verdict not in {Verdict.EMPTY, Verdict.REFERENCE, Verdict.SAFE_DEFAULT}:
                at = default.start + inner.start
                end = default.start + (inner.end or len(text))
                return Judgement(
                    verdict=Verdict.LITERAL_DEFAULT,
                    start=at,
                    end=end,
                    variable=inner.variable or default.variable,
                )
            safe = Verdict.SAFE_DEFAULT
    return Judgement(verdict=safe, start=references[0].start, end=references[-1].end)


def _literal_outside(value: str, references: list[_Reference]) -> tuple[int, int] | None:
    """Return the span of text outside the references that may be part of a secret.

    In a URL and in `key=value;` lists, only the password counts.
    """
    characters = list(value)
    for reference in references:
        characters[reference.start : reference.end] = "\0" * (reference.end - reference.start)
    text = "".join(characters)
    secrets = [m.span(1) for m in _USERINFO.finditer(text)]
    secrets += [m.span(1) for m in _SECRET_PARAMETER.finditer(text)]
    if not secrets and not _URL_SCHEME.search(text):
        secrets = [(0, len(text))]
    for start, end in secrets:
        for m in re.finditer(r"[^\0]+", text[start:end]):
            found = m[0]
            if not _AFFIX.fullmatch(found) and not _AUTH_SCHEME.match(found.strip(" :\"'\\")):
                return start + m.start(), start + m.end()
    return None


def _references(value: str) -> Iterator[_Reference]:
    at = 0
    while opening := _OPENINGS.search(value, at):
        reference = _reference(value, opening)
        yield reference
        at = max(reference.end, opening.end())


def _reference(value: str, opening: re.Match[str]) -> _Reference:
    syntax, start = _SYNTAXES[(opening.lastindex or 1) - 1], opening.start()
    if not syntax.close:
        return _Reference(start=start, end=opening.end())
    end = _closing_at(value, opening.end(), opening[0], syntax.close)
    if end < 0:  # a command may continue in the next line, a shell's expansion after a quote
        is_cut = _CUT_EXPANSION.fullmatch(value, opening.end())
        malformed = syntax.close in {"}", "}}", "%>"} and not is_cut
        return _Reference(start=start, end=len(value), malformed=malformed)
    body, inside = value[opening.end() : end], opening.end()
    whole = end + len(syntax.close)
    if syntax.expression:
        return _Reference(
            start=start, end=whole, defaults=tuple(_expression_defaults(body, inside))
        )
    if syntax.close == "}" and not syntax.resolved:
        return _braced_reference(value, start, inside, end)
    return _Reference(start=start, end=whole, malformed=not body.strip())


def _closing_at(value: str, at: int, opening: str, close: str) -> int:
    """Return the offset of the text that closes a reference; -1 if there is none. They may nest."""
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


def _braced_reference(value: str, start: int, inside: int, end: int) -> _Reference:
    """Return the reference `${…}` of shell, Compose, Spring, HCL, JavaScript or a resolver."""
    body = value[inside:end]
    name = _BRACED.match(body)
    if not body.strip() or (body != body.strip() and re.fullmatch(r"\s*[A-Z_][A-Z0-9_]*\s*", body)):
        return _Reference(start=start, end=end + 1, malformed=True)
    if not name:
        return _Reference(
            start=start, end=end + 1, defaults=tuple(_expression_defaults(body, inside))
        )
    variable, kind, rest = name["name"], name.lastgroup, inside + name.end()
    if kind in {"alt", "dash", "colon"} or (
        kind == "comma" and (name["resolver"] or "." not in variable)
    ):
        return _Reference(
            start=start, end=end + 1, defaults=(_Default(start=rest, end=end, variable=variable),)
        )
    if kind in {"error", "shell"} or name.end() == len(body):
        return _Reference(start=start, end=end + 1)
    return _Reference(start=start, end=end + 1, defaults=tuple(_expression_defaults(body, inside)))


def _expression_defaults(body: str, inside: int) -> Iterator[_Default]:
    """Yield the default strings of an expression, or the only string that it consists of."""
    if _LITERAL_EXPRESSION.fullmatch(body):
        if found := _STRING.search(body):
            yield _default(found, inside, "")
        return
    for fallback in _FALLBACK.finditer(body):
        word = _variable_of(body, fallback)
        strings = _fallback_strings(body, fallback)
        for found in strings[1:] if fallback["named"] else strings:
            yield _default(found, inside, word)


def _fallback_strings(body: str, fallback: re.Match[str]) -> list[re.Match[str]]:
    """Return the default strings: not the arguments of another call, nor operands of `+` or `~`."""
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
    return _Default(start=inside + start, end=inside + end, variable=word)


def _variable_of(body: str, fallback: re.Match[str]) -> str:
    """Return the variable of a default: the function's first argument, or left of the operator."""
    if fallback["named"]:
        found = _STRING.search(body, fallback.end())
        return next((g for g in found.groups() if g), "") if found else ""
    before = body[: fallback.start()].rstrip(" |")
    words = _VARIABLE_NAME.findall(before) or _VARIABLE_NAME.findall(
        _STRING.sub("", body[fallback.end() :])
    )
    return str(words[-1]).rpartition(".")[2] if words else ""
