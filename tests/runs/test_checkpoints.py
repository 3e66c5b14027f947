"""Whatever interrupts a save, what is in place stays known and sound."""

import functools
import os
import shutil
import struct
import subprocess
import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from pix2pix.core.checksums import SUMS, Checksums, file_sha256
from pix2pix.core.integrity import check_integrity
from pix2pix.runs.checkpoints import AtomicCheckpointIO, SaveOptions, find_resumable, link_checkpoint
from pix2pix.runs.run import PREVIOUS, Run


class Killed(BaseException):
    """Stands for a SIGKILL: nothing catches it."""


@pytest.fixture
def saved(tmp_path) -> Run:
    """A run that saved twice."""
    run = Run(tmp_path / "run")
    save(run, 1)
    save(run, 2)
    return run


def save(run: Run, step: int, name: str = "last.ckpt") -> OSError | None:
    disk = AtomicCheckpointIO()
    disk.save_checkpoint({"step": step, "weights": torch.full((100,), float(step))}, run.checkpoints / name)
    return disk.error


def step(path: Path | None) -> int:
    assert path is not None
    return torch.load(path, weights_only=True)["step"]


def kill_before(monkeypatch: pytest.MonkeyPatch, target: str, work: Callable[[], object]) -> None:
    """Work that is killed when the file `target` is about to be replaced."""
    replace = Path.replace

    def dangerous(part: Path, name: Path) -> Path:
        if name.name == target:
            raise Killed
        return replace(part, name)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", dangerous)
        with pytest.raises(Killed):
            work()


@pytest.mark.parametrize("target", [SUMS, PREVIOUS, "last.ckpt"])
def test_kills_while_saving_leave_the_last_checkpoint_known(saved, monkeypatch, caplog, target):
    for number in range(3, 9):
        kill_before(monkeypatch, target, functools.partial(save, saved, number))
    assert find_resumable(saved) == saved.last_checkpoint
    assert step(saved.last_checkpoint) == 2
    assert not caplog.messages
    save(saved, 9)
    save(saved, 10)
    assert [step(path) for path in saved.resume_checkpoints()] == [10, 9]
    assert all(check_integrity(path).known for path in saved.resume_checkpoints())
    assert {name: len(sums) for name, sums in Checksums(saved.checkpoints).by_name.items()} == {
        "last.ckpt": 1,
        PREVIOUS: 1,
    }


