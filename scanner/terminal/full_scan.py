"""The command line of ``python momentum_scanner.py``: one full scan, as a report, a page or a file."""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from scanner.commandline import Parser
from scanner.errors import InvalidInput, ScannerError, UnknownExchange
from scanner.fullscan.progress import Tell, terminal_progress
from scanner.fullscan.report import reasons
from scanner.fullscan.results import ScanResults
from scanner.fullscan.settings import ALIASES, interval_of
from scanner.fullscan.standalone import ScanOptions, scan_with_candles
from scanner.gateway.specs import real_exchange
from scanner.logs import set_up_logging
from scanner.markets import parse_symbol
from scanner.order import EMBEDDED
from scanner.runtime.venue import load_recording, open_venue
from scanner.settings import Settings

EXAMPLES = """\
examples:
  python momentum_scanner.py
      rank the embedded simulated exchange on 1h candles; needs no network
  python momentum_scanner.py --exchange binance --timeframe 4h --top 20 --report out.html
      rank Binance's USDT pairs on 4h candles and write a page with plots
  python momentum_scanner.py --exchange kucoinfutures --symbols BTC/USDT,ETH/USDT --csv rows.csv
      look at two contracts and write the rows as CSV
"""
MOST_ROWS = 460
PICTURES = (".png", ".svg", ".pdf")


