"""What a training decides at its start: which of the fast ways of a GPU it takes.

No GPU is needed: a test names what the machine offers, and trial steps judge it. Layout and precision are those of the
CPU; stand-ins for a CUDA graph do what is right, what is wrong, or nothing.
"""

import logging
import math
import random

import numpy as np
import pytest
import torch
from pytorch_lightning.utilities.exceptions import SIGTERMException

from pix2pix.runs.run import Run
from pix2pix.training import cuda_graph, execution
from pix2pix.training.build import build_data
from pix2pix.training.execution import choose, list_offers
from pix2pix.training.module import Pix2Pix
from tests.conftest import TINY, make_config, pix2pix, same_weights

WORDS = [*TINY, "trainer.max_epochs=1", "trainer.limit_val_batches=1", "~callbacks.samples", "~callbacks.results"]
LAST = {"channels_last": True}


class Forgetful:
    """Stands in for a graph whose replays do nothing."""

    def warm_up(self, work):
        self.result = work()
        return self.result

    def record(self, work):
        return self.result

    def replay(self):
        pass


class Sound(Forgetful):
    """Stands in for a graph that repeats what was recorded."""

    def record(self, work):
        self.work = work
        return self.result

    def replay(self):
        self.result |= self.work()


class Unable(Forgetful):
    """Stands in for a device that cannot record."""

    def record(self, work):
        raise RuntimeError("operation not permitted when stream is capturing")


def train(folder, monkeypatch, offers, *overrides):
    """A training on a machine that offers these ways."""
    monkeypatch.setattr(execution, "list_offers", lambda config: offers)
    pix2pix("train", *WORDS, f"output_dir={folder}", "name=run", *overrides)
    return Run(folder / "run")


def chosen(run):
    config = run.config()
    return config.precision, config.execution.cuda_graph, config.execution.channels_last


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A run on a machine that offers nothing."""
    folder = tmp_path_factory.mktemp("plain")
    pix2pix("train", *WORDS, f"output_dir={folder}", "name=run")
    return Run(folder / "run")


def test_on_the_cpu_steps_are_plain_and_the_run_says_so(plain):
    assert chosen(plain) == (32, False, False)
    assert plain.config().trainer["precision"] == 32
    assert torch.load(plain.last_checkpoint, weights_only=True)["config"] == plain.config().to_mapping()


def test_what_agrees_is_chosen_and_recorded_and_said_in_one_line(tmp_path, monkeypatch, capsys):
    run = train(tmp_path, monkeypatch, {"precision": "bf16-mixed", **LAST})
    assert chosen(run) == ("bf16-mixed", False, True)
    assert run.config().trainer["precision"] == "bf16-mixed"
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("Chosen"))
    assert "precision=bf16-mixed execution.channels_last=true. Trial steps agree with plain ones" in line


@pytest.mark.parametrize(
    ("graph", "reason"), [(Forgetful, "the change of the "), (Unable, "the step could not be recorded")]
)
def test_what_does_not_agree_is_refused_and_the_run_is_that_of_one_without_trials(
    tmp_path, monkeypatch, capsys, plain, graph, reason
):
    monkeypatch.setattr(cuda_graph, "CudaGraph", graph)
    run = train(tmp_path, monkeypatch, {"cuda_graph": True})
    assert chosen(run) == (32, False, False)
    assert f"Not used on this GPU, as trial steps show: execution.cuda_graph=true: {reason}" in capsys.readouterr().out
    assert same_weights(run, plain)
    ours, theirs = (torch.load(each.last_checkpoint, weights_only=True) for each in (run, plain))
    assert str(ours["optimizer_states"]) == str(theirs["optimizer_states"])


def test_one_way_that_does_not_agree_leaves_the_others(caplog):
    losses = {"cuda_graph": 0.8, "channels_last": 0.51, "precision": math.nan}

    def trial(decisions):
        return {"g_l1 of step 5": next((losses[name] for name in losses if name in decisions), 0.5)}

    with caplog.at_level(logging.INFO):
        found = choose({"cuda_graph": True, **LAST}, trial)
    assert found == LAST
    assert "Trial steps agree with plain ones within 2 %" in caplog.text
    assert "execution.cuda_graph=true: g_l1 of step 5 is 0.8 instead of 0.5" in caplog.text
    assert choose({"precision": "bf16-mixed"}, trial) == {}, "a number that is none agrees with nothing"


def test_a_device_on_which_plain_steps_fail_offers_nothing():
    def trial(decisions):
        raise torch.OutOfMemoryError("CUDA out of memory")

    assert choose(LAST, trial) == {}


def test_trials_leave_all_random_generators_as_they_were_and_agree_where_steps_are_sound(tmp_path, monkeypatch):
    def states():
        return torch.get_rng_state().tolist(), random.getstate(), np.random.get_state()[1].tolist()

    config = make_config(*WORDS, f"output_dir={tmp_path}")
    base = execution.decide(config, execution.PLAIN)
    batch, before = build_data(config).first_batch(), states()
    first, again = (execution._try(base, batch, {}) for _ in range(2))
    assert states() == before
    assert first == again, "and a trial is the same every time"
    for decisions in ({"precision": "bf16-mixed"}, LAST):
        other = execution._try(base, batch, decisions)
        assert other != first, "it computes in another way"
        assert other == pytest.approx(first, rel=execution.TOLERANCE)
    monkeypatch.setattr(cuda_graph, "CudaGraph", Sound)
    assert execution._try(base, batch, {"cuda_graph": True}) == pytest.approx(first, rel=1e-4)
    assert not list(tmp_path.iterdir())


def test_a_resumed_run_keeps_what_it_began_with(tmp_path, monkeypatch, capsys):
    run = train(tmp_path, monkeypatch, LAST)
    monkeypatch.setattr(execution, "choose", None)  # nothing is tried again
    train(tmp_path, monkeypatch, {"precision": "bf16-mixed"}, "trainer.max_epochs=2")
    assert chosen(run) == (32, False, True)
    assert torch.load(run.last_checkpoint, weights_only=True)["global_step"] == 12
    assert "execution.channels_last=true" in capsys.readouterr().out


def test_a_run_that_began_on_a_gpu_goes_on_without_a_graph_where_none_can_be_recorded(plain):
    recorded = {"precision": "bf16-mixed", "cuda_graph": True, "channels_last": True}
    kept = execution._keep_recorded(recorded, plain.config())
    assert kept == recorded | {"cuda_graph": False}


def test_a_module_that_is_loaded_from_python_takes_plain_steps_unless_asked(plain, tmp_path):
    content = torch.load(plain.last_checkpoint, weights_only=True)
    content["config"]["execution"]["cuda_graph"] = True
    torch.save(content, tmp_path / "graph.ckpt")
    assert not Pix2Pix.load_from_checkpoint(tmp_path / "graph.ckpt").execution.cuda_graph


@pytest.fixture
def card(monkeypatch):
    """A machine with a GPU, as far as torch says."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: True)


