"""What the command lines of both programs have in common: wrong input ends them with one line that says why."""

from __future__ import annotations

import argparse
import sys
from typing import NoReturn

WRONG_INPUT = 2  # exit status


def refused(program: str, reason: object) -> int:
    """Say in one line why a program does not run; its exit status."""
    print(f"{program}: {reason}", file=sys.stderr)  # noqa: T201
    return WRONG_INPUT


class Parser(argparse.ArgumentParser):
    """argparse without the usage text above every complaint."""

    def error(self, message: str) -> NoReturn:
        raise SystemExit(refused(self.prog.replace(".py", ""), f"{message} (--help tells what there is)"))
