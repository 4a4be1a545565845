"""The pane of the whole account: every number has its line, and the lines add up."""

import msgspec
import pytest
from rich.cells import cell_len

from core.views import AccountView
from tests.widgets.harness import WidgetApp, pictures, texts
from tests.widgets.view_builders import (
    a_book_that_does_not_add_up,
    a_job,
    a_market,
    a_pnl,
    a_split,
    a_view,
    an_account,
    an_earning_account,
    an_inventory,
    shares,
    some_jobs,
    usd,
)
from widgets.account import Account, account_rows
from widgets.jobs import FAILED_SAID_S, job_rows, job_words, troubled_jobs

WIDTHS = [70, 78, 118, 198]


def lines_of(view, width=118, market=None):
    return texts(account_rows(view, market or view.markets[0], width))


def section(lines, head):
    """Lines from the one that begins with ``head`` to the next blank one."""
    start = next(place for place, line in enumerate(lines) if line.strip().startswith(head))
    end = next((place for place in range(start, len(lines)) if not lines[place]), len(lines))
    return lines[start:end]


HEADS = {
    "HOLDINGS": ("YES", "NO", "NET", "PAIRS", "PENDING", "SELL YES", "SELL NO", "AVG YES", "AVG NO", "MARK", "VALUE $",
                 "AT BIDS $", "AT RISK $", "CAP"),
    "PROFIT": ("REALISED", "UNREALISED", "FEES", "INCOME", "TOTAL", "FILLS", "BOUGHT", "SOLD"),
}  # fmt: skip


def table(view, name, width):
    """Figures of a table by the beginning of their line and by the head of their column."""
    lines = section([line.text.rstrip() for line in account_rows(view, view.markets[0], width)], name)
    ends, end = {}, 0
    for head in HEADS[name]:
        if (place := lines[0].find(f" {head}", end)) >= 0:
            ends[head] = end = place + 1 + len(head)
    return {
        line[3:9].rstrip(): {head: line[:end].split()[-1] for head, end in ends.items() if line[end - 1 : end].strip()}
        for line in lines[1:]
    }


def cents_of(text):
    return round(float(text.replace("−", "-").replace(",", "").replace("$", "")) * 100)


def test_the_equity_is_the_sum_of_what_there_is_and_of_where_it_came_from():
    """What there is, and where it came from: market-making.md 3.1."""
    lines = lines_of(an_earning_account())
    assert lines[0].split()[:4] == ["cash", "$48,910.55", "deposits", "$50,000.00"]
    assert lines[1].split()[:4] == ["holdings", "$1,194.27", "profit", "+104.82"]
    assert lines[2].split()[:5] == ["equity,", "fair", "$50,104.82", "drawdown", "−3.10"]
    assert lines[3].split()[3:6] == ["equity,", "bids", "$50,101.90"]


def test_day_flows_drawdown_claims_and_rewards_are_told():
    account = an_account(
        day_profit=usd(-8.2), day_realised=usd(1), day_unrealised=usd(-9.2), day_flows=usd(100), drawdown=usd(3.1),
        day_fair=usd(-6.2),
    )  # fmt: skip
    lines = lines_of(an_earning_account(account=account), 78)
    assert "today               −6.20" in lines[0]
    assert "  realised          +1.00" in lines[1]
    assert "  unrealised        −7.20" in lines[2]
    assert "today, bids         −8.20" in lines[3]
    assert "claims             $60.25" in lines[4] and "day's flows       +100.00" in lines[4]
    assert "drawdown            −3.10" in lines[2]
    assert "rewards est        ~$2.10" in lines[4]


def test_a_day_whose_beginning_is_not_known_shows_dashes():
    lines = lines_of(an_earning_account(account=an_account(day_realised=None, day_unrealised=None)), 78)
    assert [lines[place].split()[-1] for place in (1, 2)] == ["–", "–"]


@pytest.mark.parametrize("width", [30, 68, *WIDTHS])
def test_the_day_is_told_at_every_width(width):
    text = "\n".join(lines_of(an_earning_account(), width))
    assert all(label in text for label in ("cash", "deposits", "today", "drawdown", "claims"))


@pytest.mark.parametrize("width", WIDTHS)
def test_parts_of_the_profit_add_up_to_the_total_of_every_row(width):
    lines = table(an_earning_account(), "PROFIT", width)
    assert list(lines) == ["Fed cu", "Rain i", "Senate", "BTC ab", "Team A", "elsewh", "all"]
    for figures in lines.values():
        parts = [cents_of(figures[name]) for name in ("REALISED", "UNREALISED", "FEES", "INCOME")]
        assert sum(parts) == cents_of(figures["TOTAL"])


