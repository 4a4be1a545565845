"""The market channel of a simulation: what a client of the venue's sockets would see, at the moment it would see it."""

import json

import pytest

from core.lab.simulated_feed import CONNECT_MS, LAG_MS, Socket
from core.lab.simulated_world import ENTRY_MS, FEED_MS, START_UNIX
from core.venue.channel import CHECK_SEC, SILENCE_SEC
from core.venue.market_feed import OVERLAP_SEC, SETTLE_SEC, STAGGER_SEC
from tests.core.lab.simulated import Stage, fault


def test_a_subscription_begins_with_one_array_of_books() -> None:
    stage = Stage(markets=3)
    stage.start()
    stage.run(0.2)
    at_s, text = stage.texts[0]
    assert at_s == FEED_MS / 1000
    assert [book["asset_id"] for book in json.loads(text)] == stage.tokens
    assert stage.coverage() == [(0.0, True, tuple(stage.tokens))]


def test_sockets_share_the_tokens_never_part_a_pair_and_come_one_after_another() -> None:
    stage = Stage(markets=3, tokens_a_socket=5)
    stage.start()
    stage.run(2)
    assert [bundle.tokens for bundle in stage.line.bundles] == [tuple(stage.tokens[:4]), tuple(stage.tokens[4:])]
    first, second = stage.coverage()
    assert (first[2], second[2]) == (tuple(stage.tokens[:4]), tuple(stage.tokens[4:]))
    assert first[0] == 0 and second[0] >= STAGGER_SEC


@pytest.mark.parametrize(("heals", "healed"), [("resubscribe", True), ("reconnect", False)])
def test_a_freeze_that_ends_with_a_resubscription_ends_with_one(heals: str, healed: bool) -> None:
    stage = Stage(fault(f'do = "freeze"\nmarket = 0\nat = 5\nheals = "{heals}"'))
    stage.start()
    stage.run(20)
    frozen, other = stage.tokens[0], stage.tokens[2]
    assert stage.heard(5.1, 20, frozen) == 0 < stage.heard(5.1, 20, other)
    stage.line.resubscribe(stage.tokens[:2])
    stage.run(20)
    assert (stage.heard(20, 40, frozen) > 1) == healed
    if healed:
        at_s, text = next((at_s, text) for at_s, text in stage.texts if at_s > 20 and frozen in text)
        assert at_s == pytest.approx(20 + (ENTRY_MS + FEED_MS) / 1000)
        assert [book["asset_id"] for book in json.loads(text)] == stage.tokens[:2]


def test_an_heir_takes_over_without_a_gap_and_nobody_is_told_of_a_loss() -> None:
    stage = Stage(fault('do = "freeze"\nmarket = 0\nat = 8\nheals = "reconnect"'))
    stage.start()
    old = next(iter(stage.director.links))
    stage.run(20)
    stage.line.reconnect(stage.tokens[:2])
    stage.run(0.5)
    assert next(iter(stage.director.links)) is old and len(stage.director.links) == 2
    stage.run(20)
    at_s = next(at_s for at_s, text in stage.texts if at_s > 20 and stage.tokens[0] in text)
    assert at_s == pytest.approx(20 + (CONNECT_MS + FEED_MS) / 1000)
    assert [(connected, tokens) for _, connected, tokens in stage.coverage()] == [(True, tuple(stage.tokens))]
    assert len(stage.director.links) == 1 and old not in stage.director.links


def test_many_wishes_for_a_new_socket_make_one() -> None:
    stage = Stage()
    stage.start()
    stage.run(2)
    for _ in range(5):
        stage.line.reconnect(stage.tokens[:2])
        stage.run(0.5)
    stage.run(5)
    assert stage.coverage() == [(0.0, True, tuple(stage.tokens))]
    (link,) = stage.director.links
    assert isinstance(link, Socket)
    assert link.opened_ms / 1000 - START_UNIX == pytest.approx(SETTLE_SEC + CONNECT_MS / 1000)


def test_an_heir_that_brings_nothing_relieves_nobody() -> None:
    stage = Stage(fault('do = "freeze"\nat = 8'))
    stage.start()
    old = next(iter(stage.director.links))
    stage.run(10)
    stage.line.reconnect(stage.tokens[:2])
    stage.run(OVERLAP_SEC + 5)
    assert list(stage.director.links) == [old]


