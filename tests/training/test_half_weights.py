"""The bfloat16 copies of weights, which change the number of casts and no result."""

import copy
import pickle
from contextlib import ExitStack, nullcontext

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from pix2pix.models import PatchGAN
from pix2pix.models.losses import CrossEntropy, Wasserstein
from pix2pix.models.objective import Objective
from pix2pix.training import module
from pix2pix.training.half_weights import HalfWeights
from tests.conftest import same_weights, weights
from tests.training.test_cuda_graph import GAN, batches
from tests.training.test_cuda_graph import train as train_run


class Casts(TorchDispatchMode):
    """Counts the casts to bfloat16 of tensors in the shapes of weights."""

    def __init__(self, gan) -> None:
        super().__init__()
        self.shapes = {parameter.shape for network in gan.networks for parameter in network.parameters()}
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        is_cast = func is torch.ops.aten._to_copy.default and kwargs.get("dtype") == torch.bfloat16
        self.count += is_cast and args[0].shape in self.shapes and args[0].requires_grad
        return func(*args, **kwargs)


def train(gan, copies, steps=3, between=None, device="cpu"):
    """The losses of steps under autocast as Lightning sets it."""
    losses = []
    for source, target in (batch.to(device) for batch in batches(*[2] * steps)):
        torch.manual_seed(len(losses))
        with torch.autocast(device, torch.bfloat16, cache_enabled=False), ExitStack() as stack:
            for each in copies:
                stack.enter_context(each.use())
            losses += [float(loss) for loss in gan.step(source, target)["losses"].values()]
        if between:
            between(gan)
    return losses


def halve(gan):
    """What a user's callback may do between two steps."""
    with torch.no_grad():
        for network in gan.networks:
            for parameter in network.parameters():
                parameter.mul_(0.5)


@pytest.mark.parametrize(
    ("loss", "layout", "between"),
    [
        (CrossEntropy(), torch.contiguous_format, None),
        (CrossEntropy(), torch.channels_last, halve),
        (Wasserstein(), torch.contiguous_format, None),  # a penalty on gradients differentiates twice
    ],
    ids=["plain", "channels_last, and weights that change between steps", "gradient penalty"],
)
def test_copies_of_the_weights_change_no_number(loss, layout, between):
    plain, gan = GAN(Objective(loss)), GAN(Objective(loss))
    for each in (*plain.networks, *gan.networks):
        each.to(memory_format=layout)  # pyright: ignore[reportCallIssue]
    copies = list(map(HalfWeights, gan.networks, gan.optimizers))
    assert train(gan, copies, between=between) == train(plain, [], between=between)
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(gan.weights(), plain.weights(), strict=True))
    names = [list(network.state_dict()) for network in gan.networks]
    assert names == [list(network.state_dict()) for network in plain.networks], "they are not saved"


def test_no_convolution_casts_its_weights():
    plain, gan = GAN(), GAN()
    copies = list(map(HalfWeights, gan.networks, gan.optimizers))
    counts = []
    for each, own in ((plain, []), (gan, copies)):
        with Casts(each) as casts:
            train(each, own, steps=1)
        counts.append(casts.count)
    assert counts[0] > 20
    assert counts[1] == 0


def test_outside_a_step_and_under_spectral_norm_weights_are_as_they_are():
    network = PatchGAN(6, receptive_field=16, base_channels=4, spectral_norm=True)
    half = HalfWeights(network, torch.optim.SGD(network.parameters()))
    normalised = [layer for layer in network.modules() if torch.nn.utils.parametrize.is_parametrized(layer)]
    assert normalised
    with half.use(), torch.autocast("cpu", torch.bfloat16, cache_enabled=False):
        network(torch.zeros(1, 6, 32, 32))
    plain = torch.nn.Conv2d(3, 3, 1)
    HalfWeights(plain, torch.optim.SGD(plain.parameters()))
    assert plain(torch.zeros(1, 3, 4, 4)).dtype == torch.float32
    assert plain.weight is plain.get_parameter("weight")


def test_a_network_with_copies_can_be_copied_and_pickled():
    """As callbacks of users do, between steps."""
    network = torch.nn.Conv2d(3, 3, 1)
    HalfWeights(network, torch.optim.SGD(network.parameters()))
    picture = torch.rand(1, 3, 4, 4)
    for other in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        assert torch.equal(other(picture), network(picture))


class Off:
    """In the place of the copies."""

    def __init__(self, *_) -> None:
        pass

    def use(self):
        return nullcontext()


def test_a_training_and_one_of_recorded_steps_have_the_weights_of_a_training_without_copies(tmp_path, monkeypatch):
    words = ["precision=bf16-mixed", "data.source.train_pairs=20", "trainer.max_epochs=1"]
    ours, _, _ = train_run(tmp_path / "ours", monkeypatch, *words)
    graphed, _, (graph,) = train_run(tmp_path / "graph", monkeypatch, *words, "execution.cuda_graph=true")
    assert graph.replays == 2
    monkeypatch.setattr(module, "HalfWeights", Off)
    plain, _, _ = train_run(tmp_path / "plain", monkeypatch, *words)
    assert same_weights(ours, plain)
    for name, value in weights(plain).items():
        torch.testing.assert_close(weights(graphed)[name], value, rtol=1e-3, atol=1e-5)
