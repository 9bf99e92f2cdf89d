"""``python -m tests.soak``: hours of market time with random faults; ends with 1 when anything is wrong."""

from __future__ import annotations

import argparse
import logging
import random
import sys
import tempfile
from pathlib import Path

from tests.soak.schedule import schedule
from tests.soak.soaking import SPEED, soak


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--seed", type=int, default=None, help="of market and faults; a random one if left out")
    parser.add_argument("--hours", type=float, default=24.0, help="of market time (default: 24)")
    parser.add_argument("--speed", type=float, default=SPEED, help=f"market seconds per second (default: {SPEED:g})")
    parser.add_argument("--verbose", action="store_true", help="log what the scanner logs")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO if given.verbose else logging.CRITICAL, format="%(asctime)s %(message)s")
    logging.getLogger("apscheduler").setLevel(logging.CRITICAL)
    seed = random.SystemRandom().randrange(10**6) if given.seed is None else given.seed
    print(f"seed {seed}: {given.hours:g} h in about {given.hours * 60 / given.speed:.0f} minutes", flush=True)
    if given.verbose:
        print(*schedule(seed, given.hours), sep="\n", flush=True)
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        report = soak(seed, given.hours, Path(folder), speed=given.speed, tell=lambda line: print(line, flush=True))
    print(report.text())
    return 1 if report.violations else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
