"""How many empty tasks a second a Dask scheduler on this machine hands out: prints the number.

Tasks are submitted one by one and awaited in bounded numbers, as keywatch fleet submits its units.
"""

from __future__ import annotations

import sys
import time

TASKS = 5_000
OPEN = 200


def main(workers: int) -> float:
    from distributed import Client, LocalCluster, as_completed

    with (
        LocalCluster(
            n_workers=workers, threads_per_worker=1, dashboard_address=None, host="127.0.0.1"
        ) as cluster,
        Client(cluster) as client,
    ):
        list(client.map(int, range(OPEN)))
        start = time.perf_counter()
        waiting = as_completed(client.submit(int, number, pure=False) for number in range(OPEN))
        done = 0
        for _ in waiting:
            done += 1
            if done + OPEN <= TASKS:
                waiting.add(client.submit(int, done, pure=False))
        return done / (time.perf_counter() - start)


if __name__ == "__main__":
    print(main(int(sys.argv[1])))
