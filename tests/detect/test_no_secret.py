"""Literals under sensitive names that are no secrets: each case is a class of false findings that
was seen on real code."""

from __future__ import annotations

import pytest

from scanner.detect.checks.checks import CHECKS, Candidate
from scanner.detect.rules.samples import expand
from scanner.detect.values.assignments import is_joined_words, names_a_secret
from scanner.detect.values.config_values import find_flaw, is_vague
from scanner.detect.values.placeholders import is_known_placeholder
from scanner.detect.values.templates import Verdict
from scanner.detect.values.templates import judge as judge_template

TOKEN = expand("{base62:24}", 0)
KEY = expand("{hex:40}", 1)
WORD = "sun" + "flower9"


def judge(check: str, line: str, name: str, value: str, path: str) -> object:
    """Return the verdict of a check on `value`, which stands after `name` in the line."""
    at = line.rindex(value)
    return CHECKS[check](Candidate(value.encode(), name.encode(), line.encode(), at, path))


@pytest.mark.parametrize(
    ("line", "name", "value", "path"),
    [
        ('if (typeof this.masterKey === "function") {', "masterKey", "function", "a.js"),
        ('$pass1.trigger("pwupdate")', "pass1.trigger", "pwupdate", "a.js"),
        ('user.passwords.order_by("created9")', "passwords.order_by", "created9", "a.py"),
        ("UnexpectedToken: 'Unexpected token %0'", "Token", "Unexpected token %0", "a.js"),
        (
            "'password' => 'App\\\\Http\\\\PasswordForm'",
            "password",
            r"App\\Http\\PasswordForm",
            "a.php",
        ),
        ('token = "string.quasi"', "token", "string.quasi", "a.js"),
        ('token: "0002_auto_20160226_1747"', "token", "0002_auto_20160226_1747", "a.py"),
        ('api_secret = "HmacSHA256"', "api_secret", "HmacSHA256", "a.go"),
        ('token = r"tokens/\\d+/"', "token", r"tokens/\d+/", "a.py"),
        ('token = "?token=my.value9"', "token", "?token=my.value9", "a.js"),
        ('private_key = "FTP_PRIKEY"', "private_key", "FTP_PRIKEY", "a.php"),
        (
            'REGISTER_PASSWORD = "REGISTER_PASSWORD"',
            "REGISTER_PASSWORD",
            "REGISTER_PASSWORD",
            "a.py",
        ),
        ("query=token=$token&$query", "token", "$token&$query", "a.sh"),
        ("AuthKey: *cred_key", "AuthKey", "*cred_key", "a.rst"),
        ("secret: registry_creds_jan_2026", "secret", "registry_creds_jan_2026", "a.txt"),
        ("user.password = user.login9", "password", "user.login9", "a.ts.ejs"),
        ('password="anon@ftp.com"', "password", "anon@ftp.com", "a.php"),
        ('c = this.getCredentials("boxOAuth2Api")', "getCredentials", "boxOAuth2Api", "a.js"),
        ("password?: 'nextSignIn2'", "password", "nextSignIn2", "a.ts"),
        (
            "'Login.resetPassword' => 'beforeLoginCheckForce'",
            "Login.resetPassword",
            "beforeLoginCheckForce",
            "a.php",
        ),
        ('"V1Secret": ".models.v1_secret"', "V1Secret", ".models.v1_secret", "a.py"),
    ],
)
def test_what_a_name_calls_a_secret_is_none(line: str, name: str, value: str, path: str) -> None:
    assert judge("assigned-value", line, name, value, path) is None


def test_the_same_places_hold_secrets_if_the_value_can_be_one() -> None:
    for line, name, value in (
        (f'if (this.masterKey === "{TOKEN}") {{', "masterKey", TOKEN),
        (f'user.password.set("{WORD}")', "password.set", WORD),
        (f'token: "{TOKEN}"', "token", TOKEN),
        (f'API_PASSWORD = "{WORD}"', "API_PASSWORD", WORD),
    ):
        assert judge("assigned-value", line, name, value, "a.js"), line


@pytest.mark.parametrize(
    "name",
    [
        *("token_owner", "secret_generator", "default_password_nag", "oauth_nonce", "passProp"),
        *("NOPASSWD", "imagePullSecrets", "Secret-Key-Md5", "InvalidToken", "ClientToken"),
        *("ssh_password_mechanism", "LABEL_AUTH_TOKEN", "rbd_secret_uuid", "token_signature"),
    ],
)
def test_a_name_whose_last_noun_is_no_secret_holds_none(name: str) -> None:
    assert not names_a_secret(name)


