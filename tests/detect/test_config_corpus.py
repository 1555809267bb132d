"""Config files as people write them: which values are literals, and which are properly templated.

tests/config_corpus/ was written before the code that it judges, and is frozen. Each file holds
cases: `=== literal PATH` or `=== templated PATH` begins one, `=== also PATH` adds a file to it,
`-crlf` after the first word makes its lines end in CR LF. Fields are replaced, all else stays:

- `{word}`, `{alnum:14}`, `{b64of:word}`, `{pem:RSA PRIVATE KEY}`, `{lit:hunter2}` and so on: a
  made-up value. Each line that holds one must be found.
- `{bad}`: what follows must be found, though it holds no value: a malformed template, say.
- `{ok}`: what follows is properly templated, or no secret, and must not be found.
- `{fill:hex:64}`: made-up text that is no secret, such as the digest of an image.

No line of a templated file may be found.
"""

from __future__ import annotations

import random
import re
import zlib
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from scanner.detect.rules.samples import expand
from tests.support.helpers import Keywatch, scan

ROOT = Path(__file__).resolve().parents[2]
CORPUS = ROOT / "tests" / "data" / "config_corpus"
NAMES = tuple(sorted(path.name for path in CORPUS.glob("*.txt")))

_HEADER = re.compile(r"=== (?P<kind>literal|templated|also)(?P<crlf>-crlf)? (?P<path>\S+)")
_WORDS = """
    amber anchor autumn badger basil beacon birch bramble canyon cedar cinder clover cobalt copper
    coral cricket dahlia delta ember falcon fennel garnet ginger glacier harbor hazel heron indigo
    juniper kestrel lagoon lantern lemon maple marble meadow mercury nectar nutmeg ocean olive
    orchid otter paprika pebble pepper pioneer quartz raven river saffron sierra sparrow summer
    thistle thunder timber topaz tulip velvet walnut willow winter zephyr
""".split()
_SHAPES: Mapping[str, str] = {
    "apr1": "$apr1${base62:8}${base62:22}",
    "bcrypt": "$2y$10${base62:53}",
    "md5crypt": "$1${base62:8}${base62:22}",
    "sha512crypt": "$6${base62:16}${base62:86}",
    "yescrypt": "$y$j9T${base62:22}${base62:43}",
    "pem": "{pem:PRIVATE KEY}",
    "ppk": "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\nComment: deploy\n"
    "Public-Lines: 2\n{base64:64}\n{base64:40}\nPrivate-Lines: 1\n{base64:47}=\n"
    "Private-MAC: {hex:64}",
    "dockerconfig": '{{"auths":{{"registry.example.com":{{"auth":"{base64:40}"}}}}}}',
}
_SAMPLES = """
    ALNUM HEX alnum base32lower base62 base64 base64url digits hex pem pem-escaped uuid
""".split()


def _word(_argument: str, seed: int) -> str:
    """A password that a human thought up: two words, a number, at times a sign."""
    source = random.Random(seed)
    first, second = source.sample(_WORDS, 2)
    first = first.capitalize() if source.random() < 0.6 else first
    joint = source.choice(("", "", "-", "_"))
    return f"{first}{joint}{second}{source.randint(10, 9999)}{source.choice(('', '', '!', '_'))}"


def _b64of(argument: str, seed: int) -> str:
    kind, _, rest = argument.partition(":")
    return b64encode(_value(kind, rest, seed).encode("ascii")).decode("ascii")


_OWN: Mapping[str, Callable[[str, int], str]] = {
    "word": _word,
    "b64of": _b64of,
    "lit": lambda argument, _seed: argument,
    "ok": lambda _argument, _seed: "",
    "bad": lambda _argument, _seed: "",
}
_KINDS = "|".join(sorted((*_OWN, *_SHAPES, *_SAMPLES), key=len, reverse=True))
_FIELD = re.compile(rf"\{{(?P<fill>fill:)?(?P<kind>{_KINDS})(?::(?P<argument>[^{{}}\n]*))?\}}")


def _value(kind: str, argument: str, seed: int) -> str:
    if kind in _OWN:
        return _OWN[kind](argument, seed)
    if kind in _SHAPES and not argument:
        return expand(_SHAPES[kind], seed)
    return expand(f"{{{kind}:{argument}}}" if argument else f"{{{kind}}}", seed)


class Place(NamedTuple):
    """Lines, from 1, that hold one thing to be found, and its made-up value ("" after {bad})."""

    first: int
    last: int
    value: str


