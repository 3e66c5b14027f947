"""The options of the training step: what they compute, and that they resume exactly."""

import copy

import pytest
import torch

from pix2pix.models import PatchGAN, UNet
from pix2pix.models.losses import CrossEntropy
from pix2pix.models.objective import Objective
from pix2pix.models.step_interface import Networks, TrainingStep
from pix2pix.runs.run import Run
from pix2pix.training.step_options import Pix2PixStep
from tests.conftest import TINY, pix2pix, same_weights, weights


class Descent:
    """Gradient descent on one network, in doubles."""

    def __init__(self, network):
        self.optimizer = torch.optim.SGD(network.parameters(), lr=0.01)

    def __call__(self, loss):
        self.backward(loss)
        self.step()

    def backward(self, loss):
        loss.backward()

    def step(self):
        self.optimizer.step()
        self.optimizer.zero_grad()


def make_networks() -> Networks:
    torch.manual_seed(0)
    generator = UNet(base_channels=4, depth=3, dropout=0.0, norm="instance").double()
    discriminator = PatchGAN(6, receptive_field=16, base_channels=4, norm="instance").double()
    updates = Descent(generator), Descent(discriminator)
    return Networks(generator, discriminator, Objective(CrossEntropy()), *updates)


def batch(size: int = 3) -> torch.Tensor:
    return torch.rand(2, size, 3, 16, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) * 2 - 1


def state(network) -> list[torch.Tensor]:
    return copy.deepcopy(list(network.state_dict().values()))


@pytest.mark.parametrize("parts", [2, 3])
def test_a_batch_in_parts_gives_the_losses_and_weights_of_the_whole_one(parts):
    whole, divided = make_networks(), make_networks()
    for number in range(2):
        expected = Pix2PixStep()(*batch(), whole, number)
        result = Pix2PixStep(micro_batches=parts)(*batch(), divided, number)
        for kind in ("losses", "accuracy"):
            assert result[kind] == pytest.approx({name: float(value) for name, value in expected[kind].items()})
    for ours, theirs in ((divided.generator, whole.generator), (divided.discriminator, whole.discriminator)):
        for a, b in zip(state(ours), state(theirs), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("parts", [1, 2])
def test_the_generator_takes_a_step_after_every_n_of_the_discriminator(parts):
    both, step = make_networks(), Pix2PixStep(discriminator_steps=3, micro_batches=parts)
    moved = []
    for number in range(6):
        before = [state(network) for network in (both.generator, both.discriminator)]
        losses = step(*batch(2), both, number)["losses"]
        assert {"d_real", "d_fake", "g_gan", "g_l1"} == set(losses)
        after = [state(network) for network in (both.generator, both.discriminator)]
        moved.append([not all(map(torch.equal, *states)) for states in zip(before, after, strict=True)])
    assert moved == [[False, True], [False, True], [True, True]] * 2


def test_a_lazy_penalty_comes_in_every_n_th_step_and_weighs_n_times_as_much():
    lazy, eager = (Pix2PixStep(r1_weight=10, r1_every=every) for every in (4, 1))
    penalties = [lazy(*batch(), make_networks(), number)["losses"]["d_r1"].item() for number in range(6)]
    each = eager(*batch(), make_networks(), 0)["losses"]["d_r1"].item()
    assert penalties == pytest.approx([4 * each, 0, 0, 0, 4 * each, 0])
    assert each > 0


OPTIONS = [
    *("training_step.pool_size=3", "training_step.augmentation=[color,translation,cutout]"),
    *("training_step.r1_weight=1", "training_step.r1_every=3", "training_step.discriminator_steps=2"),
    *("training_step.micro_batches=2", "discriminator.norm=instance", "discriminator.spectral_norm=true"),
    *("ema_decay=0.9", "ema_warmup=true", "init.scheme=orthogonal", "init.gain=0.1", "generator.upsample=resize"),
]


def test_a_run_with_every_option_that_stopped_within_an_epoch_ends_as_an_unbroken_one(tmp_path):
    words = ["train", *TINY, f"output_dir={tmp_path}", *OPTIONS]
    pix2pix(*words, "name=unbroken", "trainer.max_steps=9")
    pix2pix(*words, "name=stopped", "trainer.max_steps=5")
    pix2pix(*words, "name=stopped", "trainer.max_steps=9")
    assert same_weights(Run(tmp_path / "unbroken"), Run(tmp_path / "stopped"))
    content = torch.load(Run(tmp_path / "stopped").last_checkpoint, weights_only=True)
    assert [part.shape for part in content["training_step"]["pool"]["pairs"]] == [(3, 3, 32, 32)] * 3


class OnlyL1(TrainingStep):
    """A step of one's own, which trains no discriminator and counts its calls."""

    def __init__(self, weight: float = 1.0) -> None:
        self.weight, self.calls = weight, 0

    def __call__(self, source, target, networks, number):
        self.calls += 1
        assert number + 1 == self.calls
        loss = self.weight * (networks.generator(source) - target).abs().mean()
        networks.update_generator(loss)
        return {"losses": {"g_l1": loss.detach()}, "accuracy": {}}

    def state_dict(self):
        return {"calls": self.calls}

    def load_state_dict(self, state):
        self.calls = state["calls"]


def test_a_step_of_ones_own_replaces_the_papers_and_keeps_its_state(tmp_path):
    options = ("discriminator_steps", "micro_batches", "augmentation", "r1_weight", "r1_every", "pool_size")
    own = [f"training_step._target_={__name__}.OnlyL1", *(f"~training_step.{name}" for name in options)]
    words = ["train", *TINY, f"output_dir={tmp_path}", "name=own", *own]
    pix2pix(*words, "trainer.max_epochs=1")
    first = weights(Run(tmp_path / "own"))
    pix2pix(*words, "trainer.max_epochs=2")
    last = weights(Run(tmp_path / "own"))
    assert torch.load(Run(tmp_path / "own").last_checkpoint, weights_only=True)["training_step"] == {"calls": 12}
    unchanged = {name.partition(".")[0] for name in first if torch.equal(first[name], last[name])}
    assert "discriminator" in unchanged
    assert not torch.equal(first["generator.down.0.0.weight"], last["generator.down.0.0.weight"])
