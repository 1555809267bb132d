"""The entry point: `keywatch` and `python -I -m scanner`."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line of this process. An exit code."""
    from scanner.cli import main as run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