ALL = {"precision", "channels_last", "cuda_graph"}


@pytest.mark.parametrize(
    ("overrides", "lacking"),
    [
        ([], set()),
        (["trainer=cpu"], ALL),
        (["trainer=ddp", "trainer.devices=2"], ALL),
        (["generator.norm=instance"], {"channels_last"}),
        (["callbacks.training_log.gradient_norms=true"], {"cuda_graph"}),
        (["training_step.pool_size=50"], {"cuda_graph"}),
        (["data.preprocess=none"], {"cuda_graph"}),
        (["+objective.terms.mine={_target_: tests.training.test_execution.OwnTerm}"], {"cuda_graph"}),
        (["+callbacks.spy={_target_: tests.training.test_cuda_graph.Spy}"], {"cuda_graph"}),
        (
            ["+callbacks.own={_target_: pytorch_lightning.callbacks.LambdaCallback, on_before_backward: null}"],
            {"cuda_graph"},
        ),
    ],
    ids=lambda value: value[0] if isinstance(value, list) and value else "",
)
@pytest.mark.usefixtures("card")
def test_a_gpu_offers_what_the_settings_allow(overrides, lacking):
    assert set(list_offers(make_config(*overrides))) == ALL - lacking


class OwnTerm:
    """A user's own: nobody knows whether it does the same in every step."""


@pytest.mark.parametrize("value", ["auto", "true", "false"])
def test_what_the_user_has_set_is_not_decided_again(value, monkeypatch, tmp_path):
    words = ["precision=bf16-mixed", f"execution.channels_last={value}", "execution.cuda_graph=false"]
    config = make_config(*TINY, f"output_dir={tmp_path}", *words)
    monkeypatch.setattr(execution, "list_offers", lambda config: {})
    decided = execution.decide_execution(config, Run(config.run_dir), data=None)  # pyright: ignore[reportArgumentType]
    assert decided.precision == "bf16-mixed"
    assert decided.execution.channels_last is (value == "true")


def test_a_signal_in_a_trial_ends_the_program_with_its_exit_code(tmp_path, monkeypatch):
    class Stopped(execution.TrialNumbers):
        def on_train_batch_end(self, *_):
            raise SIGTERMException

    monkeypatch.setattr(execution, "TrialNumbers", Stopped)
    config = make_config(*WORDS, f"output_dir={tmp_path}")
    with pytest.raises(SystemExit) as ended:
        execution._try(execution.decide(config, execution.PLAIN), build_data(config).first_batch(), {})
    assert ended.value.code == 143
