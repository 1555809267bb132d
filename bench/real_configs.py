"""Benchmark: configuration that people wrote for use, to judge false alarms on.

`python bench/real_configs.py` downloads the archives of the tables below, once, keeps only their
configuration files below build/bench/real-configs/, and prints how much of each kind they hold.
Below `real` is what somebody deploys; below `made` is what was written for a scanner or a parser,
wrong on purpose or by a machine: no measure of false alarms. Nothing of an archive is run.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tarfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import NamedTuple, TypeAlias

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench import corpora, peers
from bench.results import markdown

REAL: Mapping[str, tuple[str, ...]] = {
    "pypi": (
        # Ansible: collections, roles and playbooks
        *("ansible==14.5.0", "debops==3.3.2", "kolla-ansible==23.0.0", "kayobe==21.0.0"),
        *("bifrost==21.1.0", "tripleo-ansible==6.0.0", "tripleo-heat-templates==18.0.0"),
        *("tripleo-operator-ansible==0.9.0", "tripleo-validations==16.0.0"),
        *("tripleo-quickstart==2.1.1", "tripleo-quickstart-extras==2.1.1", "tripleo-ipa==0.3.0"),
        *("tripleo-upgrade==10.0.0", "validations-common==1.9.0", "infrared==2.0.0rc1"),
        *("ansible-role-collect-logs==1.5.0", "browbeat==0.0.1.dev1292", "linchpin==2.0.4.1"),
        *("rally-openstack==4.1.0", "obal==0.16.0", "tobiko==0.8.33", "lampsible==2.8.0"),
        *("aap-demo==2.0.0.dev1", "ara==1.8.0", "zuul==14.3.0", "nodepool==11.0.0"),
        "enough==2.2.35",  # with an old copy of debops
        # Helm charts, Kubernetes manifests and compose files
        *("kubemarine==0.54.0", "magnum-cluster-api==0.38.2", "dask-kubernetes==2026.3.0"),
        *("kapitan==0.36.3", "coffea-casa==2026.10.14", "jupyter-enterprise-gateway==3.3.0"),
        *("lmcache==0.5.7rc2", "lakebench-k8s==1.7.13", "kcli==99.0.202610251748", "vllm==0.33.0"),
        *("zenml==0.55.0", "chromadb==0.4.24", "tacker==16.0.0", "kuryr-kubernetes==10.0.0"),
        *("adeploy==1.3.4", "kpops==12.0.3", "gordo==6.0.4", "jina==3.34.0", "ironik==0.1.8"),
        *("elastic-blast==1.5.0", "tutor==22.0.3", "hawk==3.7.2", "pumpwood-deploy==2.0.7"),
        *("nexus-gitops==0.1.1", "kubeyard==1.6.0", "ocdeployer==5.7.11", "skypilot==0.14.1"),
        *("kube-compose==0.11.4", "ragleap-ops==0.6.2", "ragleap-observability==0.8.4"),
        *("fastapi-template==6.1.2", "docker-compose==1.29.2", "letta==0.16.8"),
        *("datacube-ows==1.9.14", "aissemble-inference-deploy==1.5.0"),
        # Terraform
        *("nebari==2025.10.1", "qhub==0.4.5", "nebari-plugin-self-registration==0.0.15"),
        *("agent-starter-pack==0.41.3", "google-agents-cli==1.11.0", "mlstacks==0.10.0"),
        *("jupyter-deploy-tf-aws-eks-oidc==0.4.1", "jupyter-deploy-tf-aws-ec2-base==0.6.3"),
        *("jupyter-deploy-tf-aws-ec2-jupyterlab==0.1.2", "matcha-ml==0.3.0", "runway==2.8.4"),
        *("covalent-awsbatch-plugin==0.42.0", "covalent-azurebatch-plugin==0.17.0"),
        *("covalent-ecs-plugin==0.32.0", "covalent-ec2-plugin==0.13.2"),
        *(
            "covalent-gcpbatch-plugin==0.15.0",
            "remote-compose==0.4.1",
            "iacgen==1.1.1",
            "sym-flow-cli==8.1.0",
            "kubetwo==0.4.0",
        ),
        *("xia-module-terraform-gcs==0.0.26", "infrakit-cli==1.0.0", "stackship==0.1.1"),
    ),
    "npm": (
        *("@sap/cds-dk==10.1.2", "@hiiretail/gcp-infra-generators==1.16.4"),
        *("generator-ibm-cloud-enablement==1.16.0", "generator-jvm==1.18.99"),
        *("@backstage/create-app==0.9.2", "@nx-extensions/helm==1.0.0", "hotstaq==0.8.85"),
    ),
    # Hardening playbooks: made from few parts, so the same tasks come again and again.
    "debian": ("ssg-debian==0.1.76-1", "ssg-debderived==0.1.76-1"),
}
MADE: Mapping[str, tuple[str, ...]] = {
    "pypi": (
        *("cloudgoat==2.5.0", "tf-eu-guard==0.7.0", "terrascan==0.2.3"),
        *("ansible-core==2.19.14", "ansible-lint==26.10.1", "ansible-rulebook==1.3.2"),
    ),
    "npm": (),
    "debian": (
        *("golang-k8s-api-dev==0.32.3-1", "golang-k8s-sigs-kustomize-kyaml-dev==0.19.0+ds-1"),
        *("golang-k8s-kubectl-dev==1.32.3+ds-2", "golang-github-hashicorp-hcl-v2-dev==2.14.1-2"),
        "golang-github-compose-spec-compose-go-dev==2.4.8-1",
    ),
}
TREES = peers.BUILD / "real-configs"
READER = "unearth==0.19.0"
# Downloads a source archive and no more: pip would run the build of each of these projects.
READ = """
import sys
from unearth import PackageFinder
pin, folder = sys.argv[1:]
finder = PackageFinder(no_binary=[pin.partition("==")[0]], ignore_compatibility=True)
found = finder.find_best_match(pin).best
if found is None:
    sys.exit("The index has no source archive of this version.")
