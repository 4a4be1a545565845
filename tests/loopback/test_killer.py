"""The killer against the exchange room under its faults: nothing but an empty venue ends it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core.clock import SystemClock
from core.exchange.auth import Credentials
from core.kill.killer import Killer
from core.kill.line import Answer, Line
from core.kill.page import Cause, Page
from core.kill.report import KillReport
from tests.core.runtime.fakes import until
from tests.loopback.faulty import Stage, stage_running
from tests.loopback.killing import kill_credentials
from tests.loopback.test_kill_line import answering, serving
from tests.loopback.venue import Trader

CAUSE = Cause(by="operator", reason="enough", unix=0.0)
FOR_EVER = 1e6


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same pauses in a tenth of the time; what they are is held in ``tests/core/kill/test_sweep.py``."""
    monkeypatch.setattr("core.kill.sweep.AGAIN_S", 0.2)
    monkeypatch.setattr("core.kill.sweep.LOOK_S", 0.1)
    monkeypatch.setattr("core.kill.sweep.UNREAD_S", 0.5)
    monkeypatch.setattr("core.kill.sweep.PAUSES_S", (0.02, 0.05, 0.1))
    monkeypatch.setattr("core.kill.sweep.BUSY_S", 0.1)
    monkeypatch.setattr("core.kill.sweep.DEADLINES_S", (0.5, 1.0, 2.0, 10.0))


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with stage_running() as running:
        yield running


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """What the killer asks, and the status that came; without the clock's."""
    log: list[tuple[str, int]] = []
    real = Line.ask

    def ask(line: Line, method: str, target: str, *arguments: object, **options: object) -> Answer:
        answer = real(line, method, target, *arguments, **options)  # type: ignore[arg-type]
        log.append((f"{method} {target}", answer.status))
        return answer

    monkeypatch.setattr(Line, "ask", ask)
    return log


class Kill:
    """A kill in a thread of its own, while the exchange is served here."""

    def __init__(self, stage: Stage, page: Page | None = None) -> None:
        self.killer = Killer(kill_credentials(stage.venue.urls["clob_url"], stage.trader.keys), SystemClock(), "shell")
        self.reports: list[KillReport] = []
        self._page = page
        self._goes_on = True

    def _run(self) -> KillReport:
        return self.killer.run(7, CAUSE, self._page, lambda: self._goes_on, self.reports.append)

    async def run(self, patience_s: float = 20.0) -> KillReport:
        try:
            async with asyncio.timeout(patience_s):
                return await asyncio.to_thread(self._run)
        finally:
            self.stop()
            self.killer.close()

    def stop(self) -> None:
        self._goes_on = False


async def test_everything_is_cancelled_and_zero_is_seen_twice(stage: Stage, asked: list[tuple[str, int]]) -> None:
    for cents in (1, 2, 3):
        await stage.place(cents)
    await stage.place(1, stage.no)
    report = await Kill(stage).run()
    assert await stage.open_ids() == []
    assert (report.sent, report.confirmed, report.left, report.unknown) == (2, 4, 0, 0)
    assert report.verified and report.trouble == "" and report.pull == 7 and report.killer == "shell"
    assert report.words.endswith(f"zero open orders verified after {report.elapsed_s:.1f} s")
    assert {what for what, _ in asked} == {"DELETE /cancel-all", "GET /data/orders"}
    cancels = [number for number, (what, _) in enumerate(asked) if what == "DELETE /cancel-all"]
    assert cancels[0] == 0 and len(asked) > cancels[1] + 1, "looked after the cancel was repeated"