def parser() -> argparse.ArgumentParser:
    build = Parser(
        prog="momentum_scanner.py",
        description="Rank the markets of an exchange once and report the best.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = build.add_argument_group("what to scan")
    what.add_argument(
        "--exchange", default="simulated", metavar="ID", help=f"ccxt id, or {', '.join(EMBEDDED)} (default: simulated)"
    )
    names = ", ".join(f"{alias} ({interval})" for alias, interval in ALIASES.items())
    what.add_argument(
        "--timeframe", default="medium", metavar="NAME", help=f"{names}, or an interval such as 4h (default: medium)"
    )
    what.add_argument("--symbols", metavar="LIST", help="only these, comma separated (default: all that are quoted)")
    what.add_argument(
        "--quote", default="USDT", metavar="COIN", help="currency the markets are quoted in (default: USDT)"
    )
    what.add_argument(
        "--min-volume",
        type=float,
        default=None,
        metavar="N",
        help="least mean turnover per candle (default: 250000; 0 on the simulated exchange and with --symbols)",
    )
    what.add_argument("--forex", action="store_true", help="scan the ten major currency pairs instead of coins")
    what.add_argument("--quick", action="store_true", help="look back a third as far")
    how = build.add_argument_group("what to do with it")
    how.add_argument("--top", type=int, default=20, metavar="N", help="rows to keep (default: 20)")
    how.add_argument("--report", metavar="FILE", help="write an HTML page with plots")
    how.add_argument("--plot", metavar="FILE", help="write the plots as a picture (png, svg or pdf)")
    how.add_argument("--csv", metavar="FILE", help="write the rows as CSV")
    how.add_argument("--deadline", type=float, default=240.0, metavar="S", help="seconds to be done in (default: 240)")
    how.add_argument("--log-level", metavar="LEVEL", help="DEBUG, INFO, WARNING or ERROR (default: WARNING)")
    return build


def main(arguments: Sequence[str], environ: dict[str, str]) -> int:
    """Run the program; the exit status, 2 for wrong input, 1 when nothing could be scanned."""
    given = parser().parse_args(arguments)
    try:
        settings = Settings.from_env({"SCANNER_LOG_LEVEL": "WARNING", **environ, **_level(given.log_level)})
        _check(given)
        set_up_logging(settings.log_level)
        with terminal_progress(f"{given.exchange} {interval_of(given.timeframe)}") as tell:
            results = scan(given, settings, tell)
        if results.scan_results.empty:
            return _said(nothing(results, given), 1)
        deliver(results, given)
    except (InvalidInput, UnknownExchange) as error:
        return _said(error, 2)
    except (ScannerError, OSError) as error:
        return _said(error, 1)
    return 0


def scan(given: argparse.Namespace, settings: Settings, tell: Tell) -> ScanResults:
    """What the options ask for; an embedded exchange is started for it and ended."""
    names = None if given.symbols is None else symbols_of(given.symbols)
    options = ScanOptions(
        full_analysis=not given.quick,
        symbols=names,
        top_n=given.top,
        min_volume_usd=_min_volume(given),
        market_type="forex" if given.forex else "crypto",
        quote_currency=given.quote,
        deadline_s=given.deadline,
        on_progress=tell,
    )
    venue = open_venue((given.exchange,), settings, load_recording(settings))
    try:
        results = scan_with_candles(venue.specs[0], given.timeframe, options)
    finally:
        venue.close()
    results.scan_results.attrs["simulated"] = any(venue.simulated.values())
    return results


def symbols_of(text: str) -> tuple[str, ...]:
    """The symbols of a comma-separated list, as written. Raises InvalidInput."""
    names = tuple(part.strip() for part in text.split(",") if part.strip())
    if not names:
        raise InvalidInput("--symbols", text, "names no symbol")
    for name in names:
        parse_symbol(name, "--symbols")
    return names


def nothing(results: ScanResults, given: argparse.Namespace) -> str:
    """Why no market has a row."""
    facts = results.scan_results.attrs
    left_out = {**facts.get("skipped", {}), **facts.get("failed", {})}
    what = f"nothing scanned on {given.exchange}: "
    if not left_out:
        wanted = "a currency pair" if given.forex else f"quoted in {given.quote.upper()}"
        return f"{what}no market is {wanted}"
    return what + reasons(left_out)


def deliver(results: ScanResults, given: argparse.Namespace) -> None:
    """Print the report and write the files that were asked for."""
    print(results.generate_report())  # noqa: T201
    if given.report:
        results.generate_html_report(given.report)
    if given.plot:
        results.plot_analysis(given.plot)
    if given.csv:
        results.scan_results.to_csv(given.csv, index=False)
    for path in (given.report, given.plot, given.csv):
        if path:
            print(f"wrote {path}")  # noqa: T201


def _min_volume(given: argparse.Namespace) -> float:
    if given.min_volume is not None:
        return float(given.min_volume)
    return 0.0 if given.symbols is not None or given.exchange in EMBEDDED else 250_000.0


def _check(given: argparse.Namespace) -> None:
    """Refuse what argparse lets through. Raises InvalidInput."""
    interval_of(given.timeframe, "--timeframe")
    if given.symbols is not None:
        symbols_of(given.symbols)
    if given.exchange not in EMBEDDED:
        real_exchange(given.exchange)
    if not 1 <= given.top <= MOST_ROWS:
        raise InvalidInput("--top", given.top, f"is not a whole number from 1 to {MOST_ROWS}")
    if not (math.isfinite(given.deadline) and given.deadline > 0):
        raise InvalidInput("--deadline", given.deadline, "is not a number of seconds above 0")
    if given.min_volume is not None and not (math.isfinite(given.min_volume) and given.min_volume >= 0):
        raise InvalidInput("--min-volume", given.min_volume, "is not a number from 0")
    if given.plot and Path(given.plot).suffix.lower() not in PICTURES:
        raise InvalidInput("--plot", given.plot, f"does not end with {', '.join(PICTURES)}")
    for option in ("report", "plot", "csv"):
        path = getattr(given, option)
        if path is not None:
            _check_writable(f"--{option}", path)


def _check_writable(option: str, text: str) -> None:
    """Refuse a file that could not be written after the scan. Raises InvalidInput."""
    path = Path(text)
    if not text or path.is_dir():
        raise InvalidInput(option, text, "is not a file")
    try:
        if path.exists():
            with path.open("ab"):
                return
        with tempfile.TemporaryFile(dir=path.parent):
            return
    except OSError as error:
        raise InvalidInput(option, text, f"cannot be written: {error.strerror or error}") from None


def _level(text: str | None) -> dict[str, str]:
    return {} if text is None else {"SCANNER_LOG_LEVEL": text}


def _said(error: Exception | str, status: int) -> int:
    print(f"momentum_scanner: {error}", file=sys.stderr)  # noqa: T201
    return status