finder.download(found.link, folder)
"""
FILE_BYTES = 2_000_000
ARCHIVE_BYTES = 500_000_000
HEAD_BYTES = 200_000
KINDS = ("helm", "kubernetes", "crd", "compose", "ansible", "hcl", "jinja", "yaml")

Filter: TypeAlias = Callable[[tarfile.TarInfo, str], tarfile.TarInfo | None]


class Archive(NamedTuple):
    """One archive: `group` is real or made, `source` who has it, `pin` is name==version."""

    group: str
    source: str
    pin: str

    @property
    def label(self) -> str:
        return f"{self.source}-{self.pin.replace('/', '_')}"

    def pinned(self, sign: str) -> str:
        """Name and version as the source's own client wants them."""
        return self.pin.replace("==", sign)


class Held(NamedTuple):
    """Numbers per kind. `tests` are the lines of all kinds that lie among tests."""

    files: Counter[str]
    lines: Counter[str]
    tests: int

    def plus(self, other: Held) -> Held:
        files, lines = self.files + other.files, self.lines + other.lines
        return Held(files, lines, self.tests + other.tests)


NOTHING = Held(Counter(), Counter(), 0)
ARCHIVES = tuple(
    Archive(group, source, pin)
    for group, table in (("real", REAL), ("made", MADE))
    for source, pins in table.items()
    for pin in pins
)


def main() -> int:
    argparse.ArgumentParser(description=__doc__).parse_args()
    held: dict[Archive, Held] = {}
    for archive in ARCHIVES:
        try:
            held[archive] = counted(tree(archive))
        except (peers.BenchError, OSError, tarfile.TarError) as error:
            print(f"left out: {archive.label}: {error}", file=sys.stderr)
    _tidy()
    print(page(held))
    return 0 if len(held) == len(ARCHIVES) else 1


