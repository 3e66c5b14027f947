"""What several processes tell each other, with a stand-in for the others; trainings of two are in test_ddp.py."""

from datetime import timedelta
from types import SimpleNamespace

import pytest
import torch

from pix2pix.core.instantiate import build
from pix2pix.training import gan_ddp_strategy
from pix2pix.training.callbacks.checkpoint import Checkpoints
from pix2pix.training.callbacks.collapse_monitor import CollapseMonitor
from pix2pix.training.callbacks.metrics_logging import TrainingLog
from pix2pix.training.callbacks.nan_guard import NaNGuard
from pix2pix.training.gan_ddp_strategy import average_over_processes
from tests.conftest import compose_mapping


@pytest.fixture
def messages(monkeypatch):
    """Another process, whose numbers are ours and 2 more; the messages that were sent."""
    sent = []

    def all_reduce(message):
        sent.append(message.tolist())
        message.add_(message + 2)

    others = {"is_available": lambda: True, "is_initialized": lambda: True, "get_backend": lambda: "gloo"}
    others |= {"get_world_size": lambda: 2, "all_reduce": all_reduce}
    monkeypatch.setattr(gan_ddp_strategy, "dist", SimpleNamespace(**others))
    return sent


def test_numbers_become_means_over_all_processes_in_one_message(messages):
    own = {"steps": 3, "a": torch.tensor(1.0), "b": torch.tensor(5.0)}
    assert average_over_processes(own) == {"steps": 3, "a": 2.0, "b": 6.0}
    assert messages == [[1.0, 5.0]]
    assert own["a"] == 1.0, "what was given stays"
    assert average_over_processes({"steps": 3}) == {"steps": 3}
    assert len(messages) == 1, "nothing is sent where there is nothing to average"


def test_one_process_alone_asks_nobody():
    assert average_over_processes({"a": torch.tensor(1.0)}) == {"a": 1.0}


def steps(callback, count: int, device: str = "cuda", first: int = 1) -> None:
    """So many steps of a training that logs every fourth; as far as the callback can see, on `device`."""
    outputs = {"losses": {"g_l1": torch.tensor(1.0)}, "accuracy": {"real": torch.tensor(1.0)}}
    module, batch = SimpleNamespace(device=torch.device(device)), SimpleNamespace(name=["a"])
    for step in range(first, first + count):
        trainer = SimpleNamespace(global_step=step, log_every_n_steps=4, is_last_batch=False, loggers=[], world_size=2)
        vars(trainer).update(precision_plugin=None, optimizers=[], default_root_dir="run")
        trainer.strategy = SimpleNamespace(root_device=torch.device("cpu"))
        callback.on_train_batch_end(trainer, module, outputs, batch, step)


@pytest.mark.parametrize(
    ("callback", "device", "asked"),
    [
        (TrainingLog(), "cuda", 2),
        (NaNGuard(), "cuda", 2),
        (NaNGuard(), "cpu", 8),
        (CollapseMonitor(window=8), "cuda", 1),
    ],
)
def test_processes_ask_each_other_for_numbers_only_when_somebody_looks_at_them(messages, callback, device, asked):
    steps(callback, 8, device)
    assert len(messages) == asked


def test_a_row_is_the_mean_of_all_processes_however_the_run_was_interrupted(messages, monkeypatch):
    rows = []
    monkeypatch.setattr(
        "pix2pix.training.callbacks.metrics_logging._log_row", lambda trainer, values, step: rows.append(values)
    )
    steps(TrainingLog(), 4)
    assert rows[0]["loss/g_l1"] == pytest.approx((4 + 1) / 4), "ours is 4 in four steps, the mean of both one more"
    saved = TrainingLog()
    steps(saved, 2)
    resumed = TrainingLog()
    resumed.load_state_dict(saved.state_dict())
    steps(resumed, 2, first=3)
    assert rows[1]["loss/g_l1"] == pytest.approx((2 + 1 + 2 + 1) / 4)


def test_a_loss_of_another_process_that_is_no_number_ends_this_one_too(messages, monkeypatch):
    monkeypatch.setattr(gan_ddp_strategy.dist, "all_reduce", lambda message: message.fill_(float("nan")))
    with pytest.raises(ValueError, match="the training has diverged"):
        steps(NaNGuard(), 4)
    keeper = Checkpoints()
    keeper.losses = {"g_l1": torch.tensor(1.0)}
    with pytest.raises(ValueError, match="the training has diverged"):
        keeper._save(SimpleNamespace(global_step=3, default_root_dir="run"))


def test_a_process_waits_five_minutes_for_another_that_hangs(monkeypatch):
    monkeypatch.setenv(gan_ddp_strategy.STARTED_BY, "")  # else the strategy leaves it for the processes of other tests
    assert build(compose_mapping("trainer=ddp")["trainer"]["strategy"])._timeout == timedelta(minutes=5)
    longer = compose_mapping("trainer=ddp", "trainer.strategy.timeout_minutes=90")
    assert build(longer["trainer"]["strategy"])._timeout == timedelta(hours=1.5)
