"""What to do with the orders we have, given the orders we want: keep, replace, top up or cancel, each with a reason.

Danger is fast, improvement is slow: a place in the queue is given up only for a reason that is worth it. Nothing here
sends anything; the caller turns verdicts into actions, cancels first.
"""

from collections.abc import Callable, Sequence
from typing import Final, Literal

import msgspec

from core.config import Settings
from core.market.book import Level
from core.market.instrument import Instrument
from core.quoting.plan import QuotePlan
from core.quoting.routing import Target
from core.units import SIZE_QUANTUM, Outcome, Shares, Side, Ticks

Action = Literal["keep", "replace", "topup", "cancel"]
Reason = Literal[
    "in_tolerance",
    "aggressive",
    "oversize",
    "passive",
    "behind",
    "undersize",
    "stale",
    "unvalidated",
    "no_target",
    "aged",
    "group_bound",
]

_SLACK: Final = 1e-9
_SIZE_SLACK: Final = 1e-3
"""Micro-shares; a size is compared with the product of a size and a setting."""


class RequoteRules(msgspec.Struct, frozen=True, gc=False):
    """Settings of the decision, with the market's grid and least size."""

    k: int
    """Ticks in a dollar."""
    min_size: Shares
    aggressive_ticks: int
    passive_ticks: int
    """Distance and hysteresis together."""
    queue_levels: int
    keep_edge: float
    size_tolerance: float
    min_life_s: float
    stale_s: float
    max_age_s: float
    literal_ticks: int
    """Distance without hysteresis."""


def requote_rules_of(settings: Settings, instrument: Instrument) -> RequoteRules:
    """Make one market's rules; names and defaults in market-making.md 1.12."""
    return RequoteRules(
        instrument.grid.k,
        instrument.min_size,
        settings.requote_aggr_ticks,
        settings.requote_mid_ticks + settings.hyst_ticks,
        settings.requote_queue_levels,
        settings.keep_edge_frac,
        settings.resize_tol,
        settings.min_life_sec,
        settings.stale_sec,
        settings.order_max_age_sec,
        settings.requote_mid_ticks,
    )


class LiveOrder(msgspec.Struct, frozen=True, gc=False):
    """One of our orders at the venue, as the decision sees it."""

    side: Side
    """Of the YES book."""
    yes_ticks: Ticks
    """Price in the YES frame."""
    outcome: Outcome
    """Its token; with ``side`` this says whether it buys or sells."""
    remaining: Shares
    age_s: float
    """Since it was decided on."""
    validated_age_s: float
    """Since it was last found within tolerance on fresh data."""
    levels_ahead: int = 0
    """From :func:`levels_ahead`."""


class Situation(msgspec.Struct, frozen=True, gc=False):
    """What the prices were made from."""

    reservation: float
    """Dollars."""
    half_bid: float
    """Half-spread of bids, dollars."""
    half_ask: float
    data_age_s: float
    """Since the feed was last heard."""


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """What happens to one order."""

    action: Action
    reason: Reason
    size: Shares = Shares(0)
    """Of the additional order of a top-up."""


_KEEP: Final = Verdict("keep", "in_tolerance")
_STALE: Final = Verdict("cancel", "stale")
_UNVALIDATED: Final = Verdict("cancel", "unvalidated")
_NO_TARGET: Final = Verdict("cancel", "no_target")
_AGGRESSIVE: Final = Verdict("replace", "aggressive")
_OVERSIZE: Final = Verdict("replace", "oversize")
_TOO_MUCH: Final = Verdict("cancel", "oversize")
_PASSIVE: Final = Verdict("replace", "passive")
_BEHIND: Final = Verdict("replace", "behind")
_UNDERSIZE: Final = Verdict("replace", "undersize")
_GROUP_BOUND: Final = Verdict("replace", "group_bound")


def levels_ahead(levels: Sequence[Level], side: Side, ticks: Ticks, cutoff: Shares) -> int:
    """Price levels of others, of at least ``cutoff`` shares, that are strictly better than our price.

    Args:
        levels: of others on our side, best first.
        side: ours.
        ticks: our price.
        cutoff: as for the touch (market-making.md 1.1).

    Source: market-making.md 1.12.
    """
    count = 0
    for price, size in levels:
        if price <= ticks if side == "bid" else price >= ticks:
            break
        if size >= cutoff:
            count += 1
    return count


def situation_of(plan: QuotePlan, data_age_s: float) -> Situation:
    """The situation of a plan; one whose inputs were refused wants nothing, at no price."""
    pricing = plan.pricing
    if pricing is None:
        return Situation(0.0, 0.0, 0.0, data_age_s)
    return Situation(pricing.reservation, pricing.half_bid, pricing.half_ask, data_age_s)


