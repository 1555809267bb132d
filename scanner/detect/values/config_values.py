"""Detect: judge settings of configuration files by their name and value.

In code, the value of `password` must look like a secret. In configuration, any literal is one
unless its shape shows that it is something else, such as a name, a path or a number.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from scanner.detect.values.assignments import (
    UUID,
    is_list_of_references,
    is_literal,
    is_machine_made,
    is_non_latin_text,
    is_number_or_colour,
    is_pem_without_key,
    is_random,
    is_store_entry,
    is_variable_reference,
    names_a_secret,
    names_metadata,
    reads_as_identifier,
    shannon,
    split_name,
)
from scanner.detect.values.code_context import why_no_secret
from scanner.detect.values.placeholders import is_dummy, is_placeholder
from scanner.detect.values.templates import Judgement, Verdict, judge, may_refer
from scanner.lazy_pattern import lazy
from scanner.model import Confidence, Severity

if TYPE_CHECKING:
    from scanner.detect.engine.candidate import Candidate

# Names of secrets that only configuration files use: `requirepass`, `db_pw`, `jwt_key`.
_CONFIG_SECRET_NAME = lazy(
    r"(?i)(?:^|[_\-.:/@])(?:requirepass|masterauth|(?:bind|root|user|admin|db)?pw|psk|_?auth|pat|passwort"
    r"|sas|sasl|hmac|secret_?key_?base|(?:session|shared|pre_?shared|hmac|license|service|storage|auth"
    r"|ssh|client|cookie|deploy|crypt|cipher|aes|jwt|fernet|webhook|app|consumer|identity|signature"
    r"|subscription|host|primary|secondary)_?key(?:_?data)?|contrase[nñ]a)$"
)
# Names that begin with one of these words hold a switch or a reference: `usePassword`,
# `existingSecret`. `proxy_pass` is an address.
_SWITCH_PREFIX = lazy(
    r"^(?i:(?:proxy|fastcgi|uwsgi|scgi|grpc)_pass$|existing|use|enable|enabled|has|is|no|allow|require|required|show|hide|with|disable|skip"
    r"|update|change|reset|confirm|forgot|load|generate|create|auto|randomize|min|max|validate|num"
    r"|total|mount|expose|automount|forbid|default"
    r"|rotate|refresh)(?:[_\-.]|$|(?=[A-Z][a-z]))"
)
# Names that hold the key of an entry in a store: `passwordKey`, `secret-Key`.
_NAMES_STORE_KEY = lazy(
    r"(?:[Pp]assword|[Ss]ecret|[Tt]oken|[Uu]ser(?:[Nn]ame)?|[Cc]redentials?)[-_]?Key$"
)
# `db_password`, `MYSQL_PWD`, `psk`, `bindpw`, `secret_key_base`.
_PASSWORD_NAME = lazy(
    r"(?i)pass|pwd|(?:^|[_\-.])p(?:w|sk)$|[a-z]pw$|requirepass|masterauth|secret_?key_?base"
)
_VARIABLE = lazy(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+")
# Switches, sources of nsswitch.conf, encodings: `true`, `required`, `ldap`, `utf-8`.
_SWITCH_VALUE = lazy(
    r"(?i)^(?:true|false|yes|no|on|off|null|none|enabled?|disabled?|required|optional|always|never|auto|on_create"
    r"|absent|present|omit|ldap|files|sss|compat|systemd|winbind|nis"
    r"|utf-?(?:8|16|32)(?:-?[bl]e)?|us-ascii|ascii|latin-?1|iso-8859-\d{1,2})$"
)
# A number, maybe with a unit: `30s`, `512Mi`, `1_000`.
_NUMBER = lazy(r"^[+-]?\d[\d_.,:]*\s?(?:[smhdw]|ms|min|[KMG]i?B?|%)?$")
# `/etc/key`, `C:\keys`, `rule:admin`, `-p secret`, `a/b/c text`, `org/image@1`, `.foo.bar`; or a
# value with the suffix of a file.
_PATH_OR_FLAG = lazy(
    r"^(?:~?/|\.{1,2}/|[A-Za-z]:\\|[\w.-]+:/|(?:rule|role):|--?\w+ "
    r"|[\w.-]+(?:/[\w.-]+){2,}\s|[\w.-]+/[\w.-]+@\d|\.[\w-]+\.[\w.-]+$)"
    r"|\.(?:pem|key|crt|cert|json|ya?ml|txt|conf|jks|p12|pfx|pub"
    r"|sh|env|gpg|asc|html?|js|py|log|pl|rb|php|so|exe|jar|xml|ini|cfg|properties|db|sock|service)$"
)
_RELATIVE_PATH = lazy(r"^[\w.-]+/[\w./-]+$")
_URL = lazy(r"^[A-Za-z][A-Za-z0-9+.\-]*:(?://|$)")
_WORDS = lazy(r"^[A-Za-z]+(?:[-_.:, ](?:[A-Za-z]+|v?\d{1,9}))*$")
# Types, algorithms and methods of authentication: `string`, `kubernetes.io/tls`, `sha256`, `oidc`.
_TYPE_NAME = lazy(
    r"(?i)^(?:string|str|number|bool|boolean|int|integer|object|map|list|any|bytes|char|text|varchar.*|secret|bearer"
    r"|basic|digest|opaque|kubernetes\.io/[\w.-]+|(?:rs|hs|es|ps)\d{3}|aes\S*|rsa\S*|ed25519|sha\d+|md5|scram-\S*"
    r"|plain|oauth2?|jwt|token|api[_-]?key|header|cookie|query|ldap|saml|oidc|approle|kubernetes|userpass|cert"
    r"|iam|gcp|aws|azure|github|native|htpasswd|trust|peer|ident)$"
)
# `ssh-rsa AAAA…`, `-----BEGIN CERTIFICATE`, `age1…`, `pk_live_…`.
_PUBLIC_KEY = lazy(
    r"^(?:ssh-(?:rsa|ed25519|dss)|ecdsa-sha2-\S+|-----BEGIN (?:PUBLIC KEY|CERTIFICATE)|age1|pk_)"
)
_UNOPENED_REFERENCE = lazy(rb"\$\w+\}")
_COMMENT = lazy(rb"(?<![ \t])[ \t]+(?:#|//|;)[^\n]*$")
_ALLOWED_VERDICTS = {Verdict.EMPTY, Verdict.REFERENCE, Verdict.SAFE_DEFAULT, Verdict.PLACEHOLDER}
_CLOSING_QUOTE = {quote: lazy(rb"(?<!\\)" + quote) for quote in (b'"', b"'", b"`")}
_TEMPLATE_EXPRESSION = lazy(rb"\{\{[^{}\n]*\}\}|<%[^<\n]*?%>")
# Names that may hold a secret. They do if the value is random.
_VAGUE_NAME = lazy(
    r"(?i)[a-z0-9_\-.]key$|^(?:login|sonar\.login|seed|pin|pepper|key\d?|auth|pass|result)$"
)
# Keys that are not secret: `public_key`, `cacheKey`, `primary_key`, `i18n.key`.
_NON_SECRET_KEY = lazy(
    r"(?i)public|pub_?key|apt|gpg|pgp|keyring|repo|cache|hash|partition|sort|primary|foreign|index|group|routing|object|s3|idempot|lookup"
    r"|translation|i18n|feature|config|registry|unique|dedup|image|fingerprint|finger|gpg_?key|site"
    r"|topology|label|annotation|search|item|row|map|json|data|event|message|sitekey|publishable|client"
    r"|websocket"
)
# The text before the last `key`, `salt` or a similar word.
_UP_TO_KEY = lazy(r"(?i)^.*(?=key|signature|verifier|salt|seed|nonce)")
# Data about a key in one word with it: `keyid`, `keysize`.
_KEY_METADATA = lazy(r"(?i)key(?:id|file|path|name|dir|ring|len|size|type|server)s?$")
# Parents under which `key` may be secret: `jwt`, `encryption`, `session`.
_SECRET_KEY_PARENT = lazy(r"(?i)jwt|crypt|auth|sign|secret|session|cookie|api|token|hmac|sso|saml")
_DESCRIPTIVE_NAMES = frozenset(
    "name namespace id type kind path version description salt iv nonce".split()
)
_REGULAR_EXPRESSION = lazy(r"\(\?[=!:<]|^\^.*\$$")
_LONG_HEX = lazy(r"(?:[0-9a-f]{2}){16,}|(?:[0-9A-F]{2}){16,}")
_LABEL = lazy(r"\s|(?i:auth(?:entication)?\d?$)")
_CAMEL_CASE = lazy(r"[a-z]+(?:[A-Z][A-Za-z]*\d?[A-Za-z]*)+")  # `serviceOAuth2Api`
# The last word of a name whose value is the key of a service: `sendgrid_key`, `TWILIO_AUTH`.
_SERVICE_KEY_NAME = lazy(r"(?i)(?:key|token|secret|auth|access|credential|pat|pass|pwd)\w{0,4}$")
_MAX_KEY_LENGTH = 256
_MIN_PART = 5  # characters of a secret beside a reference
_QUOTES = (b'"', b"'", b"`")
# 20 characters with small letters, capitals and digits, and no word of six letters.
_MIXED_CASE_AND_DIGITS = lazy(r"(?=.*[a-z])(?=.*[A-Z])(?=.*\d)(?!.*(?:[a-z]{6}|[A-Z]{6})).{20}")
# Parents of secrets: `api_keys`, `tokens`, `db-credentials`.
_SECRETS_PARENT = lazy(
    r"(?i)(?:^|[_\-a-z])(?:api_?keys?|tokens|secrets|passwords|credentials|oauth)$"
)


class Flaw(NamedTuple):
    """What is wrong with a setting's value.

    start, end: the span of the wrong text in the value.
    confidence: how sure it is that the text is a secret.
    severity: replaces the severity of the rule.
    """

    verdict: Verdict
    start: int
    end: int
    confidence: Confidence
    severity: Severity | None = None


@lru_cache(maxsize=1024)  # many settings of a repository have the same few names
def is_sensitive(name: str) -> bool:
    """Does a setting of this name hold a secret?"""
    last = re.split(r"[/:]", name)[-1] if "/" in name else name
    if _SWITCH_PREFIX.match(last) or name.startswith("checksum/"):
        return False
    return names_a_secret(last) or bool(_CONFIG_SECRET_NAME.search(last))


def is_vague(name: str, keys: Sequence[str]) -> bool:
    """May a setting hold a secret, by its own name or by one of the keys above it?"""
    if _VAGUE_NAME.search(name) and not _NON_SECRET_KEY.search(name):
        return True
    if name.lower() == "key":
        return any(_SECRET_KEY_PARENT.search(key) for key in keys[:-1])
    return name not in _DESCRIPTIVE_NAMES and any(_SECRETS_PARENT.search(key) for key in keys[:-1])


def vague_key(candidate: Candidate) -> Confidence | None:
    """A check: a random value under a name that may mean a secret."""
    name, value = candidate.name.decode("latin-1"), candidate.value.decode("latin-1")
    from_key_on = split_name(_UP_TO_KEY.sub("", name, count=1))
    if not name or _NON_SECRET_KEY.search(name) or any(map(names_metadata, from_key_on)):
        return None
    if _KEY_METADATA.search(name):
        return None
    if not is_literal(candidate) or not _is_quoted(candidate) or why_no_secret(candidate):
        return None  # it is the next item of a list, or an expression
    random = is_random(value) or _LONG_HEX.fullmatch(value) or _MIXED_CASE_AND_DIGITS.match(value)
    return Confidence.MEDIUM if random and not reads_as_identifier(value) else None


def service_key(candidate: Candidate) -> Confidence | None:
    """A check: a value that a machine made, under the name of a service.

    Under the name of the service only, hexadecimal digits may be a commit or a digest.
    """
    name, value = candidate.name.decode("latin-1"), candidate.value.decode("latin-1")
    if not is_machine_made(value) or names_metadata(name):
        return None
    is_key = _SERVICE_KEY_NAME.search(name) or not _LONG_HEX.fullmatch(value)
    return Confidence.MEDIUM if is_key else None


def _is_quoted(candidate: Candidate) -> bool:
    after = candidate.at + len(candidate.value)
    return len(candidate.value) <= _MAX_KEY_LENGTH and candidate.line[after : after + 1] in _QUOTES


def configured(candidate: Candidate) -> Confidence | None:
    """A check: the value of this line in a configuration file is not a proper reference."""
    name = candidate.name.decode("latin-1")
    value = trimmed(candidate.value, candidate.line[: candidate.at]).decode("latin-1")
    return _confidence(name, value)


@lru_cache(maxsize=1024)
def _confidence(name: str, value: str) -> Confidence | None:
    sensitive = is_sensitive(name)
    vague = not sensitive and is_vague(name, ())
    found = find_flaw(name, value, sensitive=sensitive, vague=vague)
    return found.confidence if found else None


def trimmed(value: bytes, before: bytes) -> bytes:
    """Return a value without what follows it: closing quote, comment, comma or bracket.

    `value` reaches to the end of the line. `before` is the text before it in the line.
    """
    closing = _CLOSING_QUOTE.get(before[-1:])
    if closing:
        inner = _TEMPLATE_EXPRESSION.sub(lambda m: b"x" * len(m[0]), value)
        end = closing.search(inner)
        return value[: end.start()] if end else value
    value = _COMMENT.sub(b"", value).rstrip(b" \t\r,;")
    if _UNOPENED_REFERENCE.fullmatch(value) and b"{" not in before:
        return value  # `$VAR}`
    return value if b"{" in value else value.rstrip(b"]})")


def find_flaw(
    name: str, value: str, *, sensitive: bool, vague: bool = False, example: bool = False
) -> Flaw | None:
    """Return what is wrong with the value of a setting; None if it is a proper reference.

    sensitive: the name means a secret. Any literal counts.
    vague: the name may mean a secret. A random literal counts.
    example: the file is an example, so a placeholder is correct.

    Under any other name, only the default of a variable with a sensitive name counts.
    """
    if not (sensitive or vague or may_refer(value)):
        return None  # this holds for most settings and avoids `judge`
    judged = judge(value, broken=sensitive)
    verdict, text = judged.verdict, value[judged.start : judged.end]
    if verdict is Verdict.LITERAL_DEFAULT:
        holder = judged.variable if is_sensitive(judged.variable) else name
        if not sensitive and holder == name:
            return None
        return _literal_flaw(judged, holder, text, example=example)
    if vague and not sensitive and _is_random_literal(verdict, text):
        return Flaw(
            verdict=verdict, start=judged.start, end=judged.end, confidence=Confidence.MEDIUM
        )
    if not sensitive or verdict in _ALLOWED_VERDICTS or _is_other_syntax(verdict, value, text):
        return None
    whole = Flaw(verdict=verdict, start=judged.start, end=judged.end, confidence=Confidence.MEDIUM)
    return (
        _literal_flaw(judged, name, text, example=example) if verdict is Verdict.LITERAL else whole
    )


def _is_random_literal(verdict: Verdict, text: str) -> bool:
    return verdict is Verdict.LITERAL and is_random(text) and not reads_as_identifier(text)


def _is_other_syntax(verdict: Verdict, value: str, text: str) -> bool:
    """Is a seeming mistake none: a hash of PowerShell, or words beside a reference?"""
    if verdict is Verdict.MALFORMED:
        return value.lstrip("\"' ").startswith("@{")
    return verdict is Verdict.MIXED and not _may_be_part_of_secret(text)


def _may_be_part_of_secret(text: str) -> bool:
    """Does text beside a reference look like a part of a secret? Most such text is in words."""
    return len(text) >= _MIN_PART and any(map(str.isdigit, text)) and any(map(str.isalpha, text))


def _literal_flaw(judged: Judgement, name: str, text: str, *, example: bool) -> Flaw | None:
    confidence = strength(name, text)
    if confidence is None:
        return None
    low = is_placeholder(text) or is_dummy(text)
    if low and example:
        return None
    return Flaw(
        verdict=judged.verdict,
        start=judged.start,
        end=judged.end,
        confidence=Confidence.LOW if low and judged.verdict is Verdict.LITERAL else confidence,
        severity=Severity.LOW if low else None,
    )


def strength(name: str, value: str) -> Confidence | None:
    """Return the confidence that the literal of a sensitive setting is a secret; None if not."""
    value = value.strip()
    password = bool(_PASSWORD_NAME.search(name))
    if _is_not_a_secret(value) or (not password and (_is_number_or_type(value) or len(value) < 6)):
        return None
    if is_variable_reference(value) or (
        _VARIABLE.fullmatch(value) and not _VARIABLE.fullmatch(name)
    ):
        return None  # it is the name of a variable
    if not password and (is_store_entry(name, value) or _is_option(name, value)):
        return None
    in_words = _WORDS.match(value) is not None
    if in_words and _is_name_in_store(name, value, password=password):
        return None
    is_long = len(value) > 15 and not in_words
    is_sure = is_long and shannon(value.encode("latin-1", "replace")) > 3.5
    return Confidence.HIGH if is_sure else Confidence.MEDIUM


def _is_option(name: str, value: str) -> bool:
    """Is it an identifier under a label or a kind of login: `{name: OAuth2 (Graph), value: …}`?"""
    return _LABEL.search(name) is not None and _CAMEL_CASE.fullmatch(value) is not None


def _is_name_in_store(name: str, value: str, *, password: bool) -> bool:
    """Are these words the name of a secret in a store, such as the value of `existingSecret`?"""
    joined = not value.isalnum()
    if _NAMES_STORE_KEY.search(name):
        return joined or len(value) < 20
    return joined and not password and not is_placeholder(value)


def reads_as_words_only(value: str) -> bool:
    """Does the value consist of words, joined or not, or hold non-ASCII characters?"""
    return _WORDS.match(value) is not None or not value.isascii()


def _is_not_a_secret(value: str) -> bool:
    """Is it a switch, a path, an address, a public key or a text for people?"""
    if len(value) < 3 or (value.isdigit() and len(value) < 4) or _PUBLIC_KEY.match(value):
        return True
    if is_number_or_colour(value) or is_non_latin_text(value) or _REGULAR_EXPRESSION.search(value):
        return True
    if is_pem_without_key(value) or is_list_of_references(value):
        return True
    is_switch = _SWITCH_VALUE.match(value) is not None
    return is_switch or _is_path_or_flag(value) or _is_prose(value) or _is_address(value)


def _is_path_or_flag(value: str) -> bool:
    """Is it a path or a flag? Base64 with a slash in it is not a relative path."""
    relative = _RELATIVE_PATH.match(value) and not is_random(value)
    return bool(relative or _PATH_OR_FLAG.search(value))


def _is_address(value: str) -> bool:
    return bool(_URL.match(value)) and "@" not in value


def _is_number_or_type(value: str) -> bool:
    """Is it a number, a UUID or a type? A password may be one; a token may not."""
    return bool(_NUMBER.match(value) or UUID.match(value) or _TYPE_NAME.match(value))


def _is_prose(value: str) -> bool:
    """Does it have four or more words, most of them of letters only?"""
    words = value.split()
    return len(words) > 3 and sum(word.isalpha() for word in words) * 2 > len(words)
