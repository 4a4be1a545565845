"""A session lives through the venue's restarts, modes and dead-man's switch alone, amid a lively crowd."""

import math
from typing import Final

import pytest

from core.risk.venue_mode import JITTER, RETRY_SEC
from tests.loopback.dealings import Dealings, deal

LEASE_SEC: Final = 12.0
"""Age at which a quote that no decision has confirmed goes (``order_max_age_sec``)."""
GRACE_SEC: Final = 3.0
"""A cancel's way, and a decision's."""
LONGEST_PAUSE_SEC: Final = RETRY_SEC[-1] * (1 + JITTER)
"""Between two tries to cancel while the venue carries out none; no word of it tells the end (reliability.md X01)."""
LOOK_SEC: Final = 0.25


class Watch:
    """What is seen of the quotes while time passes.

    An order that no decision has confirmed for its lease is cancelled. Where the venue carries out no cancels, it
    stays until the first try after that: at most the longest pause between tries and a cancel's way later.
    """

    def __init__(self, dealings: Dealings) -> None:
        self._dealings = dealings
        self.stale: set[str] = set()
        """Orders that rested without having been confirmed for longer than that."""
        self.placed_s: list[float] = []
        """When orders arrived at the exchange, seconds of the session's clock."""
        self._out_s = -math.inf
        """When the venue was last seen to carry out no cancels."""

    async def over(self, seconds: float) -> None:
        """Look on for so long."""
        dealings = self._dealings
        clock = dealings.clock
        ends_s = clock.monotonic() + seconds
        while clock.monotonic() < ends_s:
            count = len(dealings.orders())
            await dealings.pass_time(LOOK_SEC)
            self.placed_s += [clock.monotonic()] * (len(dealings.orders()) - count)
            self._look(clock.monotonic())

    def _look(self, now: float) -> None:
        dealings = self._dealings
        if not dealings.exchange.mode.cancels:
            self._out_s = now
        if now - self._out_s <= LONGEST_PAUSE_SEC + GRACE_SEC:
            return
        for order in dealings.resting():
            ours = dealings.session.engine.orders.find(order.new.order_id)
            if ours is None or now - ours.validated_s > LEASE_SEC + GRACE_SEC:
                self.stale.add(f"{order.new.order_id} {now:.1f} {ours and ours.state}")


async def at_peace(dealings: Dealings, watch: Watch) -> None:
    """What must hold whatever the venue did, and that quotes are back."""
    await dealings.until_resting()
    assert dealings.doubled() == []
    assert watch.stale == set()


def state(dealings: Dealings) -> str:
    return dealings.exchange.mode.state


@pytest.mark.parametrize("keeps", [True, False])
def test_a_restart_and_its_post_only_time(keeps: bool) -> None:
    """425 for 90 s, then two minutes post-only: quotes are back soon after the first; before, nothing is sent."""

    async def play(dealings: Dealings) -> None:
        await dealings.until_resting()
        watch = Watch(dealings)
        await watch.over(10)
        began_s = dealings.clock.monotonic()
        dealings.arm(f'do = "restart"\nseconds = 90.0\nkeep_orders = {str(keeps).lower()}')
        await watch.over(95)
        assert not [at for at in watch.placed_s if began_s + 1 < at < began_s + 90]
        assert dealings.gateway.calls["post"] < 20, "placements go on against 425"
        await watch.over(60)
        assert state(dealings) == "post_only"
        assert [at for at in watch.placed_s if began_s + 90 < at < began_s + 135], "no quotes in the post-only time"
        await watch.over(80)
        assert state(dealings) == "normal"
        await at_peace(dealings, watch)

    deal(play, lively=True)


def test_a_start_during_a_restart() -> None:
    """Orders of an earlier session may be there: the venue is waited for, not given up."""

    async def play(dealings: Dealings) -> None:
        await dealings.pass_time(100)
        await dealings.until_resting()

    deal(play, lively=True, before='do = "restart"\nseconds = 40.0')


def test_a_post_only_time_changes_nothing_for_us() -> None:
    """All our orders are post-only."""

    async def play(dealings: Dealings) -> None:
        await dealings.until_resting()
        watch = Watch(dealings)
        dealings.arm('do = "mode"\nmode = "post_only"\nfor = 60')
        began_s = dealings.clock.monotonic()
        await watch.over(60)
        assert len([at for at in watch.placed_s if at > began_s + 10]) >= 3
        await at_peace(dealings, watch)

    deal(play, lively=True)


@pytest.mark.parametrize("mode", ["cancel_only", "disabled"])
def test_a_halt(mode: str) -> None:
    """Nothing is placed against a halt but a try now and then; afterwards quotes come back by themselves."""

    async def play(dealings: Dealings) -> None:
        await dealings.until_resting()
        watch = Watch(dealings)
        await watch.over(4.5)  # from here on quotes rest until the end of the halt
        dealings.arm(f'do = "mode"\nmode = "{mode}"\nfor = 100')
        before = dealings.gateway.calls["post"]
        await watch.over(100)
        assert dealings.gateway.calls["post"] - before <= 6
        await watch.over(200)
        await at_peace(dealings, watch)

    deal(play, lively=True)


@pytest.mark.parametrize("fault", ['do = "blackhole"', 'do = "http"\nstatus = 500', 'do = "slow"\nms = 14000'])
def test_the_dead_mans_switch(fault: str) -> None:
    """No heartbeat arrives for half a minute: nothing new is placed, the venue cancels everything, quotes come back."""

    async def play(dealings: Dealings) -> None:
        await dealings.until_resting()
        watch = Watch(dealings)
        await watch.over(10)
        began_s = dealings.clock.monotonic()
        dealings.arm(f'{fault}\nrequest = "POST /v1/heartbeats"\nfor = 30')
        await watch.over(20)
        assert not [at for at in watch.placed_s if began_s + 15 < at]
        assert dealings.resting() == [], "the switch has not fired"
        await watch.over(40)
        assert [at for at in watch.placed_s if began_s + 30 < at < began_s + 60], "quotes do not come back"
        await at_peace(dealings, watch)

    deal(play, lively=True)
