"""Secrets in the forms that people write them: operators, commands, languages, calls."""

from __future__ import annotations

import random
from itertools import product

import pytest

from scanner.detect.rules.samples import expand
from tests.support.helpers import detector

TOKEN = expand("{base62:24}", 3)
PASSWORD = expand("{alnum:12}", 3)


def found(path: str, text: str) -> list[str]:
    seen = detector().observe(path, [f"{text}\n".encode()])
    return [each.rule for each in seen.findings] if seen else []


@pytest.mark.parametrize(
    "operator",
    [":=", "?=", "||=", "=>", ":::=", "::=", "-", ":", "=", "+=", "->", "<-", "??="],
)
@pytest.mark.parametrize("path", ["notes.txt", "README.md", "servers", "Makefile"])
def test_each_operator_assigns(operator: str, path: str) -> None:
    assert found(path, f"API_TOKEN {operator} {TOKEN}")
    assert found(path, f'DB_PASSWORD {operator} "{PASSWORD}"')


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.csh", "setenv API_TOKEN {}"),
        (".cshrc", "setenv DB_PASSWORD '{}'"),
        ("setup.sh", "export API_TOKEN {}"),
        ("config.fish", "set -gx API_TOKEN {}"),
        ("setup.bat", "setx API_TOKEN {}"),
        ("Dockerfile", "FROM a\nENV API_TOKEN {}"),
        ("a.sh", 'curl --header "X-Api-Key: {}" https://api.example.org'),
        ("a.py", "run(\"curl -H 'X-Auth-Token: {}' https://api.example.org\")"),
        ("ci.yml", "script:\n  - curl -H 'X-Auth-Token: {}' https://api.example.org"),
        ("A.java", 'System.setProperty("X_TOKEN", "{}");'),
        ("A.java", 'request.addHeader("X-Api-Key", "{}");'),
        ("notes.txt", "cloudflare_TOKEN={}"),
        ("a.go", 'facebook_secret = "{}"'),
        ("README.md", "mailchimp = {}"),
        ("a.c", "// API_TOKEN={}"),
    ],
)
def test_a_value_that_a_machine_made_is_found_in_each_form(path: str, text: str) -> None:
    assert found(path, text.format(TOKEN))


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.go", "token := lexer.next_token"),
        ("a.py", "password = sha256_of_part2(value1)"),
        ("a.go", "secret - other_secret_part"),
        ("README.md", "password - the password of the user"),
        ("API.txt", "Codes.WRONG_PASSWORD = 1323 -> Codes"),
        ("schema.md", "login(email: String!, password: String!): Payload"),
        ("a.py", "data = self.password.encode('latin1') + b'0'"),
        ("a.ts", "token: '196182',"),
        ("a.py", "PASSWORD_OID = '2.16.840.1.113730.3.4.5'"),
        ("setup.sh", "export API_TOKEN DB_PASSWORD"),
        ("a.css", "#pass1:focus,"),
        ("challenge", "TOTP-Password := &User-Password"),
        ("challenge", "Cleartext-Password := &session-state:Tmp-Integer-0"),
        ("fr.json", '"text": "est dépassé : %1$s. %2$sVous ne pouvez pas"'),
    ],
)
def test_code_and_numbers_are_no_values(path: str, text: str) -> None:
    assert not found(path, text)


_NAMES = (
    "密码 数据库密码 пароль contraseña senha wachtwoord hasło mot_de_passe passwort kennwort"
    " lösenord salasana heslo jelszó parola şifre 비밀번호 パスワード db_senha SENHA"
)


@pytest.mark.parametrize("name", _NAMES.split())
def test_a_password_is_found_under_its_name_in_other_languages(name: str) -> None:
    forms = (
        ("a.py", '{} = "{}"'),
        ("a.yaml", "{}: {}"),
        ("a.txt", "{}: {}"),
        ("R.md", "{}" + chr(0xFF1A) + "{}"),
    )
    assert all(found(path, text.format(name, PASSWORD)) for path, text in forms)


@pytest.mark.parametrize("value", ["@Boldbone12", "$KrMFSv3^mFu+M58", "$Hunter2024!", "!Kr9mF2xL"])
@pytest.mark.parametrize(
    ("path", "text"), [("a.py", 'db_password = "{}"'), ("a.yaml", 'db:\n  password: "{}"')]
)
def test_a_sign_at_the_beginning_makes_no_reference(value: str, path: str, text: str) -> None:
    assert found(path, text.format(value))


@pytest.mark.parametrize("value", ["Baum&Haus12", "Baum,Haus12", "Ba>um&Ha<us12", "@Boldbone12"])
@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.cs", '"Server=db;User Id=sa;Password={};Encrypt=True"'),
        ("appsettings.json", '{{"Db": "Server=db;User Id=sa;Password={};"}}'),
        ("compose.yaml", "    CS: ${{DB:-Server=db;User Id=sa;Password={}}}"),
    ],
)
def test_a_connection_string_holds_any_character(value: str, path: str, text: str) -> None:
    assert found(path, text.format(value))


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.py", 'oracledb.connect("shop", "{}", "db/shop")'),
        ("a.py", 'ssh.connect("host", 22, "deploy", "{}")'),
        ("a.py", 'es = Elasticsearch(url, http_auth=("elastic", "{}"))'),
        ("a.rb", "Net::SMTP.start('host', 25, 'domain', 'ci', '{}', :login)"),
        ("a.rb", "request.basic_auth 'ci', '{}'"),
        ("a.ts", "new Sequelize('shop', 'shop', '{}', {{}})"),
        ("a.cpp", 'mysql_real_connect(c, "db", "shop", "{}", "shop", 0, NULL, 0);'),
        ("a.py", 'client.username_pw_set("sensor", "{}")'),
    ],
)
def test_an_argument_of_a_login_call_is_found(path: str, text: str) -> None:
    assert found(path, text.format(PASSWORD))


def test_passwords_that_contain_the_word_for_one_are_found() -> None:
    """Most of two hundred in each kind of file; a word with digits is no identifier."""
    draw = random.Random(5)
    words = "Password Pass Secret Test password secret test Passw0rd P@ssword".split()
    values = [
        draw.choice(("", "My", "Admin", "Db", "New"))
        + draw.choice(words)
        + draw.choice(("", *"!@#$*"))
        + str(draw.randint(100, 9999))
        + draw.choice(("", "!", "#"))
        for _ in range(200)
    ]
    sites = (
        ("app.py", 'db_password = "{}"'),
        ("a.yaml", "password: '{}'"),
        ("p.env", "DB_PASS={}"),
    )
    met = [bool(found(path, text.format(v))) for (path, text), v in product(sites, values)]
    assert sum(met) >= 0.99 * len(met)
