"""Training steps that are carried out otherwise: as a recorded graph, with channels last, with compiled kernels.

No GPU is needed: the graph here replays by calling again what was recorded, on the recorded memory, with the learning
rates where they were when it was recorded, which is all that a CUDA graph sees. test_gpu.py has a real one.
"""

import copy
import logging

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import LambdaCallback

from pix2pix.config import check
from pix2pix.models import PatchGAN, UNet
from pix2pix.models.losses import CrossEntropy, Hinge, LeastSquares, Wasserstein
from pix2pix.models.objective import Objective
from pix2pix.runs.run import Run
from pix2pix.training import build, cuda_graph
from pix2pix.training.callbacks.checkpoint import Checkpoints
from pix2pix.training.callbacks.collapse_monitor import CollapseMonitor
from pix2pix.training.callbacks.metrics_logging import TrainingLog
from pix2pix.training.callbacks.nan_guard import NaNGuard
from pix2pix.training.callbacks.progress_bar import ProgressBar
from pix2pix.training.cuda_graph import WARM_UP, CUDAGraphStep, warn_about_skipped_hooks
from pix2pix.training.step import pix2pix_step
from tests.conftest import TINY, compose_mapping, make_config, pix2pix, weights
from tests.waiting import nothing_waits

RATE = 2**-9  # a float32 holds it and its halves exactly
CHANNELS_LAST = "execution.channels_last=true"


class Replayed:
    """Stands in for a CUDA graph: knows nothing that was not in memory when it was recorded."""

    def __init__(self, networks, optimizers) -> None:
        self.networks, self.optimizers = networks, optimizers
        self.groups = [group for optimizer in optimizers for group in optimizer.param_groups]
        self.replays = 0

    def warm_up(self, work):
        return work()

    def record(self, work):
        """Calls what is recorded, as a capture does, but leaves memory as it was, as a capture does, too."""
        before = [copy.deepcopy(part.state_dict()) for part in (*self.networks, *self.optimizers)]
        self.work, self.rates = work, [group["lr"] for group in self.groups]
        random = torch.get_rng_state()
        self.result = work()
        torch.set_rng_state(random)
        for part, state in zip(self.networks, before, strict=False):
            part.load_state_dict(state)
        for optimizer, state in zip(self.optimizers, before[len(self.networks) :], strict=True):
            for own, was in zip(optimizer.state.values(), state["state"].values(), strict=True):
                for name, value in was.items():
                    own[name].copy_(value)
        return self.result

    def replay(self):
        self.replays += 1
        numbers = [group["lr"] for group in self.groups]
        self._set(self.rates)
        for kind, tensors in self.work().items():
            for name, tensor in tensors.items():
                self.result[kind][name].copy_(tensor)
        self._set(numbers)

    def _set(self, rates):
        for group, rate in zip(self.groups, rates, strict=True):
            group["lr"] = rate


