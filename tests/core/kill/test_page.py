"""The page: what one process writes the others see at once, and what is torn reads as nothing or as shut."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.children import child_environment
from core.kill.files import SIZE
from core.kill.page import NAME, Cause, Page
from core.kill.report import KillReport

CAUSE = Cause(by="operator", reason="enough", unix=5.0)
REPORT = KillReport(pull=7, by="operator", reason="enough", killer="watchdog", began_unix=5.0, left=3)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    tmp_path.chmod(0o700)
    return tmp_path


@pytest.fixture
def page(directory: Path) -> Iterator[Page]:
    opened = Page(directory)
    yield opened
    opened.close()


def test_a_new_page_is_open_and_says_nothing(page: Page) -> None:
    assert not page.is_shut and page.epoch == 1 and page.pull == 0
    assert page.cause is None and page.report is None and not page.is_busy(1.0)


def test_another_process_shuts_it_and_says_why(page: Page, directory: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from core.kill.page import Cause, Page\n"
        "Page(Path(sys.argv[1])).shut(12.5, Cause(by='shell', reason='from outside', unix=3.0))"
    )
    subprocess.run([sys.executable, "-P", "-c", code, str(directory)], env=child_environment(), check=True)
    assert page.is_shut and page.pulled_s == 12.5
    assert page.cause == Cause(by="shell", reason="from outside", unix=3.0, epoch=1)


def test_every_pull_has_its_number_and_the_first_reason_stays(page: Page) -> None:
    numbers = [page.shut(1.0 + step / 1e5, Cause(by=f"{step}", reason="", unix=0.0)) for step in range(3)]
    assert len(set(numbers)) == 3 and page.pull == numbers[-1]
    assert page.cause is not None and page.cause.by == "0"


def test_it_opens_only_when_nobody_pulled_meanwhile(page: Page) -> None:
    first = page.shut(1.0, CAUSE)
    page.shut(2.0, CAUSE)
    assert not page.open(2, first) and page.is_shut
    assert page.open(3, page.pull) and not page.is_shut
    assert page.cause is None, "an earlier kill's reason is none of the next one's"
    page.shut(3.0, Cause(by="loss", reason="limit", unix=9.0))
    assert page.cause == Cause(by="loss", reason="limit", unix=9.0, epoch=3)


def test_the_disk_cannot_keep_it_from_being_shut(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    page.shut(1.0, CAUSE)
    assert page.is_shut and page.cause is None


def test_stamps_are_seen_as_they_were_set(page: Page) -> None:
    page.beat_session(12.25)
    page.beat_watchdog(13.5)
    page.answer(7, 20.0)
    assert (page.session_s, page.watchdog_s, page.answered) == (12.25, 13.5, 7)
    assert page.is_busy(19.9) and not page.is_busy(20.1)
    page.answer(7, 100_000.0)
    assert not page.is_busy(1.0), "of another run of the machine"


def test_reports_replace_each_other_and_hostile_ones_fit(page: Page) -> None:
    page.write_report(REPORT)
    assert page.report == REPORT
    hostile = '\U0001f4a5"\\\ud800' * 1_000
    page.write_report(KillReport(pull=8, by=hostile, reason=hostile, killer="shell", began_unix=5.0, trouble=hostile))
    assert page.report is not None and page.report.pull == 8 and page.report.trouble.startswith("\U0001f4a5")


@given(place=st.integers(0, 200), value=st.integers(1, 255))
def test_a_torn_report_is_none(place: int, value: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    page = Page(directory := tmp_path_factory.mktemp("page"))
    page.write_report(REPORT)
    raw = bytearray((directory / NAME).read_bytes())
    raw[1536 + place] ^= value
    (directory / NAME).write_bytes(raw)
    assert page.report in (None, REPORT)
    page.close()


@pytest.mark.parametrize("content", [b"", b"\0" * SIZE, b"x" * SIZE, b"short", b"y" * (SIZE + 1)])
def test_a_damaged_page_is_set_up_anew_and_shut(directory: Path, content: bytes) -> None:
    path = directory / NAME
    path.write_bytes(content)
    path.chmod(0o600)
    page = Page(directory)
    assert page.is_shut and page.epoch == 1 and page.cause is None and page.report is None
    assert path.stat().st_size == SIZE
    page.close()
    again = Page(directory)
    assert again.is_shut, "and stays so"
    again.close()


def test_shutting_takes_no_block(page: Page, directory: Path) -> None:
    before = (directory / NAME).stat()
    page.shut(1.0, CAUSE)
    page.write_report(REPORT)
    after = (directory / NAME).stat()
    assert (after.st_size, after.st_blocks) == (before.st_size, before.st_blocks)
