"""What the gate has to show: its caps and how much of them is used, and what it let not through."""

from typing import Final

from core.decision import remaining_of
from core.desk import Desk
from core.engine import Engine
from core.portfolio.ledger import Pico, usd_of
from core.units import MICRO, Usd
from core.views import CapView, DenialView

MILLION: Final = 1_000_000


def cap_views(engine: Engine, now: float) -> tuple[CapView, ...]:
    """The account's cap, those of events, of markets and of tokens, at ``now`` monotonic seconds.

    Empty before the bankroll is known: caps are shares of it.
    """
    bankroll = engine.account.bankroll
    if bankroll is None or not engine.desks:
        return ()
    exposures, desks = engine.gatekeeper.exposures, list(engine.desks.values())
    shared = engine.gatekeeper.rules(desks[0])
    caps = [CapView("account", "", "", exposures.account_worst, _share(shared.account_cap, bankroll))]
    titles = {desk.instrument.group: desk.instrument.title for desk in reversed(desks)}
    left = {instrument.group: instrument.title for instrument in engine.inventory.elsewhere.values()}
    for group in exposures.groups:  # one without a market that is made counts as long as something may be lost
        worst, title = exposures.group_worst(group), titles.get(group) or left.get(group, "")
        if worst or group in titles:
            caps.append(CapView("group", title, "", worst, _share(shared.group_cap, bankroll)))
    for desk in desks:
        cap = usd_of(Pico(engine.gatekeeper.rules(desk).limits(bankroll).market))
        worst = usd_of(Pico(exposures.loss(desk.market).worst))
        caps.append(CapView("market", desk.instrument.title, desk.market, worst, cap))
    for desk in desks:
        caps += _tokens(desk, usd_of(Pico(engine.gatekeeper.rules(desk).token_limit(bankroll))), now)
    return tuple(caps)


def _tokens(desk: Desk, cap: Usd, now: float) -> list[CapView]:
    """A market's position on either token with all orders of that direction, at the fair value (1.6)."""
    fair = desk.watch.fair.value_at(now)
    yes = MICRO if fair is None else round(fair * MICRO)
    no = MICRO if fair is None else MICRO - yes
    net, orders = desk.inventory.net, desk.orders.at_risk(desk.market)
    up, down = max(0, net + remaining_of(orders, "bid")), max(0, remaining_of(orders, "ask") - net)
    return [
        CapView("token", "YES", desk.market, Usd(up * yes // MICRO), cap),
        CapView("token", "NO", desk.market, Usd(down * no // MICRO), cap),
    ]


def denial_views(engine: Engine, now: float) -> tuple[DenialView, ...]:
    """What the gate let not through, by code, the last one first; ``now`` is monotonic seconds."""
    counts = sorted(engine.gatekeeper.denials.values(), key=lambda each: each.at_s, reverse=True)
    return tuple(
        [DenialView(each.last.code, each.count, each.last.market, each.last.text, now - each.at_s) for each in counts]
    )


def _share(millionths: int, bankroll: Usd) -> Usd:
    return Usd(millionths * bankroll // MILLION)
