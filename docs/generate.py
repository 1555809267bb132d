"""Generate docs/rules/ (a page for each rule and an index), docs/coverage.md, docs/terminal.svg,
the reference of the command line, the manual page and the comparison in README.md.

python -m docs.generate            write them
python -m docs.generate --check    exit with 1 and name the pages that are out of date
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from docs import command_line, coverage, peers, picture, trail
from scanner.detect.rules import rulebook
from scanner.model import RuleInfo
from scanner.policy.access.rules import RULES as ACCESS_RULES
from scanner.policy.live.rules import RULES as LIVE_RULES
from scanner.policy.repository.rules import RULES as CHECK_RULES
from scanner.policy.rules import RULES as JUDGE_RULES
from scanner.policy.rules import WEAKENED
from scanner.policy.variables import RULES as TREE_RULES
from scanner.report.interface import remedy
from scanner.rotate.rules import RULES as ROTATE_RULES
from scanner.trail import rule_infos as trail_rules

ROOT = Path(__file__).resolve().parents[1]
_FIELD = re.compile(r"\{\{|\}\}|\{([^{}]+)\}")
TOOL = "keywatch"  # not in the text itself, where a scan would read it as an allow comment
POLICY = "The policy and its exceptions"
CHECK = "keywatch policy check"
LIVE = "keywatch audit"
ACCESS = "keywatch access review"
TRAIL = "keywatch trail"
ROTATE = "keywatch rotate"
CHANGE = "Changes"
TREE = "The whole repository"
DETECT_SECRETS = "Types of detect-secrets"
_REVOKE_FIRST = "Revoke the secret first, because forks, clones and CI caches keep it."
_PURGE = (
    "Remove the secret from the file and from the history (git filter-repo --replace-text). Forks, "
    "clones and CI caches may still contain it."
)
_REPORTED = {
    "literal": "a literal value",
    "literal-default": "a reference with a literal default",
    "mixed-literal": "a value that mixes references and literal text",
    "malformed": "a malformed reference",
    "placeholder": "a placeholder",
    "undeclared": "a reference to a variable that is not declared",
    "reference": "a reference",
}
"""What a rule reports, by the names in its key `flag`."""
_BY = {
    POLICY: "Every scan reports it, from allow comments, allow entries and baselines.",
    CHECK: "`keywatch policy check` reports it, from the policy, configs/secrets and the "
    "repository.",
    LIVE: "`keywatch audit` reports it, from the metadata of live secrets and the policy.",
    ACCESS: "`keywatch access review` and `keywatch policy check` report it, from Vault policies "
    "and the services in keywatch.yaml. The review can also read live stores.",
    TRAIL: "`keywatch trail` reports it, from audit logs. docs/trail.md lists its false "
    "positives, and says how to tune it.",
    CHANGE: "`keywatch scan --diff` and `keywatch hook pre-receive` report it, if a change loosens "
    "the policy that applies to it. `keywatch audit` reports it, if the repository's policy is "
    "looser than the operator config.",
    TREE: "Reported only when the whole repository is scanned.",
    DETECT_SECRETS: "Used with `--detect-secrets exact`, and if there is a `.secrets.baseline`.",
}


def pages() -> dict[str, str]:
    """The text of every generated file, by its path in the repository."""
    groups = dict(_groups(_declared()))
    written = {
        "README.md": _readme(),
        "docs/command-line.md": command_line.reference(),
        "docs/coverage.md": coverage.page(groups),
        "docs/keywatch.1": command_line.man_page(),
        "docs/trail.md": trail.page((ROOT / "docs" / "trail.md").read_text(encoding="utf-8")),
        "docs/rules/README.md": _index(groups),
        "docs/terminal.svg": picture.picture(),
    }
    for group, rules in groups.items():
        for info, raw in rules:
            written[f"docs/rules/{info.id}.md"] = _page(info, raw, group)
    return written


def _readme() -> str:
    """README.md with the comparison from bench/RESULTS.md."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    results = (ROOT / "bench" / "RESULTS.md").read_text(encoding="utf-8")
    start, end = (readme.index(mark) for mark in ("<!-- peers: make docs -->\n", "<!-- /peers -->"))
    return readme[: readme.index("\n", start) + 1] + peers.table(results) + readme[end:]