def decide(
    live: LiveOrder, remaining: Shares, target: Target | None, situation: Situation, rules: RequoteRules
) -> Verdict:
    """What to do with one order: the first rule that applies.

    Args:
        live: the order.
        remaining: of the order, or of all orders that stand for the same target at its price (after a top-up).
        target: the matched layer, None without one.
        situation: what the prices were made from; only looked at with a target.
        rules: of the market.

    Rule 7 looks at the innermost layer only: the others are meant to have levels in front of them, and would lose
    their place at every tick.

    Source: market-making.md 1.12, ``requote.decide``, rules 1 to 9.
    """
    if situation.data_age_s > rules.stale_s:
        return _STALE
    if live.validated_age_s > rules.max_age_s:
        return _UNVALIDATED
    if target is None:
        return _NO_TARGET
    ticks = live.yes_ticks
    if live.side == "bid":
        gap = target.yes_ticks - ticks
        edge = situation.reservation - ticks / rules.k
        half = situation.half_bid
    else:
        gap = ticks - target.yes_ticks
        edge = ticks / rules.k - situation.reservation
        half = situation.half_ask
    if gap <= -rules.aggressive_ticks and edge < rules.keep_edge * half - _SLACK:
        return _AGGRESSIVE
    tolerated = target.size * rules.size_tolerance + _SIZE_SLACK
    if remaining > target.size + tolerated:
        return _OVERSIZE
    if gap > 0 and live.age_s >= rules.min_life_s - _SLACK:
        if gap >= rules.passive_ticks:
            return _PASSIVE
        if live.levels_ahead >= rules.queue_levels and not target.layer:
            return _BEHIND
    if remaining < target.size - tolerated:
        missing = (target.size - remaining) // SIZE_QUANTUM * SIZE_QUANTUM
        if missing >= rules.min_size:
            return Verdict("topup", "undersize", Shares(missing))
    return _KEEP


def match_orders(live: Sequence[LiveOrder], targets: Sequence[Target], size_tolerance: float) -> list[int | None]:
    """For each order the position of its target, or None.

    Prices are paired first, side by side and innermost first, so that the squared distances sum to the least: a shift
    of all layers by a tick pairs each layer with itself, and a filled layer leaves the others where they are. At a pair
    of prices an order stands for the target on its own token if there is one, else for the other.
    A target is used once, except that orders at one price on one token (the parts of a top-up) share it as long as
    they fit into its size and the tolerance.

    Args:
        live: orders; the oldest first if the oldest is to win ties.
        targets: of a plan: innermost first on each side, at most one a side, price and token.
        size_tolerance: fraction of the target's size.

    Source: market-making.md 1.12 (same side, nearest price, each target used once).
    """
    exact = {(target.side, target.yes_ticks, target.outcome): position for position, target in enumerate(targets)}
    matched = [exact.get((order.side, order.yes_ticks, order.outcome)) for order in live]
    # Most decisions find every order where it should be: distance 0 cannot be bettered.
    if None not in matched and len(set(matched)) == len(matched):
        return matched
    matched = [None] * len(live)
    orders_at: dict[Side, dict[Ticks, list[int]]] = {"bid": {}, "ask": {}}
    targets_at: dict[Side, dict[Ticks, list[int]]] = {"bid": {}, "ask": {}}
    for index, order in enumerate(live):
        orders_at[order.side].setdefault(order.yes_ticks, []).append(index)
    for position, target in enumerate(targets):
        targets_at[target.side].setdefault(target.yes_ticks, []).append(position)
    for side, orders in orders_at.items():
        wanted = targets_at[side]
        if wanted:
            for have, want in _pair_prices(sorted(orders, reverse=side == "bid"), list(wanted)):
                _match_price(matched, orders[have], wanted[want], live, targets, size_tolerance)
    return matched


def _pair_prices(live: list[Ticks], wanted: list[Ticks]) -> list[tuple[Ticks, Ticks]]:
    """Pair as many prices as possible without crossing pairs, with the least sum of squared distances."""
    if len(live) == len(wanted):
        return list(zip(live, wanted, strict=True))
    if len(live) > len(wanted):
        return [(have, want) for want, have in _pair_prices(wanted, live)]
    spare = len(wanted) - len(live)
    # best[skipped]: cost and pairs with so many of the wanted prices passed over; fewer skipped wins ties.
    best: list[tuple[int, list[int]]] = [(0, []) for _ in range(spare + 1)]
    for index, have in enumerate(live):
        for skipped in range(spare + 1):
            cost, chosen = best[skipped]
            found = (cost + (have - wanted[index + skipped]) ** 2, [*chosen, index + skipped])
            best[skipped] = found if not skipped or found[0] < best[skipped - 1][0] else best[skipped - 1]
    return [(have, wanted[position]) for have, position in zip(live, best[spare][1], strict=True)]


