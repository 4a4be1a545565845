"""Fault upon fault for three minutes amid a lively crowd; a minute after the last one everything is known and right.

``POLYMM_SEEDS=200`` runs as many seeds, ``POLYMM_SEEDS=17-18`` some of them; by default a few run.
"""

import os
import random
import sqlite3
from collections import Counter
from contextlib import closing
from typing import Final

import pytest

from tests.loopback.dealings import Dealings, deal

CHAOS_SEC: Final = 180.0
HEALED_SEC: Final = 90.0
GAP_SEC: Final = (2.0, 12.0)
"""Least and most between two faults."""
REQUESTS: Final = ("POST /orders", "DELETE /orders", "DELETE *", "GET /data/orders", "GET /data/trades", "GET /data/*",
                   "GET /balance-allowance", "POST /v1/heartbeats", "* /*")  # fmt: skip
ANSWERS: Final = (
    'do = "http"\nstatus = 500',
    'do = "http"\nstatus = 502\nbody = "html"',
    'do = "http"\nstatus = 425',
    'do = "http"\nstatus = 429',
    'do = "http"\nstatus = 403\nbody = "html"',
    'do = "http"\nstatus = 200\ntext = "[]"',
    'do = "http"\nstatus = 200\nbody = "empty"',
    'do = "blackhole"\nmoment = "before"',
    'do = "blackhole"\nmoment = "after"',
    'do = "blackhole"\nmoment = "before"\nthen = "cut"',
    'do = "blackhole"\nmoment = "after"\nthen = "cut"',
    'do = "slow"\nms = 2000\nmoment = "before"',
    'do = "slow"\nms = 7000\nmoment = "before"',
    'do = "slow"\nms = 7000\nmoment = "after"',
)
OTHERS: Final = (
    'do = "restart"\nseconds = 8.0',
    'do = "restart"\nseconds = 8.0\nkeep_orders = false',
    'do = "mode"\nmode = "post_only"\nfor = {for_s}',
    'do = "mode"\nmode = "cancel_only"\nfor = {for_s}',
    'do = "mode"\nmode = "disabled"\nfor = {for_s}',
    'do = "throttle"\nbucket = "order"',
    'do = "throttle"\nbucket = "cancel"\nto = -40',
    'do = "batch_short"\ncount = 2',
    'do = "batch_shuffle"\ncount = 2',
    'do = "cancel_race"\ncount = 2',
    'do = "cancel_race"\noutcome = "canceled"\ncount = 2',
    'do = "omit_page"\nlist = "orders"\nfor = {for_s}',
    'do = "omit_page"\nlist = "trades"\nfor = {for_s}',
    'do = "stale_balance"\nshows = "zero"\nfor = {for_s}',
    'do = "stale_balance"\nfor = {for_s}',
    'do = "mute_user"\nfor = {for_s}',
    'do = "duplicate"\nchannel = "user"\nfor = {for_s}',
    'do = "delay"\nchannel = "user"\nms = 3000\nfor = {for_s}',
    'do = "reorder"\nchannel = "user"\nblock = 4\nfor = {for_s}',
    'do = "disconnect"\nchannel = "user"\nfor = {for_s}',
    'do = "reset"\nchannel = "both"',
    'do = "half_open"\nchannel = "user"',
    'do = "settle"\nhow = "retry"\ncount = 3',
    'do = "duplicate_fill"\ncount = 3',
    'do = "pause_market"\nmarket = 0\nfor = {for_s}',
)


def seeds(asked: str) -> range:
    """The seeds that were asked for."""
    first, is_span, last = (asked or "5").rpartition("-")
    return range(int(first), int(last) + 1) if is_span else range(int(last))


def a_fault(dice: random.Random) -> str:
    for_s = round(dice.uniform(0.5, 12.0), 1)
    if dice.random() < 0.5:
        return f'{dice.choice(ANSWERS)}\nrequest = "{dice.choice(REQUESTS)}"\nfor = {for_s}'
    return dice.choice(OTHERS).format(for_s=for_s)


@pytest.mark.parametrize("seed", seeds(os.environ.get("POLYMM_SEEDS", "")))
def test_everything_is_right_in_the_end(seed: int) -> None:
    dice = random.Random(f"chaos/{seed}")

    async def play(dealings: Dealings) -> None:
        await dealings.until_resting()
        ends_s = dealings.clock.monotonic() + CHAOS_SEC
        while dealings.clock.monotonic() < ends_s:
            fault = a_fault(dice)
            print(f"{dealings.clock.monotonic():.1f} {fault!r}")
            dealings.arm(fault)
            await dealings.pass_time(dice.uniform(*GAP_SEC))
            if dice.random() < 0.5 and dealings.resting():
                dealings.take(dice.choice(dealings.resting()), dice.choice((3, 30, 1000)))
            assert dealings.doubled() == []
        await dealings.pass_time(12.0 + HEALED_SEC)
        dealings.host.population.pause(True)
        await dealings.until(dealings.settled, "the books stay wrong")
        assert dealings.doubled() == [] and dealings.session.engine.reconciliation.foreign.shares == {}
        await dealings.pass_time(1.0)
        with closing(sqlite3.connect(dealings.session.places.database)) as db:
            fills = Counter(db.execute("SELECT trade_id, order_id FROM fills").fetchall())
            filled = sum(size for (size,) in db.execute("SELECT size_micro FROM fills WHERE settlement != 'failed'"))
        assert max(fills.values(), default=1) == 1
        assert filled == sum(order.matched for order in dealings.orders())

    deal(play, lively=True, seed=seed + 1)