def _declared() -> dict[str, tuple[str, Mapping[str, Any]]]:
    """The rule file and the entry of each declared rule."""
    found: dict[str, tuple[str, Mapping[str, Any]]] = {}
    for source in rulebook.shipped():
        parsed = yaml.safe_load(source.data)
        for rule in parsed["rules"]:
            found[rule["id"]] = source.path, {**parsed.get("defaults", {}), **rule}
    return found


def _groups(
    declared: Mapping[str, tuple[str, Mapping[str, Any]]],
) -> Iterator[tuple[str, list[tuple[RuleInfo, Mapping[str, Any]]]]]:
    infos = rulebook.load().infos
    trees = yaml.safe_load((ROOT / "rules" / "trees.yaml").read_bytes())
    for where in sorted({file for file, _ in declared.values()}):
        rules = [(infos[rule], raw) for rule, (file, raw) in declared.items() if file == where]
        yield where, rules
    detect_secrets = [info for name, info in infos.items() if name not in declared]
    for group, rest in (
        (DETECT_SECRETS, detect_secrets),
        (TREE, TREE_RULES),
        (POLICY, JUDGE_RULES),
        (CHECK, CHECK_RULES),
        (CHANGE, (WEAKENED,)),
        (LIVE, [rule for rule in LIVE_RULES if rule is not WEAKENED]),
        (ACCESS, [rule for rule in ACCESS_RULES if rule is not WEAKENED]),
        (TRAIL, trail_rules.rules()),
        (ROTATE, ROTATE_RULES),
    ):
        yield group, [(info, trees.get(info.id, {})) for info in sorted(rest, key=lambda i: i.id)]


