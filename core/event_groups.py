"""Markets of one event: what each asks of the others' quotes, and what they risk together.

Of such markets at most one comes true, so their fair values, bids and losses are not independent
(market-making.md 2.11).
"""

from core.decision import GroupBounds
from core.desk import WAITS, Desk
from core.portfolio.ledger import Pico, usd_of
from core.quoting.groups import GroupMember, GroupRisk, GroupView, group_view, worst_case
from core.risk.exposure import size_of
from core.units import Shares


class EventGroups:
    """The groups among the markets that are made."""

    def __init__(self, fraction: float) -> None:
        """``fraction`` is the part of the way that fair values go towards a sum of a dollar, 0 .. 1."""
        self._fraction = fraction
        self._members: dict[str, list[Desk]] = {}
        self._alone: list[Desk] = []
        """Markets of no event."""
        self._seen: dict[str, GroupView] = {}
        self._stale: dict[str, None] = {}
        """Groups of which a market has acted since they were looked at."""

    def add(self, desk: Desk) -> None:
        """A market is made from now on."""
        if desk.instrument.group:
            self._members.setdefault(desk.instrument.group, []).append(desk)
            self.acted(desk)
        else:
            self._alone.append(desk)

    def remove(self, desk: Desk) -> None:
        """A market is made no longer: one that is left alone is free of what the others asked of it."""
        group = desk.instrument.group
        members = self._members.get(group, []) if group else self._alone
        members.remove(desk)
        if group and len(members) < 2:
            self._seen.pop(group, None)
            self._stale.pop(group, None)
        self.acted(desk)
        if group and len(members) == 1:
            members[0].heed_group(GroupBounds())
        elif group and not members:
            del self._members[group]

    def heed_facts(self, desk: Desk) -> None:
        """Something is told otherwise of a market: whether its event is complete is for all of it to know."""
        self.acted(desk)
        for member in self._members.get(desk.instrument.group, []):
            member.touch_due()

    def view(self, desk: Desk) -> GroupView | None:
        """As it was last looked at; None for a market on its own."""
        return self._seen.get(desk.instrument.group)

    def risk(self, desk: Desk) -> GroupRisk | None:
        """What the group's holdings pay against what they cost, by outcome; None for a market on its own."""
        members = self._members.get(desk.instrument.group, [])
        if len(members) < 2:
            return None
        held = [one.inventory for one in members]
        ledgers = [one.position.ledger for one in members]
        cost = usd_of(Pico(sum(ledger.yes.cost + ledger.no.cost for ledger in ledgers)))
        is_complete = _is_complete(members)
        return worst_case([one.yes for one in held], [one.no for one in held], cost, is_complete=is_complete)

    def refresh(self, desk: Desk, now: float) -> None:
        """Tell a market what its group asks of it now."""
        view = self._look(desk.instrument.group, now)
        if view is None:
            return
        market = desk.market
        desk.heed_group(
            GroupBounds(view.shifts.get(market, 0.0), view.most_bid.get(market), view.least_ask.get(market))
        )

    def acted(self, desk: Desk) -> None:
        """A market's orders or holdings may have changed: its group is looked at anew before it is counted again."""
        if desk.instrument.group in self._seen:
            self._stale[desk.instrument.group] = None

    def _look(self, group: str, now: float) -> GroupView | None:
        """The group as it stands; None when it has no two markets."""
        members = self._members.get(group, [])
        if len(members) < 2:
            return None
        self._stale.pop(group, None)
        told = [_member(one, now) for one in members]
        view = self._seen[group] = group_view(told, is_complete=_is_complete(members), fraction=self._fraction)
        return view

    def exposure_of_others(self, desk: Desk, now: float) -> int:
        """Micro-dollars that all other markets may lose: each group by its worst case, its own one without it.

        In its own group another outcome than ours may win whatever the set is, so the others count one by one.
        """
        for group in tuple(self._stale):
            self._look(group, now)
        own = desk.instrument.group
        total = sum([other.worst_exposure for other in self._alone]) - desk.worst_exposure
        for group, members in self._members.items():
            if group == own or group not in self._seen:
                total += sum([other.worst_exposure for other in members])
        return total + sum(view.exposure for group, view in self._seen.items() if group != own)


def _is_complete(members: list[Desk]) -> bool:
    """One of these has to come true, by what was told of each: of an event that grew the latest knows most."""
    return size_of(member.instrument.group_size for member in members) == len(members)


def _fair(desk: Desk, now: float) -> float | None:
    """Dollars; what a decided market pays, None when nobody knows. A moment's doubt does not unsettle the others."""
    if desk.resolved:
        return desk.payout
    return desk.watch.fair.value_at(now) if desk.data_trouble in ("", *WAITS) else None


def _member(desk: Desk, now: float) -> GroupMember:
    orders = desk.orders.at_risk(desk.market)
    bids = [order for order in orders if order.side == "bid"]
    asks = [order for order in orders if order.side == "ask"]
    touch_bid, touch_ask = desk.touch_of_others
    return GroupMember(
        desk.market,
        desk.instrument.grid,
        _fair(desk, now),
        None if desk.sigma is None else desk.sigma.sigma_h,
        desk.inventory.net,
        Shares(sum(order.remaining for order in bids)),
        Shares(sum(order.remaining for order in asks)),
        max((order.yes_price for order in bids), default=None),
        min((order.yes_price for order in asks), default=None),
        touch_bid,
        touch_ask,
    )
