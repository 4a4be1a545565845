"""Markets of one event: what each asks of the others' quotes, and what they risk together.

Of such markets at most one comes true, so their fair values, bids and losses are not independent
(market-making.md 2.11).
"""

from core.decision import GroupBounds
from core.desk import Desk
from core.portfolio.ledger import Pico, usd_of
from core.quoting.groups import GroupMember, GroupRisk, GroupView, group_view, worst_case
from core.units import Shares


class EventGroups:
    """The groups among the markets that are made."""

    def __init__(self, desks: dict[str, Desk], fraction: float) -> None:
        """``fraction`` is the part of the way that fair values go towards a sum of a dollar, 0 .. 1."""
        self._desks = desks
        self._fraction = fraction
        self._members: dict[str, list[Desk]] = {}
        self._seen: dict[str, GroupView] = {}

    def add(self, desk: Desk) -> None:
        """A market is made from now on."""
        if desk.instrument.group:
            self._members.setdefault(desk.instrument.group, []).append(desk)

    def view(self, desk: Desk) -> GroupView | None:
        """As of the last :meth:`refresh` of one of the group's markets; None for a market on its own."""
        return self._seen.get(desk.instrument.group)

    def risk(self, desk: Desk) -> GroupRisk | None:
        """What the group's holdings pay against what they cost, by outcome; None for a market on its own."""
        members = self._members.get(desk.instrument.group, [])
        if len(members) < 2:
            return None
        held = [one.inventory for one in members]
        ledgers = [one.position.ledger for one in members]
        cost = usd_of(Pico(sum(ledger.yes.cost + ledger.no.cost for ledger in ledgers)))
        is_complete = desk.instrument.group_size == len(members)
        return worst_case([one.yes for one in held], [one.no for one in held], cost, is_complete=is_complete)

    def refresh(self, desk: Desk, now: float) -> None:
        """Tell a market what its group asks of it now."""
        members = self._members.get(desk.instrument.group, [])
        if len(members) < 2:
            return
        size = desk.instrument.group_size
        view = group_view(
            [_member(one, now) for one in members], is_complete=size == len(members), fraction=self._fraction
        )
        self._seen[desk.instrument.group] = view
        market = desk.market
        desk.heed_group(
            GroupBounds(view.shifts.get(market, 0.0), view.most_bid.get(market), view.least_ask.get(market))
        )

    def exposure_of_others(self, desk: Desk) -> int:
        """Micro-dollars that all other markets may lose: each group by its worst case, its own one without it.

        In its own group another outcome than ours may win whatever the set is, so the others count one by one.
        """
        own = desk.instrument.group
        total = 0
        for other in self._desks.values():
            group = other.instrument.group
            if other is not desk and (group == own or group not in self._seen):
                total += other.worst_exposure
        return total + sum(view.exposure for group, view in self._seen.items() if group != own)


def _member(desk: Desk, now: float) -> GroupMember:
    orders = desk.orders.at_risk(desk.market)
    bids = [order for order in orders if order.side == "bid"]
    asks = [order for order in orders if order.side == "ask"]
    touch_bid, touch_ask = desk.touch_of_others
    return GroupMember(
        desk.market,
        desk.instrument.grid,
        desk.payout if desk.resolved else None if desk.data_trouble else desk.watch.fair.value_at(now),
        None if desk.sigma is None else desk.sigma.sigma_h,
        desk.inventory.net,
        Shares(sum(order.remaining for order in bids)),
        Shares(sum(order.remaining for order in asks)),
        max((order.yes_price for order in bids), default=None),
        min((order.yes_price for order in asks), default=None),
        touch_bid,
        touch_ask,
    )