def test_markets_and_elsewhere_add_up_to_all():
    for head, column, whole in (("PROFIT", "TOTAL", 10_482), ("HOLDINGS", "VALUE $", 119_427)):
        *parts, total = [cents_of(figures[column]) for figures in table(an_earning_account(), head, 78).values()]
        assert sum(parts) == total == whole


def test_there_is_no_elsewhere_when_all_is_here():
    """The line is a question to the operator: what is it that I do not see?"""
    market = a_market(inventory=an_inventory(value=usd(914.85)))
    view = a_view(markets=(market,), pnl=market.pnl, cash=usd(50_000 + 3.1 - 914.85))
    assert not any("elsewhere" in line for line in lines_of(view))


def test_holdings_name_what_is_held_and_worth():
    assert table(an_earning_account(), "HOLDINGS", 198)["Fed cu"] == {
        "YES": "1,640", "NO": "400", "NET": "+1,240", "PAIRS": "400", "PENDING": "60", "SELL YES": "880",
        "SELL NO": "400", "AVG YES": "40.96", "AVG NO": "58.10", "MARK": "41.52", "VALUE $": "$914.85",
        "AT BIDS $": "$912.12", "AT RISK $": "$512.12", "CAP": "34%",
    }  # fmt: skip
    assert list(table(an_earning_account(), "HOLDINGS", 78)["Fed cu"]) == [
        "YES", "NO", "NET", "PAIRS", "PENDING", "VALUE $", "CAP",
    ]  # fmt: skip


def test_a_resolved_market_is_marked_and_its_claim_counted():
    lines = section(lines_of(an_earning_account(), 118), "HOLDINGS")
    line = next(line for line in lines if "BTC" in line)
    assert line.startswith(" $ BTC") and "100.00" in line and "$150.00" in line


def test_what_is_sold_beyond_what_is_held_is_seen():
    market = a_market(inventory=an_inventory(yes=shares(-5)))
    line = next(row for row in account_rows(a_view(markets=(market,)), market, 118) if row.text.startswith("›"))
    assert any(span.text.strip() == "−5" and span.role == "warn" for span in line.spans)


def test_the_split_adds_up_and_estimates_stand_apart():
    lines = section(lines_of(an_earning_account(), 78), "THIS SESSION")
    spread, drift, carry, trading, rebates, rewards = lines[2].split()[1:]
    assert cents_of(spread) + cents_of(drift) + cents_of(carry) == cents_of(trading) == 910
    assert (rebates, rewards) == ("~$0.52", "~$2.10")
    assert "REBATES est REWARDS est" in lines[0] and "~ is an estimate, in no" in lines[-1]


def test_before_the_first_fill_there_is_no_split():
    assert any("no fills yet" in line for line in lines_of(a_view(split=None)))


def test_a_market_without_details_has_no_split_of_its_own():
    view = a_view(split=a_split())
    assert len(section(lines_of(view), "THIS SESSION")) == 3


def test_the_selected_market_is_told_in_full_at_every_width():
    for width in WIDTHS:
        text = "\n".join(lines_of(an_earning_account(), width))
        for words in ("net        +1,240 YES", "settled    1,580 / 400", "sellable   880 / 400", "worst −512.12",
                      "waiting    12 for a price", "not ours   500 YES"):  # fmt: skip
            assert words in text, (width, words)


def test_books_that_do_not_add_up_stand_first():
    lines = lines_of(a_book_that_does_not_add_up(), 198)
    assert lines[0].startswith(
        " ! our own books do not add up, so nothing new is risked: cash and holdings are 1 micro"
    )
    assert "differs" in lines[1] and "ours $48,910.55" in lines[1]
    assert any("operations  the relayer's quota is used up until 14:05:09 UTC" in line for line in lines)


def test_no_figures_and_no_market():
    assert "no figures yet" in "\n".join(texts(account_rows(None, None, 78)))
    assert "no figures yet" not in "\n".join(texts(account_rows(a_view(markets=()), None, 78)))


