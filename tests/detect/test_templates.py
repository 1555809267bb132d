"""Every syntax of references: what passes, what does not, and under which rule a scan says so.

`LIT` or `<LIT>` stands for a made-up value and `B64` for it in base64: no line here holds one.
"""

from __future__ import annotations

import random
import string
import time
from base64 import b64encode
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.detect.values.config_values import find_flaw, is_sensitive, trimmed
from scanner.detect.values.templates import Judgement, Verdict, judge
from tests.support import helpers

VALUE = "".join(random.Random(3).choices(string.ascii_lowercase, k=9)) + "47"
B64 = b64encode(VALUE.encode()).decode()

PASSES = {Verdict.EMPTY, Verdict.REFERENCE, Verdict.SAFE_DEFAULT}
DEFAULT = "config-literal-fallback"
MIXED = "config-mixed-literal"
MALFORMED = "config-malformed-template"
LITERAL = "config-literal-secret"


class Row(NamedTuple):
    """A family of syntaxes as values of DB_PASSWORD in a file of its own format."""

    file: str
    line: str
    accepted: tuple[str, ...]
    flagged: tuple[tuple[str, Verdict, str], ...]


def _all(verdict: Verdict, rule: str, *values: str) -> tuple[tuple[str, Verdict, str], ...]:
    return tuple((value, verdict, rule) for value in values)


