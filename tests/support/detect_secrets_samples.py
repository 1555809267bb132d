"""Made-up files for the detect-secrets layer, each from a seed: no secret is written here."""

from __future__ import annotations

import base64
import json
import random
import string
from collections.abc import Callable, Mapping, Sequence

Maker = Callable[[random.Random], str]

LETTERS = string.ascii_letters
ALNUM = LETTERS + string.digits
LOWER = string.ascii_lowercase + string.digits
UPPER = string.ascii_uppercase + string.digits
HEX = "0123456789abcdef"
NAMES = (
    *("password", "passwd", "pwd", "api_key", "apikey", "API-KEY", "authKey", "secret", "Secret"),
    *("my_secret_key", "db_pass", "private_key", "client_key", "contraseña", "CONTRASEÑA"),
    # Letters that count as s, i and k where case does not.
    *("pa\u017f\u017fword", "ap\u0131_key", "api_\u212aey"),
    *("aws_secret_access_key", "token", "user", "cl_key", "cloudant-password", "sl_token"),
    *("softlayer_api_key", "ibm_cloud_key", "user_id", "secret_access_key", "cos_secret_key"),
    *("password[0]", "password-file", "key", "x", "id"),
)
OPERATORS = (
    *("=", " = ", ": ", ":", " : ", " := ", ":=", " == ", " != ", " === ", " => ", "=>", " !== "),
    *(" ", "  =  ", "\t=\t", "\u00a0=\u00a0", " = @", "(", ".assign(", "] = ", "'] = ", '": '),
)
PRAGMAS = (
    *("# pragma: allowlist secret", "// pragma: allowlist secret", "# pragma:whitelist secret x"),
    *("# pragma: allowlist nextline secret", "; pragma: allowlist nextline secret"),
    *("/* pragma: allowlist secret */", "<!-- pragma: allowlist secret -->", "-- pragma: allow"),
    *("# pragma: allowlist nextline secret why", "  # pragma: allowlist nextline secret"),
)


VENDORS = (
    *(("softlayer_api_key", LOWER, 64), ("sl-pwd", HEX, 64), ("cos_secret_key", HEX, 48)),
    *(("secret-access-key", HEX, 48), ("ibm_cloud_api_key", ALNUM + "-_", 44)),
    *(("clou_password", HEX, 64), ("cl_token", string.ascii_lowercase, 24)),
)


def word(rng: random.Random, alphabet: str, length: int) -> str:
    return "".join(rng.choices(alphabet, k=length))


def one_of(rng: random.Random, length: Sequence[int], alphabet: str = ALNUM) -> str:
    return word(rng, alphabet, rng.choice(length))


def jwt(rng: random.Random) -> str:
    parts = ({"alg": "HS256", "typ": "JWT"}, {"sub": word(rng, ALNUM, 9), "n": rng.random()})
    encoded = [base64.urlsafe_b64encode(json.dumps(one).encode()).decode() for one in parts]
    if rng.random() < 0.8:
        encoded = [one.rstrip("=") for one in encoded]
    return ".".join([*encoded, one_of(rng, [0, 20, 43], ALNUM + "-_")])


def address(rng: random.Random) -> str:
    first = rng.choice([8, 10, 127, 172, 192, 9, 126, 191, 193, 255, 300, rng.randrange(256)])
    second = rng.choice([168, 16, 31, 32, 0, rng.randrange(300)])
    port = rng.choice(["", "", ":80", ":\u0661\u0662", ".5", "a"])
    return f"{first}.{second}.{rng.randrange(260)}.{rng.randrange(260)}{port}"


def vendor(rng: random.Random) -> str:
    """A name and a value of IBM's services, which are found together only."""
    name, alphabet, length = rng.choice(VENDORS)
    between = rng.choice(["=", ": ", "     =    ", " := ", '"] = "', "  "])
    return name + between + word(rng, alphabet, length)


