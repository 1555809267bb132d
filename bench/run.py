"""The benchmark: `python bench/run.py [SECTION…]` measures, `make bench` measures everything.

It writes only below build/bench/ (environments, trees, raw numbers; about 2 GB) and to
bench/RESULTS.md. Everything takes about an hour; most of that is detect-secrets. A section that is
not named keeps the numbers of its last run.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench import (
    access,
    action,
    archives,
    audit,
    cold,
    commits,
    configs,
    evidence,
    exact,
    fleet,
    formats,
    hook,
    html_report,
    judging,
    limits,
    packages,
    peers,
    quality,
    repositories,
    results,
    rotation,
    trail,
    trees,
)

SECTIONS: Mapping[str, Callable[[], results.Section]] = {
    "trees": trees.section,
    "exact": exact.section,
    "hook": hook.section,
    "cold": cold.section,
    "hostile": limits.section,
    "configs": configs.section,
    "packages": packages.section,
    "archives": archives.section,
    "repositories": repositories.section,
    "quality": quality.section,
    "formats": formats.section,
    "html": html_report.section,
    "judging": judging.section,
    "audit": audit.section,
    "access": access.section,
    "rotation": rotation.section,
    "evidence": evidence.section,
    "trail": trail.section,
    "fleet": fleet.section,
    "commits": commits.section,
    "action": action.section,
}
RAW = peers.BUILD / "results"
PAGE = Path(__file__).with_name("RESULTS.md")


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure keywatch beside its peers.")
    parser.add_argument("section", nargs="*", help=f"of: {', '.join(SECTIONS)} (default: all)")
    names = parser.parse_args().section or list(SECTIONS)
    if unknown := sorted(set(names) - set(SECTIONS)):
        parser.error(f"no such section: {', '.join(unknown)}; there are {', '.join(SECTIONS)}")
    if sys.platform != "linux":
        parser.error("it reads /proc, so it runs on Linux alone")
    try:
        for name in names:
            print(f"measuring {name} …", flush=True)
            results.save(RAW, SECTIONS[name]())
            _write_page()
    except (peers.BenchError, subprocess.CalledProcessError) as error:
        print(f"the benchmark stopped: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; sections measured before are kept", file=sys.stderr)
        return 130
    print(f"written: {PAGE}")
    return 0


def _write_page() -> None:
    sections = [section for name in SECTIONS if (section := results.load(RAW, name))]
    before = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    PAGE.write_text(results.page(sections, before), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
