"""How the fields of a test vector reach the program: floats become integers here, and nothing else is computed here.

One function a formula: ``inputs`` with the file's defaults filled in -> what the file calls ``expected``.
"""

import math
from collections.abc import Callable
from typing import Any

from msgspec import structs

from core.config import Settings
from core.market.fees import FeeSchedule, rebate_estimate, taker_fee
from core.market.instrument import Instrument
from core.market.rewards import Scored, maker_score, reward_share
from core.market.signals import FairValue, adjusted_touch, microprice, without_own
from core.orders.queue_model import ProbabilisticQueue, RiskAverseQueue
from core.portfolio.books import Books
from core.portfolio.decompose import Decomposition
from core.portfolio.entries import Buy, Entry, Fee, Income, Merge, Sell, Settle, Split
from core.portfolio.equity import Drawdown
from core.portfolio.ledger import Ledger
from core.portfolio.markouts import Drift, Markouts
from core.quoting.caps import Caps, inventory_caps
from core.quoting.groups import arbitrage, project, worst_case
from core.quoting.layers import layer_prices, layer_sizes, layer_step
from core.quoting.plan import QuoteInputs, plan_quotes
from core.quoting.prices import half_spread, quote_prices
from core.quoting.requote import LiveOrder, RequoteRules, Situation, decide
from core.quoting.reservation import inventory_shift, logit_reservation, lot_prices
from core.quoting.rewards import optimal_q
from core.quoting.routing import Funds, Layer, Target, route
from core.quoting.rules import QuoteRules, jitter_ticks, jitter_u, rules_of
from core.quoting.toxicity import Toxicity, ToxicityRules
from core.quoting.volatility import VarianceRate, effective_sigma, gauss_sigma, resolution_floor, sigma_to_price
from core.risk.loss import DailyLoss
from core.selection.screen import screen
from core.units import MICRO, Grid, Shares, Side, Ticks, Usd, grid_of, micro_text, usd_from_float

Vector = dict[str, Any]


def shares_of(number: float) -> Shares:
    """A size of the file, exactly to a millionth of a share."""
    return Shares(round(number * MICRO))


def ticks_of(price: float | None, grid: Grid) -> Ticks | None:
    """A price of the file on its grid."""
    return None if price is None else Ticks(round(price * grid.k))


def grid_from(tick: float) -> Grid:
    """The grid of a tick of the file."""
    return grid_of(micro_text(round(tick * MICRO)))


def rules_from(
    tick_text: str = "0.01", min_shares: float = 5.0, reward_min: float | None = None, **over: Any
) -> QuoteRules:
    """Production rules of a market with these settings."""
    reward = None if reward_min is None else shares_of(reward_min)
    instrument = Instrument("m", "1", "2", "t", tick_text, shares_of(min_shares), reward_min_size=reward)
    return rules_of(Settings(**over), instrument)


def _levels(side: list[list[float]], best: Callable[..., float]) -> list[tuple[Ticks, Shares]]:
    """Merged and best first on a grid of micro-dollars, the way the book room hands levels out."""
    merged: dict[Ticks, Shares] = {}
    for price, size in side:
        tick = Ticks(round(price * MICRO))
        merged[tick] = Shares(merged.get(tick, 0) + shares_of(size))
    return [(tick, merged[tick]) for tick in sorted(merged, reverse=best is max) if merged[tick] > 0]


def touch(v: Vector) -> Vector:
    found = adjusted_touch(_levels(v["bids"], max), _levels(v["asks"], min), shares_of(v["cutoff"]), v["mode"], MICRO)
    prices = {"bid": found.bid, "ask": found.ask}
    return {name: None if tick is None else tick / MICRO for name, tick in prices.items()} | {"mid": found.mid}


def micro(v: Vector) -> Vector:
    bids = without_own(_levels(v["bids"], max), dict(_levels(v["own_bids"], max)))
    asks = without_own(_levels(v["asks"], min), dict(_levels(v["own_asks"], min)))
    found = microprice(bids, asks, MICRO, v["levels"], v["decay"])
    return {"mid": found.mid, "micro": found.price, "imbalance": found.imbalance, "status": found.status}


