"""Offline checks: each accepts what an issuer would make, and refuses a near miss of it.

Vectors that others have published are cut in pieces, so that no file holds a token-shaped literal.
"""

from __future__ import annotations

import base64
import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.detect.checks import azure_keys, checksums
from scanner.detect.checks.checks import CHECKS, Candidate
from scanner.detect.rules.samples import expand
from scanner.model import Confidence

CHECKSUMMED = [
    ("github-token", "ghp_{base62:30}{crc32}"),
    ("gitlab-token", "glpat-{gitlab-routable}"),
    ("grafana-token", "glsa_{base62:32}_{grafana-crc32}"),
    ("age", "AGE-SECRET-KEY-1{age}"),
    ("base32-crc16", "{base32-crc16:90}"),
    ("base32-crc16", "{base32-crc16:9500}"),
    ("base58check", "{base58check:80|32|01}"),
    ("base58check", "{base58check:0488ade4|74|}"),
    ("bech32", "{bech32:nsec|52}"),
    ("matrix-token", "syt_Ym90_{letters:20}_{matrix-crc32:synapse}"),
    ("matrix-token", "mat_{base62:30}_{matrix-crc32:mas}"),
    ("sanctum-token", "17|{base62:40}{crc32-hex}"),
    ("azure-annotated-key", "{azure-cask:ACOG}"),
    ("azure-client-secret", "{azure-client-secret}"),
    ("azure-devops-token", "{azure-devops}"),
    ("azure-key", "{azure:+ASt}"),
    ("azure-key", "{azure:ACDb}"),
    ("azure-key", "{azure:AIoT}"),
    ("azure-key", "{azure:AzFu}"),
    ("azure-key", "{azure:+ACR}"),
]


def judge(check: str, value: str, line: str = "") -> Confidence | None:
    text, around = value.encode(), (line or value).encode()
    return CHECKS[check](Candidate(text, b"", around, around.index(text), "a.py"))


@pytest.mark.parametrize(("check", "template"), CHECKSUMMED)
def test_a_right_checksum_is_sure(check: str, template: str) -> None:
    for seed in range(20):
        assert judge(check, expand(template, seed)) is Confidence.HIGH


@pytest.mark.parametrize(("check", "template"), CHECKSUMMED)
def test_one_changed_character_breaks_a_checksum(check: str, template: str) -> None:
    for seed in range(20):
        token = expand(template, seed)
        at = 8 if check != "age" else 20
        swap = next(c for c in "ABCDEFabcdef234567Q" if c.isupper() is token[at].isupper())
        other = token[:at] + ("C" if swap == token[at] == "A" else swap) + token[at + 1 :]
        if other != token:
            assert judge(check, other) is None


def test_github_s_checksum_is_that_of_a_published_revoked_token() -> None:
    """https://gist.github.com/coolaj86/eb8cddfd3e4251258712dfed03e1f86d"""
    assert checksums.crc32_base62("zQWBuTSOoRi4" + "A9spHcVY5n" + "cnsDkxkJ") == "0mLq17"


def test_gitlab_s_checksum_is_that_of_the_shortest_token_in_its_design_document() -> None:
    payload = "bzoxd_Rb5_cH" + "eWe1JH56wr2FCBA"
    assert checksums.crc32_base36(payload + ".0r") == "1pum4t4"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("", 0x30ED35C1_00CD3C7D),
        ("af", 0x48E73FC77D75DDC1),
        ("153fb" + "79826", 0xE6C08C6DA2AFA997),
    ],
)
def test_marvin32_gives_the_values_of_dotnet_s_own_tests(data: str, expected: int) -> None:
    folded = (expected >> 32) ^ (expected & 0xFFFFFFFF)
    assert checksums.marvin32(bytes.fromhex(data), 0x4FB61A001BDBCC) == folded


def test_an_entra_client_secret_s_checksum_is_that_of_microsoft_s_test_example() -> None:
    assert azure_keys.with_client_checksum("zzz8Q~" + "z" * 31).endswith("blP")


def test_bech32_gives_the_checksum_of_bip_173_s_first_vector() -> None:
    words = checksums.bech32_checksum("a", [])
    assert "".join(checksums.BECH32[word] for word in words) == "2uel5l"


def test_bech32_accepts_the_private_key_that_nip_19_shows() -> None:
    shown = "nsec1vl029mgpspedva04" + "g90vltkh6fvh240zqtv9k0" + "t9af8935ke9laqsnlfe5"
    assert judge("bech32", shown) is Confidence.HIGH


