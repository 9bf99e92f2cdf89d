"""How a backfill is shown while it runs."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from scanner.runtime.backfill.progress import CANDLES, Progress
from scanner.terminal.backfill_report import Shown, line


def shown(width: int) -> str:
    """What stands last on a terminal of so many columns while a quarter is done."""
    console, paper = (Console(file=io.StringIO(), force_terminal=it, width=width, height=20) for it in (True, False))
    with Shown(console) as bars:
        bars(Progress(CANDLES, 0, 0))
        bars(Progress(CANDLES, 9000, 36000))
        assert bars._bars is not None
        paper.print(bars._bars.get_renderable())
    assert isinstance(paper.file, io.StringIO)
    return paper.file.getvalue().strip()


@pytest.mark.parametrize("width", [30, 44, 69])
def test_a_narrow_terminal_shows_how_much_is_done_and_how_long_it_takes(width: int) -> None:
    assert shown(width) == "candles   25 % -:--:-- left"


def test_a_wide_terminal_shows_a_bar_too() -> None:
    assert re.fullmatch(r"candles   25 % ━\S+ +9000 of 36000 \d:\d\d:\d\d -:--:-- left", shown(100))


def test_elsewhere_a_line_says_it() -> None:
    assert line(Progress(CANDLES, 9000, 36000), 5.0) == "candles: 9000 of 36000 candles, 25 %, about 15 s left"
    assert line(Progress(CANDLES, 0, 36000), 5.0) == "candles: 0 of 36000 candles, 0 %"
