"""Rules on structure of one's own, in a rule file and in keywatch.yaml."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from scanner.detect.rules.samples import expand
from tests.support.helpers import NOW, Keywatch, git, repository, scan

RULE = """\
  - id: acme-literal-variable
    title: Literal in a variable of a container
    why: Whoever reads the repository can read the value.
    fix: Take it from a Secret with valueFrom.secretKeyRef.
    where: {kind: kubernetes, path: "spec.template.spec.containers[*].env[?name=~/PASSWORD/].value"}
    require: reference
    examples:
      - {file: k8s/app.yaml, text: "%s"}
    negative_examples:
      - {file: k8s/app.yaml, text: "%s"}
"""
PATH = "spec.template.spec.containers[*].env[?name=~/PASSWORD/].value"
MANIFEST = """\
apiVersion: apps/v1
kind: Deployment
spec:
  template:
    spec:
      containers:
        - name: app
          image: app:1
          env:
            - name: SMTP_PASSWORD_HINT
              value: VALUE
"""


def _template(value: str) -> str:
    return MANIFEST.replace("VALUE", value).replace("\n", "\\n")


RULES = "rules:\n" + RULE % (_template("{lower:9}"), _template("${{HINT}}"))
POLICY = "version: 1\n" + RULES
VALUE = expand("{lower:9}", 3)


def tree(folder: Path, value: str = VALUE, *, policy: str = POLICY) -> Path:
    root = repository(folder)
    (root / "k8s").mkdir()
    (root / "k8s" / "app.yaml").write_text(MANIFEST.replace("VALUE", value))
    if policy:
        (root / "keywatch.yaml").write_text(policy)
    git(root, "add", ".")
    return root


def own(report: Any) -> list[dict[str, Any]]:
    return [each for each in report["findings"] if each["rule"] == "acme-literal-variable"]


@pytest.mark.parametrize("matcher", ["hyperscan", "re"])
@pytest.mark.parametrize("where", ["keywatch.yaml", "--rules"])
def test_a_literal_in_the_rules_place_is_found_with_either_matcher(
    keywatch: Keywatch, tmp_path: Path, matcher: str, where: str
) -> None:
    root = tree(tmp_path / "app", policy=POLICY if where == "keywatch.yaml" else "")
    (tmp_path / "mine.yaml").write_text(RULES)
    more = () if where == "keywatch.yaml" else (f"--rules={tmp_path / 'mine.yaml'}",)
    done = scan(keywatch, f"--matcher={matcher}", *more, cwd=root)
    (found,) = own(done.report)
    place = found["location"]
    assert (place["path"], place["line"], place["column"]) == ("k8s/app.yaml", 11, 22)
    assert done.code == 1


@pytest.mark.parametrize("value", ["${HINT}", '""', "$(HINT)"])
def test_a_reference_in_the_rules_place_is_not_found(
    keywatch: Keywatch, tmp_path: Path, value: str
) -> None:
    assert own(scan(keywatch, cwd=tree(tmp_path / "app", value)).report) == []


@pytest.mark.parametrize(
    ("change", "line", "says"),
    [
        (("kind: kubernetes", "kind: kuberntes"), 6, "where.kind: unknown kind 'kuberntes'"),
        (("kind: kubernetes", "kind: kuberntes"), 6, "did you mean kubernetes?"),
        ((".env[?name", ".env[?"), 6, "where.path: cannot be read from character 37 on"),
        (("=~/PASSWORD/", "=~/PASS(/"), 6, "where: does not compile in the linear engine"),
        (("require: reference", "require: template"), 7, "must be reference"),
        (("require: reference", "require: refrence"), 7, "write require: reference"),
        (("require: reference", "requires: reference"), 7, "require"),
        ((PATH, "**.*"), 6, "no key of two or more letters"),
        (("require: reference", "check: configurd"), 7, "did you mean configured?"),
    ],
)
def test_a_rule_that_is_none_is_an_error_with_file_line_and_field(
    keywatch: Keywatch, tmp_path: Path, change: tuple[str, str], line: int, says: str
) -> None:
    (tmp_path / "mine.yaml").write_text(RULES.replace(*change))
    done = keywatch("scan", "--no-git", "--rules=mine.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert f"mine.yaml:{line}" in done.stderr.decode()
    assert says in " ".join(done.stderr.decode().split())


def test_a_file_that_does_not_parse_is_noted_as_degraded(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    root = tree(tmp_path / "app")
    (root / "k8s" / "app.yaml").write_text(MANIFEST.replace("VALUE", VALUE) + "  - [\n")
    report = scan(keywatch, cwd=root).report
    (note,) = [note for note in report["notes"] if note["kind"] == "degraded"]
    assert note["path"] == "k8s/app.yaml"
    assert report["complete"]


def test_an_allow_comment_covers_a_value_of_a_structure(keywatch: Keywatch, tmp_path: Path) -> None:
    root = tree(tmp_path / "app")
    comment = (
        "  # keywatch" + ': allow acme-literal-variable reason="a hint" owner=@a until=2027-01-31'
    )
    file = root / "k8s" / "app.yaml"
    file.write_text(MANIFEST.replace("VALUE", VALUE + comment))
    done = scan(keywatch, cwd=root)
    assert own(done.report) == []
    assert done.code == 0


def test_an_allow_entry_covers_a_value_of_a_structure(keywatch: Keywatch, tmp_path: Path) -> None:
    root = tree(tmp_path / "app")
    (found,) = own(scan(keywatch, cwd=root).report)
    words = ("--reason=a hint", "--owner=@a", "--until=2027-01-31", f"--now={NOW}")
    assert keywatch("allow", found["fingerprint"], *words, cwd=root).returncode == 0
    assert scan(keywatch, cwd=root).code == 0


def test_a_baseline_holds_a_value_of_a_structure_and_not_the_next_one(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    root = tree(tmp_path / "app")
    assert keywatch("baseline", "create", f"--now={NOW}", cwd=root).returncode == 0
    assert scan(keywatch, cwd=root).code == 0
    (root / "k8s" / "app.yaml").write_text(MANIFEST.replace("VALUE", expand("{lower:9}", 4)))
    assert len(own(scan(keywatch, cwd=root).report)) == 1


def test_the_hook_judges_the_structure_in_the_index(keywatch: Keywatch, tmp_path: Path) -> None:
    root = tree(tmp_path / "app")
    (root / "k8s" / "app.yaml").write_text(MANIFEST.replace("VALUE", "${HINT}"))
    assert own(scan(keywatch, "--staged", cwd=root).report)
    assert keywatch("hook", "pre-commit", cwd=root).returncode == 1
    git(root, "add", ".")
    assert keywatch("hook", "pre-commit", cwd=root).returncode == 0


def test_rules_list_and_show_know_the_rules_of_keywatch_yaml(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    root = tree(tmp_path / "app")
    listed = keywatch("rules", "list", cwd=root / "k8s").stdout.decode()
    assert "acme-literal-variable" in listed
    shown = keywatch("rules", "show", "acme-literal-variable", cwd=root).stdout.decode()
    assert "valueFrom.secretKeyRef" in shown


def test_rules_list_names_what_is_wrong_with_keywatch_yaml(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    root = tree(tmp_path / "app", policy=POLICY.replace("kubernetes,", "kubernets,"))
    done = keywatch("rules", "list", cwd=root)
    assert done.returncode == 2
    assert b"keywatch.yaml:7" in done.stderr


def test_rules_test_runs_the_examples_of_keywatch_yaml(keywatch: Keywatch, tmp_path: Path) -> None:
    root = tree(tmp_path / "app")
    done = keywatch("rules", "test", "keywatch.yaml", cwd=root)
    assert (done.returncode, done.stdout) == (0, b"2 examples, none failed\n")


@pytest.mark.parametrize(
    ("right", "wrong", "says"),
    [
        ("{lower:9}", "${{HINT}}", "keywatch.yaml:10: acme-literal-variable: the example is not"),
        (
            "${{HINT}}",
            "{lower:9}",
            "keywatch.yaml:12: acme-literal-variable: the negative example is found",
        ),
    ],
)
def test_rules_test_names_an_example_of_keywatch_yaml_that_does_not_hold(
    keywatch: Keywatch, tmp_path: Path, right: str, wrong: str, says: str
) -> None:
    root = tree(tmp_path / "app", policy=POLICY.replace(right, wrong))
    done = keywatch("rules", "test", "keywatch.yaml", cwd=root)
    assert done.returncode == 1
    assert done.stdout.decode().startswith(says)


def test_an_example_on_structure_without_its_file_says_so(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    text = RULES.replace(f'{{file: k8s/app.yaml, text: "{_template("{lower:9}")}"}}', '"value: x"')
    (tmp_path / "mine.yaml").write_text(text)
    done = keywatch("rules", "test", "mine.yaml", cwd=tmp_path)
    assert done.returncode == 1
    assert "must have the form {file: …, text: …}" in done.stdout.decode()


def test_a_policy_without_rules_has_none_to_test(keywatch: Keywatch, tmp_path: Path) -> None:
    (tmp_path / "keywatch.yaml").write_text("version: 1\n")
    done = keywatch("rules", "test", "keywatch.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert b"contains no rules" in done.stderr


def test_the_documented_example_of_a_rule_on_structure_holds(
    keywatch: Keywatch, tmp_path: Path
) -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "own-rules.md").read_text(
        encoding="utf-8"
    )
    (block,) = re.findall(
        r"```yaml\n(# keywatch.yaml\nversion: 1\nrules:\n.*?)```", text, re.DOTALL
    )
    (tmp_path / "keywatch.yaml").write_text(block)
    done = keywatch("rules", "test", "keywatch.yaml", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, b"2 examples, none failed\n")
