"""The two lanes between engine and gateway."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from core.actions import Cancel, CancelAll, Place, ReadOrder, ReadScoring
from core.errors import StoreError, VenueRefused
from core.events import Event, OrderAnswered, OrderSeen, OrderSigned, ScoringSeen
from core.runtime import courier as courier_module
from core.runtime.courier import BATCH, SCORING_BATCH, Courier
from core.units import MICRO, Shares, Ticks
from core.venue.gateway import SignedPlace
from tests.core.runtime.fakes import UNKNOWN, FakeGateway, until


def place(intent: int) -> Place:
    return Place(
        intent=intent, market="m", token="11", order_side="BUY", price=Ticks(40), price_text="0.4",
        size=Shares(10 * MICRO), side="bid", layer=0, reason="test",
    )  # fmt: skip


class Desk:
    """What the courier says and asks, in order."""

    def __init__(self, gateway: FakeGateway) -> None:
        self.told: list[Event] = []
        self.commits = 0
        self.pulled: set[int] = set()
        self.courier = Courier(
            gateway, self.told.append, self.commit, lambda market: False, lambda intent: intent not in self.pulled
        )

    async def commit(self) -> None:
        self.commits += 1

    def answers(self) -> list[str]:
        return [event.outcome for event in self.told if isinstance(event, OrderAnswered)]


@asynccontextmanager
async def running(desk: Desk) -> AsyncIterator[Courier]:
    courier = desk.courier
    lanes = [courier.run_places(), courier.run_cancels(), courier.run_cancel_alls(), courier.run_reads()]
    lanes.append(courier.run_scorings())
    tasks = [asyncio.create_task(lane) for lane in lanes]
    yield desk.courier
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_an_order_is_journaled_between_signing_and_sending() -> None:
    """After a crash the journal must know every order the venue may know."""
    gateway = FakeGateway()
    desk = Desk(gateway)
    seen: list[tuple[int, int]] = []

    async def note() -> None:
        seen.append((desk.commits, sum(isinstance(event, OrderSigned) for event in desk.told)))

    gateway.on_post = note
    async with running(desk) as courier:
        courier.take(place(1))
        await courier.wait_idle()
    assert seen == [(1, 1)] and desk.answers() == ["live"]


async def test_orders_go_out_in_batches_the_venue_takes() -> None:
    """More than fifteen orders in one request are refused as a whole."""
    gateway, sizes = FakeGateway(), list[int]()
    desk = Desk(gateway)
    post = gateway.post

    async def counted(batch: list[SignedPlace]) -> list[OrderAnswered]:
        sizes.append(len(batch))
        return await post(batch)

    gateway.post = counted  # type: ignore[method-assign, assignment]
    async with running(desk) as courier:
        for intent in range(BATCH + 2):
            courier.take(place(intent))
        await courier.wait_idle()
    assert sizes == [BATCH, 2]


async def test_a_closed_gate_stops_what_is_signed_already() -> None:
    """The gate is asked last, just before the socket."""
    gateway = FakeGateway()
    desk = Desk(gateway)
    async with running(desk) as courier:
        courier.close_gate()
        courier.take(place(1))
        await courier.wait_idle()
    assert desk.answers() == ["denied"] and gateway.posted == []


async def test_an_order_that_cannot_be_signed_is_denied_alone() -> None:
    """One bad wish must not take its neighbours with it."""
    gateway = FakeGateway()
    desk = Desk(gateway)
    sign = gateway.sign

    async def picky(wish: Place, neg_risk: bool) -> SignedPlace:
        if wish.intent == 1:
            raise VenueRefused("off the grid")
        return await sign(wish, neg_risk)

    gateway.sign = picky  # type: ignore[method-assign]
    async with running(desk) as courier:
        courier.take(place(1))
        courier.take(place(2))
        await courier.wait_idle()
    assert desk.answers() == ["denied", "live"]


async def test_cancels_do_not_wait_for_placements_or_the_journal() -> None:
    """A slow disk or a slow answer may delay new risk, never the removal of risk."""
    gateway = FakeGateway()
    desk = Desk(gateway)
    gateway.on_post = asyncio.Event().wait  # type: ignore[assignment]
    gateway.open_ids.add("a")
    async with running(desk) as courier:
        courier.take(place(1))
        courier.take(Cancel(order_id="a", market="m", reason="test"))
        await until(lambda: not gateway.open_ids)
        assert not courier.is_idle
    assert desk.commits == 1


@pytest.mark.parametrize("error", [None, UNKNOWN])
async def test_cancel_all_and_cancels_by_id_go_out_both(error: Exception | None) -> None:
    """When the one request fails, the orders are cancelled one by one all the same."""
    gateway = FakeGateway()
    desk = Desk(gateway)
    gateway.open_ids |= {"a", "b"}
    gateway.cancel_error = error
    async with running(desk) as courier:
        courier.take(CancelAll(reason="test"))
        courier.take(Cancel(order_id="a", market="m", reason="test"))
        courier.take(Cancel(order_id="b", market="m", reason="test"))
        await until(lambda: not gateway.open_ids and gateway.cancel_alls == 1)


async def test_cancel_all_does_not_wait_for_a_cancel_that_hangs() -> None:
    """A kill must not stand behind one slow request."""
    gateway = FakeGateway()
    desk = Desk(gateway)
    gateway.open_ids |= {"a", "b"}
    answered = asyncio.Event()

    async def hang(order_ids: object) -> list[object]:
        await answered.wait()
        return []

    gateway.cancel = hang  # type: ignore[method-assign,assignment]
    async with running(desk) as courier:
        courier.take(Cancel(order_id="a", market="m", reason="test"))
        await asyncio.sleep(0)
        courier.take(CancelAll(reason="kill"))
        await until(lambda: gateway.cancel_alls == 1)
        answered.set()


async def test_what_was_pulled_while_it_was_being_signed_is_not_sent() -> None:
    """A pause between the decision and the socket wins."""
    gateway = FakeGateway()
    desk = Desk(gateway)
    desk.pulled = {2}
    async with running(desk) as courier:
        for intent in (1, 2, 3):
            courier.take(place(intent))
        await until(lambda: len(desk.answers()) == 3)
    assert sorted(desk.answers()) == ["denied", "live", "live"]
    assert len(gateway.open_ids) == 2


async def test_reads_come_back_as_events_and_no_answer_says_nothing() -> None:
    """A question that was not answered is no evidence."""
    gateway = FakeGateway()
    desk = Desk(gateway)
    known = OrderSeen(order_id="b", status="matched")

    async def read(order_id: str) -> OrderSeen | None:
        return known if order_id == "b" else None

    gateway.read_order = read  # type: ignore[method-assign]
    async with running(desk) as courier:
        courier.take(ReadOrder(order_id="a"))
        courier.take(ReadOrder(order_id="b"))
        await until(lambda: desk.told)
    assert desk.told == [known]


async def test_flags_are_asked_for_once_each_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Questions that wait are one question: the newest answer is the only one of use."""
    monkeypatch.setattr(courier_module, "SCORING_GAP_SEC", 0.0)
    gateway = FakeGateway()
    gateway.open_ids = {"0"}
    desk = Desk(gateway)
    many = tuple(str(number) for number in range(SCORING_BATCH + 1))
    async with running(desk) as courier:
        courier.take(ReadScoring(order_ids=many))
        courier.take(ReadScoring(order_ids=many))
        await until(lambda: len(desk.told) == 2)
    first, second = (event.scoring for event in desk.told if isinstance(event, ScoringSeen))
    assert [order for order, _ in (*first, *second)] == list(many) and len(first) == SCORING_BATCH
    assert first[0] == ("0", True) and second == ((many[-1], False),)