# No format is written out: each is put together when it is asked for.
TOKENS: tuple[Maker, ...] = (
    jwt,
    address,
    vendor,
    lambda r: "AK" + "IA" + one_of(r, [15, 16, 17], UPPER),
    lambda r: "AK" + "C" + one_of(r, [9, 10, 30]),
    lambda r: "A" + "P" + r.choice("0AFG\u0661") + word(r, ALNUM, 9),
    lambda r: "Account" + "Key=" + word(r, ALNUM + "+/", 86) + "==",
    lambda r: f"https://{word(r, LOWER, 5)}:{word(r, ALNUM, 8)}@{word(r, LOWER, 6)}.example",
    lambda r: f"https://{word(r, LOWER, 5)}:{word(r, HEX, 64)}@acc.cloud" + "ant.com",
    lambda r: "gh" + r.choice("pousr") + "_" + one_of(r, [35, 36, 40]),
    lambda r: "gl" + r.choice(["pat-", "rt-", "ptt-", "imt-", "cbt-1f_"]) + one_of(r, [19, 25]),
    lambda r: "sk" + "-" + word(r, ALNUM, 20) + "T3Blbk" + "FJ" + word(r, ALNUM, 20),
    lambda r: r.choice("MNO") + ".".join(word(r, ALNUM, n) for n in (23, 6, 27)),
    lambda r: word(r, LOWER, 32) + "-us" + r.choice(["1", "12", ""]),
    lambda r: (
        "//reg.example/:_auth" + "Token=" + r.choice([" ", ""]) + "npm" + "_" + one_of(r, [9])
    ),
    lambda r: "-----BEGIN " + r.choice(["RSA ", "", "SSH2 ENCRYPTED "]) + "PRIVATE" + " KEY-----",
    lambda r: "pypi" + "-AgEIcHlwaS5vcmc" + one_of(r, [69, 70, 90], ALNUM + "-_"),
    lambda r: "S" + "G." + word(r, ALNUM, 22) + "." + word(r, ALNUM, 43),
    lambda r: "xo" + "x" + r.choice("abz") + "-" + word(r, "0123\u0663", 5) + "-" + one_of(r, [9]),
    lambda r: "sq0" + "csp-" + one_of(r, [42, 43]),
    lambda r: "sk" + "_live_" + word(r, ALNUM, 24),
    lambda r: word(r, "0123456\u0967", 9) + ":" + word(r, ALNUM + "-_", 35),
    lambda r: r.choice(["A" + "C", "S" + "K"]) + word(r, LOWER, 32),
)
PLAIN: tuple[Maker, ...] = (
    lambda r: one_of(r, [3, 8, 20, 22, 23, 24, 40, 44, 60]),
    lambda r: one_of(r, [23, 40, 44, 64], ALNUM + "+/="),
    lambda r: "=" + one_of(r, [30, 40], ALNUM + "+/-"),
    lambda r: one_of(r, [8, 9, 10, 32, 40, 48, 64], HEX),
    lambda r: one_of(r, [9, 20], string.digits),
    lambda r: one_of(r, [6, 24, 30], string.ascii_lowercase),
    lambda r: "".join(r.sample(ALNUM, r.choice([22, 23, 26]))),
    lambda r: "-".join(word(r, HEX, n) for n in (8, 4, 4, 4, 12)),
    lambda r: "${" + word(r, ALNUM, 6) + "}",
    lambda r: "$" + word(r, ALNUM, 6),
    lambda r: "{{ " + word(r, ALNUM, 6) + " }}",
    lambda r: "<" + word(r, ALNUM, 8) + ">",
    lambda r: "get_" + word(r, ALNUM, 4) + "()",
    lambda _: "*****",
    lambda _: "abcdefgh",
    lambda r: "a, b" + word(r, ALNUM, 3) + ",",
    lambda r: "it's" + word(r, ALNUM, 5),
    lambda r: word(r, ALNUM, 5) + '"' + word(r, ALNUM, 24),
    lambda r: word(r, ALNUM, 24) + '"' + word(r, ALNUM, 5),
    lambda r: word(r, ALNUM, 6) + "\\" + word(r, ALNUM, 6),
    lambda r: "é" + word(r, ALNUM, 6),
    lambda r: word(r, ALNUM, 4) + "; " + word(r, ALNUM, 4),
    lambda _: "",
)


def value(rng: random.Random) -> str:
    return rng.choice(TOKENS if rng.random() < 0.45 else PLAIN)(rng)


def quoted(rng: random.Random, text: str) -> str:
    left, right = rng.choice(['""', "''", "``", '""', "''", "\"'", ("", ""), ("", '"'), ("", "")])
    return f"{left}{text}{right}"


def assignment(rng: random.Random) -> str:
    name = quoted(rng, rng.choice(NAMES)) if rng.random() < 0.2 else rng.choice(NAMES)
    affix = rng.choice(["", "", "", "s", "_é", "2", "word" * 30])
    return name + affix + rng.choice(OPERATORS) + quoted(rng, value(rng))


def compared(rng: random.Random) -> str:
    return quoted(rng, value(rng)) + rng.choice([" == ", " != ", "=="]) + rng.choice(NAMES)


def other(rng: random.Random) -> str:
    return rng.choice(["", "x = 1", "def f():", "# " + value(rng), value(rng), " " * 40])


CODE: tuple[Maker, ...] = (
    *(
        lambda r: (
            assignment(r) + r.choice(["", "", ";", ",", ")", " # note", "  ", "\u2028", "\x0c"])
        ),
    )
    * 11,
    *(compared, compared, lambda r: f"if foo({quoted(r, value(r))}) {value(r)}"),
    *(lambda r: r.choice(PRAGMAS),) * 2,
    *(other,) * 3,
)


def code_line(rng: random.Random) -> str:
    line = rng.choice(["", "", "  ", "\t", "    ", "\u3000"]) + rng.choice(CODE)(rng)
    if rng.random() < 0.1:
        line += " " + rng.choice(PRAGMAS)
    if rng.random() < 0.02:
        line += " " + one_of(rng, [900, 3000], ALNUM + ".,;\"' =") + assignment(rng)
    return line


