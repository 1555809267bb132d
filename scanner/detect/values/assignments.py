"""Detect: decide whether a value assigned to a sensitive name can be a secret.

`assigned_value` is the check of the rules in rules/secrets/generic.yaml. The right side of
`password =` is more often a reference, a type, a label or a call than a password.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING

from scanner.detect.values.code_context import (
    is_in_minified_line,
    method_called,
    why_no_secret,
)
from scanner.detect.values.placeholders import is_known_placeholder
from scanner.detect.values.templates import Verdict, judge
from scanner.detect.values.weak_passwords import is_chosen_by_people, is_weak
from scanner.file_types import scope_of, suffix_of, suffixes
from scanner.lazy_pattern import lazy
from scanner.model import Confidence

if TYPE_CHECKING:
    from scanner.detect.engine.candidate import Candidate

# Suffixes of files that `scope_of` does not call code, but in which an unquoted right side is an
# expression. Only a random value is a literal there.
_BARE_WORD_IS_CODE = frozenset(
    "groovy kts el vim pp ps1 psm1 sql ipynb jinja j2 tmpl erb"
    " tf tofu tfvars hcl nomad tpl gotmpl".split()
)
_TEMPLATE_SUFFIX = lazy(r"(?i)\.(?:ejs|j2|jinja2?|tmpl|tpl|erb|hbs|mustache|template)$")
# A name that ends with one of these words holds data about a secret: `password_url`, `token_ttl`.
_METADATA_WORDS = frozenset(
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
    " scope scopes list used usage usages encryption security html htm get since owner generator"
    " nag action priority charset alias controller operator listener handler nonce"
    " signature signatures mechanism cache startswith uuid labels".split()
)
# A name with one of these words anywhere holds no secret: `hashed_secret`, `public_key_token`.
_NON_SECRET_WORDS = frozenset(
    "public hash hashed digest checksum fingerprint csrf xsrf next from existing label encrypted"
    " sha".split()
)
# Names of tokens that mark a page of a list or a repeated request: `nextPageToken`,
# `idempotency_token`.
_REQUEST_TOKEN = lazy(
    r"(?i)(?:prev(?:ious)?|page|pagination|paging|continuation|cursor|input|output|sync|resume"
    r"|idempotency|client_?request|lifecycle_?action)[_-]?tokens?$|(?-i:Client|Change)Token$"
)
# Names of switches, errors, Kubernetes Secrets and digests: `NOPASSWD`, `InvalidToken`,
# `imagePullSecrets`, `Customer-Key-Md5`.
_SWITCH_OR_DIGEST = lazy(
    r"(?i)^(?:no[_-]?pass|invalid|unexpected|missing|illegal)|image_?pull_?secrets?$|[_-](?:md5|sha-?\d+)$|[a-z](?:Md5|Sha\d+)$"
)
_FOREIGN_WORDS = (
    *("passwort", "passord", "kennwort", "contrase", "senha", "wachtwoord", "haslo", "hasło"),
    *("heslo", "salasana", "losenord", "lösenord", "adgangskode", "jelszo", "jelszó", "lozinka"),
    *("parola", "sifre", "şifre", "пароль", "Пароль", "ПАРОЛЬ", "密码", "密碼", "口令"),
    *("パスワード", "비밀번호", "암호"),
)
FOREIGN_NAMES = tuple(word.encode().decode("latin-1") for word in _FOREIGN_WORDS)
"""The words for a password in other languages, one character for each byte."""
# Matches inside a name: `db_password`, `apiKey`, `oauth-key`.
_SENSITIVE_WORD = lazy(
    r"passw(?:or)?d|mot_?de_?passe|pass(?:phrase|code)"
    rf"|{'|'.join(FOREIGN_NAMES)}|secret|token|credential|auth|api[_-]?key"
    r"|(?:access|private|signing|encryption|master|account|consumer|cipher|session|shared|aes|jwt"
    r"|hmac|oauth|crypto|secret)[_-]?key",
    re.IGNORECASE,
)
# Names that hold the key of an entry in a Kubernetes Secret: `existingSecretPasswordKey`.
_PASSWORD_KEY = lazy(r"(?i)(?:passw(?:or)?d|pwd|pass)[_-]?key$")
# `pass` and `pwd` must be whole words, so that `bypass` and `compass` do not match.
_SHORT_SENSITIVE_WORD = lazy(
    r"(?:db|user|my|admin|root|sql|mysql|smtp|ftp|ldap|mail|http|auth|api)?(?:pass|pwd)",
    re.IGNORECASE,
)
_PASS_VERB = lazy(
    r"pass(?=[A-Z][a-z])(?!(?:Word|Phrase|Code|Key|Value|Hash|For|Text))"
    r"|pass_(?:through|by|to|on)\b"
)
_MAX_WORDS_AFTER_SHORT = 3  # words: PASS_FOR_ADMIN, but not HEATING_PASS_APC_ZONE_CONTROL_ZONE
# Matches from the last letter of a sensitive word if the word goes on: the `n` of `token` in
# `tokenizer`, but not in `tokens`.
_WORD_CONTINUES = lazy(r"[a-z](?!s(?![a-z]))[a-z]|[A-Z](?!S(?![A-Z]))[A-Z]")
# The words and numbers of a name: `dbPass_V2` has `db`, `Pass`, `V`, `2`.
_WORDS = lazy(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
# References to a variable or a secret store. An example for each line: `${DB_PASS}`; `%DB_PASS%`;
# `@param(`; `vault:secret/db`; `process.env.X`; `secrets.DB`; `%s:%s`; `var.db_password`.
_REFERENCE = lazy(
    r"\$\{|\$\(|^\$[A-Za-z_][\w.]*(?:$|[^\w.^+*!#%&?@])|[:/@=,]\$[A-Za-z_][\w.]*(?:$|[^\w.^+*!#%&?])"
    r"|\$[A-Z_]{3}|%[A-Z_]{3,}%|\{\{|\}\}|<%|%>|\[%|%\]|%\{|%\(|#\{|\{[^{}\s]*(?:\}|$)"
    r"|^(?:%[A-Za-z_][\w.]*%|%env\([^()]*\)%|%[sdvq]|<[^<>]*>|\[[^\]]*\]|\*+)$"
    r"|^(?:@(?:[A-Za-z_.]+$|[\w.]*\()|![A-Za-z]\w*\s|!{1,2}[A-Za-z]+$|&[A-Za-z_][\w:.-]*(?:\s|$))"
    r"|^(?:\*[A-Za-z_][\w-]*|%[sd][-_]\w+)$|%\d+\$[sd]"
    r"|^(?:arn(?::aws[\w-]*)?|vault|ref\+?\w*|op|sm|ssm|secretsmanager|env|file|keyring|gopass):"
    r"|\b(?:os\.)?environ\b|\bgetenv\b|process\.env|import\.meta|\bENV\[|\bEnv\.|Deno\.env"
    r"|secrets\.\w"
    r"|%[dsrxf](?![0-9A-Za-z]).*%[dsrxf](?![0-9A-Za-z])"
    r"|\bvar\.\w|secretKeyRef|valueFrom|resolve:|KeyVault\(|ENC\[|\$ANSIBLE_VAULT"
)
# Expressions of code, and rules for values. An example for each line: `get_secret(`; `self.token`;
# `(?i)[a-z]+` and `required|min:8`.
_CODE = lazy(
    r"^[\w.$:]+\(|^[A-Za-z_]\w*(?:\.[A-Za-z_]\w*){2,}$|^!{1,2}[A-Za-z]{2,}(?:\s|$)"
    r"|^(?:self|this|cls|new|await|typing)\b|\[\]|=>|::|->|&&|\|\|"
    r"|[-_. ]%[dsi]$|\\[dws][+*{]|^[?&][\w-]+=|^[a-z_]+=$|^[A-Za-z_]\w*(?:\\{1,2}[A-Z]\w*){2,}$"
    r"|\(\?|\]\?|\[\^|\]\{|\]\*|\]\+|^[a-z_]+(?::[\w,]+)?(?:\|[a-z_]+(?::[\w,.]+)?)+$"
)
# Paths and file names: `/run/secrets/db`, `application/json`, `server.key`, `example.com/a/b`.
_PATH = lazy(
    r"^\.[A-Za-z_\-]+(?:\.[A-Za-z_\-]+)*$|^(?:\.[A-Za-z_]\w*){2,}$|"  # `.secrets.baseline`
    r"^(?:\.{0,2}/|~/|[A-Za-z]:\\|[\w-]+/[\w./-]*$|(?:application|text|image)/)"
    r"|^[\w\-]+(?:\.[\w\-]+)*\.(?:pem|key|crt|cer|jks|p12|pfx|pub|json|ya?ml|toml|ini|txt|csv"
    r"|conf|env|enc"
    r"|py|[cm]?js|[cm]?ts|[jt]sx|vue|css|rb|php|erb|ejs|hbs|html?|md|properties|kdbx|gpg|asc"
    r"|java|kt|go|rs|cs|swift|sh|bat|ps1|sql|tf|log|lock|xml|svg|png|jpe?g|gif|zip|t?gz|jar|war)$|^[\w\-]+(?:\.[\w\-]+)+/[\w./\-]+$"
)
UUID = lazy(r"(?i)^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$")
_TOKEN_CHARACTERS = lazy(r"^[0-9A-Za-z+/_.~\-]+={0,2}$")
# `SECRET_REF`, `API_KEY_NAME`.
_UPPER_REFERENCE = lazy(
    r"@[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*_(?:REF|REFERENCE|NAME|VAR|ENV|HERE|[A-Z]*KEY|TOKEN|SECRET"
    r"|PASSWORD|PASSWD|PASS|PWD|CREDENTIALS?)"
)
_REFERENCES_ONLY = lazy(
    r"\(?(?:\$\{?[A-Za-z_]\w*\}?[&:/@,;. =\-]?){2,}\)?|(?:%[A-Za-z_]\w*%[&:/@,;.\-]?){2,}"
)
# `flag_fix_all_877_short`, `TIME_24_WITH_LONG_OFFSET`, `0002_auto_20160226_1747`.
_JOINED_WORDS = lazy(
    r"(?=.*[A-Za-z]{4})(?:(?:[A-Z]?[a-z]+(?:[A-Z][a-z]+)?|[A-Z]+)\d{0,2}|\d{1,8})"
    r"(?:[-_.]{1,2}(?:(?:[A-Z]?[a-z]+(?:[A-Z][a-z]+)?|[A-Z]+)\d{0,2}|\d{1,8})){2,}"
)
# Five consonants in a row, or a part of four or more letters that begins with four.
_UNPRONOUNCEABLE = lazy(r"(?i)[b-df-hj-np-tv-xz]{5}|(?<![a-z])[b-df-hj-np-tv-xz]{4}(?=[a-z])")
# Names whose last noun is Secret in camel case, as in manifests: `tlsSecret`, `imagePullSecrets`.
_SECRET_OBJECT = lazy(r"(?:[a-z]Secrets?|^secrets?)$")
_DNS_NAME = lazy(r"[a-z]+[a-z0-9]*(?:[.\-][a-z0-9]+)+")
_URL = lazy(r"^[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_ALGORITHM = lazy(r"(?i)aws4_request|(?:aws4[-_])?(?:hmac|rsa|ecdsa)[-_]?sha[-_]?\d{1,3}(?:v\d)?")
_PEM_HEADER = lazy(r"-----BEGIN [A-Z ]+-----")
_PEM_END = lazy(r"-----END [A-Z ]*-*|\\[rn]|\s")
_MIN_PEM_BODY = 50  # characters: the shortest private key, of Ed25519, has 64
_WORD_OR_NUMBER = lazy(r"(?:[A-Z]+(?![a-z])|[A-Z]?[a-z]+)[0-9]{0,4}|[0-9]{1,4}")
# A word of five or more letters that has a vowel and no four consonants in a row: `pressure`.
_PRONOUNCEABLE = lazy(r"(?i)(?=.*[aeiouy])(?!.*[b-df-hj-np-tv-xz]{4})[a-z]{5,}")
_MIN_AVERAGE_LENGTH = 3.5  # characters of a word or number
_MIN_PRONOUNCEABLE = 0.4  # share of the value's characters that are in pronounceable words
# Values under these names are generated, so a short word or camel case is not one of them.
_GENERATED_VALUE = lazy(r"(?i)(?:token|api[_.-]?key)(?!.*(?:secret|credential|key))")
_MIN_GENERATED_WORD = 12
# The name of an action or an event: `Login.resetPassword`, `Template.afterPassword`.
_ACTION = lazy(r"[\w'\]]\.(?:confirm|reset|change|check|forgot|verify|after|before|on)[A-Z]\w*$")
_LONGEST_WORD = 10  # letters of a word such as PASSPHRASE, CREDENTIAL
_DOTTED_WORDS = lazy(r"[a-z]+(?:\.[a-z_-]+)+")  # `string.quasi`
_CREDENTIAL_PART = lazy(r"(?:^|_)(?:creds?|credentials?|secrets?|tokens?|keys?)(?:_|$)")
_PASSWORD_WORD_IN_NAME = lazy(r"(?i)pass|pwd|pw$")
_PLURALS = ("passwords", "secrets", "tokens", "credentials")
# `#a0b1c2`, `dark #a0b1c2ff blue`.
_COLOUR = lazy(r"(?:[A-Za-z]+ )*#(?:[0-9A-Fa-f]{6}|[0-9A-Fa-f]{8})(?: [A-Za-z]+)*")
_DECIMAL = lazy(r"[+-]?\d*\.\d+(?:[eE][+-]?\d+)?")
# A number of a program, an identifier of X.500 or an address: `0x0000001F`, `1.3.6.1.4.1`.
_OTHER_NUMBER = lazy(r"0[xX][0-9A-Fa-f]{1,8}|\d+(?:\.\d+){3,}")
# The anchors of the rules find only values that begin so.
_MACHINE_MADE = lazy(r"[A-Za-z+/_.~\-]{0,12}[0-9][0-9A-Za-z+/_.~\-]{8}")
# Where a letter and a digit meet.
_LETTER_AND_DIGIT = lazy(r"[0-9](?=[A-Za-z])|[A-Za-z](?=[0-9])")
_MIN_CHANGES = 4  # between letters and digits, in a value that a machine made
_MAX_CODE = 10  # digits of a code for one login, an ID or a constant
# After the password of a URL: a host of a manual.
_EXAMPLE_HOST = lazy(
    rb"(?i)@(?:[\w.-]+\.)?(?:example(?:\.(?:com|org|net|edu))?|your[\w-]*|host(?:name)?|server|domain"
    rb"|some[\w-]+)(?:[:/?\s\"'`,;)]|\.(?:com|org|net)\b|$)"
)
# A host that RFC 2606 reserves for examples, so that nobody can log in there.
_RESERVED_HOST = lazy(
    rb"(?i)@(?:[\w-]+\.)*(?:example\.(?:com|net|org)|[\w-]+\.(?:example|invalid))(?![\w.-])"
)
_USER_WORD = lazy(
    rb"(?:my|your|db|some|[a-z]+[-_])?[-_]?(?:user(?:[-_]?name)?|usr|login|name|u|foo)"
)
_LAST_WORD = lazy(rb"[\w.\-]*$")
_PASSWORD_WORD = lazy(
    rb"(?:my|your|db|some|user|[a-z]+[-_])?[-_]?(?:passw(?:or)?d|pass|pwd|pw|secret|token|p|bar|passphrase"
    rb"|pat|(?:access|api)[-_]?(?:token|key))"
)
_SHORT = 8  # characters of a password in the address of a manual
_MAX_LENGTH = 1024
_TOO_FEW_DISTINCT = 2  # characters: `xxxxxxxx` and `1010101010` are no secrets
_DIGIT = lazy(r"[0-9]")
_FORMAT_FIELD = lazy(r"%\d|\{\d\}|\$\d")  # `Unexpected token %0`
_NO_LETTERS = lazy(rb"[^a-z]")
_ESCAPE = lazy(r"\\u[0-9A-Fa-f]{4}")
_ESCAPES_ONLY = lazy(r"(?:\\u[0-9A-Fa-f]{4})+")
_EMAIL = lazy(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.(?:com|org|net|edu|io|dev|test|local|example)")
_QUOTES = (b'"', b"'", b"`")
_RAW_QUOTES = (b'"""', b"'''", b"`")
_JOIN_OPERATOR = rb"[ \t]*(?:\\?\r?\n[ \t]*)?[+.&](?:[ \t]*\r?\n)?[ \t]*"
_NEXT_LITERAL = rb"""[rbu@]{0,2}(["'`])([^"'`\r\n\\]{1,200})(?=\2)"""
# Matches from the closing quote of a literal on: `" + "next`.
_JOINED_LITERAL = lazy(rb"""(["'`])""" + _JOIN_OPERATOR + _NEXT_LITERAL)
# The same in languages that join adjacent literals: `" "next`.
_ADJACENT_LITERAL = lazy(
    rb"""(["'`])(?:""" + _JOIN_OPERATOR + rb"|[ \t]+|[ \t]*\\?\r?\n[ \t]+)" + _NEXT_LITERAL
)
_JOINS_ADJACENT_LITERALS = frozenset(suffixes("python", "ruby", "c", "objective-c"))
WRAP = b"\v"
"""White space that replaces a line break between a name and its value."""
JOINABLE_CHECKS = frozenset(("assigned-value", "vague-key"))
"""The checks whose values may be written as several joined literals."""
_BARE_VALUE_AFTER = (b"=", b":", b">", b"\x9a")  # the last is the end of a wide colon
_ARROWS = (b"=>", b"->", b"<-")
# `NAME - VALUE`, as in notes.
_SEPARATOR_DASH = lazy(rb"""[\w"'`)\]][ \t]+-[ \t]+["'`]?$""")
_COMMENT = lazy(rb"[ \t]*(?://|#(?=[ \t#!])|/?\*|--)")  # but not `#pass1:focus` of CSS
_PARTLY_LITERAL = frozenset((Verdict.MIXED, Verdict.LITERAL_DEFAULT))
_DOMAIN = lazy(r"(?i)[a-z-]\.(?:com|dev|io|net|org)$")  # `external-secrets.io`
_SYMBOL = lazy(r":[a-z_][a-z0-9_]*[?!]?")  # `:auth_token` in Ruby
_SIGNING_KEY = lazy(r"(?i)sign(?:ing)?[_-]?key$")
_KEY_ID = lazy(r"(?i)(?:0x)?(?:[0-9A-F]{8}|[0-9A-F]{16}|[0-9A-F]{40})")  # of OpenPGP
_PROMPT = lazy(r"^[A-Za-z][A-Za-z ]*[:?]\s*$")
# `locales/de.json`, `app/i18n/en.yml`, `de.po`, `res/strings.xml`.
_TRANSLATION_FILE = lazy(
    r"(?:^|/)(?:locales?|i18n|l10n|lang|languages?|translations?|messages)(?:/|[._-])"
    r"|\.(?:po|pot|xlf|xliff|resx|strings|arb)$|(?:^|/)strings\.(?:xml|json)$",
    re.IGNORECASE,
)


def shannon(value: bytes) -> float:
    """Return the Shannon entropy of the value's characters, in bits per character."""
    total = len(value)
    return -sum(n / total * math.log2(n / total) for n in Counter(value).values()) if total else 0.0


def assigned_value(candidate: Candidate) -> Confidence | None:
    """A check: the value assigned to a sensitive name can be a secret.

    The likelihood model decides later how likely it is. An unquoted value counts only in
    configuration and shell files, since in code it is not a literal.
    """
    return None if why_ignored(candidate) else Confidence.MEDIUM


def why_ignored(candidate: Candidate) -> str:  # noqa: C901, PLR0911, PLR0912 - a reason for each
    """Return why the value assigned to a name cannot be a secret; "" if it can be one."""
    value = candidate.value.decode("latin-1")
    name = candidate.name.decode("latin-1")
    if not is_literal(candidate):
        return "it is not a literal"
    if len(value) > _MAX_LENGTH:
        return "it is too long"
    if not names_a_secret(name) or _DOMAIN.search(name):
        return "its name does not say that it holds a secret"
    if context := why_no_secret(candidate):
        return context
    if (method := method_called(candidate)) and not names_a_secret(method):
        return "it is the argument of a method"
    if is_dull_in_minified_line(candidate):
        return "it is a word in a minified line"
    if _REFERENCE.search(value) or is_variable_reference(value) or is_list_of_references(value):
        return "it is a reference"
    if _SYMBOL.fullmatch(value):
        return "it is a reference"
    if _SIGNING_KEY.search(name) and _KEY_ID.fullmatch(value):
        return "it is the public ID of a key"
    if scope_of(candidate.path) != "code" and is_store_entry(name, value):
        return "it is the name of a Secret"
    if _CODE.search(value):
        return "it is code"
    if is_pem_without_key(value):
        return "it is the frame of a key without the key"
    if _URL.match(value) or _PATH.search(value) or _EMAIL.fullmatch(value):
        return "it is an address or a path"
    if is_number_or_colour(value) or _is_code_or_id(name, value):
        return "it is a number or a colour"
    if _ALGORITHM.fullmatch(value):
        return "it is the name of an algorithm"
    if is_non_latin_text(value) or _is_prose(value, candidate.path):
        return "it is a text for people"
    if _is_identifier(name, value):
        return "it is an identifier"
    return "" if len(set(value)) > _TOO_FEW_DISTINCT else "it has too few different characters"


def _is_identifier(name: str, value: str) -> bool:
    """Is the value an identifier, such as `userPassword`? `mypassword` is a weak password.

    A constant in capitals whose value repeats its name is one of an enumeration.

    Under a name whose values are generated, any identifier or short word counts.
    """
    is_constant = name.isupper() and len(name) > _LONGEST_WORD
    # `'Login.resetPassword' => 'beforeLoginCheck'` names a function
    is_function = value.isalpha() and reads_as_identifier(value) and _ACTION.search(name)
    is_enumerated = is_constant and _is_same_word(name, value)
    if is_function or is_enumerated or _is_snake_name(name, value):
        return True
    if value.isalpha() and _SENSITIVE_WORD.search(value):
        return not (value[1:].islower() and is_chosen_by_people(name) and is_weak(value))
    if value.isalpha() and name.lower().endswith(_PLURALS):
        return True  # `'passwords' => 'customers'` names a table
    if not _GENERATED_VALUE.search(name):
        return False
    if not value.isalnum():
        return is_joined_words(value) or _is_dotted_words(value)
    return reads_as_identifier(value) or is_short_word_for_machine(name, value)


def _is_dotted_words(value: str) -> bool:
    return _DOTTED_WORDS.fullmatch(value) is not None and not _UNPRONOUNCEABLE.search(value)


def _is_same_word(name: str, value: str) -> bool:
    return _letters(name.encode("latin-1")) == _letters(value.encode("latin-1"))


def _is_snake_name(name: str, value: str) -> bool:
    """Is it the name of a stored secret: `secret: registry_creds_jan_2026`? Passwords may be."""
    is_name = "_" in value and is_joined_words(value) and _CREDENTIAL_PART.search(value)
    return bool(is_name) and not _PASSWORD_WORD_IN_NAME.search(name)


def is_short_word_for_machine(name: str, value: str) -> bool:
    """Is the value a short word under a name whose values are generated: `API_KEY or "any"`?"""
    is_short = value.isalpha() and len(value) < _MIN_GENERATED_WORD
    return is_short and _GENERATED_VALUE.search(name) is not None


def url_password(candidate: Candidate) -> Confidence | None:
    """A check: the password of a URL is at least partly literal and no placeholder."""
    value = candidate.value.decode("latin-1")
    if is_known_placeholder(value, password=True) or _is_image_digest(candidate):
        return None
    if len(set(value)) < _TOO_FEW_DISTINCT or _is_example_address(candidate):
        return None
    if is_dull_in_minified_line(candidate) or _is_translated(candidate.path, value):
        return None
    if _REFERENCE.search(value) and judge(value).verdict not in _PARTLY_LITERAL:
        return None
    return Confidence.MEDIUM if len(value) < 8 or value.isalpha() else Confidence.HIGH


def _is_translated(path: str, value: str) -> bool:
    """Is it a word in a file of translations, such as `contraseña` in `usuario:contraseña@host`?"""
    return is_translation(path) and not _DIGIT.search(value)


def _is_example_address(candidate: Candidate) -> bool:
    """Is it the address of a manual: `user:password@host`, `a:b@example.com`?"""
    end = candidate.at + len(candidate.value)
    value = candidate.value.decode("latin-1")
    is_word = is_known_placeholder(value) or (value.isalpha() and _SENSITIVE_WORD.search(value))
    if is_word and _EXAMPLE_HOST.match(candidate.line, end):
        return True
    if _RESERVED_HOST.match(candidate.line, end) and (
        value.isalpha() or (len(value) <= _SHORT and is_weak(value))
    ):
        return True
    user = _LAST_WORD.search(candidate.line[: candidate.at - 1].lower())
    return (
        user is not None
        and _USER_WORD.fullmatch(user[0]) is not None
        and _PASSWORD_WORD.fullmatch(candidate.value.lower()) is not None
    )


def is_non_latin_text(value: str) -> bool:
    """Is it a text without any ASCII letter or digit, such as a label in Chinese?"""
    if _ESCAPES_ONLY.fullmatch(value):
        return True
    text = value.encode("latin-1", "replace").decode(errors="replace")
    return not text.isascii() and not any(char.isascii() and char.isalnum() for char in text)


def is_random(value: str) -> bool:
    """Is the value random? Then a vague name is enough to call it a secret."""
    if len(value) < 16 or not _TOKEN_CHARACTERS.match(value) or UUID.match(value):
        return False
    if is_joined_words(value):
        return False
    if not re.search(r"[A-Za-z]", value):
        return False
    return shannon(value.encode("latin-1", "replace")) > 3.2 and len(re.findall(r"\d", value)) > 1


def is_dull_in_minified_line(candidate: Candidate) -> bool:
    """Is the literal in a minified line, and does it not look like made by a machine?"""
    if not is_in_minified_line(candidate):
        return False
    value = candidate.value.decode("latin-1")
    return not is_random(value) or reads_as_identifier(value)


def is_joined_words(value: str) -> bool:
    """Does it consist of three or more parts, each of letters or a number: `us-east-1`?"""
    return _JOINED_WORDS.fullmatch(value) is not None and not _UNPRONOUNCEABLE.search(value)


def is_variable_reference(value: str) -> bool:
    """Is it the name of a variable that holds a secret: `SECRET_REF`, `FTP_PRIVATE_KEY`?"""
    return _UPPER_REFERENCE.fullmatch(value) is not None


def is_list_of_references(value: str) -> bool:
    """Does it consist of references to variables: `$token&$query`, `%RANDOM%@%RANDOM%`?"""
    return _REFERENCES_ONLY.fullmatch(value) is not None


def is_store_entry(name: str, value: str) -> bool:
    """Is it the name of a Kubernetes Secret, as in `tlsSecret: shop.local-tls`?"""
    return bool(_SECRET_OBJECT.search(name) and _DNS_NAME.fullmatch(value)) and not is_random(value)


def is_pem_without_key(value: str) -> bool:
    """Is it the header of a PEM block whose body is too short to be a key?"""
    header = _PEM_HEADER.match(value)
    return header is not None and len(_PEM_END.sub("", value[header.end() :])) < _MIN_PEM_BODY


def is_number_or_colour(value: str) -> bool:
    """Is it a decimal number or a colour? Neither is a secret, even under a sensitive name."""
    return any(
        pattern.fullmatch(value) is not None for pattern in (_DECIMAL, _OTHER_NUMBER, _COLOUR)
    )


def _is_code_or_id(name: str, value: str) -> bool:
    """Is it a number under a name whose values are generated, such as a code for one login?"""
    return value.isdigit() and len(value) <= _MAX_CODE and not is_chosen_by_people(name)


def is_machine_made(value: str) -> bool:
    """Did a machine make the value? It is long, and changes often between letters and digits.

    An identifier of code such as `sha256_of_part2` does not.
    """
    if not (_MACHINE_MADE.match(value) and is_random(value)) or reads_as_identifier(value):
        return False
    return len(_LETTER_AND_DIGIT.findall(value)) >= _MIN_CHANGES


def reads_as_identifier(value: str) -> bool:
    """Does it consist of words and numbers, joined or in camel case: `Sensor4/airPressure`?

    A random value changes more often between small letters, capitals and digits, and cannot be
    pronounced.
    """
    if value.endswith("=") or (value.isalnum() and (value.islower() or value.isupper())):
        return False
    parts = _WORD_OR_NUMBER.findall(value)
    pronounceable = sum(len(word[0]) for word in map(_PRONOUNCEABLE.match, parts) if word)
    is_long = len(value) >= _MIN_AVERAGE_LENGTH * len(parts)
    return is_long and pronounceable >= _MIN_PRONOUNCEABLE * len(value)


def names_metadata(name: str) -> bool:
    """Does the name's last word say that it holds data about a secret: `key_id`?"""
    return bool(_METADATA_WORDS.intersection(word.lower() for word in split_name(name)[-1:]))


def split_name(name: str) -> list[str]:
    """Return the words and numbers of a name, which may be joined or in camel case."""
    return _WORDS.findall(name)


@lru_cache(maxsize=1024)  # files repeat their names
def names_a_secret(name: str) -> bool:
    """Does the name say that its value is a secret?

    It must have a sensitive word as a whole word, which `tokenizer` and `passing` have not. No word
    after it may say that the value is data about a secret, as in `password_reset_url`.
    """
    words = [word.lower() for word in _WORDS.findall(name)]
    word_ends = sorted(
        [
            m.end()
            for m in _SENSITIVE_WORD.finditer(name)
            if not _WORD_CONTINUES.match(name, m.end() - 1)
        ]
        + [
            m.end()
            for m in _WORDS.finditer(name)
            if _SHORT_SENSITIVE_WORD.fullmatch(m[0])
            and len(_WORDS.findall(name, m.end())) <= _MAX_WORDS_AFTER_SHORT
        ]
    )
    if not word_ends:
        return False
    after = [word.lower() for word in _WORDS.findall(name[word_ends[-1] :])]
    if _METADATA_WORDS.intersection(after or words[-1:]):
        return False
    if after == ["key"] and _PASSWORD_KEY.search(name):
        return False
    if _SWITCH_OR_DIGEST.search(name) or _is_verb(name):
        return False
    return not (_NON_SECRET_WORDS.intersection(words) or _REQUEST_TOKEN.search(name))


def _is_verb(name: str) -> bool:
    """Does a camel case name begin with the verb `pass`: `passProp`, `passThrough`?"""
    return _PASS_VERB.match(name) is not None


def is_literal(candidate: Candidate) -> bool:
    """Is the value a literal: quoted, or a bare word in a language that has bare values?"""
    before = candidate.line[: candidate.at]
    if is_not_a_string(candidate):
        return False
    if before.rstrip().endswith(_RAW_QUOTES):
        return True
    if _SEPARATOR_DASH.search(before):
        return scope_of(candidate.path) != "code" and _ends_its_line(candidate)
    if before[-1:] in _QUOTES:
        is_item = before[:-1].rstrip(b"\\ \t").endswith(b",")
        return not is_item or _is_only_pair(candidate, before)
    return _follows_separator(candidate, before) and _is_bare_literal(candidate)


def _follows_separator(candidate: Candidate, before: bytes) -> bool:
    """Does an unquoted value stand after a sign that can precede a value, and not in a tag?"""
    head = before.rstrip()
    if WRAP in before:
        return False
    if head.endswith(_ARROWS):
        return True
    if head.endswith(b">") and b"</" not in candidate.line[len(before) :]:
        return False
    return head[-1:] in _BARE_VALUE_AFTER


def _is_bare_literal(candidate: Candidate) -> bool:
    """Is an unquoted value a literal?

    In code, only if a machine made it, or in a comment that it ends. In files like code, only if it
    is random.
    """
    path = _TEMPLATE_SUFFIX.sub("", candidate.path)
    if scope_of(path) == "code":
        if _COMMENT.match(candidate.line) and _ends_its_line(candidate):
            return True
        return is_machine_made(candidate.value.decode("latin-1"))
    if suffix_of(path) not in _BARE_WORD_IS_CODE:
        return True
    value = candidate.value.decode("latin-1")
    return is_random(value) and not reads_as_identifier(value)


def _ends_its_line(candidate: Candidate) -> bool:
    after = candidate.line[candidate.at + len(candidate.value) :]
    return not after.lstrip(b"\"'`").strip(b" \t\r.,;")


def joined_literals(path: str, data: bytes, end: int) -> tuple[bytes, int]:
    """Return the text of the literals joined to the one that ends at `end`, and their end.

    They are joined by an operator, or in some languages stand side by side. (b"", 0) if there is
    none.
    """
    if scope_of(path) != "code":
        return b"", 0
    joins_adjacent = suffix_of(path) in _JOINS_ADJACENT_LITERALS
    pattern = _ADJACENT_LITERAL if joins_adjacent else _JOINED_LITERAL
    text = b""
    while len(text) < _MAX_LENGTH and (m := pattern.match(data, end)):
        text, end = text + m[3], m.end(3)
    return text, end if text else 0


def is_not_a_string(candidate: Candidate) -> bool:
    """Is it Python text after a backquote, which only comments have, or a type after `->`?"""
    before = candidate.line[: candidate.at]
    is_other = before.endswith(b"`") or before[:-1].rstrip().endswith(b"->")
    return is_other and suffix_of(candidate.path) in {"py", "pyi"}


def _is_only_pair(candidate: Candidate, before: bytes) -> bool:
    """Are name and value the only arguments of a call: `header("X-Token", "…")`?

    In a longer list, and after a plural, the value is just the next item.
    """
    if candidate.name.endswith(b"s"):
        return False
    if _letters(candidate.name) == _letters(candidate.value):
        return False  # `("password1", "password2")` lists names of fields
    start = before[: before.rfind(candidate.name)]
    if candidate.name.islower() and not start.endswith(_QUOTES):
        return False  # `check(secret, "…")`: the name is a variable
    start = start.rstrip(b"\"'` \t\\")
    after = candidate.line[len(before) + len(candidate.value) :].lstrip(b"\"'` \t\\")
    return start.endswith(b"(") and after.startswith(b")")


def _letters(name: bytes) -> bytes:
    """Return the letters of a name in lower case: `client_secret2` and `clientSecret` are alike."""
    return _NO_LETTERS.sub(b"", name.lower())


def _is_prose(value: str, path: str) -> bool:
    """Is it a prompt, a sentence, or any text without digits in a file of translations?"""
    if _PROMPT.match(value):
        return True
    digits = _DIGIT.search(_FORMAT_FIELD.sub("", value))
    return (" " in value.strip() and (not digits or value.count(" ") > 2)) or (
        is_translation(path) and reads_as_words(value)
    )


def _is_image_digest(candidate: Candidate) -> bool:
    """Is it the tag of an image: `docker://image:tag@sha256:…`?"""
    return candidate.line.startswith(b"@sha", candidate.at + len(candidate.value))


def reads_as_words(value: str) -> bool:
    """Can a value in a file of translations be a text for people?

    Each character of `value` is one byte of the file.
    """
    plain = _ESCAPE.sub("\xe9", value)
    return not _DIGIT.search(plain) or " " in plain.strip() or not plain.isascii()


@lru_cache(maxsize=64)  # a file has many values
def is_translation(path: str) -> bool:
    """Does the path say that the file holds translations?"""
    return bool(_TRANSLATION_FILE.search(path))