def _match_price(
    matched: list[int | None],
    orders: list[int],
    positions: list[int],
    live: Sequence[LiveOrder],
    targets: Sequence[Target],
    size_tolerance: float,
) -> None:
    """Match the orders of one price with the one or two targets of one price."""
    used: set[int] = set()
    for position in positions:
        target, total = targets[position], 0
        for index in orders:
            order = live[index]
            if order.outcome != target.outcome:
                continue
            total += order.remaining
            if position not in used or total <= target.size * (1.0 + size_tolerance) + _SIZE_SLACK:
                matched[index] = position
                used.add(position)
            else:
                total -= order.remaining
    if len(used) < len(positions):
        unused = [position for position in positions if position not in used]
        for index, position in zip([index for index in orders if matched[index] is None], unused, strict=False):
            matched[index] = position


class Diff(msgspec.Struct, frozen=True):
    """What leads from the orders we have to the orders we want."""

    verdicts: tuple[Verdict, ...]
    """One for each live order, in their order."""
    matched: tuple[Target | None, ...]
    """One for each live order: the target it stands for, which a replacement is placed as. For a top-up the missing
    part at the order's own price, so that both parts stay one layer."""
    unplaced: tuple[Target, ...]
    """Targets without a live order, in funding order."""


Judge = Callable[[LiveOrder, Shares, Target | None, Situation, RequoteRules], Verdict]
"""A decision table: :func:`decide`, or another for comparisons."""


def diff_orders(
    live: Sequence[LiveOrder], plan: QuotePlan, situation: Situation, rules: RequoteRules, judge: Judge = decide
) -> Diff:
    """Match orders with the plan and decide on each.

    Orders that share a target are decided as one: the first speaks for all, and is the only one replaced or topped up.
    An order too small that stands nearer than its target, or on the other token, is replaced instead of topped up:
    what is added must have the edge and the funding of the plan.
    An order that would be moved from a price where another is to be placed stands for that one instead.
    When what would stand on a side exceeds its room, because sizes are tolerated, the outermost oversized orders are
    replaced although they are within tolerance: the cap must hold whichever orders fill. An order beyond the bound that
    the other markets of its event set is replaced whatever it still earns.

    Source: market-making.md 1.6 (room), 1.12.
    """
    targets = plan.targets
    matched = match_orders(live, targets, rules.size_tolerance)

    def verdict_of(order: LiveOrder, remaining: Shares, target: Target) -> Verdict:
        verdict = judge(order, remaining, target, situation, rules)
        return _UNDERSIZE if verdict.action == "topup" and not _may_top_up(order, target) else verdict

    _leave_in_place(matched, live, targets, lambda order, target: verdict_of(order, order.remaining, target))
    totals = [0] * len(targets)
    for order, position in zip(live, matched, strict=True):
        if position is not None:
            totals[position] += order.remaining
    verdicts: list[Verdict] = []
    leaders: dict[int, int] = {}
    followers: list[tuple[int, int]] = []
    for index, (order, position) in enumerate(zip(live, matched, strict=True)):
        if position is None:
            verdicts.append(judge(order, order.remaining, None, situation, rules))
            continue
        verdict = verdict_of(order, Shares(totals[position]), targets[position])
        if verdict.action in ("keep", "topup") and _breaks_group_bound(order, plan):
            verdict = _GROUP_BOUND
        verdicts.append(verdict)
        if verdict.action != "cancel":
            leader = leaders.setdefault(position, index)
            if leader != index:
                followers.append((index, leader))
    used = set(matched)
    unplaced = tuple([target for position, target in enumerate(targets) if position not in used])
    _rejoin_legs(verdicts, leaders, live, targets, unplaced)
    _fit_room(verdicts, leaders, totals, plan)
    for index, leader in followers:
        verdicts[index] = _follow(verdicts[leader])
    _keep_one(verdicts, leaders, followers, live, targets, rules)
    return Diff(
        tuple(verdicts),
        tuple(
            [
                None if position is None else _part_of(targets[position], order, verdict, rules.k)
                for order, position, verdict in zip(live, matched, verdicts, strict=True)
            ]
        ),
        unplaced,
    )


