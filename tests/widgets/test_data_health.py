"""The pane that says how well the selected market's data are known."""

import pytest
from rich.cells import cell_len

from tests.widgets.harness import WidgetApp, pictures, texts
from tests.widgets.view_builders import HOSTILE, a_data, a_frozen, a_market, a_suspect, an_empty_book
from widgets.data_health import DataHealth, health_rows


def rows(data, width=46, height=12):
    return health_rows(a_market(data=data), width, height)


def grounds(data):
    """Label to the rest of its line."""
    lines = [line.text for line in rows(data, 60)]
    return {line[:10].strip(): line[10:].rstrip() for line in lines[1:]}


def test_no_market_is_said_in_words():
    assert "no market selected" in "\n".join(texts(health_rows(None, 40, 8)))


def test_a_proven_book_shows_what_its_proof_rests_on():
    assert texts(rows(a_data())) == [
        " ● heard, proven 0s ago, all hashes agree",
        " book     SYNCED 12m, 3,412 changes",
        " hashes   1,201 agree, 3 explained",
        " checked  every change",
        " heard    0s ago, usual gap 1.1s",
        " proven   0s ago, 0 audits",
        " losses   none, 1 full book",
    ]


def test_a_lost_book_says_why_first_and_what_is_done_about_it():
    lines = texts(rows(a_suspect()))
    assert lines[:3] == [
        " ▲ book suspect for 0.8s: book hash differs",
        " from the venue's; asking for a fresh book,",
        " try 2",
    ]
    assert rows(a_suspect())[0].spans[1].role == "warn"


@pytest.mark.parametrize(
    ("changes", "label", "said"),
    [
        ({"book_seq": 1}, "book", "SYNCED 12m, 1 change"),
        ({"hash_checked": 0, "hash_agreed": 0, "hash_explained": 0}, "hashes", "none compared yet"),
        ({"hash_differing": 1}, "hashes", "1 of 1,204 differ"),
        ({"check_every": 3, "hash_skipped": 2408}, "checked", "1 change in 3, 2,408 skipped"),
        ({"check_every": 0}, "checked", "the touch only"),
        ({"age_s": None, "usual_gap_s": None}, "heard", "never, usual gap –"),
        ({"proven_s": None, "audits": 1}, "proven", "never, 1 audit"),
        ({"proven_s": 3.0, "audits": 1400}, "proven", "3s ago, 1,400 audits"),
        ({"gaps": 2, "reloads": 3, "recovery_s": 0.4}, "losses", "2, healed in 0.4s, 3 full books"),
        ({"gaps": 1, "reloads": 1}, "losses", "1 so far, 1 full book"),
    ],
)
def test_every_ground_says_its_figure(changes, label, said):
    assert grounds(a_data(**changes))[label] == said


@pytest.mark.parametrize("changes", [{"hash_differing": 1}, {"check_every": 3}, {"check_every": 0}])
def test_what_weakens_the_proof_is_marked(changes):
    marked = {line.text.split()[0] for line in rows(a_data(**changes))[1:] if line.spans[-1].role == "warn"}
    assert marked == {"hashes" if "hash_differing" in changes else "checked"}


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("width", [30, 46])
def test_reasons_with_foreign_text_stay_in_their_lines(text, width):
    for data in (a_suspect(reason=text, repair=text), a_frozen(freshness_reason=text), an_empty_book(reason=text)):
        lines = rows(data, width)
        assert len(lines) <= 9
        for line in lines:
            assert cell_len(line.text) <= width and line.text.isprintable()


@pictures
@pytest.mark.parametrize("data", [a_data(), a_suspect()], ids=["proven", "suspect"])
def test_picture(snap_compare, data):
    pane = DataHealth()
    assert snap_compare(WidgetApp(pane, lambda: pane.show(a_market(data=data))), terminal_size=(48, 10))
