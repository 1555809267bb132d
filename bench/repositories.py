"""Benchmark section: precision and recall on real packages that the model did not learn from.

Every finding of keywatch, and in the second and third set those of the peers, was read in its place
and judged: bench/judged_repositories.csv. It holds no value, only a hash of the line.

True is a literal that a person would call a password, a token or a key, also a weak one, and one
made up for a test or a manual where it stands for a real value. False is a placeholder that must be
replaced, a name, a reference, a text for people, a public ID. The first set was read while rules
were mended. The others were read with the rules as they were then; what those readings found is in
`AT_READING`. Later mends learnt from all sets.
"""

from __future__ import annotations

import csv
import hashlib
import tarfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from bench import corpora, judged, machine, peers, real_configs
from bench.judged import FALSE, TRUE, Judged
from bench.results import Demand, Section, Table

JUDGED = Path(__file__).with_name("judged_repositories.csv")
TREES = peers.BUILD / "repositories"
# By set and by source. What each is stands behind it.
PACKAGES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "first": {
        "pypi": (
            *("feast==0.67.0", "jupyterhub==6.1.1", "mailman==3.3.10", "ckan==2.12.0"),
            *("label-studio==1.23.2", "weblate==2026.10.1", "apache-superset==6.1.0"),
            "django-oauth-toolkit==3.4.1",  # a library of Django
        ),
        "npm": (
            *("parse-server==9.10.0", "ghost==6.65.0"),
            "generator-jhipster==9.4.0",  # templates of Spring, Angular, Kubernetes
        ),
        "debian": (
            "freeradius-config==3.2.7+dfsg-1+deb13u2",  # sample configuration
            "puppet-module-keystone==25.0.0-4",
            "golang-github-minio-minio-go-v7-dev==7.0.89-1",
            "libmojolicious-perl==9.39+dfsg-1",
            "wordpress==6.8.13+dfsg1-0+deb13u1",  # PHP and bundled JavaScript
        ),
    },
    "second": {
        "pypi": (
            "fastapi-users==15.0.5",
            *("trove==26.0.0", "kolla==23.0.0"),  # OpenStack: Dockerfiles, samples of an API
            "tripleo-common==18.0.0",  # Ansible, Heat
            *("awxkit==24.6.1", "flower==2.2.0", "archivebox==0.9.73", "msticpy==3.0.2"),
            *("epik8s-tools==0.17.0", "polyaxon==2.18.0"),  # Kubernetes
            "charmcraft==4.5.0",
        ),
        "npm": (
            *("keycloak-connect==26.1.1", "sails==1.5.18", "express-gateway==1.16.11"),
            *("supertokens-node==24.0.3", "keystone==4.2.1", "actionhero==29.3.5"),
            "node-red==5.0.7",
            "generator-jbooter==1.12.1",  # templates of Spring and compose files
        ),
        "debian": (
            "golang-github-xanzy-go-gitlab-dev==0.110.0-1",
            "golang-github-gophercloud-gophercloud-dev==1.4.0-1",
            "golang-github-lib-pq-dev==1.10.9-2",
            *("icingaweb2==2.12.4-2", "cacti==1.2.30+ds1-1"),  # PHP
            "redmine==6.0.5+ds-1",  # Rails
            "openvpn==2.6.14-1+deb13u3",  # sample keys
            "librust-reqwest-dev==0.12.15-1",
            "request-tracker5==5.0.7+dfsg-4+deb13u4",  # Perl
        ),
    },
    "third": {
        "pypi": (
            *("designate==23.0.0", "octavia==19.0.0", "juju==3.6.1.3", "graphite-web==1.1.10"),
            *("invenio-app-rdm==14.0.5", "deepchecks==0.19.1", "cloudify-plugins-common==4.3.3"),
            *("saleor==2.10.1", "aws-sam-translator==1.115.0", "mem0ai==2.2.1"),
            *("papermill==2.7.0", "sparkmagic==0.23.0"),  # notebooks
        ),
        "npm": (
            *("generator-jhipster-kotlin==1.16.0", "generator-jhipster-nodejs==4.0.0"),
            *("create-strapi-app==5.55.0", "directus==12.4.1", "@grouparoo/ui-community==0.9.0"),
            *("passport-saml==3.2.4", "hapi-auth-jwt2==10.7.0", "@redwoodjs/cli==8.9.0"),
            *("oidc-provider==9.13.3", "verdaccio==6.10.4"),
        ),
        "debian": (
            "phpmyadmin==4:5.2.2-really+dfsg-1+deb13u1",
            *("dovecot-core==1:2.4.1+dfsg1-6+deb13u7", "exim4-config==4.98.2-1+deb13u6"),
            *("ejabberd==24.12-3+deb13u2", "prosody==13.0.1-1+deb131u"),
            *("puppet-module-nova==25.0.0-4", "dokuwiki==2024-02-06b+dfsg-9"),
            "golang-github-casbin-casbin-dev==2.104.0-1",
        ),
    },
    "fourth": {
        "pypi": (
            *("octodns==1.22.0", "camel-ai==0.2.90", "sahara==19.0.0", "barbican==23.0.0"),
            "crewai==1.15.30",  # with recorded requests
        ),
        "npm": (
            "n8n-nodes-base==2.41.2",  # clients of hundreds of services
            *("create-t3-app==7.40.0", "sst==4.17.1"),
        ),
        "debian": (
            "matomo==5.3.1+dfsg-1",
            "golang-github-spf13-viper-dev==1.12.0-1",
            *("zabbix-server-mysql==1:7.0.22+dfsg-1~deb13u1", "bind9==1:9.20.30-1~deb13u1"),
        ),
    },
}
# True findings and all, by confidence (high, medium, low), of the version before the mends, and of
# the version with which the set was read: what to expect of a package that nobody looked at.
AT_READING = (
    ("second and third, before any mend", (179, 210), (203, 312), (245, 294)),
    ("second, when read", (136, 145), (143, 204), (190, 211)),
    ("third, when read", (43, 50), (60, 77), (55, 77)),
    ("fourth, when read", (12, 386), (48, 113), (31, 82)),
)
APART = ("second", "third", "fourth")
PEERS_READ = ("second", "third")  # where the findings of the peers were judged, too
CONFIDENCES = ("high", "medium", "low")
LEAST_PRECISION, LEAST_HIGH, LEAST_RECALL = 0.80, 0.90, 0.80