def test_a_closed_socket_tells_it_and_comes_back_with_fresh_books() -> None:
    stage = Stage(fault('do = "disconnect"\nat = 5'))
    stage.start()
    stage.run(20)
    (_, gone, back) = stage.coverage()
    assert gone == (5 + FEED_MS / 1000, False, tuple(stage.tokens))
    assert back[1:] == (True, tuple(stage.tokens)) and 5.5 < back[0] < 7
    at_s, text = next((at_s, text) for at_s, text in stage.texts if at_s > gone[0])
    assert at_s == pytest.approx(back[0] + FEED_MS / 1000) and text.startswith("[")


def test_refused_connections_are_tried_again_ever_more_slowly() -> None:
    stage = Stage(fault('do = "disconnect"\nat = 5\nfor = 20'))
    stage.start()
    stage.run(60)
    refused = [line.at_ms for line in stage.director.log if "refused" in line.what]
    assert len(refused) >= 3 and refused == sorted(refused)
    assert [connected for _, connected, _ in stage.coverage()] == [True, False, True]
    assert stage.coverage()[-1][0] > 25


def test_a_reset_loses_what_is_under_way() -> None:
    stage, whole = Stage(fault('do = "reset"\non = "frame:price_change"\nnth = 20')), Stage()
    for each in (stage, whole):
        each.start()
        each.run(5)
    at_s = stage.director.log[0].at_ms / 1000 - START_UNIX
    until_s = at_s + FEED_MS / 1000
    assert [one for one in whole.texts if one[0] < at_s] == [one for one in stage.texts if one[0] < until_s]
    assert whole.heard(at_s, until_s, "") > 0


def test_a_half_open_socket_is_found_out_by_its_missing_pongs() -> None:
    stage = Stage(fault('do = "half_open"\nat = 6'))
    stage.start()
    stage.run(40)
    gone = stage.coverage()[1]
    assert stage.pongs(0, 6) == 1 and stage.pongs(6.2, gone[0]) == 0
    assert stage.heard(6 + FEED_MS / 1000, gone[0], "") == 0
    assert not gone[1] and SILENCE_SEC - 1 < gone[0] - 6 <= SILENCE_SEC + 2 * CHECK_SEC
    assert stage.heard(gone[0], 40, stage.tokens[0]) > 0


def test_what_befalls_one_socket_leaves_the_others_alone() -> None:
    stage = Stage(fault('do = "half_open"\nmarket = 0\nat = 6'), tokens_a_socket=2)
    stage.start()
    stage.run(40)
    first = tuple(stage.tokens[:2])
    assert [(connected, tokens) for _, connected, tokens in stage.coverage()[2:]] == [(False, first), (True, first)]
    assert stage.heard(8, 20, stage.tokens[0]) == 0 < stage.heard(8, 20, stage.tokens[2])


def test_two_copies_say_everything_twice_the_second_later() -> None:
    stage = Stage(copies=2, markets=1)
    stage.start()
    stage.run(5)
    arrivals: dict[str, list[float]] = {}
    for at_s, text in stage.texts:
        arrivals.setdefault(text, []).append(at_s)
    old = [times for times in arrivals.values() if 0.6 < times[0] < 4.5]
    assert len(old) > 5
    assert all(len(times) == 2 and times[1] - times[0] == pytest.approx(LAG_MS / 1000) for times in old)


def test_of_two_copies_one_may_die_unnoticed() -> None:
    stage = Stage(copies=2, markets=1)
    stage.start()
    stage.run(3)
    next(iter(stage.director.links)).reset()
    stage.run(5)
    assert [connected for _, connected, _ in stage.coverage()] == [True]
    assert len(stage.director.links) == 2


def test_old_sockets_are_replaced_without_a_gap() -> None:
    stage = Stage(recycle_s=10)
    stage.start()
    (old,) = [slot.socket for slot in stage.line.slots]
    stage.run(13)
    assert stage.line.slots[0].socket is not old and len(stage.line.slots) == 1
    stage.run(30)
    assert [connected for _, connected, _ in stage.coverage()] == [True]
    assert len(stage.director.links) == 1
