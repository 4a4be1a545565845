"""The measurement of an order's way out: it sends what it says, and its parts add up."""

import asyncio

import pytest

from benchmarks.order_path import CLIENTS, exchange_beside, making


@pytest.mark.parametrize("size", [1, 15])
def test_a_round_sends_its_orders_and_its_parts_add_up(size: int) -> None:
    """A bar over something else than a decision's orders in a journal and at a venue would say nothing."""

    async def rounds() -> None:
        client, kind = CLIENTS["polymarket-client, deposit wallet"]
        with exchange_beside() as venue:
            async with making(venue, client, kind, size) as maker:
                for number in range(2):
                    told = await maker.round()
                    parts = (told.decide, told.sign, told.commit, told.serialise, told.send)
                    assert all(part > 0 for part in parts) and sum(parts) <= told.first <= told.last
                    assert 0 <= told.own <= told.stall
                    assert len(maker.engine.orders.take_touched().orders) == 0, "everything is in the journal"
                    assert maker.engine.orders.sent() == 0, f"round {number} is cancelled"

    asyncio.run(rounds())
