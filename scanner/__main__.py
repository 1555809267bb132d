"""The entry point: `keywatch` and `python -I -m scanner`."""

from __future__ import annotations

import gc
import sys

_GARBAGE = 50_000


def main() -> int:
    """Run the command line of this process. An exit code.

    Python looks for cyclic garbage each 700 new objects, and once more in everything as it ends. A
    start makes thousands and leaves none: that would be a sixth of a hook's time.
    """
    gc.set_threshold(_GARBAGE)
    try:
        return _run()
    finally:
        # Ctrl-C in text that was being run (named tuples are made so) marks the process to be
        # killed by SIGINT at its end, whoever answered it; the next text takes the mark away.
        eval("None")  # noqa: S307
        gc.freeze()


def _run() -> int:
    try:
        from scanner.cli import main as run

        return run(sys.argv[1:])
    except KeyboardInterrupt:  # before there is anybody to answer it, or for the second time
        return 130


if __name__ == "__main__":
    sys.exit(main())
