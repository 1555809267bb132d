"""Secrets in encoded text are found, where they stand in the file, and nothing else is."""

from __future__ import annotations

import base64
import gzip
import json
import random
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from scanner.detect.decoding import decoder
from scanner.detect.detector import Detector
from scanner.detect.rules.samples import expand
from scanner.model import Finding, Observation
from tests.support import helpers
from tests.support.helpers import Keywatch, scan, token

TOKEN = token().encode()
PASSWORD = expand("{upper:1}{alnum:10}{digits:2}", 3).encode()
DOTENV = b"DB_HOST=db.internal\nDB_PASSWORD=" + PASSWORD + b"\nTOKEN=" + TOKEN + b"\n"
BOTH = ["generic-password", "github-personal-access-token"]

Encode = Callable[[bytes], bytes]
ENCODINGS: Mapping[str, Encode] = {
    "base64": base64.b64encode,
    "base64url": lambda data: base64.urlsafe_b64encode(data).rstrip(b"="),
    "hex": lambda data: data.hex().encode(),
    "upper hex": lambda data: data.hex().upper().encode(),
    "percent": lambda data: b"".join(b"%%%02X" % byte for byte in data),
    "unicode escapes": lambda data: b"".join(b"\\u%04x" % byte for byte in data),
    "byte escapes": lambda data: b"".join(b"\\x%02x" % byte for byte in data),
    "gzip in base64": lambda data: base64.b64encode(gzip.compress(data)),
}


@pytest.fixture(scope="module", params=["hyperscan", "re"])
def detector(request: pytest.FixtureRequest) -> Detector:
    return helpers.detector(request.param)


def observe(detector: Detector, text: bytes, path: str = "a.txt") -> Observation:
    return detector.observe(path, (text,)) or Observation(path=path, size=0)


def rules(detector: Detector, text: bytes, path: str = "a.txt") -> list[str]:
    return sorted(finding.rule for finding in observe(detector, text, path).findings)


def at(text: bytes, finding: Finding) -> bytes:
    """What stands at a finding's place, its lines joined."""
    place = finding.location
    lines = text.split(b"\n")[place.line - 1 : place.end_line]
    lines[-1] = lines[-1][: place.end_column - 1]
    lines[0] = lines[0][place.column - 1 :]
    return b"".join(line.strip() for line in lines)


def folded(text: bytes, width: int, joint: bytes) -> bytes:
    return joint.join(text[i : i + width] for i in range(0, len(text), width))


def test_a_scan_finds_a_token_in_base64_and_says_so(keywatch: Keywatch, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_bytes(b'config = "' + base64.b64encode(DOTENV) + b'"\n')
    scanned = scan(keywatch, "--no-git", ".", cwd=tmp_path)
    assert [each["detail"] for each in scanned.report["findings"]] == ["in base64"] * 2
    assert all("decoded)" in each["preview"] for each in scanned.report["findings"])
    said = json.dumps(scanned.report)
    assert TOKEN.decode() not in said
    assert PASSWORD.decode() not in said


@pytest.mark.parametrize("encode", ENCODINGS.values(), ids=ENCODINGS)
@pytest.mark.parametrize("path", ["a.py", "a.yaml", "a"])
def test_each_encoding_is_read(detector: Detector, encode: Encode, path: str) -> None:
    assert rules(detector, b"value = '" + encode(DOTENV) + b"'\n", path) == BOTH


@pytest.mark.parametrize("before", range(4))
@pytest.mark.parametrize("content", [b"DB_PASSWORD=" + PASSWORD, TOKEN], ids=["name", "format"])
def test_a_secret_may_begin_anywhere_in_a_group(
    detector: Detector, content: bytes, before: int
) -> None:
    text = base64.b64encode(b"-" * before + b" " + content)
    assert len(rules(detector, b"x: " + text)) == 1


@pytest.mark.parametrize("case", [str.lower, str.upper, str.title])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.b16encode])
def test_names_are_found_in_each_case(
    detector: Detector, encode: Encode, case: Callable[[str], str]
) -> None:
    text = encode(case("password: ").encode() + PASSWORD + b" # of the database")
    assert rules(detector, b"x " + text) == ["generic-password"]


