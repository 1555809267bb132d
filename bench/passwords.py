"""Made-up secrets, by people and by machines, and what stands in their places and is none.

The labelled lines have no weak passwords: their authors put random letters in the place of each.
What is trained or measured on them alone would learn that no word is a password.
"""

from __future__ import annotations

import base64
import random
import string
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import cycle
from pathlib import Path
from typing import Any, NamedTuple

_WORDS = tuple(
    "sunshine dragon monkey shadow football baseball princess master summer winter autumn spring"
    " cheese coffee banana orange purple silver golden diamond flower butterfly chocolate pepper"
    " ginger cookie tigger tiger eagle falcon panther dolphin turtle rabbit buster rocky bailey"
    " hunter ranger thunder lightning storm freedom liberty justice phoenix matrix starwars"
    " batman superman pokemon arsenal chelsea liverpool madrid barcelona juventus berlin paris"
    " london dublin lisbon vienna mustang corvette porsche ferrari yamaha harley guitar trumpet"
    " maverick wizard knight pirate ninja samurai viking galaxy saturn jupiter mercury"
    " blueberry strawberry pumpkin watermelon marlboro budweiser rainbow whatever trustno letmein"
    " iloveyou loveme welcome secure access office company network system printer mountain river"
    " forest island ocean beach castle bridge garden kitchen".split()
)
_NAMES = tuple(
    "daniel jessica michael ashley andrew joshua matthew anthony robert jennifer thomas michelle"
    " charlie jordan hannah amanda nicole george samantha patrick oliver sophie lukas emma"
    " mateusz giulia pierre ingrid carlos fatima yuki priya ahmed natasha bjorn".split()
)
_WALKS = tuple(
    "qwerty qwertyuiop asdfgh asdfghjkl zxcvbn zxcvbnm qazwsx 1qaz2wsx qweasd qweasdzxc 1q2w3e4r"
    " q1w2e3r4 poiuyt lkjhgf mnbvcxz 1qazxsw2 azerty qwertz yxcvbn".split()
)
_COMMON = Path(__file__).resolve().parent.parent / "rules" / "common-passwords.txt"
_MOST_COMMON = 3000
# Defaults of products, and what people write for them in a hurry.
_DEFAULTS = tuple(
    "password secret supersecret pass welcome1 changeme changeit mypassword hunter2 guest s3cr3t"
    " top_secret password123 admin root passw0rd newpasswd Password123! P@ssw0rd Welcome1 Passw0rd!"
    " Pass@word1 Test1234 test123 secret123 admin123 adminpass rootpass dbpass userpass postgres"
    " mysql rabbitmq minio minio123 elastic grafana my-secret-pw testpass letmein passwd"
    " toor".split()
)
_ALNUM = string.ascii_letters + string.digits
_LEET = str.maketrans("aeios", "@3!05")


class Site(NamedTuple):
    """A place for a value, in a language or format: a path, and a line with {name} and {value}."""

    path: str
    text: str


def _sites() -> Iterator[Site]:
    quoted = (
        ("app/settings.py", '{name} = "{value}"'),
        ("app/client.py", "    client = Client(host, {name}='{value}')"),
        ("app/config.py", '    "{name}": "{value}",'),
        ("src/config.js", "const {name} = '{value}';"),
        ("src/db.ts", "  {name}: '{value}',"),
        ("src/main/java/App.java", '    private static final String {name} = "{value}";'),
        ("src/App.kt", 'val {name} = "{value}"'),
        ("cmd/main.go", '\t{name} := "{value}"'),
        ("pkg/conn.go", '\t\t{name}: "{value}",'),
        ("lib/app.rb", "{name} = '{value}'"),
        ("spec/login_spec.rb", "  let(:user) {{ create(:user, {name}: '{value}') }}"),
        ("public/db.php", "${name} = '{value}';"),
        ("config/db.php", "    '{name}' => '{value}',"),
        ("Data/Store.cs", 'var {name} = "{value}";'),
        ("Sources/Api.swift", 'let {name} = "{value}"'),
        ("src/main.rs", 'let {name} = "{value}";'),
        ("src/Main.scala", 'val {name} = "{value}"'),
        ("lib/app.ex", '    {name}: "{value}",'),
        ("script.pl", "my ${name} = '{value}';"),
        ("main.tf", '  {name} = "{value}"'),
        ("config.toml", '{name} = "{value}"'),
        ("config.json", '  "{name}": "{value}",'),
        ("deploy.ps1", '${name} = "{value}"'),
        ("web/app.vue", "      {name}: '{value}',"),
        ("analysis.R", '{name} <- "{value}"'),
    )
    bare = (
        ("deploy/values.yaml", "{name}: {value}"),
        ("config/app.properties", "{name}={value}"),
        ("service.ini", "{name} = {value}"),
        ("deploy/prod.env", "{name}={value}"),
        ("scripts/run.sh", "export {name}={value}"),
        ("Dockerfile", "ENV {name}={value}"),
        ("web.xml", "<{name}>{value}</{name}>"),
    )
    for path, text in quoted + bare:
        yield Site(path, text)