@pytest.mark.parametrize(
    "name", ["passPhrase", "passFor", "client_token", "db_pass", "signing_secret", "nonceSecret"]
)
def test_a_name_whose_last_noun_is_a_secret_holds_one(name: str) -> None:
    assert names_a_secret(name)


def test_words_and_numbers_joined_by_signs_are_a_name_and_no_random_value() -> None:
    for value in ("flag_fix_all_leap_877_short", "TIME_24_WITH_LONG_OFFSET", "us-east-1-a"):
        assert is_joined_words(value), value
    made = [expand("{base64url:40}", seed) for seed in range(500)]
    made += [expand("{uuid}", seed) for seed in range(500)]
    assert not [value for value in made if is_joined_words(value)]


def test_in_a_minified_line_only_what_a_machine_made_is_a_secret() -> None:
    code = "function(e,t,n){return e.pass=t.pass||n};" * 50
    for value, found in (("offscreen", False), (TOKEN, True)):
        line = f'{code}this.apiToken="{value}";{code}'
        at = line.index(value)
        candidate = Candidate(value.encode(), b"apiToken", line.encode(), at, "a.js")
        assert bool(CHECKS["assigned-value"](candidate)) is found


def test_the_key_of_an_element_is_no_secret() -> None:
    assert (
        judge("vague-key", f'h("button", {{ key: "{KEY}", class: "a" }})', "key", KEY, "a.js")
        is None
    )
    assert judge("vague-key", f'sign({{ key: "{KEY}", class: "a" }})', "key", KEY, "a.js")


def test_a_salt_alone_is_stored_in_the_open() -> None:
    salt = expand("{hex:32}", 2)
    assert judge("vague-key", f'salt = "{salt}"', "salt", salt, "a.py") is None
    assert not is_vague("salt", ("user", "credentials"))
    assert is_vague("result", ("user", "credentials"))


def test_the_header_of_a_key_without_a_body_is_no_secret() -> None:
    frame = "-----BEGIN " + "PRIVATE KEY-----"
    assert find_flaw("privateKey", f"{frame}\\nyourKey==\\n", sensitive=True) is None
    assert find_flaw("privateKey", f"{frame}\\n{expand('{base64:120}', 3)}\\n", sensitive=True)


@pytest.mark.parametrize(
    ("host", "password", "found"),
    [
        ("example.com", "t3st", False),
        ("docs.example.org", "opensesame", False),
        ("example.com", "Otter" + "tulip1248", True),
        ("db.internal", "opensesame", True),
    ],
)
def test_nobody_logs_in_at_the_host_of_a_manual(host: str, password: str, found: bool) -> None:
    line = f'url = "http://sri:{password}@{host}/a"'
    assert bool(judge("url-password", line, "", password, "a.py")) is found


def test_a_url_in_a_translation_says_password_in_its_language() -> None:
    line = 'msgstr "dialecto://usuario:contrasena@host:puerto/base"'
    assert judge("url-password", line, "", "contrasena", "translations/es/messages.po") is None


@pytest.mark.parametrize(
    ("value", "password", "expected"),
    [
        ("abcdefghijklmnopqrstuvwxyz1234567890", True, True),
        ("-your-auth-token-here-", True, True),
        ("!ChangeMe!", False, True),
        ("secret-access-token", False, True),
        ("tobemodified", True, True),
        ("PASSWORD", True, True),
        ("12345678", True, False),
        (WORD, True, False),
    ],
)
def test_a_value_says_that_it_is_to_be_replaced(value: str, password: bool, expected: bool) -> None:
    assert is_known_placeholder(value, password=password) is expected


def test_two_slashes_are_a_comment_and_in_perl_an_operator() -> None:
    line = f'token // "{TOKEN}"'
    assert judge("fallback", line, "token", TOKEN, "a.go") is None
    assert judge("fallback", line, "token", TOKEN, "a.pl")


def test_the_name_of_a_flag_is_no_password() -> None:
    line = 'password = flag.String("password", "", "of the server")'
    assert judge("fallback", line, "password", "password", "a.go") is None


def test_what_is_identified_by_a_word_in_prose_is_no_statement() -> None:
    line = 'containers are identified by "data-module9"'
    assert judge("placed", line, "", "data-module9", "a.js") is None


def test_an_expansion_of_a_shell_with_quotes_inside_is_no_broken_template() -> None:
    assert judge_template('"${A}-${B#').verdict is not Verdict.MALFORMED
    assert judge_template("${DB_PASSWORD").verdict is Verdict.MALFORMED