class File(NamedTuple):
    """One file of a case; `references` are the lines of its {ok}, one line for each."""

    path: str
    templated: bool
    text: str
    places: tuple[Place, ...]
    references: tuple[int, ...]
    template: str

    def may_show(self, place: Place) -> range:
        """The lines of a place; and the line before, which may hold its key, if no other does."""
        taken = any(other.last == place.first - 1 for other in self.places)
        return range(place.first - (not taken), place.last + 1)


class Case(NamedTuple):
    """Files that lie in one folder of their own; `source` is the corpus file that holds them."""

    source: str
    files: tuple[File, ...]


class _Line(NamedTuple):
    text: str
    value: str
    marked: bool
    references: int


def _expand_line(template: str, where: str) -> _Line:
    text = value = ""
    marked, references, done = False, 0, 0
    for field in _FIELD.finditer(template):
        text += template[done : field.start()]
        done = field.end()
        seed = zlib.crc32(f"{where}:{field.start()}".encode())
        made = _value(field["kind"], field["argument"] or "", seed)
        indent = text if text.isspace() else ""
        text += made.replace("\n", f"\n{indent}")
        references += field["kind"] == "ok"
        is_value = not field["fill"] and field["kind"] not in ("ok", "bad")
        value += made if is_value else ""
        marked = marked or is_value or field["kind"] == "bad"
    return _Line(text + template[done:], value, marked, references)


def _file(header: re.Match[str], templated: bool, lines: list[str], where: str) -> File:
    texts: list[str] = []
    places: list[Place] = []
    references: list[int] = []
    number = 1
    for offset, template in enumerate(lines):
        line = _expand_line(template, f"{where}:{offset}")
        height = line.text.count("\n") + 1
        if line.marked:
            places.append(Place(number, number + height - 1, line.value))
        references.extend([number] * line.references)
        texts.append(line.text)
        number += height
    text = "\n".join(texts) + "\n"
    text = text.replace("\n", "\r\n") if header["crlf"] else text
    original = "\n".join(lines)
    return File(header["path"], templated, text, tuple(places), tuple(references), original)


def _sections(name: str) -> Iterator[tuple[re.Match[str], list[str]]]:
    """Each header of a corpus file with the lines that follow it."""
    lines = (CORPUS / name).read_text(encoding="utf-8").splitlines()
    headers = [(at, found) for at, line in enumerate(lines) if (found := _HEADER.fullmatch(line))]
    assert headers[0][0] == 0, f"{name} does not begin with a header"
    ends = [at for at, _ in headers[1:]] + [len(lines)]
    for (at, header), end in zip(headers, ends, strict=True):
        yield header, lines[at + 1 : end]


@cache
def cases() -> tuple[Case, ...]:
    """All cases, in the order of the corpus."""
    found: list[Case] = []
    for name in NAMES:
        for number, (header, lines) in enumerate(_sections(name)):
            where = f"{name}/{number}"
            if header["kind"] == "also":
                case = found.pop()
                new = _file(header, case.files[0].templated, lines, where)
                found.append(case._replace(files=(*case.files, new)))
            else:
                new = _file(header, header["kind"] == "templated", lines, where)
                found.append(Case(name, (new,)))
    return tuple(found)


def files() -> Iterator[tuple[Case, File]]:
    return ((case, file) for case in cases() for file in case.files)


def values(file: File) -> list[str]:
    return [place.value for place in file.places if place.value]