SITES = tuple(_sites())
_HOLDERS = tuple(
    "password db_password passwd user_password admin_password smtp_password dbPassword"
    " DB_PASSWORD ADMIN_PASSWORD redis_password rootPassword pwd ldap_password".split()
)


def common() -> tuple[str, ...]:
    """The passwords that people choose most."""
    lines = _COMMON.read_text(encoding="utf-8").splitlines()
    return tuple(line for line in lines if not line.startswith("#"))[:_MOST_COMMON]


def chosen(draw: random.Random, listed: tuple[str, ...]) -> str:
    """One password as people choose it: a default, a common one, or one of their own making."""
    way = draw.random()
    if way < 0.25:
        return draw.choice(_DEFAULTS)
    return draw.choice(listed) if way < 0.4 else password(draw)


def password(draw: random.Random) -> str:
    """One password as a person makes it up: words, names, years, leet, walks over the keyboard."""
    word, other = draw.choice(_WORDS), draw.choice([*_WORDS, *_NAMES])
    year = str(draw.randint(1950, 2026))
    digits = str(draw.randint(1, 9999))
    sign = draw.choice("!@#$*.?")
    ways: tuple[Callable[[], str], ...] = (
        lambda: word,
        lambda: word + digits,
        lambda: word + year,
        lambda: word.title() + year + sign,
        lambda: word.title() + digits,
        lambda: other.title() + sign + digits,
        lambda: word.translate(_LEET),
        lambda: word.title().translate(_LEET) + digits,
        lambda: word + other,
        lambda: word.title() + other.title() + draw.choice(("", "1", "99", sign)),
        lambda: word + draw.choice("-_.") + other + draw.choice(("", digits)),
        lambda: draw.choice(_WALKS) + draw.choice(("", "1", "123", sign, year)),
        lambda: draw.choice(_WALKS).title() + digits + sign,
        lambda: other + str(draw.randint(1, 31)).zfill(2) + str(draw.randint(1, 12)).zfill(2),
        lambda: word.upper() + digits,
        lambda: digits + word,
        lambda: " ".join("".join(draw.choices(_ALNUM, k=draw.randint(5, 8))) for _ in range(2)),
        lambda: f"{word} {other} {draw.choice(_WORDS)}{draw.choice(('', digits))}",
    )
    made = draw.choice(ways)()
    return made if len(made) > 5 else made + year