def _tidy() -> None:
    """Remove what an interrupted run or an older table left beside the trees."""
    wanted = {TREES / archive.group / archive.label for archive in ARCHIVES}
    for folder in set(TREES.glob("*/*")) - wanted:
        shutil.rmtree(folder)


def tree(archive: Archive) -> Path:
    """The configuration files of an archive, downloaded and unpacked once."""
    folder = TREES / archive.group / archive.label
    chosen = only_configs(ARCHIVE_BYTES)
    return corpora.make(folder, lambda part: unpack(fetched(archive), part, chosen))


def fetched(archive: Archive) -> Path:
    """The file of an archive, downloaded once."""
    folder = peers.BUILD / "dl" / archive.label
    if not folder.exists():
        part = folder.with_name(folder.name + ".part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        _client(_download(archive, part), part)
        part.rename(folder)
    return next(folder.iterdir())


def _download(archive: Archive, folder: Path) -> list[str]:
    """The command that puts an archive into `folder`, and nothing anywhere else."""
    match archive.source:
        case "pypi":
            python = peers.installed(READER) / "bin" / "python"
            return [str(python), "-c", READ, archive.pin, str(folder)]
        case "npm":
            options = ["--ignore-scripts", "--cache", str(peers.BUILD / "npm")]
            return ["npm", "pack", "--silent", *options, archive.pinned("@")]
        case _:
            options = ["-o", "Dir::Cache::pkgcache=", "-o", "Dir::Cache::srcpkgcache="]
            return ["apt-get", "-qq", *options, "download", archive.pinned("=")]


def _client(argv: list[str], cwd: Path) -> None:
    """Run a package client with the user's own settings; its output shows on failure only."""
    done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode or not any(cwd.iterdir()):
        said = (done.stderr.strip() or done.stdout.strip())[-500:]
        raise peers.BenchError(
            f"{Path(argv[0]).name} did not download it.\n{said}\n"
            "Check the network; if the version is gone, write a newer one into the table."
        )


def unpack(archive: Path, folder: Path, chosen: Filter) -> None:
    """Unpack what is chosen of an archive: of a tar file, or of a package of Debian."""
    if archive.suffix != ".deb":
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter=chosen)  # noqa: S202 (that is what the filter is for)
        return
    argv = ["dpkg-deb", "--fsys-tarfile", str(archive)]
    with (
        subprocess.Popen(argv, stdout=subprocess.PIPE) as process,
        tarfile.open(fileobj=process.stdout, mode="r|") as tar,
    ):
        tar.extractall(folder, filter=chosen)  # noqa: S202 (the same)


def only_configs(budget: int) -> Filter:
    """Let through plain files of configuration inside the folder, `budget` bytes of them."""
    left = budget

    def chosen(member: tarfile.TarInfo, folder: str) -> tarfile.TarInfo | None:
        nonlocal left
        path = PurePosixPath(member.name)
        if not member.isreg() or member.size > FILE_BYTES or not is_config(path):
            return None
        left -= member.size
        if left < 0:
            raise peers.BenchError(f"It holds over {budget / 1e6:.0f} MB of configuration files.")
        try:
            return tarfile.data_filter(member, folder)
        except tarfile.FilterError:
            return None

    return chosen