class Row(NamedTuple):
    """One judged place. rule: "" if only peers found it."""

    set: str
    path: str
    line: int
    rule: str
    found_by: tuple[str, ...]
    line_hash: str
    verdict: str

    @property
    def place(self) -> tuple[str, int]:
        return self.path, self.line


def section() -> Section:
    load = machine.load()
    rows = read()
    found = {name: _found(name) for name in PACKAGES}
    stale = sum(_is_stale(row) for row in rows)
    apart = [each for name in APART for each in found[name]]
    beside = [each for name in PEERS_READ for each in found[name]]
    unread = judged.unread([each for some in found.values() for each in some])
    high = [each for each in apart if each.confidence == "high"]
    recalls = _recalls(rows, beside)
    return Section(
        name="repositories",
        title="Real packages",
        intro=_intro(len(rows), unread, stale),
        demands=(
            _at_least("precision, second to fourth set", precision(apart), LEAST_PRECISION),
            _at_least("precision at high confidence", precision(high), LEAST_HIGH),
            _at_least("recall of what any tool found", recalls["keywatch"], LEAST_RECALL),
        ),
        tables=(_by_confidence(found), _of_tools(rows, beside, recalls), _by_rule(apart)),
        facts=machine.facts((peers.keywatch(), *peers.fast_peers()), load),
        raw={"precision": precision(apart), "recall": recalls["keywatch"]},
    )


def read() -> list[Row]:
    """Return the judged places."""
    with JUDGED.open(encoding="utf-8", newline="") as file:
        return [
            Row(
                set=each["set"],
                path=each["path"],
                line=int(each["line"]),
                rule=each["rule"],
                found_by=tuple(each["found_by"].split()),
                line_hash=each["line_hash"],
                verdict=each["verdict"],
            )
            for each in csv.DictReader(file)
        ]


def archives(name: str) -> list[real_configs.Archive]:
    """Return the packages of a set."""
    return [
        real_configs.Archive(name, source, pin)
        for source, pins in PACKAGES[name].items()
        for pin in pins
    ]


def tree(archive: real_configs.Archive) -> Path:
    """Return the folder with the plain files of a package, downloaded and unpacked once."""
    return corpora.make(
        TREES / archive.label,
        lambda part: real_configs.unpack(real_configs.fetched(archive), part, _plain_files),
    )


def precision(found: Iterable[Judged]) -> float | None:
    """Return the share of true findings; None if one was not judged, or there is none."""
    verdicts = Counter(each.verdict for each in found)
    if judged.UNREAD in verdicts or not verdicts:
        return None
    return verdicts[TRUE] / verdicts.total()


def hashed(line: bytes) -> str:
    """Return the hash that tells whether a judged line is still the same."""
    return hashlib.sha256(line.strip()).hexdigest()[:16]