_TOKEN_HOLDERS = tuple(
    "token api_key apiKey secret client_secret clientSecret API_TOKEN SECRET_KEY access_token"
    " authToken auth_token jwt_secret JWT_SECRET signing_key session_secret webhook_secret".split()
)
_COMMANDS = (
    Site("deploy.sh", "mysql -u root -p{value} shop < a.sql"),
    Site("ci.sh", "curl -fsS " + "-u deploy:{value} https://files.example.com/a"),
    Site("Makefile", "\tsshpass -p {value} scp a.tar deploy@host:/srv"),
    Site("backup.sh", "PGPASSWORD={value} pg_dump -h db.internal -U shop shop | gzip > a.gz"),
    Site("run.sh", ': "${{DB_PASSWORD:={value}}}"'),
    Site("Dockerfile", "RUN echo \"c.ServerApp.password = '{value}'\" >> /etc/app.py"),
    Site("CREDENTIALS.TXT", "DB_PASSWORD={value}"),
    Site("notes.txt", "password: {value}"),
    Site("run.bat", "sqlcmd -S sql01 -U sa -P {value} -i schema.sql"),
    Site("compose.yaml", "    command: redis-server --requirepass {value} --appendonly yes"),
    Site("docs/install.md", "    api serve --password {value} --verbose"),
    Site("app/db.py", 'DSN = "postgres://app:{value}@db.internal:5432/app"'),
    Site("prod.env", "DATABASE_URL=mysql://app:{value}@db/app"),
)
_TEXTS = (
    Site("CREDENTIALS.TXT", "{name}={value}"),
    Site("notes.txt", "{name}: {value}"),
    Site("servers", "{name} = {value}"),
    Site("install.log", "{name}: {value}"),
    Site("handover.adoc", "{name}={value}"),
)
# What a person writes for a token in a test or a manual.
_TOKEN_LIKE = tuple(
    "my-token|access_token|refresh_token|csrf_token|api-key-header|X-Api-Key|token-name|client.secret"
    "|secretName|my-service-credentials|db-credentials|Bearer|token_type|TOKEN_EXPIRED|invalid_token"
    "|kubernetes.io/service-account-token|secret/data/app|tokens.json|token.refresh|TokenProvider"
    "|some-secret|fake-token|test-token|test_secret|secret-1|foo-token|abc123|12345|expired|valid"
    "|accessToken|getToken()|Token|token:read|auth.token|your-api-key|<token>|xxxx-xxxx|YOUR_API_KEY"
    "|The token is invalid|Enter the API key|urn:ietf:params:oauth|application/json".split("|")
)