@pytest.mark.parametrize("first", ENCODINGS)
@pytest.mark.parametrize("second", ["base64", "hex", "percent", "unicode escapes"])
def test_encodings_may_be_nested(detector: Detector, first: str, second: str) -> None:
    text = b"x = '" + ENCODINGS[second](ENCODINGS[first](DOTENV)) + b"'"
    seen = observe(detector, text).findings
    assert sorted(finding.rule for finding in seen) == BOTH
    assert all(finding.detail.count("in ") >= 2 for finding in seen)


@pytest.mark.parametrize("content", [DOTENV, TOKEN, b'{"secret": "' + PASSWORD + b'"}'])
def test_base64_is_read_three_deep(detector: Detector, content: bytes) -> None:
    text = content
    for depth in range(1, 4):
        text = base64.b64encode(text)
        seen = observe(detector, b"x: " + text).findings
        assert {finding.detail for finding in seen} == {" ".join(["in base64"] * depth)}


def test_json_in_json_in_a_url(detector: Detector) -> None:
    inner = base64.b64encode(b'{"auth": {"password": "' + PASSWORD + b'"}}').decode()
    outer = base64.urlsafe_b64encode(json.dumps({"config": inner, "version": 3}).encode())
    assert rules(detector, b"https://app.example/open?state=" + outer) == ["generic-password"]


def test_each_line_may_be_gzip_of_its_own(detector: Detector) -> None:
    lines = [ENCODINGS["gzip in base64"](b"PASSWORD=" + PASSWORD + b"\n" * n) for n in range(9)]
    assert rules(detector, b"\n".join(lines)) == ["generic-password"] * 9


def test_gzip_in_the_base64_of_a_manifest(detector: Detector) -> None:
    text = b"kind: ConfigMap\ndata:\n  release: " + ENCODINGS["gzip in base64"](DOTENV) + b"\n"
    seen = observe(detector, text, "a.yaml").findings
    assert sorted(finding.rule for finding in seen) == BOTH
    assert {finding.detail for finding in seen} == {"in gzip in base64"}
    assert {finding.location.line for finding in seen} == {3}


@pytest.mark.parametrize("width", [60, 64, 76])
@pytest.mark.parametrize(
    "joint", [b"\n", b"\r\n", b"\n    ", b'"\n    "', b"\\n", b"\n# "], ids=repr
)
def test_base64_goes_on_over_line_breaks(detector: Detector, width: int, joint: bytes) -> None:
    content = b"# settings of the application\n" * 4 + DOTENV
    text = folded(base64.b64encode(content), width, joint)
    assert rules(detector, b'x = ("' + text + b'")') == BOTH


def test_a_finding_stands_where_its_part_of_the_run_does(detector: Detector) -> None:
    text = "ключ: ".encode() + base64.b64encode(b"# " + TOKEN + b"\n")
    (finding,) = observe(detector, text).findings
    columns = finding.location.column - 1, finding.location.end_column - 1
    part = text.decode()[slice(*columns)]
    begin = len(base64.b64encode(b"# ").rstrip(b"=")) - 1
    assert text.decode().index(part) == len("ключ: ") + begin
    assert TOKEN in base64.b64decode(base64.b64encode(b"# ")[:begin] + part.encode() + b"==")


def test_a_finding_in_a_folded_run_has_the_lines_of_its_part(detector: Detector) -> None:
    run = base64.b64encode(b"# settings of the application\n" * 4 + DOTENV)
    text = b"cert: |\n  " + folded(run, 64, b"\n  ")
    for finding in observe(detector, text).findings:
        assert at(text, finding) in run


def test_what_a_run_holds_is_found_in_hex_by_its_digits(detector: Detector) -> None:
    text = b"x = " + DOTENV.hex().encode()
    places = [at(text, finding) for finding in observe(detector, text).findings]
    assert places == [PASSWORD.hex().encode(), TOKEN.hex().encode()]


