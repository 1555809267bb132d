"""A wheel and an editable install are built, installed, and used from another folder."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from scanner.detect.rules.samples import expand

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
TOKEN = expand("ghp_{base62:30}{crc32}", 1)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-I", "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out)]
    subprocess.run([*build, str(ROOT)], check=True, capture_output=True)
    (built,) = out.glob("keywatch-*.whl")
    return built


def run(argv: list[str], cwd: Path, code: int = 0) -> str:
    done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def test_a_wheel_holds_only_the_package(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith((".dist-info", ".data"))} == {"scanner"}
    shared = [name.partition(".data/data/")[2] for name in names if ".data/" in name]
    assert shared == ["share/man/man1/keywatch.1"]
    assert {f"scanner/{path.relative_to(ROOT)}" for path in data_files()} <= set(names)
    assert "scanner/py.typed" in names  # the classifier "Typing :: Typed" promises it
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


def data_files() -> list[Path]:
    found = [*(ROOT / "rules").rglob("*.*"), *(ROOT / "hooks").iterdir()]
    assert len(found) > 10
    return found


@pytest.mark.parametrize("kind", ["wheel", "editable"])
def test_an_installation_works_from_another_folder(
    kind: str, wheel: Path, tmp_path: Path, outer_environ: Mapping[str, str]
) -> None:
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    what = [str(wheel)] if kind == "wheel" else ["--editable", str(ROOT)]
    install = [str(venv / "bin" / "python"), "-m", "pip", "--quiet", "install", *what]
    subprocess.run(install, check=True, capture_output=True, env=dict(outer_environ))

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "config.py").write_text(f'github = "{TOKEN}"\n')
    keywatch = str(venv / "bin" / "keywatch")
    assert "github-personal-access-token" in run([keywatch, "rules", "list"], elsewhere)
    assert "github-personal-access-token" in run([keywatch, "scan"], elsewhere, code=1)
    assert TOKEN not in run([keywatch, "scan"], elsewhere, code=1)
    python = str(venv / "bin" / "python")
    assert "usage" in run([python, "-I", "-m", "scanner", "--help"], elsewhere)
