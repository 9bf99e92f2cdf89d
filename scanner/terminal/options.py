"""The command line of ``python continuous_scanner.py``, as settings and a start order."""

from __future__ import annotations

import argparse
import dataclasses
import json
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scanner.config import StreamConfig
from scanner.errors import InvalidInput
from scanner.markets import DEFAULT_EXCHANGES, DEFAULT_SYMBOLS
from scanner.settings import Settings

EXAMPLES = """\
examples:
  python continuous_scanner.py --simulated
      scan the embedded simulated exchange; needs no network
  python continuous_scanner.py --symbols BTC/USDT,ETH/USDT --exchanges binance
      scan two markets of a real exchange
  python continuous_scanner.py --replay recorded.parquet --speed 3600
      scan recorded candles, an hour of market time every second, and print a summary

Ctrl-C or SIGTERM stops within 5 seconds and prints the summary.
"""


@dataclass(frozen=True)
class Options:
    """What the command line asks for; None stands for the defaults of the service."""

    settings: Settings
    symbols: list[str] | None
    exchanges: list[str] | None
    config: StreamConfig
    duration_s: float | None


def parser() -> argparse.ArgumentParser:
    build = argparse.ArgumentParser(
        prog="continuous_scanner.py",
        description="Watch crypto markets around the clock on four timeframes.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = build.add_argument_group("what to scan")
    what.add_argument(
        "--symbols", metavar="LIST", help=f"symbols, comma separated (default: {','.join(DEFAULT_SYMBOLS)})"
    )
    what.add_argument(
        "--exchanges", metavar="LIST", help=f"exchange ids, comma separated (default: {','.join(DEFAULT_EXCHANGES)})"
    )
    what.add_argument("--simulated", action="store_true", help="scan the embedded simulated exchange")
    what.add_argument(
        "--replay",
        metavar="FILE_OR_FOLDER",
        help="scan recorded candles: Parquet with the columns symbol, timestamp (ms), open, high, low, close, volume",
    )
    how = build.add_argument_group("how")
    how.add_argument("--speed", type=float, metavar="N", help="market seconds per real second, simulated or replayed")
    how.add_argument("--config", metavar="FILE", help="JSON or TOML file with StreamConfig fields")
    how.add_argument("--data-dir", metavar="FOLDER", help="where training data are kept (default: training_data)")
    how.add_argument("--duration", type=float, metavar="S", help="stop after this many real seconds")
    how.add_argument("--log-level", metavar="LEVEL", help="DEBUG, INFO, WARNING or ERROR (default: INFO)")
    return build


def parse(arguments: Sequence[str], base: Settings) -> Options:
    """Options from a command line, over the settings of the environment.

    Raises
    ------
    InvalidInput
        A value is wrong; the message names the option. (An unknown option ends the program, as argparse does.)
    """
    given = parser().parse_args(arguments)
    if given.simulated and given.replay:
        raise InvalidInput("--replay", given.replay, "and --simulated exclude each other")
    changes: dict[str, object] = {}
    if given.speed is not None:
        if not (given.simulated or given.replay or base.simulated or base.replay):
            raise InvalidInput("--speed", given.speed, "needs --simulated or --replay; real time has one speed")
        changes["speed"] = _within("--speed", given.speed, 0.1, 100_000)
    changes |= {"simulated": True, "replay": ""} if given.simulated else {}
    changes |= {"replay": given.replay, "simulated": False} if given.replay else {}
    changes |= {"data_dir": given.data_dir} if given.data_dir else {}
    changes |= {"log_level": given.log_level} if given.log_level else {}
    duration_s = None if given.duration is None else _within("--duration", given.duration, 0.1, 1e9)
    return Options(
        settings=dataclasses.replace(base, **changes),  # type: ignore[arg-type]
        symbols=_listed(given.symbols),
        exchanges=_listed(given.exchanges),
        config=read_config(Path(given.config)) if given.config else StreamConfig(),
        duration_s=duration_s,
    )


def read_config(path: Path) -> StreamConfig:
    """A StreamConfig from a JSON or TOML file. Raises InvalidInput."""
    try:
        text = path.read_text(encoding="utf-8")
        values = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except (OSError, ValueError) as error:
        raise InvalidInput("--config", str(path), f"cannot be read: {error}") from error
    return StreamConfig.from_mapping(values, prefix=path.name)


def _listed(text: str | None) -> list[str] | None:
    return None if text is None else [part.strip() for part in text.split(",") if part.strip()]


def _within(field: str, value: float, low: float, high: float) -> float:
    if not low <= value <= high:
        raise InvalidInput(field, value, f"is not a number from {low:g} to {high:g}")
    return value
