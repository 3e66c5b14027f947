"""When the collapse monitor warns, and what it measures."""

from types import SimpleNamespace

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from pix2pix.runs.metrics import read_metrics
from pix2pix.runs.run import Run
from pix2pix.training.callbacks.collapse_monitor import CollapseMonitor, OutputVariation
from pix2pix.training.callbacks.metrics_logging import TrainingLog
from pix2pix.training.stopping import update_callback_states
from tests.conftest import TINY, pix2pix

TARGETS = torch.rand(40, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def measure(outputs: torch.Tensor) -> OutputVariation:
    variation = OutputVariation()
    for start in range(0, 40, 7):
        variation.add(outputs[start : start + 7], TARGETS[start : start + 7])
    return variation


def test_outputs_that_are_their_targets_vary_and_correlate_fully():
    assert measure(TARGETS).variation() == pytest.approx(1, abs=1e-3)
    assert measure(TARGETS).correlation() == pytest.approx(1, abs=1e-3)


def test_outputs_of_other_inputs_vary_but_do_not_correlate():
    shuffled = measure(TARGETS.roll(1, dims=0))
    assert shuffled.variation() == pytest.approx(1, abs=1e-3)
    assert abs(shuffled.correlation()) < 0.05


def test_one_and_the_same_output_neither_varies_nor_correlates():
    same = measure(TARGETS[:1].expand(40, -1, -1, -1))
    assert same.variation() < 0.01
    assert abs(same.correlation()) < 0.05


def winning(monitor: CollapseMonitor, accuracy: float, steps: int) -> None:
    outputs = {"accuracy": {"real": torch.tensor(accuracy), "fake": torch.tensor(accuracy)}}
    for step in range(1, steps + 1):
        monitor.on_train_batch_end(SimpleNamespace(global_step=step), None, outputs, None, 0)


def test_a_discriminator_that_wins_for_long_is_told_of_once(caplog):
    monitor = CollapseMonitor(window=10)
    winning(monitor, 0.9, 40)
    winning(monitor, 1.0, 9)
    assert not caplog.messages
    winning(monitor, 1.0, 40)
    (message,) = caplog.messages
    assert "the discriminator was right on 100.0% of the last 10 steps" in message
    assert "discriminator=patch16" in message


def test_a_state_that_comes_back_on_the_cpu_goes_on_on_a_gpu():
    """Lightning loads checkpoints to the CPU; torch's fake tensors know devices that are not there."""
    monitor, log = CollapseMonitor(), TrainingLog()
    with FakeTensorMode():
        monitor.load_state_dict({"steps": 3, "right": torch.zeros(()), "warned": []})
        sums = {name: torch.zeros(()) for name in ("loss/g_l1", "accuracy/d_real", "accuracy/d_fake")}
        log.load_state_dict({"sums": sums, "steps": 3, "overflows": torch.zeros((), dtype=torch.long)})
        accuracy = {name: torch.zeros((), device="cuda") for name in ("real", "fake")}
        outputs = {"accuracy": accuracy, "losses": {"g_l1": torch.zeros((), device="cuda")}}
        scaler = SimpleNamespace(_scale=torch.ones((), device="cuda"), _init_scale=1.0)
        plugin = SimpleNamespace(scaler=scaler)
        stand_in = {"global_step": 4, "world_size": 1, "log_every_n_steps": 50, "is_last_batch": False}
        trainer = SimpleNamespace(**stand_in, precision_plugin=plugin)
        for callback in (monitor, log):
            callback.on_train_batch_end(trainer, None, outputs, SimpleNamespace(name=["a"]), 0)
    on_gpu = [monitor.state["right"], log.sums["loss/g_l1"], log.overflows]
    assert [tensor.device.type for tensor in on_gpu] == ["cuda"] * 3


def test_a_generator_that_ignores_its_input_is_told_of(tmp_path, capsys):
    """With a rate of next to nothing the generator stays what it was drawn as, and outputs hardly vary."""
    words = [
        "data.source.val_pairs=10",
        "callbacks.collapse_monitor.window=2",
        "callbacks.collapse_monitor.min_variation=0.3",
    ]
    pix2pix("train", *TINY, *words, "optimizer.lr=1e-12", f"output_dir={tmp_path}", "name=still")
    assert capsys.readouterr().out.count("the generator has collapsed and ignores its input") == 1
    rows = read_metrics(Run(tmp_path / "still").path / "metrics.csv")
    assert all(float(row["val/variation"]) < 0.3 for row in rows if row["val/variation"])


def test_the_state_of_a_callback_is_found_by_the_name_it_had_when_it_was_saved():
    checkpoint = {"callbacks": {"Diagnosis": {"steps": 7}, "Timer": {}, "mylab.Mine": {"a": 1}}}
    update_callback_states(checkpoint, [])
    assert checkpoint["callbacks"] == {CollapseMonitor().state_key: {"steps": 7}, "mylab.Mine": {"a": 1}}
