"""Detect: is the value that a sensitive name is given a real secret?

`assigned_value` judges one candidate of rules/secrets/generic.yaml: what stands right of
`password =` is more often a reference, a type, a label or a call than a password.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING

from scanner.detect.values.placeholders import is_placeholder
from scanner.detect.values.templates import Verdict, judge
from scanner.file_types import scope_of, suffix_of, suffixes
from scanner.model import Confidence

if TYPE_CHECKING:
    from scanner.detect.engine.candidate import Candidate

# Beside code, files in which an unquoted right side is an expression or prose, not a literal.
_LIKE_CODE = frozenset(
    "groovy kts el vim ps1 psm1 sql txt adoc ipynb jinja j2 tmpl erb"
    " tf tofu tfvars hcl nomad tpl gotmpl".split()
)
# Last words of a name that say it holds something about the secret, not the secret.
_ABOUT = frozenset(
    "url uri path file filename dir directory name names field fields label type kind length len"
    " size min max count regex pattern policy policies rule rules reset prompt placeholder message"
    " msg error errors title text help hint description desc env var variable ref reference arn"
    " version ttl expiry expires expiration age date time timeout days hours enabled required"
    " disabled valid validator validation form input column store storage manager provider service"
    " factory strength score format algorithm alg header prefix suffix change changed update"
    " updated confirm confirmation recovery forgot hash hashed encoder encoding digest salt"
    " checksum id ids endpoint host class selector element icon button page view link template"
    " audience lifetime tokenizer scheme port mode plugin script location query through pam minlen"
    " maxlen history lockout attempts quality complexity methods strategy backend limit index"
    " protocol hasher baseline algo hashing authority issuer parameter parameters param params"
    " scope scopes list used usage usages encryption security html htm get since".split()
)
# Words anywhere in a name that make it another thing: `hashed_secret`, `public_key_token`.
_NO_SECRET = frozenset(
    "public hash hashed digest checksum fingerprint csrf xsrf next from existing".split()
)
# Tokens that say where in a list one is, or that a request comes a second time.
_OF_A_REQUEST = re.compile(
    r"(?i)(?:prev(?:ious)?|page|pagination|paging|continuation|cursor|input|output|sync|resume"
    r"|idempotency|client_?request|lifecycle_?action)[_-]?tokens?$"
)
_SENSITIVE = re.compile(
    r"passw(?:or)?d|pass(?:phrase|code)|secret|token|credential|auth|api[_-]?key"
    r"|(?:access|private|signing|encryption|master|account|consumer|cipher|session|shared|aes|jwt"
    r"|hmac|oauth|crypto|secret)[_-]?key",
    re.IGNORECASE,
)
# Under which key of a store the password is, as `existingSecretPasswordKey` of charts says it.
_PASSWORD_KEY = re.compile(r"(?i)(?:passw(?:or)?d|pwd|pass)[_-]?key$")
# Whole words only: `bypass` and `compass` are none.
_SHORT = re.compile(
    r"(?:db|user|my|admin|root|sql|mysql|smtp|ftp|ldap|mail|http|auth|api)?(?:pass|pwd)",
    re.IGNORECASE,
)
_MOST_AFTER_SHORT = 3  # words: PASS_FOR_ADMIN, but not HEATING_PASS_APC_ZONE_CONTROL_ZONE
_WORD_GOES_ON = re.compile(r"[a-z](?!s(?![a-z]))[a-z]|[A-Z](?!S(?![A-Z]))[A-Z]")
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_REFERENCE = re.compile(
    r"\$\{|\$\(|(?:^|[:/@=,])\$[A-Za-z_]|\$[A-Z_]{3}|\{\{|\}\}|<%|%>|\[%|%\]|%\{|%\(|#\{|\{[^{}\s]*(?:\}|$)"
    r"|^(?:%[A-Za-z_][\w.]*%|%env\([^()]*\)%|%[sdvq]|<[^<>]*>|\[[^\]]*\]|\*+)$"
    r"|^(?:@[\w.(]|!\w+|&\w)"
    r"|^(?:arn:aws[\w-]*|vault|ref\+?\w*|op|sm|ssm|secretsmanager|env|file|keyring|gopass):"
    r"|\b(?:os\.)?environ\b|\bgetenv\b|process\.env|import\.meta|\bENV\[|\bEnv\.|Deno\.env"
    r"|secrets\.\w"
    r"|%[dsrxf](?![0-9A-Za-z]).*%[dsrxf](?![0-9A-Za-z])"
    r"|\bvar\.\w|secretKeyRef|valueFrom|resolve:|KeyVault\(|ENC\[|\$ANSIBLE_VAULT"
)
_CODE_SHAPE = re.compile(
    r"^[\w.$:]+\(|^[A-Za-z_]\w*(?:\.[A-Za-z_]\w*){2,}$|^!{1,2}[A-Za-z]{2,}(?:\s|$)"
    r"|^(?:self|this|cls|new|await|typing)\b|\[\]|=>|::|->|&&|\|\|"
    r"|\(\?|\]\?|\[\^|\]\{|\]\*|\]\+|^[a-z_]+(?::[\w,]+)?(?:\|[a-z_]+(?::[\w,.]+)?)+$"
)
_PATHLIKE = re.compile(
    r"^(?:\.{0,2}/|~/|[A-Za-z]:\\|[\w-]+/[\w./-]*$|(?:application|text|image)/)"
    r"|^[\w\-]+(?:\.[\w\-]+)*\.(?:pem|key|crt|cer|jks|p12|pfx|pub|json|ya?ml|toml|ini|txt|csv"
    r"|conf|env|enc"
    r"|py|js|ts|rb|php|erb|html?|md|properties|kdbx|gpg|asc)$|^[\w\-]+(?:\.[\w\-]+)+/[\w./\-]+$"
)
_URL = re.compile(r"^[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_RUN = re.compile(r"(?:[A-Z]+(?![a-z])|[A-Z]?[a-z]+)[0-9]{0,4}|[0-9]{1,4}")
_SPOKEN = re.compile(r"(?i)(?=.*[aeiouy])(?!.*[b-df-hj-np-tv-xz]{4})[a-z]{5,}")
_LEAST_RUN, _LEAST_SPOKEN = 3.5, 0.4  # characters of a run on average, share of long words
# Only machines make these, so a short word is something else, and so are words in camel case.
_MACHINE_MADE = re.compile(r"(?i)(?:token|api[_.-]?key)(?!.*(?:secret|credential|key))")
_SHORT_WORD = 12
_COLOUR = re.compile(r"(?:[A-Za-z]+ )*#(?:[0-9A-Fa-f]{6}|[0-9A-Fa-f]{8})(?: [A-Za-z]+)*")
_DECIMAL = re.compile(r"[+-]?\d*\.\d+(?:[eE][+-]?\d+)?")
_LONGEST, _FEWEST_DISTINCT = 1024, 2
_DIGIT = re.compile(r"[0-9]")
_ESCAPE = re.compile(r"\\u[0-9A-Fa-f]{4}")
_QUOTES = (b'"', b"'", b"`")
_LONG_QUOTES = (b'"""', b"'''", b"`")
_OPERATOR = rb"[ \t]*(?:\\?\r?\n[ \t]*)?[+.&](?:[ \t]*\r?\n)?[ \t]*"
_NEXT = rb"""[rbu@]{0,2}(["'`])([^"'`\r\n\\]{1,200})(?=\2)"""
_PIECE = re.compile(rb"""(["'`])""" + _OPERATOR + _NEXT)
_PIECE_BESIDE = re.compile(
    rb"""(["'`])(?:""" + _OPERATOR + rb"|[ \t]+|[ \t]*\\?\r?\n[ \t]+)" + _NEXT
)
_JOINED_BESIDE = frozenset(suffixes("python", "ruby", "c", "objective-c"))
WRAP = b"\v"
"""White space that stands for a line break between a name and its value."""
MAY_GO_ON = frozenset(("assigned-value", "vague-key"))
"""The checks whose values may be written as several literals."""
_BARE_AFTER = (b"=", b":", b">")
_LITERAL_IN_PART = frozenset((Verdict.MIXED, Verdict.LITERAL_DEFAULT))
_PROMPT = re.compile(r"^[A-Za-z][A-Za-z ]*[:?]\s*$")
_TRANSLATIONS = re.compile(
    r"(?:^|/)(?:locales?|i18n|l10n|lang|languages?|translations?|messages)(?:/|[._-])"
    r"|\.(?:po|pot|xlf|xliff|resx|strings|arb)$|(?:^|/)strings\.(?:xml|json)$",
    re.IGNORECASE,
)


def shannon(value: bytes) -> float:
    """Shannon entropy of the value's own characters, in bits per character."""
    total = len(value)
    return -sum(n / total * math.log2(n / total) for n in Counter(value).values()) if total else 0.0


def assigned_value(candidate: Candidate) -> Confidence | None:
    """Can the value given to a sensitive name be a secret? How likely that is, is weighed later.

    An unquoted value counts only where it is a literal: in configuration and shell, not in code.
    """
    return None if why_unassigned(candidate) else Confidence.MEDIUM


def why_unassigned(candidate: Candidate) -> str:  # noqa: PLR0911 - a reason for each
    """Why the value given to a name can be no secret; "" where it can."""
    value = candidate.value.decode("latin-1")
    name = candidate.name.decode("latin-1")
    if not is_literal(candidate):
        return "it is no literal"
    if len(value) > _LONGEST:
        return "it is too long"
    if not holds_a_secret(name):
        return "its name is no secret's"
    if _REFERENCE.search(value):
        return "it is a reference"
    if _CODE_SHAPE.search(value):
        return "it is code"
    if _URL.match(value) or _PATHLIKE.search(value):
        return "it is an address or a path"
    if is_measure(value):
        return "it is a number or a colour"
    if is_foreign_text(value) or _is_prose(value, candidate.path):
        return "it is words for people"
    if _names_something(name, value):
        return "it is the name of something"
    return "" if len(set(value)) > _FEWEST_DISTINCT else "its characters are too few"


def _names_something(name: str, value: str) -> bool:
    """A secret, `NextToken` or `mypassword`, or anything else where only machines make values."""
    if value.isalpha() and _SENSITIVE.search(value):
        return True
    if not value.isalnum() or not _MACHINE_MADE.search(name):
        return False
    return is_name(value) or (value.isalpha() and len(value) < _SHORT_WORD)


def url_password(candidate: Candidate) -> Confidence | None:
    """The password part of a URL: anything that is not wholly a reference, and no placeholder."""
    value = candidate.value.decode("latin-1")
    if is_placeholder(value) or len(set(value)) < 3 or _is_digest(candidate):
        return None
    if _REFERENCE.search(value) and judge(value).verdict not in _LITERAL_IN_PART:
        return None
    return Confidence.MEDIUM if len(value) < 8 or value.isalpha() else Confidence.HIGH


def is_foreign_text(value: str) -> bool:
    """A text for people in an alphabet that no password field of a program asks for."""
    text = value.encode("latin-1", "replace").decode(errors="replace")
    return not text.isascii() and not any(char.isascii() and char.isalnum() for char in text)


def is_measure(value: str) -> bool:
    """A number with a point, a colour: no secret, even under the name of one."""
    return bool(_DECIMAL.fullmatch(value) or _COLOUR.fullmatch(value))


def is_name(value: str) -> bool:
    """Numbered words, joined or in camel case: `Sensor4/airPressure`. Chance changes more often
    between small letters, capitals and digits, and what it makes cannot be spoken."""
    if value.endswith("=") or (value.isalnum() and (value.islower() or value.isupper())):
        return False
    runs = _RUN.findall(value)
    spoken = sum(len(word[0]) for word in map(_SPOKEN.match, runs) if word)
    return len(value) >= _LEAST_RUN * len(runs) and spoken >= _LEAST_SPOKEN * len(value)


def says_about(name: str) -> bool:
    """Does its last word make it something about a secret, not the secret: `key_id`?"""
    return bool(_ABOUT.intersection(word.lower() for word in words_of(name)[-1:]))


def words_of(name: str) -> list[str]:
    """The words and numbers of a name, joined or in camel case."""
    return _WORDS.findall(name)


@lru_cache(maxsize=1024)  # the same names come again and again
def holds_a_secret(name: str) -> bool:
    """False for `password_reset_url`, `tokenizer`, `passing`: the sensitive word must stand as a
    word, and no word after the last one may say that the value is only about it."""
    words = [word.lower() for word in _WORDS.findall(name)]
    places = sorted(
        [m.end() for m in _SENSITIVE.finditer(name) if not _WORD_GOES_ON.match(name, m.end() - 1)]
        + [
            m.end()
            for m in _WORDS.finditer(name)
            if _SHORT.fullmatch(m[0]) and len(_WORDS.findall(name, m.end())) <= _MOST_AFTER_SHORT
        ]
    )
    after = [word.lower() for word in _WORDS.findall(name[places[-1] :])] if places else words
    if not places or _ABOUT.intersection(after or words[-1:]):
        return False
    if after == ["key"] and _PASSWORD_KEY.search(name):
        return False
    return not (_NO_SECRET.intersection(words) or _OF_A_REQUEST.search(name))


def is_literal(candidate: Candidate) -> bool:
    """Quoted; or bare after `=`, `:` or a tag in a language whose bare words are values."""
    before = candidate.line[: candidate.at]
    if is_no_string(candidate):
        return False
    if before.rstrip().endswith(_LONG_QUOTES):
        return True
    if before[-1:] in _QUOTES:
        is_item = before[:-1].rstrip(b"\\ \t").endswith(b",")
        return not is_item or _is_pair(candidate, before)
    last = before.rstrip()[-1:]
    if WRAP in before or (last == b">" and b"</" not in candidate.line[len(before) :]):
        return False
    if scope_of(candidate.path) == "code" or suffix_of(candidate.path) in _LIKE_CODE:
        return False
    return last in _BARE_AFTER


def continued(path: str, data: bytes, end: int) -> tuple[bytes, int]:
    """What the literals hold that are joined to the one that ends at `end`, and where the last of
    them ends, 0 where there is none: `"…" + "…"`, or in some languages one beside the other."""
    if scope_of(path) != "code":
        return b"", 0
    piece = _PIECE_BESIDE if suffix_of(path) in _JOINED_BESIDE else _PIECE
    text = b""
    while len(text) < _LONGEST and (m := piece.match(data, end)):
        text, end = text + m[3], m.end(3)
    return text, end if text else 0


def is_no_string(candidate: Candidate) -> bool:
    """For Python no backquote begins a string: a comment has it. After an arrow stands a type."""
    before = candidate.line[: candidate.at]
    other = before.endswith(b"`") or before[:-1].rstrip().endswith(b"->")
    return other and suffix_of(candidate.path) in {"py", "pyi"}


def _is_pair(candidate: Candidate, before: bytes) -> bool:
    """Name and value are all the arguments of a call: `header("X-Token", "…")`. In a longer list,
    and after a plural, the value is just the next item."""
    if candidate.name.endswith(b"s"):
        return False
    start = before[: before.rfind(candidate.name)]
    if candidate.name.islower() and not start.endswith(_QUOTES):
        return False  # `check(secret, "…")`: a variable beside it
    start = start.rstrip(b"\"'` \t\\")
    after = candidate.line[len(before) + len(candidate.value) :].lstrip(b"\"'` \t\\")
    return start.endswith(b"(") and after.startswith(b")")


def _is_prose(value: str, path: str) -> bool:
    """Words for people: a sentence, or any word without a digit in a file of translations."""
    if _PROMPT.match(value):
        return True
    digits = _DIGIT.search(value)
    return (" " in value.strip() and (not digits or value.count(" ") > 2)) or (
        is_translation(path) and reads_as_words(value)
    )


def _is_digest(candidate: Candidate) -> bool:
    """`docker://image:tag@sha256:…` holds a tag, not a password."""
    return candidate.line.startswith(b"@sha", candidate.at + len(candidate.value))


def reads_as_words(value: str) -> bool:
    """May it be a text for people, in a file of such texts? Each character is a byte of it."""
    plain = _ESCAPE.sub("\xe9", value)
    return not _DIGIT.search(plain) or " " in plain.strip() or not plain.isascii()


@lru_cache(maxsize=64)  # a file has many values
def is_translation(path: str) -> bool:
    """Does the file hold texts for people, by their keys?"""
    return bool(_TRANSLATIONS.search(path))
