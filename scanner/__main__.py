"""The entry point: `keywatch` and `python -I -m scanner`."""

from __future__ import annotations

import gc
import sys

_GARBAGE = 50_000


def main() -> int:
    """Run the command line of this process and return its exit code.

    Python searches for cyclic garbage every 700 new objects and again at exit. A start creates
    thousands of objects and no garbage. Searching less often saves a sixth of the benchmark `hook`.
    """
    gc.set_threshold(_GARBAGE)
    try:
        return _run()
    finally:
        # After Ctrl-C in the middle of eval() or exec(), which NamedTuple uses, Python kills itself
        # with SIGINT at exit, even if the exception was handled. Another eval() prevents that.
        eval("None")  # noqa: S307
        gc.freeze()


def _run() -> int:
    try:
        from scanner.cli import main as run

        return run(sys.argv[1:])
    except KeyboardInterrupt:  # while scanner.cli is imported, or for the second time
        return 130


if __name__ == "__main__":
    sys.exit(main())
