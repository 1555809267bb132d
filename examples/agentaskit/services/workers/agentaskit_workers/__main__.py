"""`python -m agentaskit_workers`: run until told to stop."""

from __future__ import annotations

import logging
import signal
import threading

import psycopg

from agentaskit_workers import settings


def main() -> None:
    config = settings.load()
    logging.basicConfig(level=config.log_level.upper())
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with psycopg.connect(config.database_url) as connection:
        while not stop.wait(1.0):
            connection.execute("select run_next_job()")


if __name__ == "__main__":
    main()
