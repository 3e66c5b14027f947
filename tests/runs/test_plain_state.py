"""What callbacks keep comes back as it was, or is refused before it could spoil a checkpoint."""

import collections
import dataclasses
import datetime
import enum
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch

from pix2pix.runs.plain_state import make_plain, restore_types
from pix2pix.runs.run import Run
from tests.conftest import TINY, pix2pix

CPU = torch.device("cpu")


def save_and_read(state: Any) -> dict[str, Any]:
    """What torch reads of a checkpoint with this state, executing nothing."""
    checkpoint = {"epoch": 1, "callbacks": {"mine.Best": state, "another": {"steps": 3}}}
    make_plain(checkpoint)
    file = io.BytesIO()
    torch.save(checkpoint, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


@pytest.mark.parametrize(
    "value",
    [
        np.float64(0.5),
        np.float32(0.1),
        np.int64(3),
        np.bool_(True),
        np.str_("a"),
        np.complex64(1j),
        np.arange(6, dtype=np.uint16).reshape(2, 3),
        np.array(1.5),
        [1, (np.float32(0.25), {"deep": np.ones(2)})],
        {np.int64(7): np.float16(2)},
        {np.int64(7), 8},
        frozenset({1, 2}),
        collections.OrderedDict(a=np.float32(1)),
        {"plain": [None, True, 2**80, "text", b"bytes", torch.ones(2), (1, 2)]},
    ],
    ids=repr,
)
def test_what_a_callback_keeps_comes_back_as_it_was(value):
    checkpoint = save_and_read({"value": value})
    restore_types(checkpoint, CPU)
    assert_same(checkpoint["callbacks"]["mine.Best"]["value"], value)
    assert checkpoint["callbacks"]["another"] == {"steps": 3}


def assert_same(a: Any, b: Any) -> None:
    assert type(a) is type(b)
    if isinstance(a, dict):
        assert a.keys() == b.keys()
        for key in a:
            assert_same(a[key], b[key])
    elif isinstance(a, list | tuple):
        assert len(a) == len(b)
        for own, other in zip(a, b, strict=True):
            assert_same(own, other)
    elif isinstance(a, np.ndarray | np.generic):
        assert a.dtype == b.dtype
        assert np.array_equal(a, b)
    elif isinstance(a, torch.Tensor):
        assert torch.equal(a, b)
    else:
        assert a == b


def test_a_checkpoint_holds_numbers_of_numpy_as_those_of_python():
    assert save_and_read({"best": np.float64(0.5)})["callbacks"]["mine.Best"] == {"best": 0.5}


class Colour(enum.IntEnum):
    RED = 1


@dataclasses.dataclass
class Best:
    value: float = 0.5


@pytest.mark.parametrize(
    "value",
    [
        Path("a"),
        Colour.RED,
        Best(),
        datetime.datetime.now(datetime.UTC),
        datetime.timedelta(1),
        collections.defaultdict(list),
        collections.deque([1]),
        np.array(["text"]),
        np.array([Best()]),
        np.datetime64("2020-01-01"),
        lambda: 1,
        Best,
        torch.nn.Linear(1, 1),
        {Colour.RED: 1},
        [{"deep": (1, Path("x"))}],
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_loading_would_refuse_is_refused_when_it_is_saved(value):
    with pytest.raises(
        ValueError, match=r"^callback mine\.Best keeps a \w+ in its state\['value'\].*which a checkpoint"
    ):
        save_and_read({"value": value})


def test_the_state_of_a_callback_on_a_device_comes_back_there():
    """Lightning loads checkpoints to the CPU, and leaves callbacks' states there."""
    checkpoint = {"callbacks": {"mine": {"sum": [torch.zeros(3, device="meta")], "histogram": torch.zeros(3)}}}
    make_plain(checkpoint)
    checkpoint["callbacks"]["mine"]["sum"] = [torch.zeros(3)]
    restore_types(checkpoint, torch.device("meta"))
    state = checkpoint["callbacks"]["mine"]
    assert (state["sum"][0].device.type, state["histogram"].device.type) == ("meta", "cpu")


class Keeping(pl.Callback):
    """Keeps a number of NumPy's, and from the second epoch on, where it is asked to, something else."""

    def __init__(self, later: bool = False) -> None:
        self.sums, self.later = np.zeros(2, np.float32), later

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        self.sums += np.float32([trainer.global_step, 1])

    def state_dict(self) -> dict[str, Any]:
        return {"sums": Path("sums") if self.later and self.sums[1] > 9 else self.sums}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        assert isinstance(state_dict["sums"], np.ndarray)
        self.sums = state_dict["sums"]


def test_a_state_that_no_checkpoint_can_hold_names_its_callback_and_leaves_what_was_saved(tmp_path):
    words = ["train", *TINY, f"output_dir={tmp_path}", "name=run", "~callbacks.samples", "trainer.limit_val_batches=0"]
    keeping = "{_target_: tests.runs.test_plain_state.Keeping, later: true}"
    with pytest.raises(SystemExit, match="callback Keeping keeps a PosixPath in its state"):
        pix2pix(*words, f"+callbacks.mine={keeping}")
    run = Run(tmp_path / "run")
    content = torch.load(run.last_checkpoint, weights_only=True)
    assert content["global_step"] == 6
    assert content["callbacks"]["Keeping"]["sums"].tolist() == [21, 6]
    mended = keeping.replace("true", "false")
    pix2pix(*words, "name=mended", f"resume={run.last_checkpoint}", f"+callbacks.mine={mended}")
    content = torch.load(Run(tmp_path / "mended").last_checkpoint, weights_only=True)
    assert content["callbacks"]["Keeping"]["sums"].tolist() == [78, 12]
