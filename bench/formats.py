"""Benchmark section: is each format found that a peer publishes, and little that only looks so?

A format is a peer's pattern whose secrets all begin with the same literal. Its values are made up,
the peer reports them or they do not count, and keywatch scans the same files. A pattern says less
than its issuer: a checksum, JSON, a fixed length. So a format is found where keywatch finds one of
the values that the peer reports: of a pattern's own, of each length and case; or as the issuer
writes it, from the examples of keywatch's rules.

Then the same values without their prefix, and keywatch's examples with a wrong checksum.
"""

from __future__ import annotations

import re
import shutil
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple

import yaml

from bench import corpora, machine, measure, peers, places, published
from bench.published import Format
from bench.results import Demand, Section, Table
from scanner.detect.checks.checks import CHECKSUMS
from scanner.detect.rules import rulebook, samples

FOLDER = peers.BUILD / "formats"
SHORTEST_PREFIX = 3  # characters
BARE = 100_000  # strings of the negative half
MOST_FOUND = 1.0  # of ten thousand
_A_FILE = 1_000  # of them
_SEEDS = 16
_BARE = re.compile(r"(?!.*\w=\w)[\w.~+/=-]{12,}")  # no name, no second word beside it
_JWT = re.compile(r"eyJ[\w-]+\.[\w-]+(?=\.[\w-]+)")  # but for its signature
_JWT_IN_BASE64 = re.compile(r"ZXlK[\w+/=-]+")
PUBLIC = "public by design: it stands in pages and apps"
_REASONS: Mapping[str, str] = {
    "aws-amazon-bedrock-api-key-short-lived": "the peer's pattern ends where the secret begins",
    "devcycle-client-sdk-key": PUBLIC,
    "devcycle-mobile-sdk-key": PUBLIC,
    "flutterwave-public-key": PUBLIC,
    "lob-pub-api-key": PUBLIC,
    "mailgun-pub-key": PUBLIC,
    "mapbox-api-token": PUBLIC,
    "new-relic-browser-api-token": PUBLIC,
    "polar-oauth-access-token": "the issuer's tokens say whose they are and end in a checksum",
    "posthog-project-api-key": PUBLIC,
    "scalr-api-access-token.1": "a JSON Web Token, found as one where its parts are JSON",
    "temporal-cloud-api-key.1": "a JSON Web Token, found as one where its parts are JSON",
}


class Trial(NamedTuple):
    """A value of a format, in a file of its own."""

    format: str
    text: str
    is_issued: bool  # made by one of keywatch's examples


class Score(NamedTuple):
    """Of the values of one format that a peer reports: of the pattern, and as issued."""

    reported: tuple[int, int] = (0, 0)
    found: tuple[int, int] = (0, 0)

    def plus(self, other: Score) -> Score:
        return Score(_sum(self.reported, other.reported), _sum(self.found, other.found))


NOTHING = Score()


def section() -> Section:
    load = machine.load()
    keywatch = peers.keywatch()
    readers: Mapping[str, tuple[peers.Tool, Callable[[peers.Tool], list[published.Published]]]] = {
        "kingfisher": (peers.kingfisher(), published.of_kingfisher),
        "betterleaks": (peers.betterleaks(), published.embedded),
        "gitleaks": (peers.gitleaks(), published.embedded),
    }
    corpora.run_git(_emptied(FOLDER), *corpora.INIT)  # the project's own policy must not apply
    issued = [text for _, text in examples()]
    rows: list[tuple[str, ...]] = []
    scores: dict[str, Score] = {}
    formats: list[Format] = []
    for name, (tool, read) in readers.items():
        patterns = [Format(each) for each in read(tool)]
        wanted = [each for each in patterns if len(each.prefixes[0]) >= SHORTEST_PREFIX]
        scored = _scored(tool, keywatch, wanted, issued)
        rows.append(_row(name, patterns, wanted, scored))
        for each, score in scored.items():
            scores[_plain(each)] = scores.get(_plain(each), NOTHING).plus(score)
        formats += wanted
    missed = sorted(each for each, score in scores.items() if not any(score.found))
    bare = list(_bare(formats))
    found = _found_bare(keywatch, bare)
    unexplained = sum(each not in _REASONS for each in missed)
    return Section(
        name="formats",
        title="Formats that peers publish",
        intro=(__doc__ or "").partition("\n\n")[2].strip(),
        demands=(
            Demand(
                text="formats that a peer reports, not found, for no reason below",
                value=unexplained,
                limit=0,
            ),
            Demand(
                text=f"of {len(bare):,} bare strings without prefix or with a wrong checksum, "
                "found of ten thousand",
                value=10_000 * len(found) / len(bare),
                limit=MOST_FOUND,
            ),
        ),
        tables=(
            Table(
                title="By peer",
                head=(
                    "Peer",
                    "Patterns",
                    "With a prefix",
                    "Reported by the peer",
                    "Found",
                    "Found as the pattern says",
                    "Found only as issued",
                    "Not found",
                ),
                rows=tuple(rows),
            ),
            Table(
                title="Not found",
                head=("Format", "Why"),
                rows=tuple((each, _REASONS.get(each, "no reason")) for each in missed),
            ),
        ),
        facts=machine.facts((keywatch, *(tool for tool, _ in readers.values())), load),
        raw={"found_bare": found},
    )