def ewma(v: Vector) -> Vector:
    fair = FairValue(v["alpha"], v.get("jump"), v["dref"])
    queries = sorted(range(len(v["queries"])), key=v["queries"].__getitem__)
    answers: list[float | None] = [None] * len(queries)
    now = -math.inf
    for t, price in v["obs"]:
        now = max(now, t)
        while queries and v["queries"][queries[0]] < now:
            index = queries.pop(0)
            answers[index] = fair.value_at(v["queries"][index])
        fair.observe(t, price)
    for index in queries:
        answers[index] = fair.value_at(v["queries"][index])
    result: Vector = {"theta": fair.theta, "fair": answers}
    return result | {"jump_resets": fair.resets} if "jump" in v else result


def variance_rate(v: Vector) -> Vector:
    variance = VarianceRate(v["window"], v["space"], v["min_gap"], v["p_eps"])
    for t, price in v["samples"]:
        variance.observe(t, price)
    rate = variance.rate_at(v["query"])
    sigma = None if rate is None else math.sqrt(rate)
    return {"var_per_s": rate, "sigma_per_sqrt_s": sigma, "returns_used": variance.returns_used}


def vol_to_price(v: Vector) -> Vector:
    return {"value": sigma_to_price(v["sigma"], v["F"], v["space"])}


def gauss(v: Vector) -> Vector:
    return {"value": gauss_sigma(v["p"], v["T"])}


def floor_of_resolution(v: Vector) -> Vector:
    floor = resolution_floor(v["F"], v["T"], v["w"], v["kind"], v["T_min"])
    sigma = effective_sigma(v["sigma_p"], floor, v["H"], math.inf)
    return {"sigma_floor": floor, "sigma_eff": sigma.sigma_p, "sigma_H": sigma.sigma_h}


def _caps(v: Vector, soft: float) -> Caps:
    net = Shares(shares_of(v["yes"]) - shares_of(v["no"]))
    return inventory_caps(net, v["F"], usd_from_float(v["equity"]), soft, v["hard"])


def caps(v: Vector) -> Vector:
    found = _caps(v, v["soft"])
    names = ("exposure", "q_norm", "state", "adding_multiplier", "room_bid", "room_ask")
    return {"q": found.net / MICRO} | {name: getattr(found, name) for name in names}


def reservation(v: Vector) -> Vector:
    held = _caps(v, v["hard"] / 2)
    shift = inventory_shift(held, v["h"], usd_from_float(v["equity"]), v["gamma"], v["mode"], v["F"], 0.0)
    return {"shift": shift, "reservation": v["F"] + shift}


def prices(v: Vector) -> Vector:
    grid = grid_from(v["tick"])
    rules = rules_from(grid.tick_text, price_min=v["pmin"], price_max=v["pmax"], min_edge_ticks=v["min_edge_ticks"])
    half = half_spread(v["sigma_H"], grid.tick, v["k_vol"], v["k_fee_ticks"], v["min_edge_ticks"], v["a_tox"])
    held = Caps(Shares(0), 0.0, v["q_norm"], "normal", 1.0, 0.0, 0.0)
    centre = v["F"] + inventory_shift(held, half, Usd(1), v["gamma"], "half_spread", v["F"], 0.0)
    sides = quote_prices(centre, half, half, ticks_of(v["best_bid"], grid), ticks_of(v["best_ask"], grid), rules)
    result: Vector = {"half_spread": half, "reservation": centre}
    for name, side in zip(("bid", "ask"), sides, strict=True):
        result[f"{name}_tick"] = side.ticks
        result[name] = None if side.ticks is None else grid.dollars(side.ticks)
        result[f"{name}_status"] = side.status
    return result


def sizes(v: Vector) -> Vector:
    rules = rules_from(
        "0.0001",
        v["min_shares"],
        v["reward_min"],
        order_layers=v["n"],
        layer_ratio=v["ratio"],
        size_mode=v["mode"],
        reward_bump=v["reward_min"] is not None,
    )
    rules = structs.replace(rules, bump_fraction=v["bump_frac"])
    ticks = [Ticks(round(price * rules.grid.k)) for price in v["prices"] or [0.5] * v["n"]]
    room = None if v["room"] is None else shares_of(v["room"])
    found = layer_sizes(v["side"], ticks, v["F"], (v["base"], v["maxusd"]), v["mult"], room, rules)
    return {"values": [size / MICRO for size in found]}


