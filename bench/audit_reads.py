"""Benchmark: reads the metadata that bench/audit.py wrote, by urllib3 alone or by keywatch.

`python bench/audit_reads.py bare|keywatch ADDRESS COUNT`: a process of its own each time, in which
keywatch is installed as a user has it.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import urllib3

from scanner.inventory import vault
from scanner.inventory.interface import Settings
from scanner.inventory.threads import WORKERS
from scanner.records import Record

TOKEN = "root"  # noqa: S105 - of a server that only the benchmark knows
MOUNT = "secret"
FOLDER = 1_000


def path(number: int) -> str:
    """Return the path of a secret below its mount."""
    return f"g{number // FOLDER:03}/s{number:06}"


def bare(address: str, count: int) -> int:
    """Send the same requests with plain urllib3, as many at once. Return the number of answers."""
    pool = urllib3.connection_from_url(address, maxsize=WORKERS)

    def get(number: int) -> bool:
        target = f"/v1/{MOUNT}/metadata/{path(number)}"
        answer = pool.urlopen("GET", target, headers={"X-Vault-Token": TOKEN})
        return answer.status == 200 and bool(answer.data)

    with ThreadPoolExecutor(WORKERS) as threads:
        return sum(threads.map(get, range(count)))


def keywatch(address: str) -> int:
    """Count the records without keeping them."""
    options = {"address": address, "auth": {"method": "token", "env": "T"}, "mounts": [MOUNT]}
    settings = Settings("bench", "vault", options, 3600.0, {"T": TOKEN})
    items = vault.connect(settings, datetime.now(UTC)).read()
    return sum(isinstance(item, Record) for item in items)


def main(way: str, address: str, count: int) -> bool:
    """Return whether everything was read."""
    return count == (bare(address, count) if way == "bare" else keywatch(address))


if __name__ == "__main__":
    sys.exit(not main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
