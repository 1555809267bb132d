"""Detect: recognise weak and default passwords, such as `welcome1`, `P@ssw0rd!` and `top_secret`.

A weak password is a secret that anyone can guess. A placeholder is not a password: it says that it
must be replaced. rules/common-passwords.txt lists the words; it is read when a password is judged.
"""

from __future__ import annotations

import unicodedata
from functools import cache, lru_cache

from scanner import document
from scanner.detect.engine.candidate import Candidate
from scanner.detect.structure.file_kinds import file_kind
from scanner.detect.values.file_role import OTHER, role_of
from scanner.file_types import scope_of, suffix_of, suffixes
from scanner.lazy_pattern import lazy
from scanner.model import Confidence

_LIST = "common-passwords.txt"
_LEET = str.maketrans("@$!013457", "asioleast")
_AROUND_WORDS = "0123456789!?.*+#@$&%-_ "
_SEPARATORS = lazy(r"[-_. +&]+")
_CAPITAL = lazy(r"(?<=[a-z0-9])(?=[A-Z])")
_ONE_DIGIT = lazy(r"(\d)\1+")
_MIN_PART = 3  # letters of a word inside a password
_MIN_LETTERS = 6  # of a word with other characters in it
_MAX_LENGTH, _MAX_JOINED = 40, 20
# Files whose values are deployed as they are.
_DEPLOYED = frozenset(
    "helm-values helm-template compose terraform tfvars spring ansible kubernetes env dockerfile"
    " github-workflow gitlab-ci".split()
)
_DOCUMENTS = frozenset(suffixes("markdown", "restructuredtext", "asciidoc", "latex", "html"))
# Names whose values people choose, unlike tokens and keys: `db_password`, `JWT_SECRET`.
_CHOSEN_BY_PEOPLE = lazy(
    r"(?i)pass|pwd|kennwort|contrase|senha|wachtwoord|haslo|heslo|salasana|losenord"
    r"|secret(?!.*(?:key|token))|(?:^|[_\-.])pw$|[a-z]pw$"
)


def weak_password(candidate: Candidate) -> Confidence | None:
    """A check: the value is a common password. The confidence depends on the purpose of the file.

    High in configuration that is deployed, medium in code and other files, low in tests, examples
    and documents.
    """
    name, value = candidate.name.decode("latin-1"), candidate.value.decode("latin-1")
    if name and not is_chosen_by_people(name):
        return None
    if not is_weak(value):
        return None
    path = candidate.path
    if role_of(path) != OTHER or file_kind(path).example or suffix_of(path) in _DOCUMENTS:
        return Confidence.LOW
    return Confidence.HIGH if is_deployed(path) else Confidence.MEDIUM


def is_deployed(path: str) -> bool:
    """Does the file configure what is deployed?"""
    kind = file_kind(path)
    return not (_DEPLOYED.isdisjoint(kind.kinds) or kind.example) and scope_of(path) != "code"


@lru_cache(maxsize=1024)
def is_chosen_by_people(name: str) -> bool:
    """Does the name mean a value that people choose? A token or a key is generated."""
    return _CHOSEN_BY_PEOPLE.search(name) is not None


@lru_cache(maxsize=1024)
def is_weak(value: str) -> bool:
    """Is it a common password, or made of common words and digits?"""
    if not 3 <= len(value) <= _MAX_LENGTH:
        return False
    plain = unicodedata.normalize(
        "NFKD", value.encode("latin-1", "replace").decode(errors="replace")
    )
    text = plain.encode("ascii", "ignore").decode()
    letters = "".join(char for char in text if char.isalpha())
    return (
        is_common(text)
        or bool(_ONE_DIGIT.fullmatch(text))
        or (len(letters) >= _MIN_LETTERS and _is_listed(letters.lower()))
        or _consists_of_words(text)
    )


def is_common(value: str) -> bool:
    """Is it in the list of common passwords, perhaps with leet characters or digits at its end?"""
    lower = value.lower()
    word = lower.strip(_AROUND_WORDS)
    return any(
        len(each) >= _MIN_PART and _is_listed(each)
        for each in dict.fromkeys((lower, word, word.translate(_LEET), lower.translate(_LEET)))
    )


def _consists_of_words(value: str) -> bool:
    """Is it two or three common words: `top_secret`, `superSecret`, `newpasswd`?"""
    text = value.strip(_AROUND_WORDS)
    parts = [p for each in _SEPARATORS.split(text) for p in _CAPITAL.split(each)]
    parts = [part for part in parts if part and not part.isdigit()]
    if not 0 < len(parts) <= 3:
        return False
    if len(parts) > 1:
        return all(is_common(part) for part in parts)
    word = parts[0].lower().translate(_LEET)
    return (
        word.isalpha()
        and len(word) <= _MAX_JOINED
        and any(
            _is_listed(word[:at]) and _is_listed(word[at:])
            for at in range(_MIN_PART, len(word) - _MIN_PART + 1)
        )
    )


def _is_listed(word: str) -> bool:
    return f"\n{word}\n".encode() in _listed()


@cache
def _listed() -> bytes:
    """Return the list as one text, which is searched: a set of its words takes longer to build."""
    return document.rules_file(_LIST)