def token(draw: random.Random) -> str:
    """One secret as a machine makes it."""
    size = draw.choice((16, 20, 24, 32, 40, 48, 64))
    alnum = string.ascii_letters + string.digits
    ways: tuple[Callable[[], str], ...] = (
        lambda: draw.randbytes(size // 2).hex(),
        lambda: "".join(draw.choices(alnum, k=size)),
        lambda: "".join(draw.choices(string.ascii_lowercase + string.digits, k=size)),
        lambda: base64.b64encode(draw.randbytes(size)).decode(),
        lambda: base64.urlsafe_b64encode(draw.randbytes(size)).decode().rstrip("="),
        lambda: base64.b64encode(draw.randbytes(draw.randint(100, 240))).decode(),
        lambda: "".join(draw.choices(alnum + "!@%^*-_+", k=draw.randint(10, 20))),
        lambda: "".join(
            draw.choices(string.ascii_lowercase + string.digits, k=draw.randint(9, 15))
        ),
    )
    return draw.choice(ways)()


# What the same names hold where they hold no secret. Single words are labels or types.
_LABELS = tuple(
    "Password|Passwort|Mot de passe|Contraseña|Senha|Wachtwoord|Hasło|Lösenord"
    "|New password|Old password|Confirm password|Your password|Password (again)|Password:"
    "|Current password:|Enter your password|Please enter a password|Passwords do not match"
    "|Forgot your password?|Das Passwort ist falsch|Le mot de passe est requis"
    "|La contraseña no es válida|Must be at least 8 characters|Invalid user name or password"
    "|The password for the database|Change password|Reset password|Password is required"
    "|Show password|Hide password|Passwort vergessen?".split("|")
)
_TYPES = tuple(
    "string String str text secret password SecretStr bytes varchar(255) String! char[] object any"
    " optional required nullable hidden VARCHAR STRING Optional[str]".split()
)
_PATHS = tuple(
    "/run/secrets/db_password|secrets/password.txt|./password.key|/etc/app/password"
    "|config/credentials.yml|C:\\app\\password.txt|~/.pgpass|/var/lib/app/db.pass"
    "|passwords/reset.html|auth/password/change|users/password.erb|file:///etc/passwd".split("|")
)
_REFERENCES = tuple(
    "${DB_PASSWORD}|$DB_PASSWORD|{{ db_password }}|{{ .Values.password }}|%(password)s|<password>"
    "|<%= password %>|#{password}|%PASSWORD%|$(cat /run/secrets/pw)|vault:secret/data/db#password"
    "|{password}|@password|env:DB_PASSWORD|${env.PASSWORD}|!vault|op://vault/db/password".split("|")
)
_IDENTIFIERS = tuple(
    "DB_PASSWORD|ADMIN_PASSWORD|user.password|password_confirmation|new_password|userPassword"
    "|errors.password.required|form-control|input-password|PASSWORD_CHANGED|password-field"
    "|self.password|request.password|auth.password.label|passwordInput|password_hash|getPassword()"
    "|min:8|required,min=8|^(?=.*[0-9]).{8,}$|[A-Za-z0-9]{8,}|sha256|bcrypt|plain|none|null|true"
    "|false|********|xxxxxxxx|change-me|your-password|<your password>|TODO|...".split("|")
)
_MORE_LABELS = tuple(
    "Enter the new password twice|Le mot de passe doit contenir 8 lettres|La clave no coincide"
    "|Das Kennwort ist zu kurz|A senha deve ter 8 caracteres|De wachtwoorden komen niet overeen"
    "|Ange ditt lösenord|Parola errata|Şifre|Пароли не совпадают|新しいパスワード|输入密码"
    "|Anna salasana|Passord|Lozinka|Zadejte heslo|Podaj hasło|Leave blank to keep the old one"
    "|Choose a password|The two passwords are not the same|Password for the new account"
    "|At least one digit|Password or token|비밀번호를 입력하세요|Пароль|Kodeord".split("|")
)
_STATES = tuple(
    "enabled disabled visible hidden protected public manual custom unset sensitive masked always"
    " encrypted default immutable deprecated internal inherit auto readonly nonempty static".split()
)
_ALGORITHMS = tuple("sha- sha aes- aes_ hs rs es hmac-sha argon2 pbkdf2_sha rsa- md".split())


def lookalike(draw: random.Random) -> str:
    """What stands under the name of a password and is none."""
    holder = draw.choice(_HOLDERS)
    mark = draw.choice(
        (("__", "__"), ("@@", "@@"), ("%%", "%%"), ("<", ">"), ("[", "]"), ("{", "}"))
    )
    size, more = draw.randint(3, 72), draw.choice((":", "=", ">", ">=", "(", "~"))
    ways: tuple[Callable[[], str], ...] = (
        lambda: draw.choice(_LABELS + _MORE_LABELS),
        lambda: draw.choice(_LABELS + _MORE_LABELS),
        lambda: draw.choice(_TYPES),
        lambda: draw.choice(
            ("Map<String, String>", "Array<str>", "&str", "byte[]", "NSData", "char*")
        ),
        lambda: draw.choice(_PATHS),
        lambda: draw.choice(_REFERENCES),
        lambda: draw.choice(_IDENTIFIERS),
        lambda: draw.choice(_STATES),
        lambda: draw.choice(_ALGORITHMS) + draw.choice(("", "256", "512", "128-cbc", "i", "5")),
        lambda: draw.choice(("min", "max", "len", "minlength", "size")) + more + str(size),
        lambda: (
            draw.choice(("[a-z]", "[0-9A-F]", "\\w", "(?:a|b)", "^."))
            + draw.choice(("+", "{8}$", "*"))
        ),
        lambda: draw.choice("#.") + draw.choice(("", "user-", "login_")) + holder.lower(),
        lambda: f"20{size:02}-0{size % 9 + 1}-1{size % 10}T0{size % 10}:15:00Z",
        lambda: (
            draw.choice(("std", "crate", "App")) + "::" + draw.choice(("Secret", "str", holder))
        ),
        lambda: f"{draw.choice(('bcrypt', 'crypto', 'utils'))}.hash({holder})",
        lambda: draw.choice(("fa fa-key", "icon-lock", "form-group", "text-muted col-md-6")),
        lambda: mark[0] + holder.upper() + mark[1],
        lambda: (
            draw.choice(("user", "form", "auth", "cfg", "x"))
            + draw.choice(("_", ".", "-"))
            + holder
        ),
    )
    return draw.choice(ways)()


class Line(NamedTuple):
    """A line of a file at a path, and whether it holds a password."""

    path: str
    text: str
    is_secret: bool


def lines(seed: int, count: int) -> Iterator[Line]:
    """So many lines with a password of a person, and as many with a look-alike, over all sites."""
    draw = random.Random(seed)  # noqa: S311 - made-up secrets, the same in each run
    listed = common()
    yield from _in_sites(draw, ((chosen(draw, listed), lookalike(draw)) for _ in range(count)))


def substituted(
    rows: Iterable[Mapping[str, Any]], seed: int, share: float
) -> Iterator[Mapping[str, Any]]:
    """Labelled rows, with passwords that people choose in the place of a share of the true values.

    Only values of passwords and of URLs are replaced. A row with another value has `replaced`.
    """
    draw, listed = random.Random(seed), common()  # noqa: S311 - the same in each run
    for row in rows:
        value = row.get("value") or ""
        kinds = {"Password", "URL Credentials"}.intersection(row["category"].split(":"))
        if row["label"] != "T" or not kinds or not value or draw.random() >= share:
            yield row
            continue
        new = chosen(draw, listed).replace(" ", "")
        if "URL Credentials" in kinds:
            new = new.replace("@", "a").replace("/", "").replace("#", "").replace("?", "")
        lines = [
            line.replace(value, new) if row["line_start"] <= number <= row["line_end"] else line
            for number, line in enumerate(row["lines"], row["first_line"])
        ]
        yield {**row, "lines": lines, "value": new, "replaced": True}


def held_lines(seed: int, file: Path, count: int) -> Iterator[Line]:
    """The same of strings that no model is made of: a file of two parts, [lookalikes] and
    [passwords], one string a line."""
    draw = random.Random(seed)  # noqa: S311 - the same order in each run
    first, _, second = file.read_text(encoding="utf-8").partition("\n[passwords]\n")
    others = first.removeprefix("[lookalikes]\n").splitlines()
    pairs = ((draw.choice(second.splitlines()), draw.choice(others)) for _ in range(count))
    yield from _in_sites(draw, pairs)


def text_lines(seed: int, file: Path, count: int) -> Iterator[Line]:
    """Passwords of a file as in `held_lines`, and tokens, in files of text."""
    draw = random.Random(seed)  # noqa: S311 - the same order in each run
    known = file.read_text(encoding="utf-8").partition("\n[passwords]\n")[2].splitlines()
    held = [each for each in known if " " not in each]
    for site in (site for site, _ in zip(cycle(_TEXTS), range(count))):
        if draw.random() < 0.5:
            name, value = draw.choice(_HOLDERS), draw.choice(held)
        else:
            name, value = draw.choice(_TOKEN_HOLDERS), token(draw)
        yield Line(site.path, site.text.format(name=name, value=value), is_secret=True)


def _in_sites(draw: random.Random, pairs: Iterable[tuple[str, str]]) -> Iterator[Line]:
    for site, (secret, other) in zip(cycle(SITES), pairs):
        name = draw.choice(_HOLDERS)
        yield Line(site.path, site.text.format(name=name, value=secret), is_secret=True)
        yield Line(site.path, site.text.format(name=name, value=other), is_secret=False)


def other_lines(seed: int, count: int) -> Iterator[Line]:
    """So many lines with a secret that a machine made, or that a command or address holds, and half
    as many with a word that stands for a token."""
    draw = random.Random(seed)  # noqa: S311 - made-up secrets, the same in each run
    for number in range(count):
        site, name = SITES[number % len(SITES)], draw.choice(_TOKEN_HOLDERS)
        if number % 3:
            yield Line(site.path, site.text.format(name=name, value=token(draw)), is_secret=True)
        else:
            held, secret = draw.choice(_COMMANDS), draw.choice((password, token))(draw)
            fits = secret.replace("/", "a").replace(" ", "").strip("@#?$*!.")
            yield Line(held.path, held.text.format(value=fits), is_secret=True)
        if number % 2:
            word = draw.choice(_TOKEN_LIKE)
            yield Line(site.path, site.text.format(name=name, value=word), is_secret=False)