# The formats of the issue: what their paths look like, and whether there is a templated form.
FORMATS: Mapping[str, tuple[str, bool]] = {
    "Kubernetes": (r"k8s/.*\.ya?ml", True),
    "kustomize": (r"kustomization\.yaml", True),
    "Helm values": (r"values[^/]*\.yaml", True),
    "Helm templates": (r"charts/.*/templates/.*\.yaml", True),
    "compose": (r"compose[^/]*\.ya?ml", True),
    "Dockerfile": (r"(?i:dockerfile)", True),
    "Terraform": (r"\.tf$", True),
    "tfvars": (r"\.tfvars$", True),
    "Terraform state": (r"\.tfstate$", False),
    "GitHub workflow": (r"\.github/workflows/", True),
    "GitLab": (r"\.gitlab-ci\.yml", True),
    "Ansible": (r"(?:group_vars|host_vars|playbooks)/", True),
    "Jinja": (r"\.j2$", True),
    "Spring": (r"src/main/resources/[^/]*\.(?:properties|yml)", True),
    "YAML": (r"config/[^/]*\.ya?ml", True),
    "JSON": (r"\.json$", True),
    "TOML": (r"\.toml", True),
    "INI": (r"\.(?:ini|cfg|cnf)$", True),
    "properties": (r"\.properties$", True),
    ".env": (r"\.env", True),
    "XML": (r"\.(?:xml|config)$", True),
    "shell": (r"\.sh$", True),
    "Makefile": (r"Makefile", True),
    "Vault's HCL": (r"vault/[^/]*\.hcl", True),
    "Python": (r"\.py$", True),
    "JavaScript": (r"\.js$", True),
    "TypeScript": (r"\.ts$", True),
    "Ruby": (r"\.rb$", True),
    "Java": (r"\.java$", True),
    "Go": (r"\.go$", True),
    "C#": (r"\.cs$", True),
    "PHP": (r"\.php$", True),
    "ERB": (r"\.erb$", True),
    ".netrc": (r"netrc", True),
    ".pgpass": (r"pgpass", True),
    ".npmrc": (r"\.npmrc", True),
    ".pypirc": (r"\.pypirc", True),
    ".git-credentials": (r"git-credentials", True),
    ".htpasswd": (r"\.htpasswd", True),
    "shadow": (r"shadow", True),
    "proftpd": (r"proftpd", True),
    "esmtp": (r"\.esmtprc", True),
    "FileZilla": (r"sitemanager\.xml", True),
    "SFTP clients": (r"sftp", True),
    "FTP clients": (r"(?:\.ftp|FTP|WinSCP|lftp)", True),
    "kubeconfig": (r"\.kube/config", True),
    "docker config": (r"\.docker/config\.json", True),
    "AWS credentials": (r"aws[/-]credentials", True),
    "master.key": (r"master\.key$", False),
    "SQL": (r"\.sql$", True),
    "PuTTY key": (r"\.ppk$", False),
    "SSH key": (r"\.ssh/id_", False),
    "Jupyter": (r"\.ipynb$", True),
}

# Both columns of the table of reference syntaxes; what stands before each is a quote at most.
ACCEPTED = (
    *(r"\$\{\w+\}", r"\$\w+", r"\$\{\w+:\?", r"\$\{\w+:-\}", r"%\w+%", r"%\{\w+", r"\$\{\w+:\}"),
    *(r"\{\{ \.Values\.", r'\{\{ env "', r"\$\(\w+\)", r"<%= ENV\['", r"\$\{\{ secrets\."),
    *(r"/run/secrets/", r"vault:", r"ref\+vault://", r"op://", r"@Microsoft\.KeyVault\("),
    *(r"\{\{resolve:secretsmanager:", r"!Ref ", r"var\.", r"!vault \|", r"ENC\[", r"AgB"),
)
FLAGGED = (
    *(r"\$\{\w+:-\{", r"\$\{\w+-\{", r"\$\{\w+:\+\{", r"\$\{\w+:-\$\{\w+:-\{", r"\$\{[\w.]+:\{"),
    *(r"\| default [\"'`]\{", r"\{bad\}\$\(\w+\)", r"ENV\.fetch\(\S+, ?['\"]\{"),
    *(r"\$\{\{ .* \|\| '\{", r"file: \{bad\}", r"default += \"\{", r"\{bad\}ENC\["),
    *(r"\{bad\}\"?\$\{\w+\"?,?$", r"\{bad\}\$\w+\}", r"\{bad\}\"?\{\w+\}", r"\{bad\}\"?\$\{\}"),
    *(r"\{bad\}\"?\$\{ \w+ \}", r"\{bad\}\$ \{\w+\}", r"\{bad\}vault write"),
    *(r"\{bad\}http://", r"\{bad\}\"?secret/", r"://\w*:\{\w+(?::\d+)?\}@\$\{"),
    *(r'os\.getenv\("\w+", "\{', r"env\.\w+ \|\| '\{", r'@Value\("\$\{[\w.]+:\{'),
    *(r'getOrDefault\("\w+", "\{', r'viper\.SetDefault\(\S+ "\{'),
)


def test_the_corpus_is_large_enough_in_every_file_of_it() -> None:
    literals, references = Counter[str](), Counter[str]()
    for case, file in files():
        literals[case.source] += len(values(file))
        references[case.source] += len(file.references)
    assert [name for name in NAMES if literals[name] < 8 or references[name] < 8] == []
    assert literals.total() >= 360
    assert references.total() >= 360


def test_every_format_has_values_of_both_kinds() -> None:
    missing = []
    for name, (pattern, has_template) in FORMATS.items():
        of_format = [file for _, file in files() if re.search(pattern, file.path)]
        if not any(values(file) for file in of_format):
            missing.append(f"{name}: no literal")
        if has_template and not any(file.references for file in of_format):
            missing.append(f"{name}: nothing templated")
    assert missing == []


