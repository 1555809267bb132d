"""The entry point: `keywatch` and `python -I -m scanner`."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line of this process. An exit code."""
    try:
        from scanner.cli import main as run

        return run(sys.argv[1:])
    except KeyboardInterrupt:  # before there is anybody to answer it, or for the second time
        return 130


if __name__ == "__main__":
    sys.exit(main())