async def test_it_is_about_these_credentials_whoever_placed_the_orders(stage: Stage) -> None:
    """Orders of the account that the session does not know go too; another key's stay."""
    other = stage.exchange.keys.create("0x" + "99" * 20, 0)
    assert other is not None
    mine, foreign = await stage.place(1), await stage.trader.send("POST", "/order", stage.trader.bid(stage.yes, 2))
    assert foreign.status_code == 200
    stranger = stage.exchange.open_orders(other.api_key)
    report = await Kill(stage).run()
    assert report.confirmed == 2 and await stage.open_ids() == [] and mine
    assert stage.exchange.open_orders(other.api_key) == stranger


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("then", ["hang", "cut"])
async def test_a_cancel_that_is_lost_is_sent_again(stage: Stage, moment: str, then: str) -> None:
    await stage.place(1)
    stage.arm(f'do = "blackhole"\nrequest = "DELETE /cancel-all"\nmoment = "{moment}"\nthen = "{then}"\ncount = 2')
    kill = Kill(stage)
    report = await kill.run()
    assert report.verified and await stage.open_ids() == []
    assert (report.confirmed, report.unknown) == (1, 0) if moment == "before" else report.confirmed == 0
    assert any(each.trouble.startswith("DELETE /cancel-all: ") for each in kill.reports)


async def test_a_restart_is_waited_for_without_hammering(stage: Stage, asked: list[tuple[str, int]]) -> None:
    await stage.place(1)
    stage.arm('do = "restart"\nseconds = 90')
    task = asyncio.create_task(Kill(stage).run())
    await asyncio.sleep(1.0)
    refused = len(asked)
    assert not task.done() and all(status == 425 for _, status in asked if _.startswith("DELETE"))
    stage.pass_time(91)
    report = await task
    assert report.verified and report.confirmed == 1 and await stage.open_ids() == []
    assert sum(status == 425 for _, status in asked) <= 30 and refused >= 2


@pytest.mark.parametrize("status", [403, 500, 502])
async def test_a_page_of_something_in_front_of_the_venue_is_no_answer(stage: Stage, status: int) -> None:
    await stage.place(1)
    stage.arm(f'do = "http"\nrequest = "* *"\nstatus = {status}\nbody = "html"\ncount = 6')
    kill = Kill(stage)
    report = await kill.run()
    assert report.verified and report.confirmed == 1 and await stage.open_ids() == []
    troubles = [each.trouble for each in kill.reports if each.trouble]
    assert troubles[0] == f"DELETE /cancel-all: status {status}" and "<" not in "".join(troubles)


async def test_a_page_with_status_200_is_no_answer_either(stage: Stage) -> None:
    await stage.place(1)
    stage.arm('do = "http"\nrequest = "* *"\nstatus = 200\nbody = "html"\ncount = 6')
    kill = Kill(stage)
    report = await kill.run()
    assert report.verified and report.confirmed == 1
    assert kill.reports[0].trouble == "DELETE /cancel-all: the answer is not JSON"


async def test_json_of_another_shape_is_no_answer(stage: Stage) -> None:
    await stage.place(1)
    for text in ("[]", "{}", "null", '{\\"canceled\\":3}', '{\\"canceled\\":[1]}', '{\\"data\\":{}}'):
        stage.arm(f'do = "http"\nrequest = "* *"\nstatus = 200\ntext = "{text}"\ncount = 2')
    report = await Kill(stage).run()
    assert report.verified and report.confirmed == 1 and await stage.open_ids() == []


async def test_a_slow_venue_is_heard_out(stage: Stage) -> None:
    """Each answer takes longer than the first deadlines; time passes with the machine's."""
    await stage.place(1)
    stage.arm('do = "slow"\nrequest = "* *"\nms = 700\nfor = 1000')
    task = asyncio.create_task(Kill(stage).run())
    while not task.done():
        await asyncio.sleep(0.05)
        stage.pass_time(0.05)
    report = await task
    assert report.verified and stage.exchange.open_orders(stage.trader.keys.api_key) == []


async def test_a_redirect_is_not_followed(stage: Stage) -> None:
    """The headers with the credentials go nowhere else."""
    await stage.place(1)
    with serving(answering) as (elsewhere, _):
        stage.arm(f'do = "redirect"\nrequest = "* *"\nto = "{elsewhere.url}/x"\ncount = 5')
        kill = Kill(stage)
        report = await kill.run()
        assert elsewhere.accepted == []
    assert report.verified and report.confirmed == 1
    assert kill.reports[0].trouble == "DELETE /cancel-all: status 307"