ROWS = {
    "shell and compose": Row(
        "compose.yaml",
        "services:\n  app:\n    environment:\n      DB_PASSWORD: %s\n",
        ("${V}", "$V", "${V:?err}", "${V:-}", "${V?err}", "${A:-${B}}"),
        _all(
            Verdict.LITERAL_DEFAULT,
            DEFAULT,
            *("${V:-LIT}", "${V-LIT}", "${V:+LIT}", "${A:-${B:-LIT}}", "${A:-${B:-${C:-LIT}}}"),
        ),
    ),
    "windows and logstash": Row("app.ini", "DB_PASSWORD=%s\n", ("%V%", "%{ENV}", "%APP_PW%"), ()),
    "spring": Row(
        "src/main/resources/application.yml",
        "spring:\n  datasource:\n    password: %s\n",
        ("${x}", "${x:}", "${db.password}"),
        _all(Verdict.LITERAL_DEFAULT, DEFAULT, "${x:LIT}", "${db.password:LIT}"),
    ),
    "helm": Row(
        "chart/templates/deployment.yaml",
        "data:\n  DB_PASSWORD: %s\n",
        ("{{ .Values.x }}", '{{ env "X" }}', "{{ .Values.x | quote }}", "{{- .Values.x -}}"),
        _all(
            Verdict.LITERAL_DEFAULT,
            DEFAULT,
            *('{{ .Values.x | default "LIT" }}', '{{ default "LIT" .Values.x }}'),
        ),
    ),
    "kubernetes": Row("k8s/config.yaml", "data:\n  DB_PASSWORD: %s\n", ("$(VAR)",), ()),
    "erb": Row(
        "config/database.yml",
        "production:\n  password: %s\n",
        ("<%= ENV['X'] %>", '<%= ENV["X"] %>', "<%= ENV.fetch('X') %>"),
        _all(
            Verdict.LITERAL_DEFAULT,
            DEFAULT,
            *("<%= ENV.fetch('X','LIT') %>", "<%= ENV['X'] || 'LIT' %>"),
        ),
    ),
    "github": Row(
        ".github/workflows/ci.yml",
        "env:\n  DB_PASSWORD: %s\n",
        ("${{ secrets.X }}", "${{ secrets.X || '' }}", "${{ secrets.X || secrets.Y }}"),
        (
            *_all(Verdict.LITERAL_DEFAULT, DEFAULT, "${{ secrets.X || 'LIT' }}"),
            *_all(Verdict.LITERAL, LITERAL, "LIT"),
        ),
    ),
    "stores": Row(
        "config/app.yaml",
        "db:\n  password: %s\n",
        (
            *("vault:secret/data/app#key", "ref+vault://secret/app#key", "op://app/db/password"),
            "'{{resolve:secretsmanager:app:SecretString:password}}'",
            "'@Microsoft.KeyVault(SecretUri=https://app.vault.azure.net/secrets/db)'",
            *("!Ref DbPassword", "!GetAtt Db.Password", "/run/secrets/db"),
        ),
        _all(Verdict.LITERAL, LITERAL, "LIT"),
    ),
    "a reference beside text": Row(
        "config/app.yaml",
        "db:\n  password: %s\n",
        ("${A}${B}", "${A}-${B}", "Bearer ${TOKEN}"),
        _all(Verdict.MIXED, MIXED, "LIT${V}", "${V}LIT", "${A}LIT${B}", "LIT-{{ x }}"),
    ),
    "malformed": Row(
        "config/app.yaml",
        "db:\n  password: %s\n",
        (),
        _all(
            Verdict.MALFORMED,
            MALFORMED,
            *("${VAR", "$VAR}", "'{VAR}'", "${}", "${ VAR }", "$ {VAR}", "'{{ .Values.x'"),
        ),
    ),
}
POD = "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n    - name: a\n      image: a:1\n"
# Where the structure decides: a file, the rule that it is found by ("" for none), and its text.
FILES = (
    (
        "k8s/a.yaml",
        "",
        "env: [{name: DB_PASSWORD, valueFrom: {secretKeyRef: {name: a, key: b}}}]\n",
    ),
    ("k8s/a.yaml", LITERAL, "env:\n  - name: DB_PASSWORD\n    value: LIT\n"),
    ("k8s/a.yaml", LITERAL, "env: [{name: DB_PASSWORD, value: LIT}]\n"),
    ("k8s/a.yaml", "", "env:\n  - name: DB_PASSWORD\n    value: $(OTHER)\n"),
    (
        "k8s/pod.yaml",
        "kubernetes-undeclared-variable",
        (f"{POD}      env:\n        - name: DB_PASSWORD\n          value: $(OTHER)\n"),
    ),
    (
        "k8s/pod.yaml",
        "",
        (
            f"{POD}      env:\n"
            "        - name: OTHER\n          valueFrom: {secretKeyRef: {name: a, key: b}}\n"
            "        - name: DB_PASSWORD\n          value: $(OTHER)\n"
        ),
    ),
    (
        "k8s/s.yaml",
        "kubernetes-secret-manifest",
        "apiVersion: v1\nkind: Secret\ndata:\n  password: B64\n",
    ),
    (
        "k8s/s.yaml",
        "kubernetes-secret-manifest",
        "apiVersion: v1\nkind: Secret\nstringData:\n  password: LIT\n",
    ),
    ("k8s/c.yaml", LITERAL, "apiVersion: v1\nkind: ConfigMap\ndata:\n  DB_PASSWORD: LIT\n"),
    (
        "compose.yaml",
        "",
        (
            "services:\n  a:\n    secrets: [db]\n    environment:\n"
            "      DB_PASSWORD_FILE: /run/secrets/db\n"
        ),
    ),
    ("compose.yaml", LITERAL, "services:\n  a:\n    environment:\n      - DB_PASSWORD=LIT\n"),
    ("chart/values.yaml", LITERAL, "db:\n  password: LIT\n"),
    ("chart/values.yaml", "", 'db:\n  password: ""\n  existingSecret: app-db\n'),
    ("main.tf", "", 'resource "a" "b" {\n  password = var.db_password\n}\n'),
    ("main.tf", "", 'variable "db_password" {\n  type      = string\n  sensitive = true\n}\n'),
    ("main.tf", LITERAL, 'variable "db_password" {\n  default = "LIT"\n}\n'),
    ("prod.tfvars", LITERAL, 'db_password = "LIT"\n'),
    ("Dockerfile", LITERAL, "FROM a AS one\nENV DB_PASSWORD=LIT\nFROM b\nCOPY --from=one a b\n"),
    ("Dockerfile", LITERAL, "FROM a\nARG DB_PASSWORD=LIT\n"),
    ("Dockerfile", "", "FROM a\nARG DB_PASSWORD\nENV DB_PASSWORD=$DB_PASSWORD\n"),
    ("vars/main.yml", "ansible-vault-tag-on-plain-text", "db_password: !vault |\n  LIT\n"),
    (".env.prod", "dotenv-with-values config-literal-secret", "export DB_PASSWORD='LIT'\n"),
    (".env.prod", "", "export DB_PASSWORD=\n"),
    (
        "app.yaml",
        "sops-without-envelope",
        "password: ENC[AES256_GCM,data:B64,iv:B64,tag:B64,type:str]\n",
    ),
    (
        "app.yaml",
        "",
        (
            "password: ENC[AES256_GCM,data:B64,iv:B64,tag:B64,type:str]\n"
            "sops:\n  mac: ENC[AES256_GCM,data:B64,iv:B64,tag:B64,type:str]\n"
        ),
    ),
    ("app.yaml", "url-credentials", "url: postgres://app:<LIT>@db/app\n"),
    ("app.yaml", "url-credentials", "database_url: postgres://app:<LIT>@${HOST}/app\n"),
    ("app.yaml", "", "database_url: postgres://app:${PASSWORD}@${HOST}/app\n"),
    (".npmrc", LITERAL, "//registry.example.org/:_authToken=LIT-LIT\n"),
    (".npmrc", "", "//registry.example.org/:_authToken=${NPM_TOKEN}\n"),
    (".pypirc", LITERAL, "[pypi]\nusername = app\npassword = LIT\n"),
    (".netrc", "netrc-password", "machine example.org login app password <LIT>\n"),
    (".pgpass", "pgpass-password", "db.example.org:5432:app:app:LIT\n"),
    (".env", "dotenv-with-values config-literal-secret", "DB_PASSWORD=LIT\n"),
    ("app.py", "code-default-argument", 'password = os.getenv("DB_PASSWORD", "LIT")\n'),
    ("app.py", "", 'password = os.getenv("DB_PASSWORD")\n'),
    ("app.js", "code-fallback-operator", 'const password = process.env.DB_PASSWORD || "LIT";\n'),
    ("app.js", "", "const password = process.env.DB_PASSWORD;\n"),
    (
        "App.java",
        "code-default-argument",
        'String p = System.getenv().getOrDefault("DB_PASSWORD", "LIT");\n',
    ),
    ("main.go", "code-default-argument", 'viper.SetDefault("db_password", "LIT")\n'),
)