async def test_a_flag_that_hangs_or_fails_holds_no_read_of_an_order() -> None:
    """Money depends on the one, a few cents on the other."""
    gateway, asked = FakeGateway(), asyncio.Event()
    desk = Desk(gateway)
    known = OrderSeen(order_id="b", status="matched")

    async def hang(order_ids: object) -> ScoringSeen | None:
        asked.set()
        await asyncio.Event().wait()
        return None

    async def read(order_id: str) -> OrderSeen | None:
        return known

    gateway.read_scoring, gateway.read_order = hang, read  # type: ignore[method-assign, assignment]
    async with running(desk) as courier:
        courier.take(ReadScoring(order_ids=("b",)))
        await asked.wait()
        courier.take(ReadOrder(order_id="b"))
        await until(lambda: desk.told)
    assert desk.told == [known]


async def test_a_lane_that_died_holds_nobody() -> None:
    """The end of a session waits for placements; a dead lane will never answer."""
    desk = Desk(FakeGateway())

    async def broken() -> None:
        raise StoreError("disk full")

    desk.courier = Courier(FakeGateway(), desk.told.append, broken, lambda market: False, lambda intent: True)
    desk.courier.take(place(1))
    with pytest.raises(StoreError):
        await desk.courier.run_places()
    async with asyncio.timeout(1):
        await desk.courier.wait_idle()
