"""What the command lines of the examples have in common."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from examples.rows import LENGTHS, NoData
from scanner import ScannerError

WRONG = 2  # exit status
MOST_COST = 10_000.0  # basis points: all that was traded
NEEDED = "{} is not installed; pip install -r requirements-examples.txt installs the libraries of the examples"


def parser(name: str, description: str) -> argparse.ArgumentParser:
    """A command line with the options that choose rows."""
    build = argparse.ArgumentParser(prog=f"python -m examples.{name}", description=description)
    build.add_argument("--data-dir", type=Path, default=Path("training_data"), help="data folder of the scanner")
    build.add_argument("--timeframe", choices=[*LENGTHS], default="5m")
    build.add_argument("--days", type=int, default=30, help="days back from now (default: 30)")
    build.add_argument("--cost", type=_cost, default=10.0, help="basis points a change of position costs (default: 10)")
    return build


def _cost(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= MOST_COST:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of basis points from 0 to {MOST_COST:g}")
    return value


def run(name: str, program: Callable[[], str]) -> int:
    """Print what a program says; its exit status. Wrong input and missing data end it with one line."""
    try:
        print(program())
    except (NoData, ScannerError, ValueError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return WRONG
    return 0