@pytest.mark.parametrize(
    "text",
    [
        b"https://app.example/login?next=https%3A%2F%2Fapp%3A%s%40db.example%2Fapp",
        b"https://app.example/login?next=https%253A%252F%252Fapp%253A%s%2540db.example%252Fapp",
    ],
)
def test_credentials_of_a_url_in_a_url(detector: Detector, text: bytes) -> None:
    assert rules(detector, text.replace(b"%s", PASSWORD)) == ["url-credentials"]


def test_quotes_written_as_escapes(detector: Detector) -> None:
    text = rb'load("{\u0022user\u0022: 1, \u0022password\u0022: \u0022%s\u0022}")' % PASSWORD
    assert rules(detector, text) == ["generic-password"]


class TestOnce:
    """One value in one place is one finding."""

    def test_a_token_in_a_url_with_escapes_beside_it(self, detector: Detector) -> None:
        text = b"https://x.example/?a=b%3Dc&token=" + TOKEN + b"&next=https%3A%2F%2Fy.example"
        (finding,) = observe(detector, text).findings
        assert finding.detail == ""

    def test_a_private_key_in_base64_has_a_rule_of_its_own(self, detector: Detector) -> None:
        key = expand("{pem:RSA PRIVATE KEY}", 4).encode()
        seen = observe(detector, b"KEY=" + base64.b64encode(key)).findings
        assert len(seen) == 1
        assert seen[0].detail == ""

    def test_a_value_of_a_secret_manifest(self, detector: Detector) -> None:
        manifest = b"apiVersion: v1\nkind: Secret\nmetadata: {name: app}\ndata:\n  env: "
        value = b"PASSWORD=" + PASSWORD
        text = manifest + base64.b64encode(value) + b"\n"
        assert rules(detector, text, "k8s/app.yaml") == ["kubernetes-secret-manifest"]

    def test_a_token_in_one_says_more_than_the_manifest(self, detector: Detector) -> None:
        manifest = b"apiVersion: v1\nkind: Secret\nmetadata: {name: app}\ndata:\n  token: "
        text = manifest + base64.b64encode(TOKEN) + b"\n"
        assert rules(detector, text, "k8s/app.yaml") == ["github-personal-access-token"]

    def test_base64_within_percent_encoding(self, detector: Detector) -> None:
        text = b"https://x.example/?d=" + base64.b64encode(TOKEN + b"\n") + b"%3D%3D&e=1%3D"
        assert rules(detector, text) == ["github-personal-access-token"]


class TestFalseAlarms:
    def test_random_bytes_in_base64(self, detector: Detector) -> None:
        blob = base64.b64encode(random.Random(1).randbytes(600_000))
        assert rules(detector, b'x = "' + blob + b'"\n' + folded(blob, 76, b"\n")) == []

    def test_digests(self, detector: Detector) -> None:
        source = random.Random(2)
        lines = [
            b'integrity "sha512-' + base64.b64encode(source.randbytes(64)) + b'"\n'
            + source.randbytes(32).hex().encode() + b"\n"
            for _ in range(2000)
        ]  # fmt: skip
        assert rules(detector, b"".join(lines)) == []

    def test_images_and_source_maps(self, detector: Detector) -> None:
        svg = b'<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0h24v24"/></svg>'
        names = ["password", "token", "key", "secretKey", "function", "auth"]
        sources = ["webpack://app/./src/token.js"]
        content = "export function login(password, token) { return auth(password, token) }"
        made = {"version": 3, "sources": sources, "names": names, "sourcesContent": [content]}
        text = (
            b"a{background:url(data:image/svg+xml;base64," + base64.b64encode(svg) + b")}\n"
            b"//# sourceMappingURL=data:application/json;base64,"
            + base64.b64encode(json.dumps(made).encode())
        )
        assert rules(detector, text, "a.min.js") == []

    def test_names_that_look_like_base64(self, detector: Detector) -> None:
        names = (b"AUTHENTICATION_BACKENDS", b"TemporaryFileUploadHandler", b"resourceTitleString")
        assert rules(detector, b" = 1\n".join(names * 500)) == []