def _index(groups: Mapping[str, Sequence[tuple[RuleInfo, Mapping[str, Any]]]]) -> str:
    lines = [
        "# Rules",
        "",
        "Generated from the rules by `make docs`. `keywatch rules list` prints the same list.",
        "",
    ]
    for group, rules in groups.items():
        lines += [f"## {group}", "", "| Rule | Severity | Finds |", "|---|---|---|"]
        lines += (
            f"| [{info.id}]({info.id}.md) | {info.severity.label} | {_cell(info.title)} |"
            for info, _ in rules
        )
        lines += [""]
    return "\n".join(lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _page(info: RuleInfo, raw: Mapping[str, Any], group: str) -> str:
    levels = f"{info.severity.label} severity, {info.confidence.label} confidence"
    facts = [levels, f"class `{info.secret_class}`" if info.secret_class else "", info.vendor]
    parts = [f"# {info.id}", info.title, " · ".join(filter(None, facts))]
    parts += ["## Why it matters", info.why, "## What to do"]
    parts += [
        "\n".join(
            f"{n}. **{step.capitalize()}.** {words}"
            for n, (step, words) in enumerate(_steps(info), 1)
        )
    ]
    parts += ["## Where it looks", *([_BY[group]] if group in _BY else _places(raw))]
    for field, title in (("examples", "Reported"), ("negative_examples", "Not reported")):
        if field in raw:
            examples = [_example(example) for example in raw[field]]
            parts += [f"## {title}", *_legend(raw[field]), *examples]
    parts += ["## Exceptions", _exception(info.id, group)]
    origin = [f"Source: <{info.source}>, read on {info.source_date}."] if info.source else []
    if group not in _BY:
        origin.append(f"Declared in [{group}](../../{group}).")
    return "\n\n".join([*parts, *([" ".join(origin)] if origin else [])]) + "\n"


def _places(raw: Mapping[str, Any]) -> Iterator[str]:
    if "where" not in raw:
        yield (
            f"keywatch looks in files whose path matches this pattern:\n\n{_code(raw['files'])}"
            if "files" in raw
            else "Every file."
        )
        return
    places = raw["where"] if isinstance(raw["where"], list) else [raw["where"]]
    what = _either(_REPORTED[each] for each in raw.get("flag", ()))
    if "require" in raw:
        what = "a value that is not a reference"
    what = what or "a value that matches the pattern of the rule"
    if len(places) == 1:
        yield f"keywatch looks in {_files(places[0])}. It reports {what}{_key(places[0])}."
        return
    yield "keywatch looks in these places:"
    yield "\n".join(f"- {_files(place)}{_key(place)}" for place in places)
    yield f"It reports {what}."


def _files(place: Mapping[str, Any]) -> str:
    kinds = place.get("kind", [])
    named = _either(f"`{kind}`" for kind in ([kinds] if isinstance(kinds, str) else kinds))
    words = f"files of the kind {named}" if named else "every structured configuration file"
    return words + (f", at `{place['path']}`" if "path" in place else "")


def _key(place: Mapping[str, Any]) -> str:
    name = place.get("name", "")
    if name == "secret":
        return " if its key suggests a secret, for example `password`"
    return f" if its key matches `{name.removeprefix('=~')}`" if name else ""


def _either(words: Iterable[str]) -> str:
    *first, last = [*words] or [""]
    return f"{', '.join(first)} or {last}" if first else last


def _steps(info: RuleInfo) -> Iterator[tuple[str, str]]:
    """The steps of the remedy. The purge step does not repeat the revoke step before it."""
    for step, words in remedy(info):
        yield step, _PURGE if words.startswith(_REVOKE_FIRST) and info.revoke else words


def _legend(examples: Sequence[str | Mapping[str, str]]) -> Iterator[str]:
    """Say what the fields in the examples stand for, if there are any."""
    texts = [each for one in examples for each in ([one] if isinstance(one, str) else one.values())]
    fields = [field[0] for text in texts for field in _FIELD.finditer(text) if field[1]]
    meanings: dict[str, str] = {}
    for field in fields:
        kind = field[1:-1].partition(":")[0]
        meaning = "random text"
        if "crc32" in kind:
            meaning = "the checksum of the token"
        elif kind == "repeat":
            meaning = "repeated text"
        elif kind == "join":
            meaning = "the text without plus signs"
        meanings.setdefault(meaning, field)
    if meanings:
        words = {"random text": "A field such as `{}` stands for random text."}
        yield " ".join(
            words.get(meaning, f"`{{}}` stands for {meaning}.").replace("{}", field)
            for meaning, field in meanings.items()
        )


def _example(example: str | Mapping[str, str]) -> str:
    """Show a line, a file (`file` and `text`) or a repository (the text of each file by path)."""
    if isinstance(example, str):
        return _code(_FIELD.sub(_shown, example))
    if "file" in example:
        return f"`{example['file']}`:\n\n{_example(example['text'])}"
    files = (f"`{path}`:\n\n{_example(text)}" for path, text in example.items())
    return "\n\n".join(["A repository with", *files])


def _shown(field: re.Match[str]) -> str:
    """Show a field unexpanded, so that no page contains what looks like a secret."""
    return field[0] if field[1] else field[0][0]


def _code(text: str) -> str:
    fence = "````" if "```" in text else "```"
    return f"{fence}text\n{text.rstrip()}\n{fence}"


def _exception(rule: str, group: str) -> str:
    if group in {POLICY, CHECK, ACCESS}:
        return "None. Correct the entry or the file that the finding names."
    if group in {LIVE, CHANGE, TRAIL}:
        return (
            "An entry of `allow` in keywatch.yaml with the finding ID from the report. It has an "
            "end date, and `keywatch allow list` shows it."
        )
    comment = f'# {TOOL}: allow {rule} reason="…" owner=@team until=YYYY-MM-DD'
    return (
        "A comment on the line, or by itself on the line above:\n\n"
        f"{_code(comment)}\n\nor `keywatch allow ID --reason … --owner … --until …`, which "
        "writes an entry to keywatch.yaml. Both have an end date, and `keywatch allow list` shows "
        "both."
    )


def main(
    arguments: Sequence[str], make: Callable[[], Mapping[str, str]] = pages, target: Path = ROOT
) -> int:
    """Write the pages that `make` returns below `target`, or compare them. Return the exit code."""
    parser = argparse.ArgumentParser(description="Generate the pages about rules and results.")
    parser.add_argument(
        "--check", action="store_true", help="change nothing; exit code 1 if a page is out of date"
    )
    args = parser.parse_args(arguments)
    wanted = make()
    rules = target / "docs" / "rules"
    paths = {*rules.glob("*.md"), *(target / name for name in wanted)}
    there = {
        path.relative_to(target).as_posix(): path.read_text(encoding="utf-8")
        for path in paths
        if path.exists()
    }
    old = sorted(name for name in {*wanted, *there} if wanted.get(name) != there.get(name))
    if args.check:
        sys.stdout.write("".join(f"{name} is not up to date: make docs\n" for name in old))
        return int(bool(old))
    rules.mkdir(parents=True, exist_ok=True)
    for name in old:
        if name in wanted:
            (target / name).write_text(wanted[name], encoding="utf-8", newline="\n")
        else:
            (target / name).unlink()
    sys.stdout.write(f"{len(wanted)} pages, {len(old)} of them changed\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
