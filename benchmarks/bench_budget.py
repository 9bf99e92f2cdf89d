"""Whether whole markets fit into one address's request weight: ``python -m benchmarks.bench_budget``.

By reckoning: the planner and the budget that scans use, with a clock turned by hand, for 500, 1,000 and 2,000
markets of Binance; requests leave as ccxt spaces them. With ``--seconds`` by real scanners instead: as many
processes as asked for, against one loopback exchange with Binance's limits in real time, sharing one state folder.
"""

from __future__ import annotations

import argparse
import json
import logging
import subprocess
import sys
import tempfile
import time
from collections import Counter, deque
from dataclasses import dataclass, field

import numpy as np

from scanner.clock import ManualClock, WallClock
from scanner.gateway.answers import CandleRequest, Purpose
from scanner.gateway.budget import KNOWN, Budget
from scanner.gateway.docket import Docket
from scanner.gateway.prices import weight_per_window
from scanner.markets import Market
from scanner.simulated import SimulatedExchange, generated

TABLE, STEP_S = KNOWN["binance"], 300
PER_S = 50  # requests, as ccxt spaces those of Binance
PRICES_S, SIGNALS_S, DEADLINE_S, GRACE_S = 5, 30, 22, 15
WARM_UP_S, RECKONED_S = 300, 1800
SHARES = {500: 40, 1000: 70, 2000: 70}  # most of the limit that a minute may take, in per cent
CLOSE_S = 90  # in time: far before the next close


@dataclass
class Reckoning:
    """What happened to so many markets."""

    by_minute: Counter[int] = field(default_factory=Counter)
    prices_missed: int = 0
    close_s: list[int] = field(default_factory=list)  # from a close until the candle was asked for
    refreshes: Counter[int] = field(default_factory=Counter)  # of a market's forming candle, by rank of value


def reckoned(count: int) -> Reckoning:
    """Half an hour of a scan, second by second; the history is there."""
    kept = weight_per_window(TABLE, count, PRICES_S)
    budget, clock = Budget(TABLE.limit, TABLE.window_s, 0.7, kept), ManualClock(0)
    docket = Docket(budget, clock, "5m", TABLE.candles)
    markets = [Market("binance", f"S{i:04}/USDT") for i in range(count)]
    rank = {market: i for i, market in enumerate(markets)}
    final, found, waiting = [0] * count, Reckoning(), deque[CandleRequest]()
    for now in range(RECKONED_S):
        clock.advance(now * 1000 - clock.now_ms())
        _ask_prices(budget, found, now, count)
        if now % SIGNALS_S == GRACE_S:
            wanted = [(_request(market, i, count, final[i], now), TABLE.candles) for i, market in enumerate(markets)]
            waiting = deque(want.request for want in docket.plan(wanted, rank, now, now + DEADLINE_S).chosen)
        if now % SIGNALS_S == (GRACE_S + DEADLINE_S) % SIGNALS_S:
            waiting.clear()
        for _ in range(min(PER_S, len(waiting))):
            if not budget.try_spend(TABLE.candles, now):
                break
            budget.settle(TABLE.candles, answered=True)
            found.by_minute[now // 60] += TABLE.candles
            request = waiting.popleft()
            docket.note(request, now, answered=True)
            _answer(rank[request.market], final, found, now)
    return found


def _ask_prices(budget: Budget, found: Reckoning, now: int, count: int) -> None:
    """Prices every 5 s, and the statistics of all once a minute."""
    due = [TABLE.last_prices] * (now % PRICES_S == 0) + [TABLE.tickers_weight(count)] * (now % 60 == 0)
    for weight in due:
        if budget.try_spend(weight, now, all_of_it=True, kept=True):
            budget.settle(weight, answered=True)
            found.by_minute[now // 60] += weight
        else:
            found.prices_missed += 1


def _request(market: Market, i: int, count: int, final: int, now: int) -> CandleRequest:
    purpose = Purpose.CLOSE if now // STEP_S > final else Purpose.FORMING
    return CandleRequest(market, "5m", 0, 2, purpose, value=float(count - i))


def _answer(i: int, final: list[int], found: Reckoning, now: int) -> None:
    if now // STEP_S > final[i] and now >= WARM_UP_S:
        found.close_s.append(now % STEP_S)
    final[i] = now // STEP_S
    if now >= WARM_UP_S:
        found.refreshes[i] += 1


def report(count: int, found: Reckoning) -> None:
    """Print each figure with its limit."""
    most = max(weight for minute, weight in found.by_minute.items() if minute * 60 >= WARM_UP_S)
    closes = (RECKONED_S - WARM_UP_S) // STEP_S * count
    every = (RECKONED_S - WARM_UP_S) / np.array([max(found.refreshes[i], 1) for i in range(count)])
    late_s = (np.percentile(found.close_s, 95), max(found.close_s))
    print(f"{count} markets, reckoned over {RECKONED_S // 60} min")
    print(f"  weight of a minute, most {most} = {most / TABLE.limit:.0%} of {TABLE.limit} (limit {SHARES[count]} %)")
    print(f"  price sweeps missed {found.prices_missed} (limit 0)")
    print(
        f"  closes asked for {len(found.close_s)} of {closes}, 95 % within {late_s[0]:.0f} s, all within {late_s[1]} s"
    )
    print(f"    (limit: all, within {CLOSE_S} s)")
    print(f"  a forming candle is refreshed every {every.mean():.0f} s; of the most valuable tenth of the markets")
    print(f"    every {every[: count // 10].mean():.0f} s")


def real(markets: int, processes: int, seconds: float) -> None:
    """Real scanners against one exchange, at real speed."""
    with tempfile.TemporaryDirectory() as folder, SimulatedExchange(generated(7, markets), WallClock()) as exchange:
        print(f"{processes} x {markets} markets, at real speed, for {seconds:.0f} s:", flush=True)
        command = [sys.executable, "-m", "benchmarks.scanning", exchange.url, str(markets), str(seconds)]
        children = [
            subprocess.Popen([*command, folder, str(i)], stdout=subprocess.PIPE, text=True) for i in range(processes)
        ]
        try:
            for i, child in enumerate(children):
                print(f"  scanner {i + 1}: {json.loads(child.communicate(timeout=seconds + 120)[0])}", flush=True)
            for minute, weight in sorted(exchange.weights.items()):
                at = time.strftime("%H:%M", time.gmtime(minute * 60))
                print(f"  minute from {at}: weight {weight} = {weight / TABLE.limit:.0%} of {TABLE.limit}")
            print(f"  refused: {dict(exchange.refused)}   (limit: none)")
        finally:
            for child in children:
                child.kill()
                child.communicate()


def main() -> None:
    logging.basicConfig(level="ERROR")
    options = _options()
    if not options.seconds:
        for count in SHARES:
            report(count, reckoned(count))
        return
    real(options.markets, options.processes, options.seconds)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Request weight of whole markets, reckoned or by real scanners.")
    parser.add_argument("--seconds", type=float, default=0, help="measure real scanners for so long, their start apart")
    parser.add_argument("--markets", type=int, default=500, help="of each real scanner (default %(default)s)")
    parser.add_argument("--processes", type=int, default=1, help="real scanners (default %(default)s)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