@pytest.mark.slow
class TestHostile:
    """What is made to cost time or memory is read in part, and a gap says so."""

    def incomplete(self, detector: Detector, text: bytes) -> bool:
        began = time.process_time()
        seen = observe(detector, text)
        assert time.process_time() - began < 20
        return any(gap.kind == "not-decoded" for gap in seen.gaps)

    def test_a_bomb(self) -> None:
        bomb = gzip.compress(b"\n" * (64 << 20))
        assert self.incomplete(helpers.detector(), b"x: " + base64.b64encode(bomb))

    def test_many_bombs(self) -> None:
        bomb = base64.b64encode(gzip.compress(b"\n" * (7 << 20)))
        assert self.incomplete(helpers.detector(), b"\n".join([bomb] * 200))

    def test_a_bomb_within_bombs(self, detector: Detector) -> None:
        text = DOTENV
        for _ in range(6):
            text = base64.b64encode(gzip.compress(text + b"\n"))
        assert rules(detector, b"x: " + text) == []
        assert self.incomplete(detector, b"x: " + text)

    def test_very_many_runs(self, detector: Detector) -> None:
        run = base64.b64encode(b"a password that is none")
        assert self.incomplete(detector, b"\n".join([run] * 50_000))

    def test_a_huge_run(self, detector: Detector) -> None:
        run = base64.b64encode(b"password is a word of it; " * 40_000 + DOTENV)
        began = time.process_time()
        seen = observe(detector, run)
        assert time.process_time() - began < 20
        assert seen.findings or seen.notes

    @pytest.mark.parametrize("cut", [1, 2, 3, 5])
    @pytest.mark.parametrize("tail", [b"", b"=", b"==="])
    def test_a_wrong_padding(self, detector: Detector, cut: int, tail: bytes) -> None:
        text = base64.b64encode(DOTENV + b"# the end\n").rstrip(b"=")
        assert rules(detector, b"x: " + text[:-cut] + tail) == BOTH

    @pytest.mark.parametrize("seed", range(20))
    def test_damaged_gzip(self, detector: Detector, seed: int) -> None:
        source = random.Random(seed)
        packed = bytearray(gzip.compress(DOTENV * 9))
        packed[source.randrange(3, len(packed))] ^= 1 << source.randrange(8)
        observe(detector, b"x: " + base64.b64encode(packed[: source.randrange(20, len(packed))]))

    def test_binary_data_with_words_in_it(self, detector: Detector) -> None:
        source = random.Random(5)
        blob = b"".join(source.randbytes(40) + b"password" for _ in range(3000))
        assert rules(detector, b"x: " + base64.b64encode(blob)) == []


def test_both_engines_decode_the_same() -> None:
    first, second = map(helpers.detector, ("hyperscan", "re"))
    source = random.Random(7)
    for _ in range(150):
        text = expand(source.choice(["{alnum:30}", "ghp_{base62:30}{crc32}"]), source.randrange(99))
        data = source.choice(["", "user: app\n", "password: ", "url: https://a:"]) + text + "@x\n"
        coded = data.encode()
        for _ in range(source.randint(1, 3)):
            coded = source.choice(list(ENCODINGS.values()))(coded)
        line = source.choice([b"a = '", b"", b"/path/", b"x\\n"]) + coded + b"'\n"
        assert observe(first, line) == observe(second, line)


def test_a_run_may_lie_across_the_pieces_of_a_large_file(
    detector: Detector, monkeypatch: pytest.MonkeyPatch
) -> None:
    filler = b"nothing to see here\n" * 20_000
    text = filler[:-30] + b"x: " + base64.b64encode(DOTENV * 3) + b"\n" + filler
    whole = observe(detector, text).findings
    chunks = tuple(text[i : i + 100_000] for i in range(0, len(text), 100_000))
    seen = detector.observe("a.txt", chunks)
    assert seen is not None
    assert seen.findings == whole
    assert len(whole) == 6
    assert len(text) < decoder.MAX_BYTES