_TEMPLATE = re.compile(r"\.(j2|jinja2?|tmpl|tpl|gotmpl|template|in|example|sample)$")
_YAML = (".yaml", ".yml")
_HCL = (".tf", ".tfvars", ".hcl", ".tofu", ".nomad")
_JINJA = (".j2", ".jinja", ".jinja2")
_COMPOSE_NAME = re.compile(r"(^|[._-])compose\b.*\.ya?ml")
_COMPOSE = (re.compile(rb"(?m)^services: *\r?$"), re.compile(rb"(?m)^ +(image|build):"))
_KUBERNETES = (re.compile(rb"(?m)^apiVersion: *\S"), re.compile(rb"(?m)^kind: *\S"))
_CRD = re.compile(rb"(?m)^kind: *CustomResourceDefinition\b")  # a schema, mostly prose
_ANSIBLE = re.compile(
    rb"^- (hosts|name|import_playbook):|^ *ansible\.builtin|^ *(become|gather_facts):", re.MULTILINE
)
_ROLE = frozenset(
    ("tasks", "handlers", "defaults", "vars", "roles", "playbooks", "group_vars", "host_vars")
)
_CHANGES = frozenset({"changelogs", "changelog.yaml", "changelog.yml"})
_TESTS = frozenset({"test", "tests", "testdata", "test_data", "fixtures", "molecule", "e2e"})


def is_config(path: PurePosixPath) -> bool:
    if ".git" in path.parts:
        return False
    plain = _TEMPLATE.sub("", path.name)
    return plain.endswith(_YAML + _HCL) or path.name.endswith((*_JINJA, ".tpl"))


def is_test(path: PurePosixPath) -> bool:
    """Whether a file lies among tests, whose passwords nobody meant to hide."""
    return not _TESTS.isdisjoint(path.parts)


def kind(path: PurePosixPath, text: bytes, charts: frozenset[PurePosixPath]) -> str:
    """One of KINDS; `text` may be the head of the file, `charts` are the folders of Helm charts."""
    plain = _TEMPLATE.sub("", path.name)
    if plain.endswith(_HCL):
        return "hcl"
    if _CRD.search(text):
        return "crd"
    if not charts.isdisjoint(path.parents):
        return "helm"
    return _yaml_kind(path, text) if plain.endswith(_YAML) else "jinja"


def _yaml_kind(path: PurePosixPath, text: bytes) -> str:
    if _COMPOSE_NAME.search(path.name) or all(mark.search(text) for mark in _COMPOSE):
        return "compose"
    if all(mark.search(text) for mark in _KUBERNETES):
        return "kubernetes"
    if not _CHANGES.isdisjoint(path.parts):
        return "yaml"
    return "yaml" if _ROLE.isdisjoint(path.parts) and not _ANSIBLE.search(text) else "ansible"


def counted(folder: Path) -> Held:
    files: Counter[str] = Counter()
    lines: Counter[str] = Counter()
    tests = 0
    for path, which, length in sorted_out(folder):
        files[which] += 1
        lines[which] += length
        tests += length * is_test(path)
    return Held(files, lines, tests)


def sorted_out(folder: Path) -> Iterator[tuple[PurePosixPath, str, int]]:
    """(path below the folder, kind, lines) of each file."""
    found = corpora.regular_files(folder)
    files = {PurePosixPath(path.relative_to(folder)): path for path in found}
    charts = frozenset(path.parent for path in files if path.name == "Chart.yaml")
    for path, file in files.items():
        text = file.read_bytes()
        yield path, kind(path, text[:HEAD_BYTES], charts), len(text.splitlines())


def page(held: Mapping[Archive, Held]) -> str:
    """A table of all archives, with a sum for each group."""
    rows = []
    for group in ("real", "made"):
        members = {archive: one for archive, one in held.items() if archive.group == group}
        rows += [_row(group, archive.label, one) for archive, one in members.items()]
        total = NOTHING
        for one in members.values():
            total = total.plus(one)
        rows.append(_row(group, f"all {len(members)}", total))
    head = ("", "Archive", *(f"{which}: files / lines" for which in KINDS), "Lines among tests")
    return markdown(head, rows)


def _row(group: str, label: str, held: Held) -> tuple[str, ...]:
    numbers = (
        f"{held.files[which]:,} / {held.lines[which]:,}" if held.files[which] else ""
        for which in KINDS
    )
    return (group, label, *numbers, f"{held.tests:,}" if held.tests else "")


if __name__ == "__main__":
    sys.exit(main())
