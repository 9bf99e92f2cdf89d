"""Who a universe chooses: by hand, then as properties of any volumes."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from scanner.gateway.dollars import volumes_usd
from scanner.gateway.selection import candidates, choose
from scanner.universe import Universe


def spot(*symbols, **facts):
    return {
        symbol: {"type": "spot", "active": True, "quote": symbol.partition("/")[2], "info": {}} | facts
        for symbol in symbols
    }


def swaps(*symbols):
    return {f"{s}:{s.partition('/')[2]}": facts | {"type": "swap"} for s, facts in spot(*symbols).items()}


def through(rule, listed):
    return set(candidates(rule, listed)[0])


def test_spot_pairs_and_linear_swaps_one_market_per_pair():
    listed = spot("BTC/USDT", "ETH/BTC") | swaps("BTC/USDT", "SOL/USDT")
    listed |= {
        "BTC/USD:BTC": {"type": "swap"},
        "BTC/USDT:USDT-270326": {"type": "future"},
        "X/Y:Y-1-C": {"type": "option"},
    }
    assert candidates(Universe(), listed)[0] == {
        "BTC/USDT": "BTC/USDT",
        "ETH/BTC": "ETH/BTC",
        "SOL/USDT": "SOL/USDT:USDT",
    }


def test_what_is_left_out_says_why():
    listed = spot("BTC/USDT", "JUP/USDT", "J/USDT", "BTC3L/USDT", "ETH/USDT", "ETHUP/USDT", "ETHDOWN/USDT", "USDC/USDT")
    listed |= spot("EUR/USDT", "BTC/EUR", "XRP/USDT") | spot("OLD/USDT", active=False) | spot("币/USDT")
    found, left_out = candidates(Universe(quote=("USDT",), exclude=("XRP",)), listed)
    assert set(found) == {"BTC/USDT", "ETH/USDT", "EUR/USDT", "J/USDT", "JUP/USDT"}
    assert left_out == {
        "BTC3L/USDT": "a leveraged token",
        "ETHUP/USDT": "a leveraged token",
        "ETHDOWN/USDT": "a leveraged token",
        "USDC/USDT": "dollar against dollar",
        "BTC/EUR": "another quote",
        "XRP/USDT": "excluded by name",
        "OLD/USDT": "not active",
        "币/USDT": "its name cannot stand in a file's name",
    }


def test_what_is_included_by_name_comes_in_all_the_same():
    rule = Universe(quote=("USDT",), top=1, include=("BTC3L/USDT", "ETH/BTC"))
    listed = spot("BTC/USDT", "BTC3L/USDT", "ETH/BTC", "SOL/USDT")
    names = candidates(rule, listed)[0]
    chosen = choose(rule, list(names), {"BTC/USDT": 9.0, "SOL/USDT": 5.0, "BTC3L/USDT": 1.0}, ())
    assert chosen.symbols == ("BTC/USDT", "BTC3L/USDT", "ETH/BTC")
    assert [member.rank for member in chosen.members] == [1, 3, None]


def test_volumes_are_dollars_by_the_exchanges_own_prices():
    listed = spot("BTC/USDT", "ETH/BTC", "BTC/TRY", "ETH/EUR", "BTC/USDC", "X/ZZZ") | swaps("SOL/USDT")
    listed["SOL/USDT:USDT"]["info"] = {"turnoverOf24h": "77.5"}
    tickers = {
        "BTC/USDT": {"quoteVolume": 1e9, "last": 100_000},
        "ETH/BTC": {"quoteVolume": 50.0, "last": 0.03},
        "BTC/TRY": {"quoteVolume": 4e9, "last": 4e6},
        "USDT/TRY": {"last": 40.0},
        "BTC/USDC": {"baseVolume": 2.0, "last": 100_000, "quoteVolume": None},
        "ETH/EUR": {"quoteVolume": 5.0},
        "X/ZZZ": {"quoteVolume": 5.0},
    }
    found = volumes_usd(listed, listed, tickers)
    assert [name for name, volume in found.items() if math.isnan(volume)] == ["ETH/EUR", "X/ZZZ"]
    assert {name: volume for name, volume in found.items() if not math.isnan(volume)} == {
        "BTC/USDT": 1e9,
        "ETH/BTC": 5e6,
        "BTC/TRY": 1e8,
        "BTC/USDC": 2e5,
        "SOL/USDT:USDT": 77.5,
    }


def test_a_market_joins_at_the_top_and_leaves_beyond_a_fifth_more():
    rule, names = Universe(top=5), [f"S{i}/USDT" for i in range(1, 10)]
    volumes = {name: 100.0 - i for i, name in enumerate(names, 1)}
    assert choose(rule, names, volumes, ()).symbols == tuple(names[:5])
    assert choose(rule, names, volumes, names[5:7]).symbols == tuple(names[:6])  # rank 6 stays, rank 7 leaves
    assert choose(rule, names, volumes, names[5:7]).left_out["S7/USDT"] == "not among the top"


def test_a_market_leaves_below_the_least_volume_by_a_sixth():
    rule = Universe(min_volume_usd=120.0)
    volumes = {"A/USDT": 120.0, "B/USDT": 110.0, "C/USDT": 99.0, "D/USDT": math.nan}
    assert choose(rule, list(volumes), volumes, ()).symbols == ("A/USDT",)
    chosen = choose(rule, list(volumes), volumes, list(volumes))
    assert chosen.symbols == ("A/USDT", "B/USDT", "D/USDT")
    assert chosen.left_out == {"C/USDT": "below min_volume_usd"}
    assert choose(rule, list(volumes), volumes, ()).left_out["D/USDT"] == "its volume in dollars is not known"


def test_a_market_that_is_in_stays_while_its_volume_is_missing_or_zero_and_takes_up_a_place():
    volumes = {"A/USDT": 9.0, "B/USDT": 8.0, "C/USDT": 0.0, "D/USDT": math.nan, "E/USDT": math.nan}
    chosen = choose(Universe(top=3, min_volume_usd=1.0), list(volumes), volumes, ("A/USDT", "C/USDT", "D/USDT"))
    assert chosen.symbols == ("A/USDT", "C/USDT", "D/USDT")
    assert chosen.left_out == {"B/USDT": "not among the top", "E/USDT": "its volume in dollars is not known"}


names = st.integers(0, 60).map(lambda i: f"S{i}/USDT")
volumes_of = st.dictionaries(names, st.floats(0, 1e9) | st.just(math.nan), min_size=1)


@given(volumes_of, st.sets(names), st.integers(1, 40))
def test_whoever_ranks_among_the_top_is_in_and_nobody_beyond_the_band(volumes, current, top):
    chosen = choose(Universe(top=top), list(volumes), volumes, current)
    kept = {name for name in current & set(volumes) if not volumes[name] > 0}
    known = {name: volume for name, volume in volumes.items() if volume >= 0 and name not in kept}
    ranked = sorted(known, key=lambda n: (-known[n], n))
    best, band = (ranked[: max(places - len(kept), 0)] for places in (top, int(top * 1.2)))
    assert set(best) | kept <= set(chosen.symbols) <= set(band) | kept
    assert set(chosen.symbols) - set(best) <= current
    assert set(chosen.symbols) | set(chosen.left_out) == set(volumes)
    assert set(chosen.symbols).isdisjoint(chosen.left_out)


@given(volumes_of, st.integers(1, 40), st.data())
def test_a_market_that_wavers_at_the_edge_neither_comes_nor_goes(volumes, top, data):
    """However the ranks near the edge change, who is in after one refresh is in after the next."""
    rule = Universe(top=top)
    volumes = {name: volume for name, volume in volumes.items() if volume > 0}
    before = choose(rule, list(volumes), volumes, ()).symbols
    wavering = {name: volume * data.draw(st.floats(0.9, 1.1)) for name, volume in volumes.items()}
    ranks = sorted((n for n in volumes if not math.isnan(volumes[n])), key=lambda n: (-wavering[n], n))
    after = choose(rule, list(volumes), wavering, before).symbols
    assert {name for name in before if ranks.index(name) < int(top * 1.2)} <= set(after)
    assert choose(rule, list(volumes), wavering, after).symbols == after
