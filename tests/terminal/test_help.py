"""The help text: complete, readable, and its examples work."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from scanner.settings import Settings
from scanner.terminal.options import EXAMPLES, parse, parser
from tests.child import SCANNER, running

OPTIONS = ("symbols", "exchanges", "simulated", "replay", "speed", "config", "data-dir", "duration", "log-level")


def test_help_tells_every_option_and_shows_examples(tmp_path: Path) -> None:
    with running([*SCANNER, "--help"], tmp_path) as child:
        assert child.wait() == 0
        for option in OPTIONS:
            assert f"--{option}" in child.out
        assert "examples:\n" in child.out
        assert max(map(len, child.out.splitlines())) <= 90
    assert [*tmp_path.iterdir()] == []


def test_every_option_has_a_meaning() -> None:
    actions = [action for group in parser()._action_groups for action in group._group_actions]
    assert {name for action in actions for name in action.option_strings} >= {f"--{option}" for option in OPTIONS}
    assert all(action.help for action in actions)


@pytest.mark.parametrize(
    "line", [line.strip() for line in EXAMPLES.splitlines() if line.startswith("  python") and "backfill" not in line]
)
def test_every_example_is_understood(line: str) -> None:
    python, program, *arguments = shlex.split(line)
    assert (python, program) == ("python", "continuous_scanner.py")
    assert parse(arguments, Settings()).duration_s in (None, 120)
