"""One account of request weight for all processes of a host."""

from __future__ import annotations

import json
import multiprocessing
import os
import stat
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.gateway.account import Account, Said
from scanner.gateway.ledger import Closed, Ledger, Share, read_ledger

WINDOW_S = 60.0
ASK = Said((), want=30, least=10, room=100, lapses_s=2)


class Wall:
    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def wall() -> Wall:
    return Wall()


def account(folder: Path, wall: Wall) -> Account:
    return Account(folder, "binance", WINDOW_S, wall)


def test_what_one_process_reserves_the_others_do_not_get(tmp_path, wall):
    one, other, third, fourth = (account(tmp_path, wall) for _ in range(4))
    assert [each.exchange(ASK).granted for each in (one, other, third, fourth)] == [30, 30, 30, 10]
    assert account(tmp_path, wall).exchange(ASK).granted == 0


def test_less_than_is_of_use_is_not_reserved(tmp_path, wall):
    account(tmp_path, wall).exchange(Said((), want=95, least=1, room=100))
    assert account(tmp_path, wall).exchange(ASK).granted == 0
    assert account(tmp_path, wall).exchange(ASK).others == [(wall.now, 95)]


def test_what_is_kept_for_prices_of_others_stays_theirs(tmp_path, wall):
    account(tmp_path, wall).exchange(Said((), kept=90))
    assert account(tmp_path, wall).exchange(ASK).granted == 10


def test_what_was_not_spent_comes_back_with_the_next_word(tmp_path, wall):
    one, other = account(tmp_path, wall), account(tmp_path, wall)
    one.exchange(Said((), want=100, least=1, room=100, lapses_s=2))
    assert other.exchange(ASK).granted == 0
    one.exchange(Said(((wall.now, 40),)))
    heard = other.exchange(ASK)
    assert (heard.granted, heard.others, heard.processes) == (30, [(wall.now, 40)], 2)


def test_the_reservation_of_a_killed_process_ages_out(tmp_path, wall):
    account(tmp_path, wall).exchange(Said((), want=100, least=1, room=100, lapses_s=2))
    other = account(tmp_path, wall)
    wall.now += 2 + WINDOW_S - 0.1
    assert other.exchange(ASK).granted == 0
    wall.now += 0.1
    assert other.exchange(ASK).granted == 30


def test_a_ban_is_remembered_by_processes_that_start_later(tmp_path, wall):
    ban = Closed(wall.now + 900, "banned", "HTTP 418")
    account(tmp_path, wall).exchange(Said((), closed=ban))
    account(tmp_path, wall).exchange(Said((), closed=Closed(wall.now + 30, "limited", "HTTP 429")))
    wall.now += 899
    assert account(tmp_path, wall).exchange(ASK).closed == ban
    wall.now += 1
    assert account(tmp_path, wall).exchange(ASK).closed is None


def test_exchanges_have_accounts_of_their_own(tmp_path, wall):
    account(tmp_path, wall).exchange(Said((), want=100, least=1, room=100))
    assert Account(tmp_path, "127.0.0.1:80", WINDOW_S, wall).exchange(ASK).granted == 30


def test_the_account_of_an_embedded_exchange_ends_with_its_last_user(tmp_path, wall):
    one, other = (Account(tmp_path, "127.0.0.1:8080", WINDOW_S, wall) for _ in range(2))
    one.exchange(ASK)
    other.exchange(ASK)
    wall.now += WINDOW_S + 3
    one.exchange(ASK)
    one.leave(Said(()))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["weights.lock"]


@pytest.mark.parametrize("damaged", [b"", b'{"format": "request wei', b"\xff\xfe\x00", b"\x00" * 512])
def test_a_damaged_file_is_set_aside(tmp_path, wall, damaged):
    one = account(tmp_path, wall)
    one.path.write_bytes(damaged)
    assert one.exchange(ASK).granted == 30
    assert (tmp_path / "binance.corrupt").read_bytes() == damaged
    assert json.loads(one.path.read_text())["format"] == "request weight 1"


@pytest.mark.parametrize(
    "foreign",
    [
        "null",
        "[]",
        '{"format": "request weight 2"}',
        '{"format": "request weight 1", "shares": [], "closed": null}',
        '{"format": "request weight 1", "shares": {"x": [1, -1, []]}, "closed": null}',
    ],
)
def test_a_file_of_somebody_else_is_left_alone(tmp_path, wall, foreign):
    one = account(tmp_path, wall)
    one.path.write_text(foreign)
    with pytest.raises(ValueError, match=r"binance\.json"):
        one.exchange(ASK)
    assert one.path.read_text() == foreign


def test_a_clock_that_was_ahead_spoils_nothing_for_long(tmp_path, wall):
    wall.now += 86_400
    account(tmp_path, wall).exchange(Said(((wall.now, 90),)))
    wall.now -= 86_400
    other = account(tmp_path, wall)
    other.exchange(ASK)
    wall.now += WINDOW_S + 6
    assert other.exchange(ASK).granted == 30


spent = st.lists(st.tuples(st.floats(0, 2e9), st.integers(0, 10**6)), max_size=5).map(tuple)
shares = st.builds(Share, st.floats(0, 2e9), spent, st.integers(0, 10**6))
closures = st.none() | st.builds(Closed, st.floats(0, 2e9), st.sampled_from(["banned", "limited"]), st.text())


@given(st.dictionaries(st.text(max_size=5), shares, max_size=4), closures)
def test_a_ledger_reads_what_it_wrote(known, closed):
    ledger = Ledger(known, closed)
    assert read_ledger(ledger.written(), 2e9, 1) == ledger


def _spend(folder: Path, rounds: int, results: multiprocessing.Queue) -> None:
    """Reserve and spend as fast as can be; what was spent, and when."""
    mine, done = Account(folder, "binance", WINDOW_S), []
    for _ in range(rounds):
        heard = mine.exchange(Said(tuple(done), want=7, least=1, room=1000 - sum(w for _, w in done), lapses_s=60))
        if heard.granted:
            done.append((time.time(), heard.granted))
    mine.exchange(Said(tuple(done)))
    results.put(sum(weight for _, weight in done))


def test_real_processes_never_spend_more_than_there_is(tmp_path):
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    processes = [context.Process(target=_spend, args=(tmp_path, 80, results)) for _ in range(3)]
    for process in processes:
        process.start()
    total = sum(results.get(timeout=100) for _ in processes)
    for process in processes:
        process.join(30)
    results.close()
    results.join_thread()
    assert total == 1000
    assert Account(tmp_path, "binance", WINDOW_S).exchange(ASK).granted == 0


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_an_error_of_the_system(tmp_path, wall):
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    with pytest.raises(OSError, match=r"weights|binance"):
        account(tmp_path, wall).exchange(ASK)
    tmp_path.chmod(stat.S_IRWXU)