async def test_one_look_at_an_empty_list_proves_nothing(stage: Stage) -> None:
    """A list that is incomplete without saying so, just when the cancel was lost."""
    order = await stage.place(1)
    stage.arm(
        'do = "blackhole"\nrequest = "DELETE /cancel-all"\nmoment = "before"\nthen = "cut"',
        'do = "omit_page"\nlist = "orders"\nlost = "rest"\ncount = 1',
    )
    kill = Kill(stage)
    report = await kill.run()
    assert report.verified and report.confirmed == 1 and await stage.open_ids() == [] and order


async def test_a_list_of_several_pages_is_read_to_its_end(stage: Stage) -> None:
    """And one whose second page fails is no list."""
    stage.exchange.deposit(stage.trader.eoa, 10**12)
    for number in range(103):
        await stage.place(1 + number % 3, shares=10)
        if number % 30 == 29:
            stage.pass_time(10)
    stage.arm(
        f'do = "http"\nrequest = "DELETE *"\nstatus = 500\nfor = {FOR_EVER}',
        'do = "omit_page"\nlist = "orders"\npage = 2\nlost = "answer"\ncount = 1',
    )
    kill = Kill(stage)
    task = asyncio.create_task(kill.run())
    await until(lambda: any(each.left == 103 for each in kill.reports))
    assert all(each.left in (None, 103) for each in kill.reports)
    assert any(each.trouble == "GET /data/orders: status 500" for each in kill.reports)
    stage.director.arm((), from_now=True)
    kill.stop()
    report = await task
    assert not report.verified and report.left == 103
    assert report.words.startswith("killing: ") and "103 left" in report.words and "NOT verified" in report.words


@pytest.mark.parametrize(
    "page",
    ['{"data":[],"count":3,"next_cursor":"LTE="}', '{"data":[],"count":0}', '{"data":[],"next_cursor":"","count":0}'],
)
async def test_an_empty_list_that_is_not_complete_is_none(stage: Stage, page: str) -> None:
    """Cut short on its way, or without the cursor that ends it, while orders are open."""
    await stage.place(1)
    stage.arm(
        f'do = "http"\nrequest = "DELETE *"\nstatus = 500\nfor = {FOR_EVER}',
        f'do = "http"\nrequest = "GET /data/orders"\nstatus = 200\ntext = \'{page}\'\ncount = 8',
    )
    kill = Kill(stage)
    task = asyncio.create_task(kill.run())
    await until(lambda: any(each.left == 1 for each in kill.reports))
    assert all(each.left in (None, 1) and not each.verified for each in kill.reports)
    assert sum(each.trouble.startswith("/data/orders, page 1: ") for each in kill.reports) == 8
    kill.stop()
    await task


async def test_with_cancel_all_out_of_order_orders_go_by_their_ids(stage: Stage, asked: list[tuple[str, int]]) -> None:
    for cents in (1, 2):
        await stage.place(cents)
    stage.arm(f'do = "http"\nrequest = "DELETE /cancel-all"\nstatus = 500\nfor = {FOR_EVER}')
    report = await Kill(stage).run()
    assert report.verified and report.confirmed == 2 and await stage.open_ids() == []
    assert ("DELETE /orders", 200) in asked


async def test_an_empty_cancel_bucket_is_waited_for_as_asked(stage: Stage, asked: list[tuple[str, int]]) -> None:
    await stage.place(1)
    stage.arm('do = "throttle"\nbucket = "cancel"\nto = -150')
    task = asyncio.create_task(Kill(stage).run())
    await until(lambda: any(status == 429 for _, status in asked))
    stage.pass_time(60)
    await asyncio.sleep(0.5)
    assert sum(what.startswith("DELETE") for what, _ in asked) == 1, "the venue asked for two seconds"
    report = await task
    assert report.verified and report.confirmed == 1 and report.elapsed_s >= 1.5


async def test_a_clock_that_is_wrong_is_put_right_by_the_venues(stage: Stage, asked: list[tuple[str, int]]) -> None:
    await stage.place(1)
    stage.arm(f'do = "clock_offset"\nseconds = -7200\nfor = {FOR_EVER}')
    report = await Kill(stage).run()
    assert asked[0] == ("DELETE /cancel-all", 401) and asked[1] == ("GET /time", 200)
    assert report.verified and report.confirmed == 1