def _found(name: str) -> list[Judged]:
    found = []
    for archive in archives(name):
        label = archive.label
        found += judged.scanned(tree(archive), f"repository-{label}", JUDGED, under=f"{label}/")
    return found


def _plain_files(member: tarfile.TarInfo, folder: str) -> tarfile.TarInfo | None:
    return corpora.harmless(member, folder) if member.isreg() or member.isdir() else None


def _is_stale(row: Row) -> bool:
    try:
        lines = (TREES / row.path).read_bytes().split(b"\n")
    except OSError:
        return True
    return row.line > len(lines) or hashed(lines[row.line - 1]) != row.line_hash


def _at_least(text: str, value: float | None, limit: float) -> Demand:
    return Demand(text=text, value=value, limit=limit, at_least=True)


def _intro(places: int, unread: int, stale: int) -> str:
    packages = sum(len(archives(name)) for name in PACKAGES)
    return (
        f"{packages} packages of PyPI, npm and Debian (bench/repositories.py), each scanned by "
        f"itself with the\ndefaults. {places:,} places were read and judged "
        "(bench/judged_repositories.csv). The first set was read\nwhile the rules were mended, the "
        "others before the mends that followed from them. In the fourth,\nabout 380 false findings "
        "had one cause in one package: base64 in recorded requests.\n"
        f"{unread} findings are not judged; {stale} judged lines have changed."
    )


def _by_confidence(found: Mapping[str, Sequence[Judged]]) -> Table:
    rows = []
    for name, each in found.items():
        levels = [[one for one in each if one.confidence == level] for level in CONFIDENCES]
        rows.append((name, *map(_share, levels), _share(each)))
    apart = [each for name in APART for each in found[name]]
    levels = [[one for one in apart if one.confidence == level] for level in CONFIDENCES]
    rows.append(("second to fourth", *map(_share, levels), _share(apart)))
    for label, *counts in AT_READING:
        total = tuple(map(sum, zip(*counts, strict=True)))
        rows.append((label, *(_ratio(*each) for each in (*counts, total))))
    head = ("Set", *map(str.capitalize, CONFIDENCES), "All")
    return Table(title="True findings by confidence", head=head, rows=tuple(rows))


def _share(found: Sequence[Judged]) -> str:
    return _ratio(sum(each.verdict == TRUE for each in found), len(found))


def _ratio(true: int, count: int) -> str:
    return f"{true / count:.3f} ({true} of {count})" if count else "-"


def _recalls(rows: Iterable[Row], found: Iterable[Judged]) -> dict[str, float]:
    """Return what part of the true places each tool found, in the sets where all were read."""
    true = {row.place for row in rows if row.set in PEERS_READ and row.verdict == TRUE}
    by_tool: dict[str, set[tuple[str, int]]] = defaultdict(set)
    by_tool["keywatch"] = {(each.path, each.line) for each in found}
    for row in rows:
        for tool in row.found_by:
            by_tool[tool].add(row.place)
    return {tool: len(true & places) / len(true) for tool, places in by_tool.items()}


def _of_tools(rows: Iterable[Row], found: Sequence[Judged], recalls: Mapping[str, float]) -> Table:
    verdicts: dict[str, Counter[str]] = defaultdict(Counter)
    verdicts["keywatch"].update(each.verdict for each in found)
    places = {row.place: row for row in rows if row.set in PEERS_READ}
    for row in places.values():
        for tool in row.found_by:
            verdicts[tool][row.verdict] += 1
    lines = tuple(
        (
            tool,
            str(counts[TRUE]),
            str(counts[FALSE]),
            f"{counts[TRUE] / (counts[TRUE] + counts[FALSE]):.3f}",
            f"{recalls[tool]:.3f}",
        )
        for tool, counts in verdicts.items()
    )
    head = ("Tool", "True", "False", "Precision", "Recall of what any tool found")
    return Table(title="The tools, second and third set", head=head, rows=lines)


def _by_rule(found: Iterable[Judged]) -> Table:
    counts = Counter((each.rule, each.verdict) for each in found)
    rows = []
    for rule in sorted({rule for rule, _ in counts}):
        true, false, unread = (counts[rule, verdict] for verdict in (TRUE, FALSE, judged.UNREAD))
        share = f"{true / (true + false):.2f}" if true + false else "-"
        rows.append((rule, str(true), str(false), str(unread), share))
    head = ("Rule", "True", "False", "Not judged", "Precision")
    return Table(title="By rule, second to fourth set", head=head, rows=tuple(rows))
