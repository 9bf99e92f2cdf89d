"""The command line of ``python continuous_scanner.py``, as settings and a start order."""

from __future__ import annotations

import argparse
import json
import math
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from scanner.commandline import Parser
from scanner.config import TRANSPORTS, StreamConfig
from scanner.errors import InvalidInput, shown
from scanner.markets import DEFAULT_EXCHANGES, DEFAULT_SYMBOLS
from scanner.order import EMBEDDED, REPLAYS, SIMULATIONS
from scanner.settings import Settings, listed, option
from scanner.store.folders import obstacle
from scanner.universe import ALL, Universe

SHORTEST_S, LONGEST_S = 0.1, 1e9  # durations

EXAMPLES = """\
examples:
  python continuous_scanner.py --simulated
      scan the embedded simulated exchange; needs no network
  python continuous_scanner.py --symbols BTC/USDT,ETH/USDT --exchanges binance
      scan two markets of a real exchange
  python continuous_scanner.py --universe quote=USDT,top=200 --exchanges binance
      scan the 200 largest markets, chosen anew every hour
  python continuous_scanner.py --replay recorded.parquet --speed 3600
      scan recorded candles, an hour of market time every second, and print a summary
  python continuous_scanner.py backfill --symbols BTC/USDT --exchanges binance --days 30
      fetch a month of history and compute its signals; backfill --help tells more
  python continuous_scanner.py --simulated --speed 60 --duration 120 --data-dir /tmp/trial
      two minutes at sixty times real speed, with a data folder of their own

Ctrl-C or SIGTERM stops within 5 seconds and prints the summary.
"""


@dataclass(frozen=True)
class Options:
    """What the command line asks for; None stands for the defaults of the service."""

    settings: Settings
    symbols: list[str] | str | None
    universe: Universe | None
    exchanges: list[str] | None
    config: StreamConfig
    duration_s: float | None