def filled(text: str) -> str:
    return text.replace("<LIT>", VALUE).replace("LIT", VALUE).replace("B64", B64)


def _bare(value: str) -> str:
    return value[1:-1] if value[:1] == "'" else value


ACCEPTED = [(name, value) for name, row in ROWS.items() for value in row.accepted]
FLAGGED = [(name, *flagged) for name, row in ROWS.items() for flagged in row.flagged]


@pytest.fixture(scope="module", params=["hyperscan", "re"])
def rules_of(request: pytest.FixtureRequest) -> Any:
    """The rules of what is found in a file, by the product's own engine with either matcher."""
    detector = helpers.detector(request.param)

    def found(file: str, text: str) -> list[str]:
        seen = detector.observe(file, [filled(text).encode()])
        return [finding.rule for finding in seen.findings] if seen else []

    return found


@pytest.mark.parametrize(("family", "value"), ACCEPTED)
def test_a_reference_is_one_all_of_it(family: str, value: str) -> None:
    if not value.startswith("!"):  # a tag of YAML, which is no part of the value
        assert judge(_bare(value)).verdict in PASSES


@pytest.mark.parametrize(("family", "value"), ACCEPTED)
def test_a_reference_is_no_finding(family: str, value: str, rules_of: Any) -> None:
    row = ROWS[family]
    assert rules_of(row.file, row.line % value) == []


