"""``python continuous_scanner.py backfill``: history into the data folder, with progress and a summary."""

from __future__ import annotations

import argparse
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from scanner.commandline import Parser, refused
from scanner.config import StreamConfig
from scanner.errors import InvalidInput, ScannerError
from scanner.logs import set_up_logging, stop_on_signals
from scanner.markets import DEFAULT_EXCHANGES, DEFAULT_SYMBOLS
from scanner.order import REPLAYS, SIMULATIONS, StartOrder
from scanner.runtime.backfill.backfill import Backfill
from scanner.runtime.memory import capacity
from scanner.runtime.service import ScannerService
from scanner.runtime.venue import open_venue
from scanner.settings import Settings, listed, option
from scanner.store.store import TrainingStore
from scanner.terminal.backfill_report import Shown, summary
from scanner.terminal.options import check_data_dir, read_config, read_exchanges, read_symbols
from scanner.timeframes import LENGTH_MS
from scanner.universe import Universe

NAME = "backfill"
MOST_DAYS, DEFAULT_DAYS = 3650, 30
INCOMPLETE, INTERRUPTED = 1, 130  # exit statuses
LOOK_S = 0.1

EXAMPLES = """\
examples:
  python continuous_scanner.py backfill --simulated
      a month of the ten default symbols on the embedded simulated exchange
  python continuous_scanner.py backfill --symbols BTC/USDT,ETH/USDT --exchanges binance --days 90
      three months of two markets of a real exchange
  python continuous_scanner.py backfill --replay recorded.parquet --symbols all --days 90
      the signals of recorded candles; the days end where the recording does
  python continuous_scanner.py backfill --universe quote=USDT,top=50 --exchanges binance --timeframes 1h,4h
      a month of what are now the 50 largest markets, on two timeframes

Ctrl-C or SIGTERM ends it; the same command goes on from there. Exit status: 0 all is there (symbols that are not
listed are skipped, and the summary names them), 1 something is missing (the summary says what), 2 wrong input, or a
folder that is in use or cannot be written to, 130 interrupted.
"""


@dataclass(frozen=True)
class BackfillOptions:
    """What the command line asks for."""

    settings: Settings
    symbols: list[str] | str | None
    universe: Universe | None
    exchanges: list[str] | None
    config: StreamConfig
    days: int