@pytest.mark.parametrize("width", WIDTHS)
def test_big_numbers_keep_their_columns(width):
    """A figure that does not fit is shortened, and stays the right one; two columns never touch."""
    huge = usd(123_456_789.12)
    held = an_inventory(
        yes=shares(98_765_432.1), no=shares(98_765_432.1), pairs=shares(98_765_432.1), net=shares(-98_765_432.1),
        value=huge, conservative=huge, exposure=huge, hard_cap=usd(1), provisional=shares(98_765_432.1),
    )  # fmt: skip
    pnl = a_pnl(realised=huge, unrealised=usd(-123_456_789.12), total=usd(0), fees=huge, income=huge, fills=10_000_000)
    market = a_market(inventory=held, pnl=pnl)
    view = a_view(markets=(market,), pnl=pnl, cash=huge, equity=huge, account=an_account(flows=huge), split=a_split(
        spread=huge, drift=usd(-123_456_789.12), rebates=huge, rewards=huge))  # fmt: skip
    rows = account_rows(view, market, width)
    assert all(cell_len(row.text) <= width for row in rows)
    assert not any("#" in row.text for row in rows if "#12" not in row.text)
    heads = next(row.text for row in rows if "PAIRS" in row.text)
    figures = next(row.text for row in rows if row.text.startswith("›"))
    assert len(heads) == len(figures) and "  99M" in figures.replace("+", " ").replace("−", " ")


# Operations


def test_an_operation_says_what_how_far_and_by_whom():
    lines = texts(job_rows(an_account(), {"0xfed": "Fed cuts"}, 78))
    assert lines == [
        " #12    merge           400  ✓ confirmed   3m      +400.00  Fed cuts",
        "        by operator, relayer, 0x77ab12cd…b4c5",
    ]


def test_operations_stand_newest_first_and_say_why_they_failed():
    text = "\n".join(texts(job_rows(an_account(jobs=some_jobs()), {}, 118)))
    assert text.index("#13") < text.index("#12") < text.index("#9")
    assert "quota exceeded: 0 units remaining" in text and "? unknown" in text and "✕ failed" in text
    failed = next(line for line in text.splitlines() if "failed" in line)
    assert "250" in failed and "−250.00" not in failed, "nothing has changed"


@pytest.mark.parametrize("state", ["planned", "sending", "sent", "mined"])
def test_an_operation_under_way_is_told_from_one_that_is_over(state):
    assert f"… {state}" in texts(job_rows(an_account(jobs=(a_job(state=state),)), {}, 78))[0]


def test_troubled_operations_are_those_unknown_and_those_that_failed_lately():
    jobs = (
        a_job(job_id=1, state="failed", age_s=FAILED_SAID_S + 1),
        a_job(job_id=2, state="unknown", age_s=90_000.0),
        a_job(job_id=3, state="refused", age_s=5.0),
        a_job(job_id=4),
    )
    assert [job.job_id for job in troubled_jobs(AccountView(jobs=jobs))] == [3, 2]
    assert job_words(jobs[1]) == "merge 400 unknown 1d"


# The widget


async def test_the_pane_scrolls_and_says_where_it_is():
    widget = Account()
    view = an_earning_account()
    async with WidgetApp(widget, lambda: widget.show(view, view.markets[0])).run_test(size=(80, 20)) as pilot:
        await pilot.pause()
        assert widget.rows[0].text.startswith(" cash")
        widget.scroll_lines(1_000)
        assert "OPERATIONS" in "".join(row.text for row in widget.rows)
        assert "lines, pgdn" in widget._border_subtitle.plain


async def test_the_title_tells_that_it_does_not_add_up():
    widget = Account()
    view = a_book_that_does_not_add_up()
    async with WidgetApp(widget, lambda: widget.show(view, None)).run_test(size=(80, 20)) as pilot:
        await pilot.pause()
        assert "does not add up" in widget._border_title.plain


@pictures
@pytest.mark.parametrize("theme", ["polymm-dark", "polymm-mono"])
def test_picture(snap_compare, theme):
    widget = Account()
    view = a_book_that_does_not_add_up()
    app = WidgetApp(widget, lambda: widget.show(view, view.markets[0]), theme)
    assert snap_compare(app, terminal_size=(120, 50))


def test_only_what_differs_is_painted_again():
    """A quiet second changes the day's profit only: rows of the tables stay the same rows."""
    view = an_earning_account()
    later = msgspec.structs.replace(view, account=msgspec.structs.replace(view.account, day_fair=usd(7)))
    before, after = (account_rows(each, each.markets[0], 118) for each in (view, later))
    assert sum(one != other for one, other in zip(before, after, strict=True)) == 1
