"""What the command lines of the examples have in common."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from examples.rows import LENGTHS, NoData
from scanner import ScannerError

WRONG = 2  # exit status
NEEDED = "{} is not installed; pip install -r requirements-examples.txt installs the libraries of the examples"


def parser(name: str, description: str) -> argparse.ArgumentParser:
    """A command line with the options that choose rows."""
    build = argparse.ArgumentParser(prog=f"python -m examples.{name}", description=description)
    build.add_argument("--data-dir", type=Path, default=Path("training_data"), help="data folder of the scanner")
    build.add_argument("--timeframe", choices=[*LENGTHS], default="5m")
    build.add_argument("--days", type=int, default=30, help="days back from now (default: 30)")
    build.add_argument("--cost", type=float, default=10.0, help="basis points a change of position costs (default: 10)")
    return build


def run(name: str, program: Callable[[], str]) -> int:
    """Print what a program says; its exit status. Wrong input and missing data end it with one line."""
    try:
        print(program())
    except (NoData, ScannerError, ValueError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return WRONG
    return 0