def parser() -> argparse.ArgumentParser:
    build = Parser(
        prog="continuous_scanner.py",
        description="Watch crypto markets around the clock on four timeframes.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = build.add_argument_group("what to scan")
    what.add_argument(
        "--symbols",
        metavar="LIST",
        help=f"symbols, comma separated, or all (default: {', '.join(DEFAULT_SYMBOLS)}; of a recording, all)",
    )
    what.add_argument(
        "--exchanges", metavar="LIST", help=f"exchange ids, comma separated (default: {', '.join(DEFAULT_EXCHANGES)})"
    )
    what.add_argument(
        "--universe",
        metavar="RULE",
        help="a rule in place of symbols, chosen by hourly: quote=USDT,top=200,min_volume_usd=1e6,"
        "include=BTC/USDC,exclude=XRP/USDT; every part is optional",
    )
    what.add_argument("--simulated", action="store_true", help="scan the embedded simulated exchange")
    what.add_argument(
        "--replay",
        metavar="FILE_OR_FOLDER",
        help="scan recorded candles, then end: Parquet with the columns symbol, timestamp (ms), open, high, low, "
        "close, volume",
    )
    how = build.add_argument_group("how")
    how.add_argument(
        "--speed", metavar="N", help="market seconds per real second, simulated or replayed, 0.1 to 100000 (default: 1)"
    )
    how.add_argument(
        "--transport",
        metavar="HOW",
        help=f"how prices and candles come, {' or '.join(TRANSPORTS)}: asked for, or by websocket (default: rest)",
    )
    how.add_argument("--config", metavar="FILE", help="JSON or TOML file with fields of StreamConfig")
    how.add_argument("--data-dir", metavar="FOLDER", help="where training data are kept (default: training_data)")
    how.add_argument("--duration", metavar="S", help="stop after this many real seconds")
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
    for name, text in vars(given).items():
        if isinstance(text, str) and not text.strip():
            raise InvalidInput(option(name), text, "is empty")
    exchanges = read_exchanges(given)
    symbols, universe = read_symbols(given)
    return Options(
        settings=_settings(given, exchanges, base),
        symbols=symbols,
        universe=universe,
        exchanges=exchanges,
        config=_config(given),
        duration_s=_duration_s(given.duration) if given.duration else None,
    )


def _settings(given: argparse.Namespace, exchanges: Sequence[str] | None, base: Settings) -> Settings:
    """The settings of the environment with what the command line says on top."""
    if given.speed and not _is_embedded(given, exchanges, base):
        needed = "needs --simulated, --replay or an embedded exchange; real time has one speed"
        raise InvalidInput("--speed", given.speed, needed)
    check_data_dir(given.data_dir)
    texts = {name: getattr(given, name) for name in ("replay", "speed", "data_dir", "log_level")}
    texts |= {"simulated": "1", "replay": ""} if given.simulated else {}
    texts |= {"simulated": "0"} if given.replay else {}
    return base.changed(texts, option)


def check_data_dir(text: str | None) -> None:
    """Raises InvalidInput when no folder can be there."""
    if text is not None and (found := obstacle(Path(text))) is not None:
        what = (
            "is a file, not a folder"
            if found == Path(text)
            else f"would lie in {shown(str(found))}, which is no folder"
        )
        raise InvalidInput("--data-dir", text, what)


def _is_embedded(given: argparse.Namespace, exchanges: Sequence[str] | None, base: Settings) -> bool:
    """Whether an embedded exchange is asked for: by its name, else by an option or a variable."""
    if exchanges:
        return any(exchange in EMBEDDED for exchange in exchanges)
    return bool(given.simulated or given.replay or base.simulated or base.replay)


def _config(given: argparse.Namespace) -> StreamConfig:
    """The fields of the file, with what the command line says on top."""
    config = read_config(Path(given.config)) if given.config else StreamConfig()
    if given.transport is None:
        return config
    if given.transport not in TRANSPORTS:
        raise InvalidInput("--transport", given.transport, f"is not one of {', '.join(TRANSPORTS)}")
    return replace(config, transport=given.transport)


def read_exchanges(given: argparse.Namespace) -> list[str] | None:
    """The exchanges asked for; others than its own contradict --simulated and --replay."""
    if given.simulated and given.replay:
        raise InvalidInput("--replay", given.replay, "and --simulated exclude each other")
    exchanges = _listed("--exchanges", given.exchanges)
    chosen, own = ("--simulated", SIMULATIONS) if given.simulated else ("--replay", REPLAYS)
    if exchanges and (given.simulated or given.replay) and not set(exchanges) <= set(own):
        raise InvalidInput("--exchanges", given.exchanges, f"contradicts {chosen}, which knows {', '.join(own)}")
    return exchanges


def read_config(path: Path) -> StreamConfig:
    """A StreamConfig from a JSON or TOML file. Raises InvalidInput."""
    try:
        text = path.read_text(encoding="utf-8")
        values = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        raise InvalidInput("--config", str(path), f"cannot be read: {error}") from error
    return StreamConfig.from_mapping(values, prefix=path.name)


def read_symbols(given: argparse.Namespace) -> tuple[list[str] | str | None, Universe | None]:
    """What --symbols and --universe say, which exclude each other. Raises InvalidInput."""
    return _symbols(given.symbols), _universe(given)


def _symbols(text: str | None) -> list[str] | str | None:
    return ALL if text is not None and text.strip().lower() == ALL else _listed("--symbols", text)


def _universe(given: argparse.Namespace) -> Universe | None:
    if given.universe is None:
        return None
    if given.symbols is not None and given.symbols.strip().lower() != ALL:
        raise InvalidInput("--universe", given.universe, "and --symbols exclude each other; include=... names symbols")
    return Universe.from_text(given.universe, "--universe")


def _listed(called: str, text: str | None) -> list[str] | None:
    if text is None:
        return None
    return listed(text, called)


def _duration_s(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not SHORTEST_S <= seconds <= LONGEST_S:
        raise InvalidInput("--duration", text, f"is not a number of seconds from {SHORTEST_S:g} to {LONGEST_S:g}")
    return seconds
