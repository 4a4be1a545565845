"""The latch: what it says survives everything, and what cannot be read is a kill."""

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import PreflightError
from core.kill.files import SIZE
from core.kill.latch import NAME, OLD_NAME, Latch, LatchRecord

KILL = LatchRecord(state="killed", epoch=1, by="operator", reason="enough", unix=5.0)
ARMED = LatchRecord(state="armed", epoch=2, by="operator", reason="all is well", unix=6.0)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    tmp_path.chmod(0o700)
    return tmp_path


@pytest.fixture
def latch(directory: Path) -> Iterator[Latch]:
    opened = Latch(directory, unix=1.0)
    yield opened
    opened.close()


def read(directory: Path) -> LatchRecord:
    """As a later start sees it."""
    opened = Latch(directory, unix=99.0)
    record = opened.read()
    opened.close()
    return record


def test_a_new_one_is_armed_and_a_kill_is_seen_by_every_later_start(latch: Latch, directory: Path) -> None:
    assert latch.read() == LatchRecord(state="armed", epoch=1, by="", reason="first start here", unix=1.0)
    latch.kill(KILL)
    assert latch.read() == read(directory) == KILL
    latch.write(ARMED)
    assert read(directory) == ARMED


def test_of_several_kills_the_first_stays(latch: Latch, directory: Path) -> None:
    other = Latch(directory, unix=2.0)
    latch.kill(KILL)
    other.kill(LatchRecord(state="killed", epoch=1, by="watchdog", reason="later", unix=7.0))
    assert latch.read() == other.read() == KILL
    other.close()


def test_a_kill_changes_neither_size_nor_blocks(latch: Latch, directory: Path) -> None:
    """So it needs nothing of a full disk; and its line can be read by people."""
    before = os.stat(directory / NAME)
    latch.kill(KILL)
    after = os.stat(directory / NAME)
    assert (after.st_size, after.st_blocks, after.st_ino) == (SIZE, before.st_blocks, before.st_ino)
    assert (directory / NAME).read_text().startswith('{"state":"killed","epoch":1,"by":"operator","reason":"enough"')


@given(place=st.integers(0, SIZE - 1), value=st.integers(0, 255))
def test_a_changed_byte_is_never_an_armed_latch_of_another_kind(
    place: int, value: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Bit rot, or a hand that edits it: killed, unless nothing changed."""
    directory = tmp_path_factory.mktemp("latch")
    latch = Latch(directory, unix=1.0)
    latch.write(ARMED)
    block = bytearray((directory / NAME).read_bytes())
    is_same = block[place] == value
    block[place] = value
    (directory / NAME).write_bytes(block)
    assert latch.read().state == ("armed" if is_same else "killed")
    latch.close()


@given(cut=st.integers(0, SIZE), newest=st.sampled_from((KILL, ARMED)))
def test_a_torn_write_is_the_old_the_new_or_a_kill(
    cut: int, newest: LatchRecord, tmp_path_factory: pytest.TempPathFactory
) -> None:
    directory = tmp_path_factory.mktemp("latch")
    latch = Latch(directory, unix=1.0)
    oldest = ARMED if newest == KILL else KILL
    blocks = []
    for record in (oldest, newest):
        latch.write(record)
        blocks.append((directory / NAME).read_bytes())
    (directory / NAME).write_bytes(blocks[1][:cut] + blocks[0][cut:])
    seen = latch.read()
    assert seen in (oldest, newest) or seen.state == "killed"
    latch.kill(KILL)
    assert latch.read() == KILL, "and a kill makes it whole"
    latch.close()


@pytest.mark.parametrize("content", [b"", b"\0" * SIZE, b"{}", b" " * SIZE, b"x" * (SIZE + 1)])
def test_what_cannot_be_read_is_killed(directory: Path, content: bytes) -> None:
    path = directory / NAME
    path.write_bytes(content)
    path.chmod(0o600)
    record = read(directory)
    assert record.state == "killed" and record.reason == "the latch cannot be read"


def test_file_and_directory_are_synced(latch: Latch, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file whose name is not on the disk is no latch (reliability.md 4.6)."""
    synced: list[str] = []
    for name in ("fdatasync", "fsync"):
        real = getattr(os, name)

        def sync(handle: int, real: Callable[[int], None] = real) -> None:
            real(handle)
            synced.append("directory" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file")

        monkeypatch.setattr(os, name, sync)
    latch.kill(KILL)
    assert synced == ["file", "directory"]
    synced.clear()
    latch.kill(KILL)
    assert synced == ["file", "directory"], "whoever finds it written waits for the disk too"


def test_a_longer_file_is_not_believed(latch: Latch, directory: Path) -> None:
    with (directory / NAME).open("ab") as file:
        file.write(b"more")
    assert latch.read().state == "killed"


def test_a_latch_that_was_taken_away_is_made_again(latch: Latch, directory: Path) -> None:
    (directory / NAME).unlink()
    latch.kill(KILL)
    assert read(directory) == KILL
    (directory / NAME).replace(directory / "elsewhere")
    latch.kill(KILL)
    assert read(directory) == KILL and os.stat(directory / NAME).st_mode & 0o777 == 0o600


def test_a_kill_of_an_earlier_version_holds(directory: Path) -> None:
    (directory / OLD_NAME).write_text("kill by operator\n")
    record = read(directory)
    assert (record.state, record.by, record.reason) == ("killed", "an earlier version", "kill by operator")


def test_a_text_of_any_kind_and_length_fits(latch: Latch) -> None:
    hostile = "\x00\x1b]52;\ud800" + '\U0001f4a5"\\' * 3_000
    latch.kill(LatchRecord(state="killed", epoch=1, by=hostile, reason=hostile, unix=5.0))
    assert latch.read().state == "killed" and latch.read().reason.startswith("  ]52; \U0001f4a5")


def test_only_one_process_arms_at_a_time_and_a_kill_does_not_wait_for_it(
    latch: Latch, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever holds the lock may be stopped."""
    monkeypatch.setattr("core.kill.latch.ARM_PATIENCE_S", 0.01)
    other = Latch(directory, unix=2.0)
    with latch.arming():
        with pytest.raises(PreflightError, match="another process"), other.arming():
            pass
        for one in (latch, other):
            with one.killing() as is_alone:
                assert not is_alone
                one.kill(KILL)
    with other.killing() as first, latch.killing() as second:
        assert first and second, "several may kill at once"
    with other.killing(), pytest.raises(PreflightError), latch.arming():
        pass
    with other.arming(), latch.killing():
        pass
    other.close()