def layer_ticks(v: Vector) -> Vector:
    rules = rules_from(
        grid_from(v["tick"]).tick_text,
        price_min=v["pmin"],
        price_max=v["pmax"],
        order_layers=v["n"],
        layer_step_ticks=v["step_ticks"],
        layer_step_frac=v["step_frac"],
    )
    jitter = jitter_ticks(v["u"] or [0.0] * v["n"], v["J"])
    rules = structs.replace(rules, bid_jitter=jitter, ask_jitter=jitter)
    step = layer_step(v["h"], rules)
    return {"step_ticks": step, "ticks": layer_prices(v["k0"], v["side"], step, rules)}


def jitter(v: Vector) -> Vector:
    return {"value": jitter_u(v["seed"], v["market"], v["side"], v["layer"])}


def _order(target: Target, grid: Grid) -> Vector:
    price = grid.dollars(target.token_ticks)
    return {"action": target.order_side, "token": target.outcome, "price": price, "size": target.size / MICRO}


def routing(v: Vector) -> Vector:
    grid = grid_of(micro_text(MICRO // v["K"]))
    funds = Funds(shares_of(v["avail_yes"]), shares_of(v["avail_no"]), usd_from_float(v["cash"]))
    size, least = shares_of(v["n"]), shares_of(v["min_shares"])
    return {"values": [_order(t, grid) for t in route([Layer(v["side"], 0, v["k"], size)], funds, grid, least, None)]}


def requote(v: Vector) -> Vector:
    grid = grid_from(v["tick"])
    rules = RequoteRules(
        k=grid.k,
        min_size=shares_of(v["min_shares"]),
        aggressive_ticks=v["aggr"],
        passive_ticks=v["mid"] + v["hyst"],
        queue_levels=v["qlev"],
        keep_edge=v["keep_edge"],
        size_tolerance=v["tol"],
        min_life_s=v["min_life"],
        stale_s=v["stale"],
        max_age_s=v["max_age"],
        literal_ticks=v["mid"],
    )
    live = LiveOrder(
        v["side"], v["live_tick"], "YES", shares_of(v["live_rem"]), v["age"], v["validated_age"], v["levels_ahead"]
    )
    target = None
    if v["target_tick"] is not None:
        tick = v["target_tick"]
        target = Target(v["side"], 0, "YES", "BUY", tick, tick, shares_of(v["target_size"]))
    situation = Situation(v["reservation"], v["h"], v["h"], v["data_age"])
    verdict = decide(live, live.remaining, target, situation, rules)
    result: Vector = {"action": verdict.action, "reason": verdict.reason}
    return result | {"size": verdict.size / MICRO} if verdict.action == "topup" else result


_PIPELINE_SETTINGS = {
    "gamma": "inv_gamma",
    "base": "base_size_usd",
    "maxusd": "max_size_usd",
    "n": "order_layers",
    "ratio": "layer_ratio",
    "k_vol": "k_vol",
    "k_fee_ticks": "k_fee_ticks",
    "min_edge_ticks": "min_edge_ticks",
    "pmin": "price_min",
    "pmax": "price_max",
    "soft": "soft_cap_delta_pct",
    "hard": "hard_cap_delta_pct",
    "step_ticks": "layer_step_ticks",
    "step_frac": "layer_step_frac",
    "mode": "inv_skew_mode",
}
_PIPELINE_MARKET = {
    "F",
    "sigma_H",
    "yes",
    "no",
    "equity",
    "cash",
    "tick",
    "best_bid",
    "best_ask",
    "min_shares",
    "others",
}


def pipeline(v: Vector) -> Vector:
    unread = v.keys() - _PIPELINE_SETTINGS.keys() - _PIPELINE_MARKET
    if unread:
        raise KeyError(f"inputs of strategy.pipeline that have no place in the program: {sorted(unread)}")
    grid = grid_from(v["tick"])
    over = {setting: v[name] for name, setting in _PIPELINE_SETTINGS.items() if name in v}
    yes, no = shares_of(v["yes"]), shares_of(v["no"])
    inputs = QuoteInputs(
        fair=v["F"],
        sigma_h=v["sigma_H"],
        yes=yes,
        no=no,
        free_yes=yes,
        free_no=no,
        free_cash=usd_from_float(v["cash"]),
        equity=usd_from_float(v["equity"]),
        best_bid=ticks_of(v["best_bid"], grid),
        best_ask=ticks_of(v["best_ask"], grid),
    )
    plan = plan_quotes(inputs, rules_from(grid.tick_text, v["min_shares"], room_reserve_frac=0.0, **over))
    assert plan.caps is not None and plan.pricing is not None
    sides = {"bid": plan.bid, "ask": plan.ask}
    return {
        "q_norm": plan.caps.q_norm,
        "half_spread": plan.pricing.half_spread,
        "reservation": plan.pricing.reservation,
        "layers": {name: [[one.ticks, one.size / MICRO] for one in side.layers] for name, side in sides.items()},
        "orders": [{"layer": target.layer, "side": target.side} | _order(target, grid) for target in plan.targets],
    }


def mm_score(v: Vector) -> Vector:
    least = Settings(
        min_liquidity=v["min_liq"], min_weekly_volume=v["min_v7"], min_trend=v["min_trend"], mm_score_min=v["score_min"]
    )
    found = screen(v["liq"], v["v7"], v["v30"], least)
    return {"mm_score": found.score, "trend": found.trend, "fails": list(found.failures)}


def _entry(event: Vector) -> Entry:
    size, price = shares_of(event.get("size", 0)), usd_from_float(event.get("price", 0))
    match event["type"]:
        case "buy":
            return Buy(event["token"], size, price)
        case "sell":
            return Sell(event["token"], size, price)
        case "split":
            return Split(size, usd_from_float(event["fair"]))
        case "merge":
            return Merge(size)
        case "settle":
            return Settle(usd_from_float(event["yes_payout"]))
        case "fee":
            return Fee(usd_from_float(event["amount"]))
        case "income":
            return Income(usd_from_float(event["amount"]))
    raise KeyError(event["type"])


def _dollars(amount: int) -> float:
    return amount / MICRO**2


def _books(v: Vector) -> Books:
    books = Books()
    for event in v["events"]:
        books.apply(_entry(event))
        assert books.check() == ""
    return books


def _ledger(v: Vector, ledger: Ledger) -> Vector:
    """What is told of a ledger; claims on a payout are cash there, and holdings here until they are redeemed."""
    mark = usd_from_float(v["mark"] or 0.0)
    is_claim = ledger.payout is not None
    assert is_claim or v["mark"] is not None or not (ledger.yes.shares or ledger.no.shares)
    return {
        "cash": _dollars(ledger.cash + (ledger.value(mark) if is_claim else 0)),
        "yes": 0.0 if is_claim else ledger.yes.shares / MICRO,
        "no": 0.0 if is_claim else ledger.no.shares / MICRO,
        "realised": _dollars(ledger.realised),
        "unrealised": _dollars(ledger.unrealised(mark)),
        "total": _dollars(ledger.total(mark)),
        "avg_yes": None if is_claim else ledger.yes.average,
        "avg_no": None if is_claim else ledger.no.average,
        "fees": _dollars(ledger.fees),
        "income": _dollars(ledger.income),
    }


def ledger_average(v: Vector) -> Vector:
    return _ledger(v, _books(v).average)


def ledger_fifo(v: Vector) -> Vector:
    return _ledger(v, _books(v).lots)


def ledger_net(v: Vector) -> Vector:
    net = _books(v).net
    is_claim = net.payout is not None
    return {
        "q": 0.0 if is_claim else net.position / MICRO,
        "avg": None if is_claim else net.average,
        "realised": _dollars(net.realised),
        "unrealised": _dollars(net.unrealised(usd_from_float(v["mark"] or 0.0))),
    }


_FINE = 10**12
"""Parts of a dollar in which the file's prices are told: it may have more decimals than the venue."""


def decomposition(v: Vector) -> Vector:
    """Any unit of price does, as long as all are in it; the file has no times, and drift is no part of it."""
    split = Decomposition()
    for step in v["steps"]:
        fills = [
            (shares_of(f["size"] if f["side"] == "buy" else -f["size"]), Usd(round(f["price"] * _FINE)))
            for f in step.get("fills", [])
        ]
        split.step(0.0, Usd(round(step["fair"] * _FINE)), fills)
    parts = split.parts
    return {
        "spread_capture": parts.spread / (MICRO * _FINE),
        "inventory_pnl": parts.inventory / (MICRO * _FINE),
        "total": parts.total / (MICRO * _FINE),
        "q": split.position / MICRO,
    }


def daily_loss(v: Vector) -> Vector:
    loss = DailyLoss(v["limit_pct"])
    marks = [loss.mark(t, usd_from_float(equity), usd_from_float(flow)) for t, equity, flow in v["marks"]]
    return {"values": [{"day": mark.day, "loss_frac": mark.loss, "halted": mark.is_latched} for mark in marks]}


def drawdown(v: Vector) -> Vector:
    falls = Drawdown()
    for equity in v["eq"]:
        falls.observe(usd_from_float(equity))
    assert falls.peak is not None
    return {
        "peak": falls.peak / MICRO,
        "max_drawdown_usd": falls.largest / MICRO,
        "max_drawdown_frac": falls.largest_fraction,
        "current_drawdown_usd": falls.current / MICRO,
    }


def _run_queue(queue: RiskAverseQueue | ProbabilisticQueue, v: Vector, filled: Callable[[], float]) -> Vector:
    fills = []
    for event in v["events"]:
        before = filled()
        if event["type"] == "trade":
            queue.trade(shares_of(event["size"]))
        else:
            queue.depth(shares_of(event["prev_size"]), shares_of(event["new_size"]))
        fills.append((filled() - before) / MICRO)
    return {"ahead": queue.ahead / MICRO, "remaining": v["own_size"] - filled() / MICRO, "fills": fills}


def queue_averse(v: Vector) -> Vector:
    size = shares_of(v["own_size"])
    queue = RiskAverseQueue(shares_of(v["level_size"]), size)
    return _run_queue(queue, v, lambda: size - queue.remaining)


def queue_probabilistic(v: Vector) -> Vector:
    queue = ProbabilisticQueue(shares_of(v["level_size"]), shares_of(v["own_size"]), v["n"])
    return _run_queue(queue, v, lambda: queue.filled)


def reward_q(inputs: Vector) -> Vector:
    orders = [
        Scored("bid" if (o["side"] == "bid") == main else "ask", o["price"] if main else 1 - o["price"], o["size"])
        for o in inputs["orders"]
        for main in (o["book"] == "m",)
    ]
    score = maker_score(orders, inputs["mid"], inputs["v"], inputs["min_size"], inputs["c"], inputs["b"])
    return {"q_one": score.q_one, "q_two": score.q_two, "q_min": score.q_min}


def reward_part(inputs: Vector) -> Vector:
    share = reward_share(inputs["q"], inputs["others"])
    return {"share": share, "usd_per_day": share * inputs["pool"]}


def reward_optimum(inputs: Vector) -> Vector:
    return {"value": optimal_q(inputs["pool"], inputs["others"], inputs["cost"])}


def fee(inputs: Vector) -> Vector:
    fees = FeeSchedule(rate=round(inputs["rate"] * MICRO), exponent=inputs["e"])
    return {"value": taker_fee(usd_from_float(inputs["p"]), shares_of(inputs["C"]), fees) / MICRO}


def rebate(inputs: Vector) -> Vector:
    fees = FeeSchedule(rate=round(inputs["rate"] * MICRO), rebate=round(inputs["reb"] * MICRO))
    return {"value": rebate_estimate(usd_from_float(inputs["p"]), shares_of(inputs["C"]), fees)}


def cara(v: Vector) -> Vector:
    result = {"reservation": logit_reservation(v["p"], v["gamma"] * v["q"])}
    if isinstance(v["n"], str):  # the file's words for a lot that is not given
        return result
    bid, ask = lot_prices(v["p"], v["q"], v["gamma"], v["n"])
    return result | {"bid_lot": bid, "ask_lot": ask}


def negrisk_project(v: Vector) -> Vector:
    return {"values": project(v["F"], v["var"])}


def negrisk_worst(v: Vector) -> Vector:
    held = [[shares_of(size) for size in v[side]] for side in ("yes", "no")]
    risk = worst_case(held[0], held[1], usd_from_float(v["cost"]))
    return {
        "payoffs": [payoff / MICRO for payoff in risk.payoffs],
        "worst_case_pnl": risk.worst / MICRO,
        "best_case_pnl": risk.best / MICRO,
    }


def negrisk_arbitrage(v: Vector) -> Vector:
    yes_edge, no_edge = arbitrage(v["bids"], v["asks"])
    return {"buy_all_yes_edge": yes_edge, "buy_all_no_edge": no_edge}


def markouts(v: Vector) -> Vector:
    marks = Markouts(tuple(map(float, v["horizons"])))
    fills = [(fill["t"], 1, index) for index, fill in enumerate(v["fills"])]
    steps = [(t, 0, index) for index, (t, _) in enumerate(v["path"])]
    drifts: list[Drift] = []
    for t, is_fill, index in sorted(steps + fills):
        if is_fill:
            fill = v["fills"][index]
            side: Side = "bid" if fill["side"] == "buy" else "ask"
            marks.fill((str(index), ""), t, side, 0, fill["price"], shares_of(fill["size"]))
        else:
            marks.fair(t, v["path"][index][1])
        drifts += marks.advance(t)
    drifts += marks.advance(max(t for t, _, _ in fills) + max(v["horizons"]))
    per_fill: list[Vector] = [{} for _ in fills]
    for drift in drifts:
        name = f"{drift.horizon:g}s"
        per_fill[int(drift.key[0])] |= {
            "spread": drift.spread, f"markout_{name}": drift.markout, f"drift_{name}": drift.drift
        }  # fmt: skip
    weighted: Vector = {}
    for row in marks.table()[: len(v["horizons"])]:
        name = f"{row.horizon:g}s"
        weighted |= {"spread": row.spread, f"markout_{name}": row.markout, f"drift_{name}": row.drift}
        weighted["bps_last"] = row.basis_points
    return {"per_fill": per_fill, "weighted": weighted}


def toxicity(v: Vector) -> Vector:
    found = Toxicity.of(ToxicityRules(v["beta"], v["n0"], v["k"], v["cap_ticks"]), v["drifts"])
    return {"ewma": found.ewma, "shrunk": found.shrunk, "widen": found.widen(v["tick"])}


ADAPTERS: dict[str, Callable[[Vector], Vector]] = {
    "fee.taker": fee,
    "rebate.maker_estimate": rebate,
    "reward.q": reward_q,
    "reward.share": reward_part,
    "reward.optimal_q": reward_optimum,
    "cara.binary": cara,
    "negrisk.arb": negrisk_arbitrage,
    "negrisk.project": negrisk_project,
    "negrisk.worst_case": negrisk_worst,
    "touch.adjusted": touch,
    "microprice.top": micro,
    "microprice.depth": micro,
    "ewma.fair": ewma,
    "ewma.fair_jump": ewma,
    "vol.variance_rate": variance_rate,
    "vol.to_price": vol_to_price,
    "gauss.sigma": gauss,
    "resolution.floor": floor_of_resolution,
    "inventory.caps": caps,
    "reservation": reservation,
    "quote.prices": prices,
    "size.layers": sizes,
    "layer.prices": layer_ticks,
    "layer.jitter_u": jitter,
    "route.ask": routing,
    "route.bid": routing,
    "requote.decide": requote,
    "strategy.pipeline": pipeline,
    "mm_score": mm_score,
    "pnl.ledger_avg": ledger_average,
    "pnl.fifo": ledger_fifo,
    "pnl.net": ledger_net,
    "markout": markouts,
    "toxicity.widen": toxicity,
    "pnl.decompose": decomposition,
    "risk.daily_loss": daily_loss,
    "equity.drawdown": drawdown,
    "queue.risk_averse": queue_averse,
    "queue.prob_power": queue_probabilistic,
}
"""Formula -> how the program computes it."""