def code(rng: random.Random) -> str:
    return "\n".join(code_line(rng) for _ in range(rng.randrange(1, 12)))


def ini(rng: random.Random) -> str:
    lines = ["[main]"] if rng.random() < 0.8 else []
    for number in range(rng.randrange(1, 9)):
        kind = rng.random()
        text = value(rng).replace("%", "%%")
        if kind < 0.6:
            name = rng.choice(NAMES) + rng.choice(["", str(number)])
            text = rng.choice([text, quoted(rng, text)]) + rng.choice(["", "", " ", "\u2028"])
            lines.append(name + rng.choice(["=", " = ", ": ", ":", "=\u00a0"]) + text)
        elif kind < 0.75:
            more = ["  " + text, "  # note", "    " + value(rng), "\u2003" + text]
            lines += [f"k{number} =", *rng.choices(more, k=2)]
        elif kind < 0.85:
            lines.append(rng.choice(PRAGMAS))
        else:
            more = ["", "; c", "# " + text, f"[s{number}]", "user = %(k0)s", "bare"]
            lines.append(rng.choice(more))
    return "\n".join(lines)


YAML_VALUES: tuple[Callable[[random.Random, str, str], str], ...] = (
    *(lambda _r, text, _indent: text or "~",) * 7,
    *(lambda _r, text, _indent: "'" + text.replace("'", "''") + "'",) * 3,
    *(lambda r, text, _indent: json.dumps(text, ensure_ascii=r.random() < 0.5),) * 3,
    lambda _r, text, indent: f'"{text[:9]}\\\n{indent}  {text[9:]}"'.replace("'", ""),
    lambda _r, text, _i: '"' + "".join(f"\\x{ord(c):02x}" if c < "\x7f" else c for c in text) + '"',
    lambda r, text, indent: f"{r.choice(['|', '>', '|-', '>-'])}\n{indent}  {text}\n",
    lambda r, text, indent: f"|\n{indent}  {text}\n{indent}  {code_line(r).strip()}",
    lambda _r, text, indent: f"\n{indent}  {text}",
    lambda r, text, _indent: r.choice(["&a ", "!!str ", "!custom "]) + text,
    lambda r, text, _i: (
        f"{{{r.choice(NAMES)}: {text}, b: [{text}, {{{r.choice(NAMES)}: {text}}}]}}"
    ),
)


def yaml(rng: random.Random) -> str:
    lines = [rng.choice(["", "", "---", "# c"])]
    for number in range(rng.randrange(1, 7)):
        indent = rng.choice(["", "", "  "])
        if indent:
            lines.append(f"m{number}:" + rng.choice(["", " # c"]))
        dash = rng.choice(["", "", "- "]) if indent else ""
        key = indent + dash + rng.choice(NAMES).replace("[0]", "")
        text = rng.choice(YAML_VALUES)(rng, value(rng), indent + " " * len(dash))
        lines.append(key + rng.choice([": ", ": ", " : ", ":  "]) + text + rng.choice(["", " # c"]))
        if rng.random() < 0.1:
            more = [*PRAGMAS, "<<: *a", "*a : x", "? q\n: " + value(rng), "\tx: y"]
            lines.append(rng.choice(more))
    return "\n".join(lines)


def json_object(rng: random.Random) -> str:
    found = {rng.choice(NAMES): value(rng) for _ in range(4)}
    return json.dumps(found, indent=rng.choice([0, None]))


MAKERS: tuple[tuple[str, Maker], ...] = (
    *((ending, code) for ending in (".py", ".js", ".go", ".c", ".cpp", ".cs", ".tf", ".rb", ".md")),
    *((ending, ini) for ending in (".ini", ".cfg", ".env", ".properties", ".toml", "", ".txt")),
    *((ending, yaml) for ending in (".yaml", ".yml", ".eyaml", ".yaml", ".yml")),
    *((".json", json_object), (".css", code), ("-swagger.py", code)),
)
ENCODINGS: Mapping[float, Callable[[bytes], bytes]] = {
    0.08: lambda data: data.replace(b"\n", b"\r\n"),
    0.11: lambda data: data.replace(b"\n", b"\r"),
    0.13: lambda data: b"\xef\xbb\xbf" + data,
    0.15: lambda data: data + "café ".encode("latin-1"),
    0.16: lambda data: data + b"\0",
    1.00: lambda data: data,
}


def file(seed: int) -> tuple[str, bytes]:
    """A file's name and its bytes."""
    rng = random.Random(seed)
    ending, make = rng.choice(MAKERS)
    data = (make(rng) + rng.choice(["\n", "\n", ""])).encode(errors="replace")
    kind = rng.random()
    encode = next(encode for limit, encode in ENCODINGS.items() if kind < limit)
    return f"f{seed}{ending}", encode(data)