def parser() -> argparse.ArgumentParser:
    build = Parser(
        prog=f"continuous_scanner.py {NAME}",
        description="Fetch history into the data folder and compute the signals of all of it.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = build.add_argument_group("what to fetch")
    what.add_argument(
        "--symbols", metavar="LIST", help=f"symbols, comma separated, or all (default: {', '.join(DEFAULT_SYMBOLS)})"
    )
    what.add_argument(
        "--exchanges", metavar="LIST", help=f"exchange ids, comma separated (default: {', '.join(DEFAULT_EXCHANGES)})"
    )
    what.add_argument("--universe", metavar="RULE", help="a rule in place of symbols, applied to today's list")
    what.add_argument("--simulated", action="store_true", help="fetch from the embedded simulated exchange")
    what.add_argument("--replay", metavar="FILE", help="take recorded candles: a Parquet file, or a folder of them")
    what.add_argument(
        "--days",
        metavar="N",
        help=f"UTC days before today, 1 to {MOST_DAYS}; today so far besides (default: {DEFAULT_DAYS})",
    )
    what.add_argument(
        "--timeframes", metavar="LIST", help="timeframes or styles, comma separated (default: all that are configured)"
    )
    how = build.add_argument_group("how")
    how.add_argument("--config", metavar="FILE", help="JSON or TOML file with fields of StreamConfig")
    how.add_argument("--data-dir", metavar="FOLDER", help="where training data are kept (default: training_data)")
    how.add_argument("--log-level", metavar="LEVEL", help="DEBUG, INFO, WARNING or ERROR (default: WARNING)")
    return build


def parse(arguments: Sequence[str], base: Settings) -> BackfillOptions:
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
    check_data_dir(given.data_dir)
    texts = {"data_dir": given.data_dir, "log_level": given.log_level or "WARNING", "replay": given.replay}
    texts |= {"simulated": "1", "replay": ""} if given.simulated else {}
    texts |= {"simulated": "0"} if given.replay else {}
    symbols, universe = read_symbols(given)
    return BackfillOptions(
        settings=base.changed(texts, option),
        symbols=symbols,
        universe=universe,
        exchanges=exchanges,
        config=_config(given),
        days=_days(given.days),
    )


def main(arguments: Sequence[str], environ: dict[str, str], console: Console | None = None) -> int:
    """Run the command; its exit status."""
    stopping, began = stop_on_signals(), time.monotonic()
    console = console or Console()
    try:
        options = parse(arguments, Settings.from_env(environ))
        set_up_logging(options.settings.log_level)
        service = ScannerService(replace(options.settings, resume=False))
        order = service.order(options.symbols, options.exchanges, options.config, options.universe)
        _check_order(order, service)
        store = TrainingStore(options.settings.data_dir)
        store.open(must_write=True)
    except ScannerError as error:
        return refused(f"continuous_scanner {NAME}", error)
    try:
        with store:
            backfill = _backfill(order, options, service, store, stopping, console)
    except ScannerError as error:
        told = f"{NAME}: {error}; what was kept stays, and the same command goes on from there"
        console.print(told, highlight=False, markup=False, soft_wrap=True)
        return INCOMPLETE
    took_s = time.monotonic() - began
    simulated = any(exchange in SIMULATIONS for exchange in order.exchanges)
    text = summary(backfill, stopping.is_set(), options.days, took_s, store.base_path, simulated)
    if 0 < (keep := options.settings.keep_days) < options.days:
        text += f"\n  a scan will remove the older files: SCANNER_KEEP_DAYS has the newest {keep} days kept"
    console.print(text, highlight=False, markup=False, soft_wrap=True)
    if stopping.is_set():
        return INTERRUPTED
    return 0 if backfill.is_whole else INCOMPLETE


def _backfill(
    order: StartOrder,
    options: BackfillOptions,
    service: ScannerService,
    store: TrainingStore,
    stopping: threading.Event,
    console: Console,
) -> Backfill:
    """Run it on a thread of its own, showing how it goes, until it is over or a signal comes."""
    room = capacity(order.config, options.settings.memory_mb)
    venue = open_venue(order.exchanges, options.settings, service.recording(), over=True)
    try:
        backfill = Backfill(order, options.days, venue, store, service.renames, room)
        with ThreadPoolExecutor(1, thread_name_prefix=NAME) as pool, Shown(console) as shown:
            running: Future[None] = pool.submit(backfill.run)
            while not running.done() and not stopping.wait(LOOK_S):
                shown(backfill.meter.now())
            if not running.done():
                backfill.stop()
            running.result()
            shown(backfill.meter.now())
        return backfill
    finally:
        venue.close()


def _check_order(order: StartOrder, service: ScannerService) -> None:
    if set(order.exchanges) & set(REPLAYS) and service.recording() is None:
        expected = "names a recording; --replay says which"
        raise InvalidInput("--exchanges", ",".join(order.exchanges), expected)


def _config(given: argparse.Namespace) -> StreamConfig:
    """The fields of the file, with the styles that were asked for alone."""
    config = read_config(Path(given.config)) if given.config else StreamConfig()
    if given.timeframes is None:
        return config
    wanted = listed(given.timeframes, "--timeframes")
    styles = config.styles
    for name in wanted:
        if name not in styles and name not in styles.values():
            known = ", ".join(sorted(styles.values(), key=LENGTH_MS.__getitem__))
            expected = f"names {name}, which is not configured; there are {known}, and --config may name others"
            raise InvalidInput("--timeframes", given.timeframes, expected)
    chosen = {style: timeframe for style, timeframe in styles.items() if {style, timeframe} & set(wanted)}
    return replace(config, timeframes=chosen)


def _days(text: str | None) -> int:
    if text is None:
        return DEFAULT_DAYS
    days = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
    if not 1 <= days <= MOST_DAYS:
        raise InvalidInput("--days", text, f"is not a whole number from 1 to {MOST_DAYS}")
    return days