async def test_credentials_that_are_refused_are_said(stage: Stage) -> None:
    await stage.place(1)
    stage.arm(f'do = "expire_credentials"\nheals = "time"\nfor = {FOR_EVER}')
    kill = Kill(stage)
    task = asyncio.create_task(kill.run())
    await until(lambda: len(kill.reports) >= 4)
    kill.stop()
    report = await task
    assert not report.verified and report.left is None
    assert "refuses the API credentials" in report.trouble


async def test_orders_that_land_after_the_first_cancel_are_cancelled(stage: Stage) -> None:
    await stage.place(1)
    stage.arm('do = "slow"\nrequest = "POST /order"\nms = 60\nmoment = "before"')
    late = asyncio.create_task(stage.post(2))
    kill = asyncio.create_task(Kill(stage).run())
    await asyncio.sleep(0.1)
    stage.pass_time(0.1)
    assert (await late).status_code == 200
    report = await kill
    assert report.verified and report.confirmed == 2 and await stage.open_ids() == []


async def test_it_tells_its_progress_in_the_page(stage: Stage, tmp_path: Path) -> None:
    page = Page(tmp_path)
    kill = Kill(stage, page)
    report = await kill.run()
    assert page.report == report and page.answered == 7
    assert not page.is_busy(SystemClock().monotonic())
    page.close()


async def test_a_connection_that_hangs_while_it_is_kept_warm_delays_no_kill(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.kill.killer.WARM_DEADLINE_S", 2.0)
    await stage.place(1)
    kill = Kill(stage)
    await asyncio.to_thread(kill.killer.warm, proves=False)
    stage.arm('do = "blackhole"\nrequest = "GET /ok"\nthen = "hang"')
    warming = asyncio.create_task(asyncio.to_thread(kill.killer.warm, proves=False))
    await asyncio.sleep(0.1)
    report = await kill.run()
    assert report.verified and not warming.done()
    await warming


@pytest.mark.parametrize("status", [425, 429, 503])
async def test_a_venue_that_restarts_has_answered(stage: Stage, status: int) -> None:
    """A watchdog stands guard over it: it will be heard in a moment. Who is forbidden will not."""
    killer = Kill(stage).killer
    stage.arm(f'do = "http"\nrequest = "GET *"\nstatus = {status}\ncount = 2')
    assert [await asyncio.to_thread(killer.warm, proves=proves) for proves in (True, False)] == ["", ""]
    stage.arm('do = "http"\nrequest = "GET *"\nstatus = 403\ncount = 1')
    assert await asyncio.to_thread(killer.warm, proves=True) == "GET /data/orders: status 403"
    killer.close()


async def test_a_mistake_of_ours_ends_no_kill(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    await stage.place(1)
    real = Killer._headers
    mistakes = [KeyError("canary")] * 3

    def headers(*arguments: object) -> object:
        if mistakes:
            raise mistakes.pop()
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Killer, "_headers", headers)
    kill = Kill(stage)
    report = await kill.run()
    assert report.verified and report.confirmed == 1
    assert kill.reports[0].trouble == "cancel_all: KeyError"
    mistakes.append(KeyError("canary"))
    assert await asyncio.to_thread(kill.killer.warm, proves=True) == "GET /data/orders: KeyError"
    assert await asyncio.to_thread(kill.killer.warm, proves=True) == "", "and the connection is kept warm on"
    kill.killer.close()


async def test_the_signature_is_what_the_venue_computes(stage: Stage) -> None:
    """Two witnesses: the exchange's own code accepts it, and another key's is refused."""
    wrong = Trader(stage.venue, Credentials("x", "c2VjcmV0", "y", stage.trader.keys.address, 0))
    killer = Killer(kill_credentials(stage.venue.urls["clob_url"], wrong.keys), SystemClock(), "shell")
    right = Kill(stage).killer
    assert not await asyncio.to_thread(killer.sees_nothing)
    assert await asyncio.to_thread(right.sees_nothing)
    killer.close()
    right.close()
