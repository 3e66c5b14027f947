"""The training step: the reference's numbers, the paper's alternation."""

import copy
import inspect
import sys

import pytest
import torch
from torch import nn

from pix2pix.core.instantiate import build
from pix2pix.core.randomness import seed_weights
from pix2pix.data.images.palettes import NO_CLASS, Palette
from pix2pix.models import PatchGAN, UNet, initialise
from pix2pix.models.losses import AdversarialLoss, CrossEntropy, LeastSquares
from pix2pix.models.objective import Objective
from pix2pix.training.build import build_model, build_objective
from pix2pix.training.module import Pix2Pix
from pix2pix.training.moving_average import MovingAverage
from pix2pix.training.optimization import Optimization
from pix2pix.training.step import pix2pix_step
from tests.conftest import TINY, make_config
from tests.parity import Fixture, fixture, needs_fixtures, relative_error_of_change  # noqa: F401


def updater(network, **options):
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-4, betas=(0.5, 0.999), **options)

    def update(loss):
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return update


@needs_fixtures
def test_three_steps_reproduce_the_losses_and_weights_of_the_reference(fixture: Fixture):  # noqa: F811
    generator, discriminator = fixture.generator().train(), fixture.discriminator().train()
    loss = {"vanilla": CrossEntropy, "lsgan": LeastSquares}[fixture.options["gan_mode"]]()
    objective = Objective(loss, l1_weight=100.0)
    updates = updater(generator), updater(discriminator)
    for theirs in fixture.losses:
        ours = pix2pix_step(fixture.source, fixture.target, generator, discriminator, objective, *updates)["losses"]
        assert ours["g_gan"].item() == pytest.approx(theirs["G_GAN"], rel=2e-4)
        assert 100 * ours["g_l1"].item() == pytest.approx(theirs["G_L1"], rel=2e-4)
        assert ours["d_real"].item() == pytest.approx(theirs["D_real"], rel=2e-4)
        assert ours["d_fake"].item() == pytest.approx(theirs["D_fake"], rel=2e-3, abs=1e-6)
    for player, network in (("G", generator), ("D", discriminator)):
        first, last = (fixture.state(f"{when}.{player}", network) for when in ("init", "final"))
        assert relative_error_of_change(network, last, first) < 0.12


class Recorder:
    """Takes losses instead of an optimizer and keeps what it was given."""

    def __init__(self, module: torch.nn.Module) -> None:
        self.module, self.gradients = module, []

    def __call__(self, loss):
        self.module.zero_grad()
        loss.backward()
        self.gradients.append([None if p.grad is None else p.grad.clone() for p in self.module.parameters()])


def make_networks():
    torch.manual_seed(0)
    generator = UNet(base_channels=4, depth=3, dropout=0.0)
    return generator, PatchGAN(6, receptive_field=16, base_channels=4), *torch.rand(2, 1, 3, 16, 16).mul(2).sub(1)


def test_the_generators_step_leaves_no_gradient_in_the_discriminator():
    generator, discriminator, source, target = make_networks()
    update_d, update_g = Recorder(discriminator), Recorder(generator)
    pix2pix_step(source, target, generator, discriminator, Objective(CrossEntropy()), update_g, update_d)
    after = [p.grad for p in discriminator.parameters()]
    assert all(torch.equal(a, b) for a, b in zip(after, update_d.gradients[0], strict=True))
    assert all(p.requires_grad for p in discriminator.parameters())


def test_the_discriminators_loss_is_halved():
    generator, discriminator, source, target = make_networks()
    update_d = Recorder(discriminator)
    objective = Objective(LeastSquares())
    pix2pix_step(source, target, generator, discriminator, objective, lambda loss: None, update_d)
    discriminator.zero_grad()
    terms, _ = objective.discriminator_terms(discriminator, source, target, generator(source).detach())
    (terms["real"] + terms["fake"]).backward()
    for parameter, half in zip(discriminator.parameters(), update_d.gradients[0], strict=True):
        torch.testing.assert_close(parameter.grad, 2 * half, rtol=1e-4, atol=1e-6)


def test_the_generator_runs_once_a_step():
    generator, discriminator, source, target = make_networks()
    calls = []
    generator.register_forward_hook(lambda *_: calls.append(1))
    updates = updater(generator), updater(discriminator)
    pix2pix_step(source, target, generator, discriminator, Objective(CrossEntropy()), *updates)
    assert len(calls) == 1


def test_without_a_discriminator_the_step_is_plain_regression():
    generator, _, source, target = make_networks()

    def no_update(loss):
        raise AssertionError("there is no discriminator to update")

    losses = pix2pix_step(source, target, generator, None, Objective(None), updater(generator), no_update)["losses"]
    assert list(losses) == ["g_l1"]


