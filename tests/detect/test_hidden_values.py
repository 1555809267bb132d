"""Forms of configuration files that hide a value from a scanner, from outside."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

from tests.support.helpers import Keywatch, scan, write_files
from tests.support.repositories import secret

PLAIN = secret(31)
BASE64 = b64encode(f"s3{secret(32)}".encode()).decode()
HEAD = "apiVersion: v1\nkind: Secret\nmetadata: {name: db}\n"
POD = "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - name: a\n    env:\n"
FORMS = {
    "comment.yaml": f"{HEAD}stringData: # the values\n  conn: {PLAIN}\n",
    "anchor.yaml": f"{HEAD}stringData: &a\n  conn: {PLAIN}\n",
    "tag.yaml": f"{HEAD}stringData: !!map\n  conn: {PLAIN}\n",
    "alias.yaml": f"apiVersion: v1\nkind: Secret\nx: &v {PLAIN}\nstringData:\n  conn: *v\n",
    "flow.yaml": f"{{apiVersion: v1, kind: Secret, stringData: {{conn: {PLAIN}}}}}\n",
    "flow-data.yaml": f"{{apiVersion: v1, kind: Secret, data: {{conn: {BASE64}}}}}\n",
    "data-comment.yaml": f"{HEAD}data: # base64\n  conn: {BASE64}\n",
    "escaped.yaml": f'{HEAD}"string\\x44ata":\n  conn: {PLAIN}\n',
    "escaped-data.yaml": f'{HEAD}"d\\u0061ta":\n  conn: {BASE64}\n',
    "escaped-key.yaml": f'db:\n  "p\\x61ssword": {PLAIN}\n',
    "blank.yaml": f"db:\n  password:\n\n\n    {PLAIN}\n",
    "comment-below.yaml": f"db:\n  password: # a comment\n    {PLAIN}\n",
    "value-first.yaml": f"{POD}    - value: {PLAIN}\n      name: DB_PASSWORD\n",
    "name-comment.yaml": f"{POD}    - name: DB_PASSWORD # c\n      value: {PLAIN}\n",
    "lines.yaml": f"{POD}    - name: DB_PASSWORD\n      # 1\n\n      # 2\n      value: {PLAIN}\n",
    "flow-value-first.yaml": f"env: [{{value: {PLAIN}, name: DB_PASSWORD}}]\n",
    "newline.json": f'{{"db": {{"password":\n\n   "{PLAIN}"}}}}\n',
    "newlines.json": f'{{"db": {{"password"\n:\n"{PLAIN}"}}}}\n',
    "escaped.json": f'{{"db": {{"p\\u0061ssword": "{PLAIN}"}}}}\n',
    "secret.json": f'{{"apiVersion":"v1", "kind":\n"Secret",\n"stringData":\n{{"a":\n"{PLAIN}"}}}}',
    "broken-last.yaml": f"{HEAD}stringData:\n  conn: {PLAIN}\n---\na: [1\nb: }}\n",
    "broken-first.yaml": f"a: [}}\n---\n{HEAD}stringData:\n  conn: {PLAIN}\n",
}


def test_no_form_of_a_structure_hides_a_value(tmp_path: Path, keywatch: Keywatch) -> None:
    write_files(tmp_path, FORMS)
    assert sorted({*FORMS} - {*scan(keywatch, ".", cwd=tmp_path).paths}) == []


def test_the_same_forms_with_references_are_clean(tmp_path: Path, keywatch: Keywatch) -> None:
    clean = {
        name: text.replace(PLAIN, "${DB_PASSWORD}").replace(BASE64, "${DB_PASSWORD}")
        for name, text in FORMS.items()
        if "flow" not in name  # a brace ends a plain value there
    }
    write_files(tmp_path, clean)
    assert scan(keywatch, ".", "--min-confidence=medium", cwd=tmp_path).paths == []