def _leave_in_place(
    matched: list[int | None],
    live: Sequence[LiveOrder],
    targets: Sequence[Target],
    judged: Callable[[LiveOrder, Target], Verdict],
) -> None:
    """Match an order that stands where a target is with that target, if the target would be placed anew otherwise.

    The order that stood for the target takes over what this one stood for.
    """
    exact = {(target.side, target.yes_ticks, target.outcome): position for position, target in enumerate(targets)}
    is_done = False
    while not is_done:  # every swap puts one more order where it is wanted
        is_done = True
        for index, order in enumerate(live):
            here, mine = exact.get((order.side, order.yes_ticks, order.outcome)), matched[index]
            if here is None or mine == here or judged(order, targets[here]).action == "replace":
                continue
            others = [other for other, position in enumerate(matched) if position == here]
            if any(judged(live[other], targets[here]).action != "replace" for other in others):
                continue
            for other in others:
                matched[other] = mine
            matched[index], is_done = here, False


def _breaks_group_bound(order: LiveOrder, plan: QuotePlan) -> bool:
    inputs = plan.inputs
    if inputs is None:
        return False
    if order.side == "bid":
        return inputs.most_bid is not None and order.yes_ticks > inputs.most_bid
    return inputs.least_ask is not None and order.yes_ticks < inputs.least_ask


def _may_top_up(order: LiveOrder, target: Target) -> bool:
    behind = order.yes_ticks <= target.yes_ticks if order.side == "bid" else order.yes_ticks >= target.yes_ticks
    return behind and order.outcome == target.outcome


def _part_of(target: Target, order: LiveOrder, verdict: Verdict, k: int) -> Target:
    """The target, or what a top-up adds to the order."""
    if verdict.action != "topup":
        return target
    ticks = order.yes_ticks
    token_ticks = ticks if target.outcome == "YES" else Ticks(k - ticks)
    return Target(target.side, target.layer, target.outcome, target.order_side, ticks, token_ticks, verdict.size)


def _follow(leader: Verdict) -> Verdict:
    """Verdict of a further order at the leader's price and target."""
    return Verdict("cancel", leader.reason) if leader.action == "replace" else _KEEP


def _keep_one(
    verdicts: list[Verdict],
    leaders: dict[int, int],
    followers: Sequence[tuple[int, int]],
    live: Sequence[LiveOrder],
    targets: Sequence[Target],
    rules: RequoteRules,
) -> None:
    """Of several orders that are too much together, keep one that is right by itself, and cancel only the others."""
    for position, leader in leaders.items():
        group = [leader, *(index for index, leads in followers if leads == leader)]
        if len(group) == 1 or verdicts[leader] is not _OVERSIZE:
            continue
        most = targets[position].size
        least = most * (1.0 - rules.size_tolerance)
        fitting = [index for index in group if least <= live[index].remaining <= most]
        if fitting:
            kept = max(fitting, key=lambda index: live[index].remaining)
            for index in group:
                verdicts[index] = _KEEP if index == kept else _TOO_MUCH


def _rejoin_legs(
    verdicts: list[Verdict],
    leaders: dict[int, int],
    live: Sequence[LiveOrder],
    targets: Sequence[Target],
    unplaced: Sequence[Target],
) -> None:
    """Replace an order that stands beside its target's price while the layer's other leg is to be placed there.

    Left alone, the two would be two prices for one layer, and the next decision would pair them anew.
    """
    if not unplaced:
        return
    incomplete = {(target.side, target.yes_ticks) for target in unplaced}
    for position, leader in leaders.items():
        target = targets[position]
        is_beside = live[leader].yes_ticks != target.yes_ticks and verdicts[leader].action != "replace"
        if is_beside and (target.side, target.yes_ticks) in incomplete:
            verdicts[leader] = _UNDERSIZE


def _fit_room(verdicts: list[Verdict], leaders: dict[int, int], totals: list[int], plan: QuotePlan) -> None:
    """Turn tolerated oversizes into replacements, outermost first, until each side fits into its room."""
    targets = plan.targets
    excess = {"bid": -plan.bid.room, "ask": -plan.ask.room}
    kept: list[int] = []
    for position, target in enumerate(targets):
        leader = leaders.get(position)
        if leader is not None and verdicts[leader].action == "keep":
            excess[target.side] += max(totals[position], target.size)
            kept.append(position)
        else:
            excess[target.side] += target.size
    for position in reversed(kept):
        target = targets[position]
        if excess[target.side] > 0 and totals[position] > target.size:
            excess[target.side] -= totals[position] - target.size
            verdicts[leaders[position]] = _OVERSIZE
