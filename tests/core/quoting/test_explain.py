"""Explanations: exact sums, the rule that had the last word, the first rule that forbade."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.quoting.explain import NANO, LayerExplanation, explain
from core.quoting.plan import QuoteInputs, plan_quotes
from core.quoting.rules import QuoteRules
from core.units import Ticks
from tests.core.quoting.arrange import drawn_inputs, drawn_rules, inputs, laws, rules, shares, usd


@laws
@given(st.data())
def test_terms_add_up_to_the_last_tick_and_micro_share_of_every_order(data: st.DataObject) -> None:
    """An explanation that is off by a hair explains another order than the one that is sent."""
    profile = data.draw(drawn_rules())
    seen = data.draw(drawn_inputs(profile.grid.k))
    plan = plan_quotes(seen, profile)
    told = {(one.side, one.layer): one for one in explain(plan, profile)}
    for side in ("bid", "ask"):
        for layer in range(profile.layers):
            wanted = [t for t in plan.targets if (t.side, t.layer) == (side, layer)]
            one = told.get((side, layer))
            if not wanted:
                assert one is None or (one.size == 0 and one.forbidden and not one.binding)
                continue
            assert one is not None and {t.yes_ticks for t in wanted} == {one.ticks}
            assert one.size == sum(t.size for t in wanted) == sum(term.amount for term in one.size_terms)
            assert sum(term.amount for term in one.price_terms) == wanted[0].yes_ticks * NANO
            assert one.binding and not one.forbidden
            assert all(term.amount for term in (*one.price_terms, *one.size_terms))


@laws
@given(st.data())
def test_rounding_hides_nothing(data: st.DataObject) -> None:
    """What is called rounding is less than a tick outwards and less than a hundredth of a share down."""
    profile = data.draw(drawn_rules(reward_bump=False))
    plan = plan_quotes(data.draw(drawn_inputs(profile.grid.k)), profile)
    for one in explain(plan, profile):
        of_price = sum(term.amount for term in one.price_terms if term.name == "rounding")
        outward = -of_price if one.side == "bid" else of_price
        assert -100 <= outward < NANO + 100
        of_size = sum(term.amount for term in one.size_terms if term.name == "rounding")
        assert -10_001 <= of_size <= 1


def layer(seen: QuoteInputs, side: str = "bid", number: int = 0, profile: QuoteRules | None = None) -> LayerExplanation:
    profile = profile or rules()
    [one] = [x for x in explain(plan_quotes(seen, profile), profile) if (x.side, x.layer) == (side, number)]
    return one


@pytest.mark.parametrize(
    ("seen", "over", "binding"),
    [
        (inputs(best_bid=None, best_ask=None), {}, "model; base"),
        (inputs(fair=0.60, best_bid=None, best_ask=Ticks(55)), {}, "post-only; base"),
        (inputs(sigma_h=0.0, best_bid=None, best_ask=None), {"k_fee_ticks": 0.0}, "least edge; base"),
        (inputs(fair=0.03, sigma_h=0.02, best_bid=None, best_ask=None), {"min_edge_ticks": 0.5}, "price bound; base"),
        (inputs(most_bid=Ticks(40), best_bid=None, best_ask=None), {}, "group bound; base"),
        (inputs(yes=2_500, best_bid=None, best_ask=None), {}, "model; inventory fade"),
        (inputs(size_factor=0.5, best_bid=None, best_ask=None), {}, "model; operator size"),
        (inputs(time_factor=0.5, best_bid=None, best_ask=None), {}, "model; time"),
        (inputs(cash=100, best_bid=None, best_ask=None), {}, "model; funds"),
        (inputs(gross_room=usd(50), best_bid=None, best_ask=None), {}, "model; room (gross cap)"),
        (inputs(best_bid=None, best_ask=None), {"max_order_usd": 50.0}, "model; order value"),
    ],
)
def test_rule_that_had_the_last_word_is_named(seen: QuoteInputs, over: dict[str, float], binding: str) -> None:
    assert layer(seen, profile=rules(**over)).binding == binding


@pytest.mark.parametrize(
    ("seen", "number", "forbidden"),
    [
        (inputs(fair=float("nan")), 0, "bad_fair"),
        (inputs(sides="ask"), 0, "one_side"),
        (inputs(yes=9_000), 2, "hard_cap"),
        (inputs(fair=0.025, sigma_h=0.0, best_bid=None, best_ask=None), 2, "range"),
        (inputs(cash=250), 1, "no_funds"),
        (inputs(equity=300), 0, "below_min"),
        (inputs(size_factor=0.0), 0, "operator_size"),
        (inputs(time_factor=0.0), 0, "fading"),
        (inputs(regime_factor=0.0), 0, "regime"),
        (inputs(pending_bid=shares(2_800)), 2, "pending"),
    ],
)
def test_missing_quote_names_the_first_rule_that_forbade_it(seen: QuoteInputs, number: int, forbidden: str) -> None:
    one = layer(seen, number=number)
    assert (one.size, one.forbidden, one.binding) == (0, forbidden, "")


def test_layer_that_may_be_worth_too_little_says_so() -> None:
    """A dollar buys less than the least size: explained by the setting, not by the size."""
    seen = inputs(best_bid=None, best_ask=None)
    assert layer(seen, profile=rules(max_order_usd=1.0)).forbidden == "order_value"


def test_each_term_of_the_model_is_told_apart() -> None:
    seen = inputs(
        yes=900,
        shift_ticks=1.0,
        widen_ticks=2.0,
        tox_bid=0.005,
        spread_factor=1.5,
        group_shift=0.01,
        best_bid=None,
        best_ask=None,
    )
    terms = {term.name: term.amount for term in layer(seen).price_terms}
    assert terms["fair"] == 46 * NANO and terms["group"] == NANO and terms["operator shift"] == NANO
    assert terms["inventory"] < 0
    assert terms["volatility"] == terms["fee"] == -NANO and terms["toxicity"] == -NANO // 2
    assert terms["regime"] == -NANO * 5 // 4 and terms["operator width"] == -2 * NANO
    assert -NANO < terms["rounding"] < 0
