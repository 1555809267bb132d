"""The laws of docs/architecture.md that can be read off the source: layers, I/O, time, start cost.

Every import counts, those inside functions too.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TypeGuard

import pytest

ROOT = Path(__file__).resolve().parents[2]

GROUND = {"scanner"} | {
    f"scanner.{name}"
    for name in (
        *("errors", "model", "records", "fingerprints", "document", "cache", "globs", "pool"),
        "project",
        *("files", "file_types", "lazy_pattern", "processes"),
    )
}
COLUMNS = ("inputs", "detect", "inventory", "policy", "report")
# What use cases share: typed configuration, and names made safe to repeat.
SHARED = {*COLUMNS, "configuration", "console", "masking"}
# A use case knows the columns. Those that start with a scan, or with what the repository declares,
# name that one use case; any other pair of use cases does not know each other.
USE_CASES: dict[str, set[str]] = {
    "scan": set(),
    "exceptions": {"scan"},
    "fix": {"scan"},
    "explain": {"scan"},
    "migrate": {"exceptions", "scan"},
    "repository": set(),
    "audit": {"repository"},
    "access": {"audit", "repository"},
    "evidence": set(),
    "alert": {"evidence"},
    "doctor": {"audit", "repository", "scan"},
    "rotate": {"audit", "evidence", "repository"},
    # It asks the stores of the operator config what they log.
    "trail": {"audit", "repository"},
    "fleet": {"audit", "scan"},
}
MAY_ALSO_IMPORT = {
    "configuration": {"policy"},
    "masking": {"detect", "policy"},
    "console": {"masking", "report"},
    **{name: SHARED | others for name, others in USE_CASES.items()},
    "cli": {*SHARED, *USE_CASES},
    "__main__": {"cli"},
}

# The only importers of what is not in the standard library: modules, or a package with all in it.
THIRD_PARTY = {
    "_sha2": ("scanner.fingerprints",),  # of Python 3.12
    "apprise": ("scanner.alert.channels",),
    "shtab": ("scanner.cli.completion",),
    "azure": ("scanner.inventory.azure",),
    "backports": ("scanner.inputs.archives.compression",),
    "boto3": ("scanner.inventory.aws.accounts",),
    "botocore": ("scanner.inventory.aws",),
    "compression": ("scanner.inputs.archives.compression",),  # of Python 3.14
    "cronsim": ("scanner.inventory.vault.engines",),
    "cryptography": (
        "scanner.inventory.vault.engines",
        "scanner.inventory.vault.certificates",
        "scanner.fleet.cluster.engine",
    ),
    "dask": ("scanner.fleet.cluster.engine",),
    "detect_secrets": ("scanner.detect.detect_secrets",),
    "distributed": ("scanner.fleet.cluster",),
    "git": ("scanner.evidence.anchor",),
    "hvac": ("scanner.inventory.vault",),
    "hyperscan": ("scanner.detect.prefilter.matcher",),
    "isodate": ("scanner.inventory.azure.rotation",),
    "jsonschema": ("scanner.document",),
    "jinja2": ("scanner.report.html.html",),
    "kubernetes": ("scanner.inventory.kubernetes.api", "scanner.inventory.kubernetes.login"),
    "msgspec": ("scanner.trail",),
    "platformdirs": ("scanner.cache",),
    "pyarrow": ("scanner.fleet.results.parquet",),
    "pygit2": ("scanner.inputs.git.packs",),
    "re2": (
        "scanner.detect.engine.linear_regex",
        "scanner.detect.rules.compiler",
        "scanner.detect.detect_secrets.linear_regex",
    ),
    "rich": ("scanner.report.terminal.page",),
    "sigma": ("scanner.trail.analysis", "scanner.trail.sigma"),
    "tree_sitter": ("scanner.detect.structure.hcl_reader", "scanner.policy.access.hcl"),
    "tree_sitter_hcl": ("scanner.detect.structure.hcl_reader", "scanner.policy.access.hcl"),
    "urllib3": (
        "scanner.alert",
        "scanner.fleet.listing.pages",
        "scanner.inventory.http",
        "scanner.inventory.vault.api",
    ),
    **{
        f"types_boto3_{name}": ("scanner.inventory.aws",)
        for name in ("iam", "kms", "secretsmanager", "ssm", "sts")
    },
    "yaml": (
        *("scanner.document", "scanner.detect.detect_secrets"),
        "scanner.detect.structure.yaml_reader",
    ),
}
# Four tables of our own modules, and the loader of detect-secrets' modules.
LOADS_BY_NAME = {
    *(
        "scanner.cli",
        "scanner.cli.parser",
        "scanner.audit.backends",
        "scanner.report.formats",
        "scanner.detect.structure",
    ),
    *("scanner.detect.detect_secrets.library", "scanner.detect.checks.checks"),
}
PURE = ("detect", "policy", "report")
TOUCHES_THE_WORLD = {
    *("asyncio", "concurrent", "ctypes", "fcntl", "fileinput", "ftplib", "getpass", "glob", "http"),
    *("logging", "mmap", "multiprocessing", "os", "pathlib", "select", "selectors", "shelve"),
    *("shutil", "smtplib", "socket", "sqlite3", "ssl", "subprocess", "sys", "tempfile"),
    *("threading", "time", "urllib.request"),
}
# They read: the rule files; which processor the compiled database is for; detect-secrets' code.
MAY_READ = {
    f"scanner.detect.{name}"
    for name in (
        *("rules.rulebook", "rules.compiler", "prefilter.matcher", "detect_secrets.library"),
    )
}


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {name_of(path): path for path in sorted((ROOT / "scanner").rglob("*.py"))}
TREES = {name: ast.parse(path.read_bytes()) for name, path in SOURCES.items()}


def imports(name: str) -> Iterator[str]:
    """Dotted names of the modules that a module imports anywhere; own ones as in SOURCES."""
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}: imports are absolute"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in SOURCES else str(node.module)
        elif is_loading(node) and name not in LOADS_BY_NAME:
            yield str(ast.literal_eval(node.args[0]))


def is_loading(node: ast.AST) -> TypeGuard[ast.Call]:
    return isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module")


def column(name: str) -> str:
    """`detect` for scanner.detect.engine.engine, `config` for scanner.configuration.repository,
    "" for the ground."""
    return "" if name in GROUND else name.split(".")[1]


def calls(name: str) -> Iterator[str]:
    """The source text of what a module calls: `open`, `datetime.now`."""
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func)


def of_columns(*columns: str) -> list[str]:
    return [name for name in SOURCES if column(name) in columns]


def test_a_module_imports_only_the_layers_below_it() -> None:
    wrong = {}
    for name in SOURCES:
        own = column(name)
        allowed = {"", own} | MAY_ALSO_IMPORT.get(own, set())
        if beyond := {column(other) for other in imports(name) if other in SOURCES} - allowed:
            wrong[name] = beyond
    assert wrong == {}


def test_every_module_is_of_a_known_layer() -> None:
    assert {column(name) for name in SOURCES} <= {"", *COLUMNS, *MAY_ALSO_IMPORT}


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {name: {one for one in imports(name) if one in SOURCES} for name in SOURCES}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_each_library_is_imported_in_one_place() -> None:
    wrong = {}
    for name in SOURCES:
        libraries = {other.split(".")[0] for other in imports(name)} - {"scanner", "__future__"}
        for library in libraries - set(sys.stdlib_module_names):
            places = tuple(f"{place}." for place in THIRD_PARTY.get(library, ()))
            if not f"{name}.".startswith(places):
                wrong[name] = library
    assert wrong == {}


def test_detection_policy_and_reports_do_no_io() -> None:
    wrong = {}
    for name in {*of_columns(*PURE)} - MAY_READ:
        modules = {one for one in imports(name) if {one, one.split(".")[0]} & TOUCHES_THE_WORLD}
        functions = {"open", "print", "input", "exec", "eval", "breakpoint"} & {*calls(name)}
        if modules | functions:
            wrong[name] = modules | functions
    assert wrong == {}


def test_only_the_command_line_reads_the_clock() -> None:
    clocks = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time"}
    readers = {name for name in SOURCES if clocks & {*calls(name)}}
    assert {column(name) for name in readers} <= {"cli", "console"}


def test_no_package_holds_more_modules_than_a_reader_can_keep_in_mind() -> None:
    sizes = Counter(path.parent for path in SOURCES.values() if path.name != "__init__.py")
    commands = ROOT / "scanner" / "cli"  # one module for each command
    assert {
        str(folder): size for folder, size in sizes.items() if size > 17 and folder != commands
    } == {}


def test_loading_the_command_line_costs_few_modules() -> None:
    code = "import json, sys, scanner.cli; print(json.dumps(sorted(sys.modules)))"
    modules = loaded(code)
    assert len(modules) <= 150
    dear = {"detect_secrets", "requests", "rich", "jsonschema", "git", "yaml"}
    assert not {name.split(".")[0] for name in modules} & dear


def test_an_operators_file_is_checked_without_the_library_of_its_backends() -> None:
    code = (
        "import json, sys; from scanner.inventory import aws, azure, kubernetes, vault; "
        "print(json.dumps(sorted(sys.modules)))"
    )
    dear = {"azure", "boto3", "botocore", "cryptography", "hvac", "kubernetes", "urllib3"}
    assert not {name.split(".")[0] for name in loaded(code)} & dear


def loaded(code: str) -> list[str]:
    """What an isolated interpreter has loaded after `code`, which prints it as JSON."""
    here = f"import sys; sys.path.insert(0, {str(ROOT)!r}); "
    argv = [sys.executable, "-I", "-c", here + code]
    # No variables: coverage would be measured in there, too, and load its own modules.
    done = subprocess.run(argv, capture_output=True, text=True, check=True, env={})
    modules: list[str] = json.loads(done.stdout)
    return modules