def _plain(name: str) -> str:
    """Return a rule's id without the name of its collection."""
    return re.sub(r"^(?:betterleaks\.|veles\.secrets/)", "", name)


def examples() -> Iterator[tuple[str, str]]:
    """Texts in which a rule on secrets finds something, each with the rule's check."""
    for source in rulebook.shipped():
        for rule in yaml.safe_load(source.data)["rules"]:
            templates = rule["examples"] if "where" not in rule else ()
            for template in templates:
                if isinstance(template, str):
                    for seed in range(_SEEDS):
                        yield rule.get("check", ""), samples.expand(template, seed)


def _scored(
    tool: peers.Tool, keywatch: peers.Tool, formats: Sequence[Format], issued: Sequence[str]
) -> dict[str, Score]:
    """Return the names of the formats of which the tool reports a value."""
    trials = [trial for each in formats for trial in _trials(each, issued)]
    folder = FOLDER / tool.name
    folder.mkdir()
    for number, trial in enumerate(trials):
        (folder / f"{number}.txt").write_text(trial.text + "\n", encoding="utf-8")
    reported, found = (_files(each, folder) for each in (tool, keywatch))
    scores: dict[str, Score] = {}
    for number, trial in enumerate(trials):
        if number in reported:
            kind = (int(not trial.is_issued), int(trial.is_issued))
            one = Score(kind, kind if number in found else (0, 0))
            scores[trial.format] = scores.get(trial.format, NOTHING).plus(one)
    return scores


def _sum(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    return one[0] + other[0], one[1] + other[1]


def _trials(made: Format, issued: Sequence[str]) -> Iterator[Trial]:
    for value in made.values("formats"):
        yield Trial(made.id, value.text, is_issued=False)
        real = with_real_tokens(value.text)
        if real != value.text and made.accepts(real):
            yield Trial(made.id, real, is_issued=True)
    for text in filter(made.accepts, issued):
        yield Trial(made.id, text, is_issued=True)


def with_real_tokens(text: str) -> str:
    """The text with a JSON Web Token in the place of letters that only begin like one."""
    token = samples.expand("{jwt:scope=everything}", 1)
    real = _JWT.sub(lambda _: token.rpartition(".")[0], text)
    encoded = b64encode(token.encode()).decode()
    return _JWT_IN_BASE64.sub(lambda _: encoded, real)


def _files(tool: peers.Tool, folder: Path) -> set[int]:
    """Return the numbers of the files in which a tool reports something."""
    measure.run(tool.on(folder, label=f"formats.{folder.name}", limit=900.0))
    found = places.reported(tool.name, f"formats.{folder.name}")
    return {int(Path(path).stem) for path, _, _ in found}


def _row(
    name: str,
    patterns: Sequence[Format],
    wanted: Sequence[Format],
    scored: Mapping[str, Score],
) -> tuple[str, ...]:
    found = [score.found for score in scored.values()]
    counts = (
        len(patterns),
        len(wanted),
        len(scored),
        sum(any(each) for each in found),
        sum(bool(own) for own, _ in found),
        sum(bool(issued) and not own for own, issued in found),
        sum(not any(each) for each in found),
    )
    return (name, *map(str, counts))


def _bare(formats: Sequence[Format]) -> Iterator[str]:
    """Yield BARE random strings that are not secrets."""
    source = Random("bare")  # noqa: S311 - samples, not secrets
    wrong = [broken(text, source) for check, text in examples() if check in CHECKSUMS]
    yield from wrong
    left = BARE - len(wrong)
    rounds = 0
    while left > 0:
        rounds += 1
        for made in formats:
            for value in made.values(f"bare {rounds}"):
                secret = value.text[value.start : value.end]
                known = max(filter(secret.startswith, made.prefixes), key=len, default="")
                rest = secret.removeprefix(known)
                if left > 0 and _BARE.fullmatch(rest):
                    left -= 1
                    yield rest


def broken(text: str, source: Random) -> str:
    """The longest word of a text alone, with a character of its second half changed: at the end
    some encodings have bits that say nothing."""
    word: str = max(re.findall(r"[\w.~+/-]+", text), key=len)
    at = len(word) // 2 + source.randrange(len(word) // 4)
    return word[:at] + ("b" if word[at] != "b" else "c") + word[at + 1 :]


def _found_bare(keywatch: peers.Tool, bare: Sequence[str]) -> list[str]:
    """Those that keywatch reports, in files of many lines."""
    folder = FOLDER / "bare"
    folder.mkdir()
    for start in range(0, len(bare), _A_FILE):
        text = "\n".join(bare[start : start + _A_FILE]) + "\n"
        (folder / f"{start}.txt").write_text(text, encoding="utf-8")
    measure.run(keywatch.on(folder, label="formats.bare", limit=900.0))
    found = places.reported(keywatch.name, "formats.bare")
    lines = {int(Path(path).stem) + line - 1 for path, line, _ in found}
    return [bare[line] for line in sorted(lines)]


def _emptied(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