def test_every_reference_syntax_is_there_properly_and_with_a_literal() -> None:
    everything = "\n".join(file.template for _, file in files())
    accepted = [rf"\{{ok\}}[\"'`]?{syntax}" for syntax in ACCEPTED]
    assert [p for p in (*accepted, *FLAGGED) if not re.search(p, everything, re.MULTILINE)] == []


def test_no_two_literal_values_are_alike() -> None:
    counted = Counter(value for _, file in files() for value in values(file))
    assert counted.most_common(1)[0][1] == 1


def test_a_templated_file_holds_no_literal_and_no_field_is_left() -> None:
    assert [file.path for _, file in files() if file.templated and file.places] == []
    left = re.compile(r"\{(?:ok|bad|word|lit:|fill:|(?:alnum|hex|base\w*|b64of):)")
    assert [file.path for _, file in files() if left.search(file.text)] == []


_USED = re.compile(
    r"\$[{(]?\s*(?P<dollar>[A-Za-z_]\w*)|%(?P<percent>[A-Za-z_]\w*)%|(?P<plain>\b[A-Z][A-Z0-9]*_\w+)"
)


def names(file: File) -> set[str]:
    """Names of variables, but for those of lines that must be found as they stand."""
    lines = [line for line in file.template.split("\n") if "{bad}" not in line]
    return {str(used[used.lastgroup or 0]) for line in lines for used in _USED.finditer(line)}


def write(folder: Path) -> dict[str, tuple[Case, File]]:
    """All cases below a folder, by path; each with what declares and what uses its variables:
    whether a variable is declared, and used, is asked of whole repositories."""
    written = {}
    for number, case in enumerate(cases()):
        home = folder / f"case-{number:03}"
        used = sorted(set().union(*(names(file) for file in case.files)))
        (home / "names").mkdir(parents=True)
        (home / ".env.example").write_text("".join(f"{name}=\n" for name in used))
        (home / "names" / "use.sh").write_text("".join(f'echo "${{{name}}}"\n' for name in used))
        for file in case.files:
            path = home / file.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(file.text.encode())
            written[path.relative_to(folder).as_posix()] = (case, file)
    return written


def config_rules() -> set[str]:
    """The ids of all rules below rules/config/."""
    documents = [yaml.safe_load(p.read_bytes()) for p in (ROOT / "rules/config").glob("*.yaml")]
    return {rule["id"] for document in documents for rule in document["rules"]}


def judge(written: Mapping[str, tuple[Case, File]], findings: Any) -> tuple[list[str], list[str]]:
    """What was missed, and false alarms, one line of text each, without any value."""
    by_path: dict[str, list[tuple[int, str]]] = {path: [] for path in written}
    for finding in findings:
        place = finding["location"]
        by_path.get(place["path"], []).append((place["line"], finding["rule"]))
    config = config_rules()
    missed: list[str] = []
    false: list[str] = []
    for path, (case, file) in written.items():
        lines = {line for line, _ in by_path[path]}
        missed.extend(
            f"missed: {case.source} {path}:{place.first}"
            for place in file.places
            if lines.isdisjoint(file.may_show(place))
        )
        innocent = set(file.references) - {place.first for place in file.places}
        for line, rule in by_path[path]:
            if rule in config and (file.templated or line in innocent):
                false.append(f"false alarm: {case.source} {path}:{line} {rule}")
    return missed, false


def test_a_finding_counts_on_its_own_line_or_on_the_line_of_its_key() -> None:
    key, value, next_value = Place(2, 2, "a"), Place(4, 9, "b"), Place(10, 10, "c")
    file = File("a.yaml", False, "", (key, value, next_value), (), "")
    lines = [file.may_show(place) for place in file.places]
    assert lines == [range(1, 3), range(3, 10), range(10, 11)]


def test_literals_are_found_and_templates_are_not(keywatch: Keywatch, tmp_path: Path) -> None:
    written = write(tmp_path)
    done = scan(keywatch, "--no-git", "--min-confidence=low", cwd=tmp_path)
    missed, false = judge(written, done.report["findings"])
    literals = sum(len(file.places) for _, file in files())
    references = sum(len(file.references) for _, file in files())
    recall, rate = 1 - len(missed) / literals, len(false) / references
    said = "\n".join((f"recall {recall:.4f}, false alarms {rate:.4f}", *missed, *false))
    assert recall >= 0.98, said
    assert rate <= 0.01, said