class GAN:
    """Two small ones with dropout, and their optimizers."""

    def __init__(self, objective=None, device="cpu") -> None:
        torch.manual_seed(0)
        self.objective = objective or Objective(CrossEntropy())
        with torch.device(device):
            norm = "instance" if isinstance(self.objective.adversarial, Wasserstein) else "batch"
            discriminator = PatchGAN(6, receptive_field=16, base_channels=4, norm=norm)
            self.networks = UNet(base_channels=4, depth=6), discriminator
        self.optimizers = [torch.optim.Adam(n.parameters(), lr=RATE, fused=device != "meta") for n in self.networks]

    def step(self, source, target):
        return pix2pix_step(source, target, *self.networks, self.objective, *map(self._updating, self.optimizers))

    def _updating(self, optimizer):
        def update(loss):
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()

        return update

    def train(self, step, batches):
        """The losses of every batch, under a rate that falls as a schedule has it."""
        losses = []
        for number, (source, target) in enumerate(batches):
            for group in self.optimizers[0].param_groups:
                group["lr"] = RATE / 2 ** (number // 4)
            torch.manual_seed(number)
            losses += [float(loss) for loss in step(source, target)["losses"].values()]
        return losses

    def weights(self):
        return [tensor for network in self.networks for tensor in network.state_dict().values()]


def batches(*sizes):
    return [torch.rand(2, size, 3, 64, 64, generator=torch.Generator().manual_seed(size)) * 2 - 1 for size in sizes]


def record(gan):
    graph = Replayed(gan.networks, gan.optimizers)
    return CUDAGraphStep(gan.step, gan.optimizers, graph), graph


@pytest.mark.parametrize("sizes", [[2] * 12, [2, 2, 1] * 4, [1, *[2] * 8]], ids=["equal", "odd ends", "odd start"])
def test_a_recorded_step_computes_what_the_step_computes(sizes):
    plain, gan = GAN(), GAN()
    step, graph = record(gan)
    assert gan.train(step, batches(*sizes)) == pytest.approx(plain.train(plain.step, batches(*sizes)), rel=1e-5)
    for ours, theirs in zip(gan.weights(), plain.weights(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)
    assert graph.replays == sizes.count(2) - WARM_UP


def test_optimizers_hold_numbers_again_once_they_are_recorded():
    gan = GAN()
    step, _ = record(gan)
    gan.train(step, batches(2, 2, 2, 2, 2))
    for optimizer in gan.optimizers:
        (group,) = optimizer.state_dict()["param_groups"]
        assert isinstance(group["lr"], float)
        assert group["capturable"] is False


def test_steps_before_the_recording_take_the_rate_that_recorded_steps_read():
    """A recorded optimizer reads a float32. A resumed run takes its first steps without the graph, at the same rate."""
    gan, rates = GAN(), []
    for optimizer in gan.optimizers:
        optimizer.param_groups[0]["lr"] = 2e-3

    def step(source, target):
        rates.extend(group["lr"] for optimizer in gan.optimizers for group in optimizer.param_groups)
        return gan.step(source, target)

    cuda_graph = CUDAGraphStep(step, gan.optimizers, Replayed(gan.networks, gan.optimizers))
    for source, target in batches(2, 2, 2):
        cuda_graph(source, target)
    assert rates == [float(torch.tensor(2e-3))] * 6
    assert rates[0] != 2e-3
    assert [group["lr"] for optimizer in gan.optimizers for group in optimizer.param_groups] == [2e-3] * 2


class Failing(Replayed):
    """A device that cannot record."""

    def record(self, work):
        raise RuntimeError("CUDA error: operation not permitted when stream is capturing\nmore")


def test_where_the_recording_fails_the_training_goes_on_without_it_and_says_so_once(caplog):
    plain, gan = GAN(), GAN()
    step = CUDAGraphStep(gan.step, gan.optimizers, Failing(gan.networks, gan.optimizers))
    sizes = [2, 2, 2, 2, 1, 2, 2]
    with caplog.at_level(logging.WARNING):
        assert gan.train(step, batches(*sizes)) == pytest.approx(plain.train(plain.step, batches(*sizes)), rel=1e-5)
    (message,) = caplog.messages
    assert "operation not permitted when stream is capturing. Training continues without it" in message
    assert [group["lr"] for optimizer in gan.optimizers for group in optimizer.param_groups] == [RATE / 2, RATE]


@pytest.mark.parametrize("loss", [CrossEntropy(), LeastSquares(), Hinge(), Wasserstein()], ids=type)
def test_a_step_waits_for_no_number_and_moves_nothing_between_devices(loss, monkeypatch):
    objective = Objective(loss, l2_weight=1.0, smooth_l1_weight=1.0, cross_entropy_weight=1.0, dice_weight=1.0)
    gan = GAN(objective, device="meta")  # tensors without numbers: reading one is an error
    with nothing_waits(monkeypatch):
        result = gan.step(*torch.rand(2, 2, 3, 64, 64, device="meta"))
    assert {tensor.device.type for tensors in result.values() for tensor in tensors.values()} == {"meta"}
    with pytest.raises((RuntimeError, NotImplementedError)):
        float(result["losses"]["g_l1"])


def train(folder, monkeypatch, *overrides):
    """What `pix2pix train` does, of the runs that are refused without a GPU."""
    config = make_config(*TINY, f"output_dir={folder}", "data.batch_size=4", "schedule=linear", *overrides)
    run, data, model = Run(config.run_dir), build.build_data(config), build.build_model(config)
    trainer = build.build_trainer(config, run)
    networks = model.generator, model.discriminator
    graphs = []

    def graph():
        graphs.append(Replayed(networks, trainer.optimizers))
        return graphs[-1]

    monkeypatch.setattr(cuda_graph, "CudaGraph", graph)
    with run.open_session(config, data.pairs.fingerprint()):
        trainer.fit(
            model, data, ckpt_path=run.last_checkpoint if run.last_checkpoint.exists() else None, weights_only=True
        )
    return run, trainer, graphs


def test_a_training_by_recorded_steps_leaves_what_a_training_leaves(tmp_path, monkeypatch):
    size = ["data.source.train_pairs=14", "trainer.max_epochs=3"]
    plain, trainer, _ = train(tmp_path / "plain", monkeypatch, *size)
    graphed, other, (graph,) = train(tmp_path / "graph", monkeypatch, *size, "execution.cuda_graph=true")
    assert other.global_step == trainer.global_step == 12
    assert graph.replays == 9 - WARM_UP  # the last batch of each epoch is a smaller one
    ours, theirs = (torch.load(run.last_checkpoint, weights_only=True) for run in (graphed, plain))
    for name, value in theirs["state_dict"].items():
        torch.testing.assert_close(ours["state_dict"][name], value, rtol=1e-3, atol=1e-5)
    assert ours["optimizer_states"][0]["param_groups"] == theirs["optimizer_states"][0]["param_groups"]
    steps = [
        [line.split(",")[0] for line in (run.path / "metrics.csv").read_text().splitlines()] for run in (graphed, plain)
    ]
    assert steps[0] == steps[1]


class Spy(pl.Callback):
    """A user's own, which counts what is called within a step."""

    heard = 0

    def on_after_backward(self, trainer, pl_module):
        self.heard += 1

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        self.heard += 1


def test_callbacks_that_fall_silent_with_the_graph_are_named(caplog):
    own = LambdaCallback(on_before_backward=print), LambdaCallback(on_train_batch_end=print), Spy()
    warn_about_skipped_hooks([*own, TrainingLog(), Checkpoints(), CollapseMonitor(), NaNGuard(), ProgressBar()])
    assert [message.partition(" is not called")[0] for message in caplog.messages] == [
        "LambdaCallback: on_before_backward",
        "Spy: on_after_backward and on_before_optimizer_step",
    ]


def test_they_are_named_when_such_a_training_begins_and_only_then(tmp_path, monkeypatch, caplog):
    words = ["trainer.max_epochs=2", "data.source.train_pairs=16", f"+callbacks.spy._target_={__name__}.Spy"]
    _, plain, _ = train(tmp_path / "plain", monkeypatch, *words)
    assert "Spy" not in caplog.text
    train(tmp_path / "graph", monkeypatch, *words, "execution.cuda_graph=true")
    assert caplog.text.count("Spy: on_after_backward") == 1
    (heard,) = (c.heard for c in plain.callbacks if isinstance(c, Spy))
    assert heard == 4 * plain.global_step, "two networks, two hooks"


@pytest.mark.parametrize(
    ("overrides", "remedy"),
    [
        (["trainer=cpu"], "trainer=gpu"),
        (["trainer=ddp", "data.preprocess=none", "data.batch_size=1"], "pictures of one size"),
        (["trainer=gpu", "precision=16-mixed"], "precision=bf16-mixed"),
        (["trainer=gpu", "optimizer.generator.fused=false"], "fused=true"),
        (["trainer=gpu", "optimizer.generator._target_=torch.optim.SGD", "~optimizer.generator.betas"], "of Adam"),
        (["trainer=gpu", "callbacks.training_log.gradient_norms=true"], "gradient_norms=false"),
    ],
)
def test_what_cannot_be_recorded_is_refused_with_the_remedy(overrides, remedy):
    with pytest.raises(ValueError, match=r"execution\.cuda_graph=true needs") as error:
        check.parse_and_check(compose_mapping(*TINY, "execution.cuda_graph=true", *overrides))
    assert remedy in str(error.value)


WITHOUT_DROPOUT = [*TINY, "generator.dropout=0", "callbacks.checkpoint.every_n_epochs=1"]


@pytest.fixture(scope="module")
def plain_run(tmp_path_factory) -> Run:
    """A run whose steps are carried out as always; not to be changed."""
    folder = tmp_path_factory.mktemp("plain")
    pix2pix("train", *WITHOUT_DROPOUT, f"output_dir={folder}", "name=run")
    return Run(folder / "run")


def assert_close(state: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    """Adam moves a weight by its whole rate even where the gradient is rounding noise: a few may differ by a step."""
    assert list(state) == list(other)
    far = [~torch.isclose(other[name], value, rtol=1e-2, atol=1e-4) for name, value in state.items()]
    assert sum(int(f.sum()) for f in far) <= 2e-3 * sum(f.numel() for f in far)


@pytest.mark.filterwarnings("ignore:.*script_method.* is deprecated:DeprecationWarning")  # torch compiles with these
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf:UserWarning")
@pytest.mark.parametrize("option", [CHANNELS_LAST, pytest.param("execution.compiled=true", marks=pytest.mark.slow)])
def test_how_a_step_is_carried_out_changes_no_number_but_its_rounding(plain_run, tmp_path, option):
    pix2pix("train", *WITHOUT_DROPOUT, f"output_dir={tmp_path}", "name=other", option)
    other = weights(Run(tmp_path / "other"))
    assert_close(weights(plain_run), other)
    if "channels_last" in option:
        convolutions = [value for value in other.values() if value.ndim == 4 and min(value.shape) > 1]
        assert all(value.is_contiguous(memory_format=torch.channels_last) for value in convolutions)


def test_a_run_may_go_on_under_another_layout(plain_run, tmp_path):
    """Also what Adam knows of each weight, which a checkpoint holds in the layout of before."""
    half = f"resume='{plain_run.checkpoints}/epoch=1.ckpt'"
    pix2pix("train", *WITHOUT_DROPOUT, f"output_dir={tmp_path}", "name=other", half, CHANNELS_LAST)
    plain, other = (torch.load(run.last_checkpoint, weights_only=True) for run in (plain_run, Run(tmp_path / "other")))
    assert_close(plain["state_dict"], other["state_dict"])
    assert other["global_step"] == plain["global_step"] == 12
    config = plain_run.config()
    plain_run.require_same(config.replace(execution=config.execution.replace(channels_last=True, cuda_graph=True)))
    with pytest.raises(ValueError, match="compiled"):
        plain_run.require_same(config.replace(execution=config.execution.replace(compiled=True)))
