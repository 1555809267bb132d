"""Policies, services and secrets of a made-up company, for the access benchmark; and the process
that measures itself: `python -m bench.access_policies`."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from typing import Any

from scanner.document import Document
from scanner.model import Location
from scanner.policy.access import hcl
from scanner.policy.access.acl import Acl, spoken
from scanner.policy.access.model import Policy
from scanner.policy.access.review import Review, Subject
from scanner.policy.access.secrets import Secret, secret
from scanner.policy.declarations.secrets_files import declared

POLICIES, ANSWERS = 100, 10_000
MANY_POLICIES, ROLES, SECRETS = 1_000, 200, 5_000
TEAMS, CLASSES = 100, 50
SEED = 22


def text(chance: random.Random, number: int) -> str:
    """A policy of seven blocks: exact paths, folders, a segment wildcard and a deny."""
    team = f"team-{number % TEAMS}"
    some = [
        f"secret/data/{team}/app-{chance.randrange(10)}/key-{chance.randrange(5)}" for _ in "ab"
    ]
    paths = [
        *((path, '"read"') for path in some),
        (f"secret/data/{team}/app-{chance.randrange(10)}/*", '"read"'),
        (f"secret/metadata/{team}/*", '"list", "read"'),
        (f"secret/data/{team}/+/key-{chance.randrange(5)}", '"read"'),
        (f"secret/data/{team}/app-{chance.randrange(10)}/key-0", '"deny"'),
        (f"auth/token/lookup-self-{number}", '"read"'),
    ]
    return "\n".join(
        f'# {path}\npath "{path}" {{\n  capabilities = [{said}]\n}}\n' for path, said in paths
    )


def texts(count: int) -> list[bytes]:
    chance = random.Random(SEED)  # noqa: S311 - the same policies in each run
    return [text(chance, number).encode() for number in range(count)]


def names(count: int) -> Iterator[str]:
    for number in range(count):
        team, rest = number % TEAMS, number // TEAMS
        yield f"secret/data/team-{team}/app-{rest // 5 % 10}/key-{rest % 5}"


def secrets() -> list[Secret]:
    paths = [{"path": name} for name in names(SECRETS)]
    said = Document({"vault": {"address": "https://vault", "secrets": paths}}, "secrets.yaml", {})
    return [secret(one, f"class-{n % CLASSES}") for n, one in enumerate(declared(said))]


def subjects() -> list[Subject]:
    chance = random.Random(SEED)  # noqa: S311 - the same policies in each run
    return [
        Subject(
            name=f"service-{number}",
            role=f"role-{number}",
            policies=tuple(f"policy-{chance.randrange(MANY_POLICIES)}" for _ in range(5)),
            needs=(f"class-{number % CLASSES}",),
            location=Location.at("keywatch.yaml", 1),
            needs_locations=(Location.at("keywatch.yaml", 1),),
        )
        for number in range(ROLES)
    ]


def parsed(data: list[bytes]) -> list[Policy]:
    return [hcl.parse(one, f"policy-{n}", f"policy-{n}.hcl") for n, one in enumerate(data)]


def timed(run: Any) -> tuple[float, Any]:
    begun = time.process_time()
    result = run()
    return time.process_time() - begun, result


def answers(policies: list[Policy]) -> int:
    acl = Acl(rule for policy in policies for rule in policy.rules)
    chance = random.Random(SEED)  # noqa: S311 - the same policies in each run
    paths = [*names(SECRETS)]
    found = 0
    for _ in range(ANSWERS):
        found += spoken(acl.answer(chance.choice(paths))) != ["deny"]
    return found


def measured() -> dict[str, float]:
    """Seconds."""
    parsed(texts(10))  # load the grammar
    parse_few, few = timed(lambda: parsed(texts(POLICIES)))
    answer, _ = timed(lambda: answers(few))
    parse_many, many = timed(lambda: parsed(texts(MANY_POLICIES)))
    held, services = secrets(), subjects()

    def review() -> Any:
        by_name = {policy.name: policy for policy in many}
        return Review(by_name, held, 0.0).run(services, own=by_name)

    reviewed, result = timed(review)
    return {
        "parse_few": parse_few,
        "answer": answer,
        "parse_many": parse_many,
        "review": reviewed,
        "findings": len(result.findings),
        "rows": len(result.rows),
    }


if __name__ == "__main__":
    print(json.dumps(measured()))