def test_base58check_gives_the_bitcoin_key_whose_number_is_one() -> None:
    """https://en.bitcoin.it/wiki/Wallet_import_format"""
    data = b"\x80" + (1).to_bytes(32, "big") + b"\x01"
    text = "KwDiBf89QgGbjEh" + "KnhXJuH7LrciVrZi3q" + "Yjgd9M7rFU73sVHnoWn"
    assert checksums.to_base58check(data) == text
    assert checksums.from_base58check(text) == data


def test_sanctum_s_checksum_is_the_common_crc32() -> None:
    """Its check value in the catalogue of CRC algorithms."""
    assert checksums.crc32_hex("123456789") == "cbf43926"


def test_the_matrix_authentication_service_writes_the_lowest_digit_first() -> None:
    digits = checksums.crc32_base62_reversed("123456789")
    assert (
        sum(checksums.BASE62.index(digit) * 62**at for at, digit in enumerate(digits)) == 0xCBF43926
    )


def test_a_gitlab_checksum_covers_the_prefix_of_the_instance() -> None:
    line = expand("token: acme-glpat-{gitlab-routable}", 3)
    value = line[line.index("glpat-") :]
    assert judge("gitlab-token", value, line) is Confidence.HIGH
    assert judge("gitlab-token", value) is None


def _jwt(header: object, payload: object) -> str:
    parts = (json.dumps(part).encode() for part in (header, payload))
    return ".".join(base64.urlsafe_b64encode(p).decode().rstrip("=") for p in parts) + ".c2ln"


def test_a_jwt_has_a_header_with_an_algorithm_and_an_object_as_payload() -> None:
    assert judge("jwt", _jwt({"alg": "RS256"}, {"sub": "17"})) is Confidence.HIGH
    assert judge("jwt", _jwt({"typ": "JWT"}, {"sub": "17"})) is None
    assert judge("jwt", _jwt({"alg": "RS256"}, ["sub"])) is None
    assert judge("jwt", "eyJhbGciOi.eyJzdWI.c2ln") is None


def test_an_unsigned_jwt_is_no_secret() -> None:
    assert judge("jwt", _jwt({"alg": "none"}, {"sub": "17"})) is None


def test_the_sample_of_jwt_io_and_supabase_s_public_key_are_no_secrets() -> None:
    assert judge("jwt", _jwt({"alg": "HS256"}, {"sub": "1234567890", "name": "John Doe"})) is None
    assert judge("jwt", _jwt({"alg": "HS256"}, {"iss": "supabase", "role": "anon"})) is None


def test_only_the_service_role_key_of_supabase_is_a_secret() -> None:
    claims = {"iss": "supabase", "role": "service_role"}
    assert judge("supabase-service-role", _jwt({"alg": "HS256"}, claims)) is Confidence.HIGH
    claims["role"] = "anon"
    assert judge("supabase-service-role", _jwt({"alg": "HS256"}, claims)) is None


FRAMES = [
    ("pem", "{pem:RSA PRIVATE KEY}"),
    ("pem", "{pem:EC PRIVATE KEY}"),
    ("pem", "{pem:PRIVATE KEY}"),
    ("pem", "{pem:OPENSSH PRIVATE KEY}"),
    ("pem", "{pem-escaped:PRIVATE KEY}"),
    ("pem-encrypted", "{pem:ENCRYPTED PRIVATE KEY}"),
    ("pem-base64", "{pem-base64:PRIVATE KEY}"),
    ("pgp", "{pem:PGP PRIVATE KEY BLOCK}"),
]


@pytest.mark.parametrize(("check", "template"), FRAMES)
def test_a_whole_frame_around_a_body_of_key_length_is_a_key(check: str, template: str) -> None:
    assert judge(check, expand(template, 0)) is Confidence.HIGH


@pytest.mark.parametrize("prefix", ["    ", "# ", "+", "// ", "> "])
def test_a_key_in_a_block_a_comment_or_a_diff_is_a_key(prefix: str) -> None:
    lines = expand("{pem:PRIVATE KEY}", 1).splitlines()
    assert judge("pem", "\n".join(prefix + line for line in lines)) is Confidence.HIGH