def test_a_disk_that_is_full_for_long_pushes_no_checksum_out(saved, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("pix2pix.runs.checkpoints.torch.save", full)
        assert all("Free some space" in str(save(saved, number)) for number in range(3, 9))
    assert find_resumable(saved) == saved.last_checkpoint


def test_without_hard_links_the_checkpoint_of_before_is_moved_not_copied(saved, monkeypatch):
    """A copy would need room that a full disk has not."""

    def refuse(*_: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    monkeypatch.setattr(shutil, "copyfile", refuse)
    for number in range(3, 6):
        assert save(saved, number) is None
    assert [step(path) for path in saved.resume_checkpoints()] == [5, 4]
    kill_before(monkeypatch, "last.ckpt", lambda: save(saved, 6))
    assert step(find_resumable(saved)) == 5, "the moved one is all there is, and it is known"


@pytest.mark.parametrize("kept", ["best.ckpt", "epoch=2.ckpt"])
def test_other_names_of_a_checkpoint_have_its_checksum_for_good(saved, kept):
    link_checkpoint(saved.last_checkpoint, saved.checkpoints / kept)
    for number in range(3, 9):
        save(saved, number)
    assert check_integrity(saved.checkpoints / kept) == (True, None)
    assert step(saved.checkpoints / kept) == 2


def test_kills_while_a_checkpoint_is_given_another_name_leave_what_had_it_known(saved, monkeypatch):
    best = saved.checkpoints / "best.ckpt"
    link_checkpoint(saved.last_checkpoint, best)
    for number in range(3, 9):
        save(saved, number)
        kill_before(monkeypatch, "best.ckpt", lambda: link_checkpoint(saved.last_checkpoint, best))
    assert check_integrity(best) == (True, None)
    assert step(best) == 2
    link_checkpoint(saved.last_checkpoint, best)
    assert (check_integrity(best), step(best)) == ((True, None), 8)


def test_the_file_of_checksums_is_one_that_sha256sum_reads(saved):
    link_checkpoint(saved.last_checkpoint, saved.checkpoints / "best.ckpt")
    command = ["sha256sum", "--check", SUMS]
    checked = subprocess.run(command, cwd=saved.checkpoints, capture_output=True, text=True, check=True)
    assert checked.stdout.count("OK") == 3


@pytest.mark.parametrize(
    "spoil",
    [
        lambda file: file.unlink(),
        lambda file: file.write_bytes(b""),
        lambda file: file.write_bytes(b"\xff\xfe\x00rubbish\n" * 9),
        lambda file: file.write_text(file.read_text()[:40]),
        lambda file: file.write_text("\n".join("0" * 64 for _ in range(3))),  # as earlier versions wrote, pushed out
    ],
)
def test_a_checkpoint_without_a_checksum_is_not_called_damaged(saved, caplog, spoil):
    spoil(saved.checkpoints / SUMS)
    assert find_resumable(saved) == saved.last_checkpoint
    (message,) = caplog.messages
    assert message.startswith(f"{saved.last_checkpoint} has no checksum in SHA256SUMS")
    save(saved, 3)
    save(saved, 4)
    assert all(check_integrity(path).known for path in saved.resume_checkpoints())


def cut(content: bytes) -> bytes:
    return content[:-200]


def flip_bit(content: bytes) -> bytes:
    """One exponent bit of one weight: every number still is one."""
    place = content.index(struct.pack("<10f", *[2.0] * 10)) + 3
    return content[:place] + bytes([content[place] ^ 0x08]) + content[place + 1 :]


@pytest.mark.parametrize("damage", [cut, flip_bit, lambda _: b"", lambda _: b"rubbish"])
def test_without_checksums_a_damaged_file_is_found_by_its_own(saved, caplog, damage):
    (saved.checkpoints / SUMS).unlink()
    content = damage(saved.last_checkpoint.read_bytes())
    saved.last_checkpoint.unlink()
    saved.last_checkpoint.write_bytes(content)
    assert find_resumable(saved) == saved.checkpoints / PREVIOUS
    assert "last.ckpt is damaged" in caplog.messages[0]


def test_the_checksums_of_an_earlier_version_are_understood(saved):
    """Three sums without names, and no word on which file each is of."""
    sums = [file_sha256(path) for path in saved.resume_checkpoints()]
    link_checkpoint(saved.last_checkpoint, saved.checkpoints / "best.ckpt")
    (saved.checkpoints / SUMS).write_text("\n".join(["f" * 64, *reversed(sums)]))
    files = [*saved.resume_checkpoints(), saved.checkpoints / "best.ckpt"]
    assert [check_integrity(path) for path in files] == [(True, None)] * 3
    for number in range(3, 6):
        save(saved, number)
        assert check_integrity(saved.checkpoints / "best.ckpt") == (True, None)


def test_damaged_checkpoints_are_refused_with_every_way_on_and_replaced_by_one_that_is_named(saved):
    other = saved.path / "other.ckpt"
    shutil.copy(saved.last_checkpoint, other)
    for path in saved.resume_checkpoints():
        path.unlink()
        path.write_bytes(b"damaged")
    with pytest.raises(ValueError, match=r"are damaged \(last.ckpt, previous.ckpt\).*resume=PATH.*resume=never"):
        find_resumable(saved)
    assert find_resumable(saved, fallback=other) == other


@pytest.fixture
def slow(monkeypatch):
    """A disk that writes nothing before the event is set."""
    ready, write = threading.Event(), torch.save

    def wait_and_write(*arguments):
        assert ready.wait(60)
        write(*arguments)

    monkeypatch.setattr("pix2pix.runs.checkpoints.torch.save", wait_and_write)
    return ready


def begin(disk: AtomicCheckpointIO, run: Run, state: dict, *names: str) -> None:
    disk.save_checkpoint(state, run.last_checkpoint, storage_options=SaveOptions(names, in_background=True))


def test_a_checkpoint_written_beside_the_training_holds_the_state_of_its_moment(saved, slow):
    weights, warned = torch.full((4, 3, 2, 2), 3.0).to(memory_format=torch.channels_last), ["first"]
    modules = OrderedDict(weights=weights)
    setattr(modules, "_metadata", {"": {"version": 2}})  # noqa: B010 - as torch does
    disk = AtomicCheckpointIO()
    begin(disk, saved, {"step": 3, "state_dict": modules, "callbacks": {"warned": warned}}, "best.ckpt")
    weights.fill_(4.0)
    warned.append("second")
    assert not disk.is_written()
    assert step(saved.last_checkpoint) == 2
    slow.set()
    assert disk.finish() is None
    content = torch.load(saved.checkpoint("best"), weights_only=True)
    assert content["callbacks"] == {"warned": ["first"]}
    assert content["state_dict"]._metadata == {"": {"version": 2}}
    assert content["state_dict"]["weights"].unique() == 3.0
    assert content["state_dict"]["weights"].is_contiguous(memory_format=torch.channels_last)
    assert [step(path) for path in saved.resume_checkpoints()] == [3, 2]
    assert check_integrity(saved.checkpoint("best")) == (True, None)


def test_a_checkpoint_that_is_not_copied_is_in_place_before_the_next_step(saved):
    disk, weights = AtomicCheckpointIO(), torch.full((4,), 3.0)
    options = SaveOptions(["best.ckpt"])
    disk.save_checkpoint({"step": 3, "state_dict": {"weights": weights}}, saved.last_checkpoint, options)
    weights.fill_(4.0)
    assert disk.is_written()
    assert disk.finish() is None
    assert torch.load(saved.checkpoint("best"), weights_only=True)["state_dict"]["weights"].unique() == 3.0


def test_one_checkpoint_is_written_at_a_time(saved, slow):
    disk = AtomicCheckpointIO()
    begin(disk, saved, {"step": 3})
    threading.Timer(0.1, slow.set).start()
    begin(disk, saved, {"step": 4})
    assert step(saved.last_checkpoint) == 3
    disk.teardown()
    assert [step(path) for path in saved.resume_checkpoints()] == [4, 3]


def test_what_goes_wrong_beside_the_training_is_told_when_it_ends(saved, monkeypatch):
    def fail(*_: object) -> None:
        raise problem

    monkeypatch.setattr("pix2pix.runs.checkpoints.torch.save", fail)
    disk, problem = AtomicCheckpointIO(), OSError(28, "No space left on device")
    begin(disk, saved, {"step": 3})
    assert "Free some space" in str(disk.finish())
    problem = MemoryError("no memory")
    begin(disk, saved, {"step": 3})
    with pytest.raises(ValueError, match=r"last\.ckpt: the checkpoint could not be written \(MemoryError: no memory\)"):
        disk.finish()
    assert step(find_resumable(saved)) == 2
