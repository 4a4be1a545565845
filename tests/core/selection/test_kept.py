"""The list in force on the disk: whole or not at all, and never guessed."""

import hashlib
import os
import stat
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ListError
from core.kill import files
from core.selection.changes import Kept
from core.selection.kept import NAME, load, save
from core.units import Usd
from tests.core.selection.test_changes import after, in_force, of, reading, refused, row


@pytest.fixture
def path(tmp_path: Path) -> Path:
    tmp_path.chmod(0o700)
    return tmp_path / NAME


def full() -> Kept:
    """With everything that can be in it."""
    kept = after(in_force(1, 2, 3, 4), of(1, 2, 3), of(1, 2, 3), of(1, 2)).kept
    kept = refused(after(kept, reading(row(1, max_usd=Usd(5), note='"é\u202e'))).kept)
    return after(kept, of(1, 2, 3), of(1, 2)).kept


def test_it_comes_back_as_it_was_and_is_ours_alone(path: Path) -> None:
    assert load(path) is None
    for kept in (full(), in_force(1)):
        save(path, kept)
        assert load(path) == kept
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(path.parent) == [NAME]


def test_cut_at_any_byte_it_is_refused_in_words(path: Path) -> None:
    save(path, full())
    content = path.read_bytes()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(ListError, match=r"markets\.json: it is not whole; .* Move the file away"):
            load(path)


@given(at=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_a_flipped_bit_is_never_another_list(tmp_path_factory: pytest.TempPathFactory, at: int, bit: int) -> None:
    path = tmp_path_factory.getbasetemp() / "flip" / NAME
    path.parent.mkdir(mode=0o700, exist_ok=True)
    kept = full()
    save(path, kept)
    content = bytearray(path.read_bytes())
    content[at % len(content)] ^= 1 << bit
    path.write_bytes(content)
    with suppress(ListError):
        assert load(path) == kept, "only where a text spells the same"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not whole"),
        (b"[]", "not whole"),
        (b'{"version":2,"sha256":"","kept":{}}', "version 2"),
        (b'{"version":1,"sha256":"","kept":{}}', "checksum"),
        (b"\xff\xfe", "not whole"),
        (b"[" * 100_000, "not whole"),
    ],
)
def test_what_is_no_list_of_ours_is_refused(path: Path, content: bytes, words: str) -> None:
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(ListError, match=words):
        load(path)


def test_a_list_with_a_right_checksum_and_no_sense_is_refused(path: Path) -> None:
    body = b'{"source":1}'
    digest = hashlib.sha256(body).hexdigest().encode()
    path.write_bytes(b'{"version":1,"sha256":"' + digest + b'","kept":' + body + b"}")
    path.chmod(0o600)
    with pytest.raises(ListError, match="it is no market list"):
        load(path)


def test_others_may_neither_read_it_nor_stand_in_for_it(path: Path) -> None:
    save(path, full())
    path.chmod(0o644)
    with pytest.raises(ListError, match="chmod 600"):
        load(path)
    elsewhere = path.with_name("elsewhere")
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    with pytest.raises(ListError, match="no link"):
        load(path)


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_write_that_fails_leaves_the_old_one(path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """A full disk, or an end between two steps."""
    old = in_force(1)
    save(path, old)

    def fail(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, step, fail)
    with pytest.raises(ListError, match="No space left on device; the market list stays as it is"):
        save(path, full())
    monkeypatch.undo()
    assert load(path) == old
    assert os.listdir(path.parent) == [NAME], "nothing half is left"


@pytest.mark.parametrize("steps", range(12))
def test_an_end_at_any_step_leaves_the_old_or_the_new_one(
    path: Path, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    """The program dies at the n-th call to the system: then nothing that follows happens, tidying included."""
    old, new = in_force(1), full()
    save(path, old)
    done = 0

    class Died(BaseException):
        """Not to be caught by anybody on the way."""

    def counted(name: str) -> None:
        real = getattr(files.os, name)

        def call(*arguments: object, **options: object) -> object:
            nonlocal done
            if done >= steps:
                raise Died
            done += 1
            return real(*arguments, **options)

        monkeypatch.setattr(files.os, name, call)

    for name in ("fsync", "replace", "unlink", "open"):
        counted(name)
    with suppress(Died):
        save(path, new)
    monkeypatch.undo()
    assert load(path) in (old, new)


def test_it_says_what_it_holds_in_plain_text(path: Path) -> None:
    """For whoever looks into it."""
    save(path, in_force(1))
    told = msgspec.json.decode(path.read_bytes())
    assert told["kept"]["listed"][0]["row"]["yes_token"] == "11"
