"""What only the whole tree can judge: variables that nothing declares or uses, and secret files
that a compose file names and the repository holds. On real repositories, with both matchers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from scanner.detect.rules.samples import expand
from scanner.detect.variables.collector import MOST, Watcher
from scanner.detect.variables.names import declared
from scanner.model import Reference
from tests.support.helpers import NOW, Keywatch, Scanned, git, repository, scan

MARK = "keywatch" + ":"  # no allow comment of this file itself
UNDECLARED = "config-undeclared-variable"
UNUSED = "config-unused-variable"
COMMITTED = "compose-secret-file-committed"
ENGINES = pytest.mark.parametrize("engine", ["hyperscan", "re"])

# Each declares the variable that its text calls @ in a way of its own.
DECLARING = {
    ".env.example": "A_FIRST=1\n@=\n",
    "sub/.env.sample": "# @=\n",
    "deploy/.env.production": "export @=x\n",
    "compose.yaml": "services:\n  a:\n    environment:\n      @: fixed\n",
    "docker-compose.list.yml": "services:\n  a:\n    environment:\n      - @=fixed\n",
    "docker-compose.passed.yml": "services:\n  a:\n    environment:\n      - @\n",
    "docker-compose.flow.yml": "services: {a: {environment: [OTHER, @]}}\n",
    "deploy/api.yaml": "apiVersion: v1\nkind: Pod\nspec: {containers: [{env: [\n  {name: @,\n"
    "  valueFrom: {secretKeyRef: {name: a, key: b}}}]}]}\n",
    "deploy/job.yaml": "apiVersion: batch/v1\nkind: Job\nspec:\n  env:\n    - name: @\n",
    "deploy/map.yaml": "apiVersion: v1\nkind: ConfigMap\ndata:\n  @: a\n",
    "deploy/broken.yaml": "apiVersion: v1\n  kind: [\n  - name: @\n",
    "chart/values.yaml": 'env:\n  "@": ""\n',
    "chart/templates/a.yaml": "env:\n  {{- if .Values.a }}\n  - name: @\n  {{- end }}\n",
    ".github/workflows/a.yml": "env:\n  @: a\n",
    ".github/workflows/b.yml": "jobs:\n  a:\n    steps:\n      - run: ${{ secrets.@ }}\n",
    "infra/upper.tf": 'variable "@" {\n  type = string\n}\n',
    "infra/env.tf": 'environment = {\n  @ = "a"\n}\n',
    "infra/task.json": '{"environment": [{"name": "@", "value": "a"}]}\n',
    "Dockerfile": "FROM scratch\nENV @ a\n",
    "api/Dockerfile": "FROM scratch\nARG @\n",
    "deploy/run.sh": "docker run -e @ image\n",
    "Makefile": "export @ := a\n",
    "app.properties": "@ = a\n",
    "app.toml": '@ = "a"\n',
    "logback.xml": '<a>\n<property name="@" value="a"/>\n</a>\n',
    "pom.xml": "<properties><@>1</@></properties>\n",
}
# Each only names it.
NAMING = {
    "itself.yaml": 'a:\n  @: "${@}"\n',
    "comment.yaml": "# @: a\nb: 1 # @=a\n",
    "read.py": 'import os\nos.environ["@"]\n',
    "README.md": "Set @=a before you start.\n",
    "longer.env": "@_FILE=a\nMY_@=a\n",
    "words.yaml": "text: set @ before you start\n",
    "compared.sh": 'if [ "$@" = a ]; then\n',
    "port.yaml": "a: @:8080\n",
}
# Each needs it from outside.
USING = {
    "configs/secrets/vault.yaml": "vault:\n  address: ${@}\n",
    "config/app.json": '{"a": {"b": "x ${@}"}}\n',
    "config/app.toml": 'a = "${@}"\n',
    "config/app.ini": "[a]\nb = ${@}\n",
    ".env.production": "A_URL=https://${@}/\n",
    "config/app.xml": "<a><b>${@}</b></a>\n",
    "src/main/resources/application.properties": "spring.a=${@}\n",
    "docker-compose.yml": 'services:\n  a:\n    image: "b:${@:?not set}"\n',
    "bare/compose.yaml": "services:\n  a:\n    environment:\n      A: $@\n",
    "deploy/pod.yaml": "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n    - args: [--a=$(@)]\n",
    "helmfile.yaml": 'a: {{ requiredEnv "@" | quote }}\n',
    "consul.yaml": 'a: {{ env "@" }}\n',
    "config/database.yml": "a: <%= ENV['@'] %>\n",
    "log4j2.xml": "<a>${env:@}</a>\n",
}
# Each is no use, or one that needs no declaration.
NOT_USING = {
    "a/default.yaml": "a: ${@:-b}\nb: ${@:}\nc: ${@-d}\n",
    "a/escaped.yaml": "a: $${@}\nb: \\${@}\n",
    "a/comment.yaml": "a: 1  # ${@}\n# ${@}\n",
    "a/words.json": '{"description": "such as ${@}"}\n',
    "a/long-words.json": '{\n"documentation": "' + "some words " * 60 + '${@}"\n}\n',
    "a/bare.yaml": "a: $@\n",
    "a/compose.yaml": "services:\n  a:\n    command: echo $$@\n",
    "a/run.sh": 'echo "${@}"\n',
    "a/code.js": "const a = `${@}`\n",
    "a/main.tf": 'a = "${@}"\n',
    "a/Dockerfile": "FROM a\nRUN echo ${@}\n",
    "a/no-manifest.yaml": "a: $(@)\n",
    "a/default.tpl.yaml": 'a: {{ env "@" | default "b" }}\n',
    ".github/workflows/a.yaml": "steps:\n  - run: echo ${@}\n",
    ".gitlab-ci.yml": "a:\n  script: echo ${@}\n",
    "tests/a.yaml": "a: ${@}\n",
    "locales/en.json": '{"hello": "Hello ${@}"}\n',
    "roles/a/tasks/main.yml": "- shell: echo ${@}\n",
    "a/filled-in.yaml.tmpl": "a: ${@}\n",
}


def named(cases: Mapping[str, str]) -> dict[str, str]:
    """Each file with a variable of its own."""
    pairs = zip(cases.items(), names(cases), strict=True)
    return {path: text.replace("@", name) for (path, text), name in pairs}


def names(cases: Mapping[str, str]) -> list[str]:
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    return [f"TOP_{letters[i]}{letters[-1 - i]}_NAME" for i in range(len(cases))]


def tree(folder: Path, files: Mapping[str, str]) -> Path:
    """A repository that tracks these files."""
    repository(folder)
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    git(folder, "add", "--force", ".")
    return folder


def broken(scanned: Scanned, rule: str) -> list[tuple[str, int, str]]:
    """(path, line, name) of each finding of a rule."""
    return [
        (f["location"]["path"], f["location"]["line"], f["context"])
        for f in scanned.report["findings"]
        if f["rule"] == rule
    ]


def found(keywatch: Keywatch, folder: Path, rule: str, *more: str) -> list[tuple[str, int, str]]:
    return broken(scan(keywatch, *more, cwd=folder), rule)


@ENGINES
def test_each_kind_of_file_declares_variables(
    keywatch: Keywatch, tmp_path: Path, engine: str
) -> None:
    uses = "".join(f"a{i}: ${{{name}}}\n" for i, name in enumerate(names(DECLARING)))
    folder = tree(tmp_path / "a", {**named(DECLARING), "config/all.yaml": uses})
    assert found(keywatch, folder, UNDECLARED, f"--matcher={engine}") == []


@ENGINES
def test_to_name_a_variable_is_not_to_declare_it(
    keywatch: Keywatch, tmp_path: Path, engine: str
) -> None:
    uses = "".join(f"a{i}: ${{{name}}}\n" for i, name in enumerate(names(NAMING)))
    folder = tree(tmp_path / "a", {**named(NAMING), "config/all.yaml": uses})
    seen = found(keywatch, folder, UNDECLARED, f"--matcher={engine}")
    assert [name for path, _, name in seen if path == "config/all.yaml"] == names(NAMING)


@ENGINES
def test_each_kind_of_configuration_uses_variables(
    keywatch: Keywatch, tmp_path: Path, engine: str
) -> None:
    folder = tree(tmp_path / "a", named(USING))
    seen = found(keywatch, folder, UNDECLARED, f"--matcher={engine}")
    assert {path: name for path, _, name in seen} == dict(zip(USING, names(USING), strict=True))


def test_where_names_are_local_or_have_a_default_nothing_must_declare_them(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    folder = tree(tmp_path / "a", named(NOT_USING))
    assert found(keywatch, folder, UNDECLARED) == []


def test_variables_of_shells_and_ci_and_words_that_may_be_anything_need_no_declaration(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    given = ("HOME", "GITHUB_SHA", "CI_COMMIT_SHA", "PATH", "XDG_DATA_HOME", "VERSION", "app_name")
    text = "".join(f"a{i}: ${{{name}}}\n" for i, name in enumerate((*given, "DB_NAME", "TOKEN")))
    seen = found(keywatch, tree(tmp_path / "a", {"a.yaml": text}), UNDECLARED)
    assert [name for _, _, name in seen] == ["DB_NAME", "TOKEN"]


def test_a_terraform_variable_is_declared_in_any_case_and_for_the_environment(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    files = {
        "main.tf": 'variable "db_name" {}\n\nvariable "zone" {}\n',
        "a.yaml": "a: ${DB_NAME}\nb: ${TF_VAR_zone}\nc: ${TF_VAR_region}\n",
    }
    seen = found(keywatch, tree(tmp_path / "a", files), UNDECLARED)
    assert seen == [("a.yaml", 3, "TF_VAR_region")]


def test_a_variable_is_a_finding_once_a_file_where_it_stands_first(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    files = {"a.yaml": "ä: é ${DB_NAME}\nb: ${DB_NAME}\n", "b.yaml": "a: ${DB_NAME}\n"}
    scanned = scan(keywatch, cwd=tree(tmp_path / "a", files))
    assert scanned.places == [("a.yaml", 1, 8), ("b.yaml", 1, 6)]
    assert scanned.report["findings"][0]["location"]["end_column"] == 8 + len("DB_NAME")


def test_without_a_list_of_variables_one_that_nothing_declares_is_less_sure(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    alone = tree(tmp_path / "a", {"a.yaml": "a: ${DB_NAME}\n"})
    listed = tree(tmp_path / "b", {"a.yaml": "a: ${DB_NAME} ${A_B}\n", ".env.example": "A_B=\n"})
    for folder, confidence in ((alone, "low"), (listed, "medium")):
        (finding,) = scan(keywatch, cwd=folder).report["findings"]
        assert (finding["rule"], finding["confidence"]) == (UNDECLARED, confidence)


# Each uses the variable DB_POOL_SIZE.
USED_IN = {
    "a.py": 'os.environ["DB_POOL_SIZE"]\n',
    "b.py": "class Settings(BaseSettings):\n    db_pool_size: int\n",
    "c.ts": "config.dbPoolSize\n",
    "d.properties": "db.pool.size=1\n",
    "e.cs": 'configuration["DB:POOL:SIZE"]\n',
    "f.py": 'model_config = SettingsConfigDict(env_prefix="DB_")\n',
    "g.go": 'viper.SetEnvPrefix("db")\n',
    "compose.yaml": "services: {a: {environment: [DB_POOL_SIZE]}}\n",
    "h.env": "DB_URL=${DB_POOL_SIZE}\n",
    ".github/workflows/ci.yml": "env: {A: '${{ secrets.DB_POOL_SIZE }}'}\n",
    ".gitlab-ci.yml": "test: {script: [a $DB_POOL_SIZE]}\n",
    "azure-pipelines.yml": "variables: {a: $(DB_POOL_SIZE)}\n",
    "supervisord.conf": "[inet_http_server]\nport=%(ENV_DB_POOL_SIZE)s\n",
}
# Each does not, though it names it or something like it.
NOT_USED_IN = {
    "README.md": "DB_POOL_SIZE says how many\n",
    "docs/a.rst": "DB_POOL_SIZE\n",
    ".env.production": "DB_POOL_SIZE=3\n",
    "a.py": "DB_POOL_SIZES = MY_DB_POOL_SIZE = db_pool = 1\n",
}


@ENGINES
@pytest.mark.parametrize("path", USED_IN)
def test_a_variable_is_used_where_anything_else_names_it(
    keywatch: Keywatch, tmp_path: Path, path: str, engine: str
) -> None:
    files = {".env.example": "DB_POOL_SIZE=5\n", path: USED_IN[path]}
    folder = tree(tmp_path / "a", files)
    assert found(keywatch, folder, UNUSED, f"--matcher={engine}") == []


@ENGINES
def test_a_variable_that_is_only_documented_or_given_a_value_is_unused(
    keywatch: Keywatch, tmp_path: Path, engine: str
) -> None:
    text = "# DB_COMMENTED=\n\nDB_POOL_SIZE=5\nexport APP_MODE=a\nA_URL=${APP_MODE}\n"
    folder = tree(tmp_path / "a", {".env.example": text, "b.py": "A_URL\n", **NOT_USED_IN})
    seen = found(keywatch, folder, UNUSED, f"--matcher={engine}")
    assert seen == [(".env.example", 3, "DB_POOL_SIZE")]


def test_what_programs_read_by_themselves_is_not_called_unused(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    text = "AWS_REGION=\nPOSTGRES_DB=\nPGHOST=\nHTTPS_PROXY=\nTZ=\nOLD_TOKEN=\n"
    seen = found(keywatch, tree(tmp_path / "a", {".env.example": text}), UNUSED)
    assert [name for _, _, name in seen] == ["OLD_TOKEN"]


def test_where_a_container_gets_all_variables_an_unused_one_is_less_sure(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    files = {"compose.yaml": "services: {a: {env_file: .env}}\n", ".env.example": "OLD_TOKEN=\n"}
    (finding,) = scan(keywatch, cwd=tree(tmp_path / "a", files)).report["findings"]
    assert (finding["rule"], finding["confidence"]) == (UNUSED, "low")


def test_a_part_of_the_tree_is_not_judged(keywatch: Keywatch, tmp_path: Path) -> None:
    files = {".env.example": "OLD_TOKEN=\n", "a.yaml": "a: ${DB_NAME}\n"}
    folder = tree(tmp_path / "a", files)
    for part in (["--staged"], ["a.yaml", ".env.example"], ["--exclude=b"]):
        assert scan(keywatch, *part, cwd=folder).report["findings"] == [], part
    done = keywatch("scan", "--stdin", "--stdin-name=a.yaml", cwd=folder, stdin=b"a: ${DB_NAME}\n")
    assert done.returncode == 0
    assert keywatch("hook", "pre-commit", cwd=folder).returncode == 0
    assert len(scan(keywatch, cwd=folder).report["findings"]) == 2


def test_in_a_large_tree_the_order_of_files_does_not_matter(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    """Large enough for worker processes, each of which sees a part."""
    padding = {f"m/{i:03}.yaml": f"a{i}: {'b' * 20_000}\n" for i in range(300)}
    for first, last in (("a", "z"), ("z", "a")):
        files = {
            f"{first}/.env.example": "USED_HERE=\nOLD_TOKEN=\n",
            f"{last}/config.yaml": "a: ${SET_THERE} ${USED_HERE} ${NOT_SET}\n",
            f"{first}/deploy.yaml": "env:\n  - name: SET_THERE\n",
        }
        scanned = scan(keywatch, cwd=tree(tmp_path / first, padding | files))
        assert broken(scanned, UNDECLARED) == [(f"{last}/config.yaml", 1, "NOT_SET")]
        assert broken(scanned, UNUSED) == [(f"{first}/.env.example", 2, "OLD_TOKEN")]


def test_excluded_and_binary_files_neither_use_nor_declare(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    files = {
        "keywatch.yaml": "version: 1\nscan: {exclude: ['lib/**']}\n",
        "lib/a.yaml": "DB_NAME: x\nb: ${LIB_NAME}\nc: OLD_TOKEN\n",
        "b.dat": "DB_NAME: \0\1\2\3\n",
        "a.yaml": "a: ${DB_NAME}\n",
        ".env.example": "OLD_TOKEN=\n",
    }
    scanned = scan(keywatch, cwd=tree(tmp_path / "a", files))
    assert broken(scanned, UNDECLARED) == [("a.yaml", 1, "DB_NAME")]
    assert broken(scanned, UNUSED) == [(".env.example", 1, "OLD_TOKEN")]


def test_text_in_utf_16_is_read_like_any_other(keywatch: Keywatch, tmp_path: Path) -> None:
    folder = tree(tmp_path / "a", {".env.example": "OLD_TOKEN=\nNEW_NAME=\n"})
    (folder / "a.yaml").write_bytes("a: ${DB_NAME}\nb: NEW_NAME\n".encode("utf-16"))
    scanned = scan(keywatch, cwd=folder)
    assert broken(scanned, UNDECLARED) == [("a.yaml", 1, "DB_NAME")]
    assert [name for _, _, name in broken(scanned, UNUSED)] == ["OLD_TOKEN"]


# Exceptions and identity


def test_an_allow_comment_covers_it(keywatch: Keywatch, tmp_path: Path) -> None:
    allow = f'# {MARK} allow {UNDECLARED} reason="set by hand" owner=@a until=2027-01-31'
    folder = tree(tmp_path / "a", {"a.yaml": f"a: ${{DB_NAME}} {allow}\n"})
    scanned = scan(keywatch, cwd=folder)
    assert scanned.report["findings"] == []
    assert scanned.report["suppressed"][0]["finding"]["rule"] == UNDECLARED
    assert scan(keywatch, "a.yaml", cwd=folder).code == 0, "a part cannot call it unused"


def test_an_entry_covers_it_and_does_not_when_it_has_ended(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    folder = tree(tmp_path / "a", {".env.example": "OLD_TOKEN=\n"})
    (finding,) = scan(keywatch, cwd=folder).report["findings"]
    terms = ("--reason=kept for the old release", "--owner=@a", "--until=2027-01-31")
    done = keywatch("allow", finding["id"], *terms, f"--now={NOW}", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert scan(keywatch, cwd=folder).code == 0
    done = keywatch("scan", "--now=2027-03-01T00:00:00Z", "--report=json=-", cwd=folder)
    rules = [each["rule"] for each in json.loads(done.stdout)["findings"]]
    assert sorted(rules) == ["allow-expired", UNUSED]


def test_a_baseline_covers_it_and_is_pruned_when_it_is_gone(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    folder = tree(tmp_path / "a", {"a.yaml": "a: ${DB_NAME}\nb: ${DB_USER}\n"})
    assert keywatch("baseline", "create", f"--now={NOW}", cwd=folder).returncode == 0
    assert scan(keywatch, cwd=folder).code == 0
    (folder / "a.yaml").write_text("b: ${DB_USER}\n")
    done = keywatch("baseline", "update", f"--now={NOW}", cwd=folder)
    assert b"1 finding (0 new, 1 gone)" in done.stdout
    (folder / "a.yaml").write_text("b: ${DB_USER}\nc: ${DB_HOST}\n")
    assert [name for _, _, name in found(keywatch, folder, UNDECLARED)] == ["DB_HOST"]


def test_a_disabled_rule_finds_nothing_and_stands_in_the_register(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    files = {
        "keywatch.yaml": f"version: 1\nscan: {{disable_rules: [{UNDECLARED}]}}\n",
        "a.yaml": "a: ${DB_NAME}\n",
        ".env.example": "OLD_TOKEN=\n",
    }
    scanned = scan(keywatch, cwd=tree(tmp_path / "a", files))
    assert [finding["rule"] for finding in scanned.report["findings"]] == [UNUSED]
    assert [(each["by"], each["rule"]) for each in scanned.report["register"]] == [
        ("rule-disabled", UNDECLARED)
    ]


def test_a_finding_keeps_its_identity_when_lines_move(keywatch: Keywatch, tmp_path: Path) -> None:
    files = {"a.yaml": "a: ${DB_NAME}\n", ".env.example": "OLD_TOKEN=\n"}
    folder = tree(tmp_path / "a", files)
    before = scan(keywatch, cwd=folder).report["findings"]
    (folder / "a.yaml").write_text("# one more\nz: ${DB_USER}\na: x${DB_NAME}\n")
    (folder / ".env.example").write_text("\nDB_USER=\nOLD_TOKEN=\n")
    after = scan(keywatch, cwd=folder).report["findings"]
    assert [f["fingerprint"] for f in after] == [f["fingerprint"] for f in before]


# Hostile trees


def test_a_name_that_is_a_secret_is_not_shown(keywatch: Keywatch, tmp_path: Path) -> None:
    key = expand("AKIA{base32:16}", 3)
    files = {"a.yaml": f"a: ${{X_Y}} ${{{key}}}\n", ".env.example": f"{key}=\n"}
    folder = tree(tmp_path / "a", files)
    done = keywatch("scan", "--report=json=-", "--report=sarif=a.sarif", cwd=folder)
    assert key.encode() not in done.stdout + done.stderr
    assert key not in (folder / "a.sarif").read_text()


def test_of_very_many_names_the_first_are_judged_and_a_note_says_so(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    many = [f"DB_{i:04}" for i in range(MOST + 10)]
    files = {f"{i}.yaml": f"a: ${{{name}}}\n" for i, name in enumerate(many)}
    files["lib/.env.example"] = "".join(f"OLD_{i:04}=\n" for i in range(MOST + 20))
    scanned = scan(keywatch, cwd=tree(tmp_path / "a", files))
    assert len(broken(scanned, UNDECLARED)) == len(broken(scanned, UNUSED)) == MOST
    held = f"the first {MOST} were held against the tree"
    said = {note["text"] for note in scanned.report["notes"]}
    assert said == {
        f"{MOST + 20} variables are listed; {held}",
        f"{MOST + 10} variables are used; {held}",
    }


@pytest.mark.unmeasured
@pytest.mark.slow
@ENGINES
@pytest.mark.parametrize(
    "text",
    [
        "${DB_NAME} " * 25_000,
        "${A_B:?" * 40_000,
        '{{ env "' * 40_000,
        "prefix" * 40_000,
        "".join(f"${{N_{i}}} N_{i} " for i in range(15_000)),
        "DB_NAME " * 30_000,
    ],
    ids=["uses", "unclosed", "templates", "prefixes", "names", "mentions"],
)
def test_odd_text_takes_no_long_time(
    keywatch: Keywatch, tmp_path: Path, text: str, engine: str
) -> None:
    files = {"a.yaml": text, "b.yaml": text + "\n${DB_NAME}\n", ".env.example": "PREFIX_A=\n"}
    folder = tree(tmp_path / "a", files)  # the fixture ends a process after two minutes
    assert scan(keywatch, f"--matcher={engine}", cwd=folder).gaps == []


def test_a_name_is_seen_though_two_pieces_of_a_file_share_it() -> None:
    class Notes:
        uses: list[Reference] = []  # noqa: RUF012 - of this one test
        secret_files: list[Reference] = []  # noqa: RUF012
        mentioned: set[str] = set()  # noqa: RUF012

    watcher = Watcher(["DB_NAME"], "hyperscan")
    pieces = [b"a" * 1000 + b" DB_N", b"AME " + b"b" * 1000]
    assert list(watcher.over("a.py", "a.py", pieces, Notes())) == pieces
    assert Notes.mentioned == {"DB_NAME"}


def test_a_name_touched_by_other_letters_declares_nothing() -> None:
    for text in (b"XDB_NAME=1", b"DB_NAMES=1", b"-DB_NAME=1", b"$DB_NAME=1", b"${DB_NAME:=1}"):
        assert declared(["DB_NAME"], text) == set(), text


# Secret files of compose files

COMPOSE = "services: {{a: {{image: b}}}}\nsecrets:\n  db:\n    file: {path}\n"


def compose(path: str) -> str:
    return COMPOSE.format(path=path)


@pytest.mark.parametrize("path", ["./secrets/db.txt", "secrets/db.txt", '"x/../secrets/db.txt"'])
def test_a_secret_file_that_is_tracked_is_found_on_its_line(
    keywatch: Keywatch, tmp_path: Path, path: str
) -> None:
    files = {"deploy/compose.yaml": compose(path), "deploy/secrets/db.txt": "a\n"}
    seen = found(keywatch, tree(tmp_path / "a", files), COMMITTED)
    assert seen == [("deploy/compose.yaml", 4, "deploy/secrets/db.txt")]


@pytest.mark.parametrize(
    "text",
    [
        compose("./other.txt"),
        compose("/secrets/db.txt"),
        compose("../secrets/db.txt"),
        compose("${SECRETS:-.}/db.txt"),
        "services: {a: {image: b}}\nconfigs:\n  a:\n    file: secrets/db.txt\n",
        "services: {a: {image: b}}\nsecrets: {a: {external: true}, b: {environment: A_B}}\n",
        "# file: secrets/db.txt\nservices: {a: {image: b}}\n",
    ],
)
def test_any_other_file_is_none(keywatch: Keywatch, tmp_path: Path, text: str) -> None:
    files = {"compose.yaml": text, "secrets/db.txt": "a\n"}
    assert found(keywatch, tree(tmp_path / "a", files), COMMITTED) == []


def test_a_secret_file_that_git_ignores_is_not_in_the_repository(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    files = {"compose.yaml": compose("secrets/db.txt"), ".gitignore": "secrets/\n"}
    folder = tree(tmp_path / "a", files)
    (folder / "secrets").mkdir()
    (folder / "secrets/db.txt").write_text("a\n")
    assert found(keywatch, folder, COMMITTED) == []


def test_a_compose_file_that_does_not_parse_is_read_by_its_lines(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    text = "services: [\nsecrets:\n  db:\n    file: 'secrets/db.txt'\n"
    files = {"docker-compose.yml": text, "secrets/db.txt": "a\n"}
    seen = found(keywatch, tree(tmp_path / "a", files), COMMITTED)
    assert seen == [("docker-compose.yml", 4, "secrets/db.txt")]


def test_a_commit_with_both_is_stopped_and_with_the_compose_file_alone_is_not(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    folder = repository(tmp_path / "a")
    (folder / "compose.yaml").write_text(compose("db.txt"))
    (folder / "db.txt").write_text("a\n")
    git(folder, "add", "compose.yaml")
    assert keywatch("hook", "pre-commit", cwd=folder).returncode == 0
    git(folder, "add", "db.txt")
    done = keywatch("hook", "pre-commit", cwd=folder)
    assert (done.returncode, COMMITTED.encode() in done.stdout) == (1, True)


def test_a_path_is_shown_without_what_a_terminal_would_do(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    name = "\x1b[31mdb"
    files = {"compose.yaml": compose(f'"{name}"'), name: "a\n"}
    done = keywatch("scan", cwd=tree(tmp_path / "a", files))
    assert b"\x1b" not in done.stdout