@pytest.mark.parametrize(("before", "after"), [('"', '\\n" +'), ("'", "\\n' \\"), ('  "', '\\n",')])
def test_a_key_written_as_joined_string_literals_is_a_key(before: str, after: str) -> None:
    lines = expand("{pem:RSA PRIVATE KEY}", 1).splitlines()
    assert judge("pem", "\n".join(before + line + after for line in lines)) is Confidence.HIGH


def test_windows_line_ends_do_not_hide_a_key() -> None:
    assert judge("pem", expand("{pem:PRIVATE KEY}", 1).replace("\n", "\r\n")) is Confidence.HIGH


@pytest.mark.parametrize(
    "body",
    ["", "...", "MIIE...", "{{ .Values.tls.key }}", "A" * 640, "your key here", "MIIEpAIBAAKC"],
)
def test_a_frame_without_a_key_s_body_is_none(body: str) -> None:
    label = "RSA PRIVATE KEY"
    assert judge("pem", f"-----BEGIN {label}-----\n{body}\n-----END {label}-----") is None


def test_a_frame_around_a_shortened_body_is_none() -> None:
    lines = expand("{pem:RSA PRIVATE KEY}", 0).splitlines()
    assert judge("pem", "\n".join([*lines[:4], *lines[-2:]])) is None


def test_a_frame_that_ends_as_another_kind_is_none() -> None:
    frame = expand("{pem:RSA PRIVATE KEY}", 0)
    assert judge("pem", frame.replace("END RSA", "END EC")) is None


def test_a_key_under_a_passphrase_is_told_apart() -> None:
    headers = "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0A1B2C3D4E5F\n\n"
    frame = expand("{pem:RSA PRIVATE KEY}", 0).replace("KEY-----\n", f"KEY-----\n{headers}", 1)
    assert judge("pem-encrypted", frame) is Confidence.HIGH
    assert judge("pem", frame) is None


@pytest.mark.parametrize(
    "value",
    [
        "AKIAIOSFODNN7" + "EXAMPLE",
        "x" * 40,
        "0123456789abcdef" * 2,
        "your-token-goes-here-1a2b3c4d",
        "aaaaaabbbbbbccccccddddddeeeeee",
        ("1f3870be" + "274f6c49") * 2,
    ],
)
def test_placeholders_do_not_look_random(value: str) -> None:
    assert judge("random", value) is None


@given(st.integers(0, 10_000))
def test_machine_made_values_look_random(seed: int) -> None:
    assert judge("random", random.Random(seed).randbytes(16).hex()) is Confidence.HIGH


def test_letters_alone_after_a_short_prefix_may_be_a_name_in_code() -> None:
    assert judge("random-mixed", "fw_ConfigurationLoader") is None
    assert judge("random-mixed", "fw_" + random.Random(0).randbytes(11).hex()) is Confidence.HIGH
    assert judge("random-mixed", "fw_" + "qWxTbKpLzRmYdHnGsVcJfe") is Confidence.HIGH


def test_what_only_its_name_makes_a_secret_is_less_sure() -> None:
    assert judge("random-named", random.Random(0).randbytes(16).hex()) is Confidence.MEDIUM


def test_a_discord_token_begins_with_a_bot_s_number() -> None:
    assert judge("discord-token", expand("{snowflake}.{base62:6}.{base62:38}", 0))
    assert judge("discord-token", expand("{base62:24}.{base62:6}.{base62:38}", 0)) is None


@pytest.mark.parametrize("template", ["glc_{json:o=1,k}", "sntrys_{json:iat=1}_{base62:43}"])
def test_a_token_that_carries_json_is_told_from_one_that_does_not(template: str) -> None:
    token = expand(template, 0)
    assert judge("encoded-json", token) is Confidence.HIGH
    assert judge("encoded-json", token.replace("eyJ", "eyK")) is None


@given(st.sampled_from(sorted(CHECKS)), st.binary(max_size=120))
def test_a_check_never_raises_whatever_a_rule_sends_it(check: str, value: bytes) -> None:
    CHECKS[check](Candidate(value, b"key", value, 0, "a.yaml"))


@pytest.mark.parametrize("check", ["encoded-json", "jwt", "supabase-service-role"])
def test_json_nested_deeper_than_python_follows_is_no_token(check: str) -> None:
    deep = base64.urlsafe_b64encode(b'{"a":' + b"[" * 9999).decode()
    assert judge(check, f"{deep}.{deep}.{deep}") is None