@pytest.mark.parametrize(("family", "value", "verdict", "_rule"), FLAGGED)
def test_what_is_no_whole_reference_has_its_verdict(
    family: str, value: str, verdict: Verdict, _rule: str
) -> None:
    text = filled(_bare(value))
    found = judge(text)
    assert found.verdict is verdict
    if "LIT" in value:
        assert VALUE in text[found.start : found.end]


@pytest.mark.parametrize(("family", "value", "_verdict", "rule"), FLAGGED)
def test_what_is_no_whole_reference_is_one_finding_of_its_rule(
    family: str, value: str, _verdict: Verdict, rule: str, rules_of: Any
) -> None:
    row = ROWS[family]
    assert rules_of(row.file, row.line % value) == [rule]


@pytest.mark.parametrize(("file", "rule", "text"), FILES)
def test_the_place_of_a_value_decides(file: str, rule: str, text: str, rules_of: Any) -> None:
    assert sorted(rules_of(file, text)) == sorted(rule.split())


@pytest.mark.parametrize("value", ["changeme", "${V:-changeme}", "<password>", "xxxxxxxx"])
def test_a_placeholder_is_less_severe_and_no_pass(value: str, rules_of: Any) -> None:
    severe = find_flaw("DB_PASSWORD", VALUE, sensitive=True)
    found = find_flaw("DB_PASSWORD", value, sensitive=True)
    assert severe is not None
    if found is None:
        assert judge(value).verdict is Verdict.PLACEHOLDER
    else:
        assert severe.severity is None
        assert found.severity is not None


PIECES = (
    *("${", "{{", "}}", "}", "$", "V", "$V", "%", "%V%", "<%=", "%>", "#{", "$(", ")", "[[", "]]"),
    *(":-", ":", "-", "|", "||", "??", "'", '"', "\\", " ", "\n", "default", "or", "env", "a.b"),
    *("://", "a:b@", "password=", ";", "&", "ENC[", "!vault", "\0", "é", "x" * 40, "...", "<a>"),
)
LATIN = st.characters(max_codepoint=255)  # as files are read
TEXTS = st.one_of(
    st.text(LATIN, max_size=80),
    st.lists(st.sampled_from(PIECES), max_size=30).map("".join),
)


def _holds(found: Judgement, value: str) -> bool:
    return 0 <= found.start <= found.end <= len(value)


@given(TEXTS, st.booleans())
def test_any_text_has_a_verdict_about_a_part_of_it(value: str, broken: bool) -> None:
    assert _holds(judge(value, broken=broken), value)


@given(TEXTS)
def test_what_keeps_a_setting_from_being_templated_lies_within_its_value(value: str) -> None:
    found = find_flaw("db_password", value, sensitive=True, vague=True)
    assert found is None or 0 <= found.start <= found.end <= len(value)


ENDLESS = [
    *(piece * 20_000 for piece in PIECES),
    *("${a:-" * 20_000, "{{ default '" * 9_000, "a'" * 20_000, "env('a') ?? " * 5_000),
]


@pytest.mark.unmeasured
@pytest.mark.parametrize("text", ENDLESS, ids=lambda text: repr(text[:12]))
def test_a_hostile_value_takes_little_time(text: str) -> None:
    start = time.process_time()
    assert _holds(judge(text), text)
    find_flaw("db_password", text, sensitive=True, vague=True)
    is_sensitive(text)
    trimmed(text.encode(), b'"')
    trimmed(text.encode(), b"=")
    assert time.process_time() - start < 2


@pytest.mark.parametrize("value", ['<%= ENV["A"] %>', '{{ env "A" }}'])
def test_a_quote_within_an_expression_does_not_end_the_value(value: str) -> None:
    assert trimmed(value.encode() + b'"', b'password: "') == value.encode()