class Pretrained(nn.Module):
    """An encoder that was trained elsewhere and is frozen, and a new decoder."""

    def __init__(self, in_channels: int = 3, out_channels: int = 3) -> None:
        super().__init__()
        self.encoder = nn.Conv2d(in_channels, 4, 3, padding=1)
        self.norm, self.decoder = nn.BatchNorm2d(4), nn.Conv2d(4, out_channels, 3, padding=1)
        nn.init.constant_(self.encoder.weight, 0.123)
        self.encoder.requires_grad_(False)

    def forward(self, x):
        return self.decoder(self.norm(self.encoder(x))).tanh()


def test_the_module_takes_fewer_than_ten_arguments():
    assert len(inspect.signature(Pix2Pix).parameters) < 10


def test_given_networks_keep_their_weights():
    generator, discriminator = Pretrained(), Pretrained(6, 1)
    before = [copy.deepcopy(network.state_dict()) for network in (generator, discriminator)]
    Pix2Pix(
        generator, discriminator, Objective(CrossEntropy()), Optimization({}), average=MovingAverage(generator, 0.9)
    )
    for network, state in zip((generator, discriminator), before, strict=True):
        assert all(torch.equal(state[name], value) for name, value in network.state_dict().items())


def test_frozen_parts_of_either_player_stay_as_they_are():
    generator, discriminator = Pretrained(), Pretrained(6, 1)
    source, target = torch.rand(2, 1, 3, 16, 16)
    for _ in range(3):
        updates = updater(generator), updater(discriminator)
        pix2pix_step(source, target, generator, discriminator, Objective(CrossEntropy()), *updates)
    for network in (generator, discriminator):
        assert (network.encoder.weight == torch.tensor(0.123)).all()
        assert not network.encoder.weight.requires_grad
        assert network.decoder.weight.requires_grad


class Wider(UNet):
    """A network of one's own, though derived from one of the package."""


@pytest.mark.parametrize(("own", "arguments"), [(Pretrained, {}), (Wider, {"base_channels": 4, "depth": 5})])
def test_a_network_of_ones_own_is_built_as_it_constructs_itself_and_follows_the_seed(own, arguments):
    config = make_config(*TINY).replace(generator={"_target_": f"{__name__}.{own.__name__}"} | arguments)
    sys.modules.setdefault(__name__, sys.modules[own.__module__])
    model = build_model(config)
    seed_weights(config.seed)
    expected = own(**arguments).state_dict()
    assert all(torch.equal(expected[name], value) for name, value in model.generator.state_dict().items())
    first = model.discriminator.state_dict()["layers.0.weight"]
    assert float(first.std()) == pytest.approx(0.02, rel=0.2)  # that of the package, beside it


def test_networks_of_the_package_begin_with_the_weights_of_the_paper_in_one_order_of_draws():
    config = make_config(*TINY)
    model = build_model(config)
    generator, discriminator = build(config.generator), build(config.discriminator)
    seed_weights(config.seed)
    initialise(generator)
    initialise(discriminator)
    for ours, theirs in ((model.generator, generator), (model.discriminator, discriminator)):
        state = theirs.state_dict()
        assert all(torch.equal(state[name], value) for name, value in ours.state_dict().items())


@pytest.mark.parametrize("one_hot", ["true", "false"])
def test_no_loss_counts_pixels_of_no_class_of_label_maps(one_hot):
    words = ["data.label_map=B", "data.palette=4", f"data.one_hot={one_hot}", "objective=l1"]
    objective = build_objective(make_config("data=folder", "data.path=x", *words))
    colours = Palette(4).paint(torch.tensor([[[0, 1], [NO_CLASS, 3]]]))
    target = Palette(4).encode(colours) if one_hot == "true" else colours
    fake = torch.zeros_like(target, requires_grad=True)
    objective.generator_terms(None, target, target, fake)["l1"].backward()
    assert fake.grad is not None
    assert (fake.grad.abs().amax(dim=1) > 0).tolist() == [[[True, True], [False, True]]]


class Features(Objective):
    """Measures by a network that nobody trained."""

    def __init__(self, adversarial: AdversarialLoss | None, **settings) -> None:
        super().__init__(adversarial, **settings)
        self.features = nn.Conv2d(3, 4, 3)


def test_a_network_in_an_objective_is_built_the_same_when_a_run_is_resumed():
    config = make_config(*TINY)
    config.objective["_target_"] = f"{__name__}.Features"
    sys.modules.setdefault(__name__, sys.modules[Features.__module__])
    first = build_model(config)
    torch.rand(1)  # whatever else was drawn meanwhile
    again = build_model(config)
    assert torch.equal(first.objective.features.weight, again.objective.features.weight)
