"""Losses against values computed by hand."""

import copy
import math

import pytest
import torch
from torch import nn

from pix2pix.models import PatchGAN
from pix2pix.models.losses import AdversarialLoss, CrossEntropy, Hinge, LeastSquares, Wasserstein
from pix2pix.models.objective import Objective
from pix2pix.models.terms import L1, FeatureMatching, dice_loss
from tests.small import fit, module

LOGITS = torch.tensor([[-2.0, 0.0], [1.0, 3.0]])


def sigmoid(z: float) -> float:
    return 1 / (1 + math.exp(-z))


def mean(function) -> float:
    return sum(function(z) for z in LOGITS.flatten().tolist()) / 4


@pytest.mark.parametrize(
    ("loss", "real", "fake", "generator"),
    [
        (CrossEntropy(), *[lambda z: -math.log(sigmoid(z)), lambda z: -math.log(1 - sigmoid(z))], None),
        (LeastSquares(), lambda z: (z - 1) ** 2, lambda z: z**2, None),
        (Hinge(), lambda z: max(0, 1 - z), lambda z: max(0, 1 + z), lambda z: -z),
        (Wasserstein(), lambda z: -z, lambda z: z, lambda z: -z),
    ],
)
def test_adversarial_losses_are_their_formulas(loss, real, fake, generator):
    assert loss.real(LOGITS).item() == pytest.approx(mean(real))
    assert loss.fake(LOGITS).item() == pytest.approx(mean(fake))
    assert loss.generator(LOGITS).item() == pytest.approx(mean(generator or real))


def test_cross_entropy_stays_finite_for_any_logit():
    extreme = torch.tensor([1e4, -1e4], requires_grad=True)
    (CrossEntropy().real(extreme) + CrossEntropy().fake(extreme)).backward()
    assert extreme.grad is not None
    assert extreme.grad.isfinite().all()


class Mean(nn.Module):
    """Judges by the weighted mean of the channels it sees."""

    def __init__(self, *weights: float) -> None:
        super().__init__()
        self.weights = torch.tensor(weights).reshape(1, -1, 1, 1)

    def forward(self, x):
        assert x.shape[1] == self.weights.shape[1], "channels seen"
        return (self.weights * x).sum(1, keepdim=True)


SOURCE, TARGET, FAKE = (torch.full((2, 1, 2, 2), value) for value in (0.5, 1.0, -1.0))


def test_a_conditional_discriminator_sees_the_source_and_an_unconditional_one_does_not():
    conditional, blind = Objective(LeastSquares()), Objective(LeastSquares(), conditional=False)
    assert (conditional.discriminate(Mean(1, 10), SOURCE, TARGET)[0] == 10.5).all()
    assert (blind.discriminate(Mean(10), SOURCE, TARGET)[0] == 10).all()


def test_the_generator_gets_each_term_before_its_weight():
    objective = Objective(LeastSquares(), l1_weight=100, l2_weight=3, smooth_l1_weight=1)
    terms = objective.generator_terms(Mean(1, 1), SOURCE, TARGET, FAKE)
    assert {name: term.item() for name, term in terms.items()} == {"gan": 2.25, "l1": 2, "l2": 4, "smooth_l1": 1.5}
    assert objective.weights == {"gan": 1, "l1": 100, "l2": 3, "smooth_l1": 1, "cross_entropy": 0, "dice": 0}


class Scales(nn.Module):
    """Judges by several scales, each the mean of the channels times a factor."""

    def __init__(self, *factors: float) -> None:
        super().__init__()
        self.factors = factors

    def forward(self, x):
        return [factor * Mean(1, 1)(x) for factor in self.factors]

    def features(self, x):
        return [[factor * x, 2 * factor * x, factor * Mean(1, 1)(x)] for factor in self.factors]


def test_losses_and_accuracies_are_means_over_the_scales_of_a_discriminator():
    # Logits of the real pair: 0.5 + 1 times the factor, of the fake one: 0.5 - 1 times the factor.
    objective = Objective(LeastSquares(), terms={"features": FeatureMatching(10)})
    terms, accuracy = objective.discriminator_terms(Scales(1, -1), SOURCE, TARGET, FAKE)
    assert terms["real"].item() == pytest.approx(((1.5 - 1) ** 2 + (-1.5 - 1) ** 2) / 2)
    assert terms["fake"].item() == pytest.approx(0.25)
    assert {name: share.item() for name, share in accuracy.items()} == {"fake": 0.5, "real": 0.5}
    terms = objective.generator_terms(Scales(1, -1), SOURCE, TARGET, FAKE)
    assert terms["gan"].item() == pytest.approx(((-0.5 - 1) ** 2 + (0.5 - 1) ** 2) / 2)


def test_the_gradient_penalty_is_the_mean_over_the_scales():
    # Slopes 1 and 3 on each of 4 pixels: ((2 - 1)^2 + (6 - 1)^2) / 2.
    terms, _ = Objective(Wasserstein(1.0)).discriminator_terms(Scales(1, 3), SOURCE, TARGET, FAKE)
    assert terms["penalty"].item() == pytest.approx(13)


def test_features_of_the_discriminator_are_compared_without_its_logits():
    # Equation 2: of the image's channel, half of what D sees, the fake differs by 2. So 1 and 2 in the two layers.
    objective = Objective(LeastSquares(), l1_weight=0, terms={"features": FeatureMatching(10)})
    (_, loss) = objective.generator_terms(Scales(1), SOURCE, TARGET, FAKE).values()
    assert loss.item() == pytest.approx(1 + 2)
    (_, loss) = objective.generator_terms(Scales(1, 3), SOURCE, TARGET, FAKE).values()
    assert loss.item() == pytest.approx((3 + 9) / 2)


@pytest.mark.parametrize("receptive_field", [1, 16])
def test_the_last_features_of_a_patchgan_are_its_logits(receptive_field):
    discriminator, x = (
        PatchGAN(6, receptive_field=receptive_field, base_channels=2, norm="instance"),
        torch.rand(2, 6, 16, 16),
    )
    ((*features, logits),) = discriminator.features(x)
    assert torch.equal(logits, discriminator(x))
    assert len(features) == 2
    assert all((layer < 0).any() for layer in features)  # after the leaky activation


def test_a_discriminator_without_features_cannot_have_them_compared():
    objective = Objective(LeastSquares(), terms={"features": FeatureMatching()})
    with pytest.raises(ValueError, match=r"needs a discriminator with `features\(x\)`, which Mean has not"):
        objective.generator_terms(Mean(1, 1), SOURCE, TARGET, FAKE)
    with pytest.raises(ValueError, match="feature matching compares D's features, but there is no adversarial loss"):
        Objective(None, terms={"features": FeatureMatching()})


def test_a_name_is_one_term():
    with pytest.raises(ValueError, match=r"objective\.terms\.l1: objective\.l1_weight=100 is this term"):
        Objective(None, terms={"l1": L1()})
    with pytest.raises(ValueError, match=r"objective\.terms\.gan: the adversarial term has this name"):
        Objective(None, terms={"gan": L1()})
    assert list(Objective(None, l1_weight=0, terms={"l1": L1(5)}).weights.items())[1] == ("l1", 5)


def test_dice_is_the_overlap_of_each_class_however_rare():
    # Two classes on two pixels, both of class 0. Certain of it: 1 - ((4 + 1) / (4 + 1) + (0 + 1) / (0 + 1)) / 2 = 0.
    target = torch.tensor([[[[1.0, 1.0]], [[-1.0, -1.0]]]])
    certain = Objective(None, l1_weight=0, dice_weight=1).generator_terms(None, SOURCE, target, 100 * target)
    assert {name: term.item() for name, term in certain.items()} == {"dice": pytest.approx(0)}
    # Undecided, p = 1/2 everywhere: class 0 has (2 + 1) / (1 + 2 + 1), class 1 has (0 + 1) / (1 + 0 + 1).
    assert dice_loss(torch.zeros(1, 2, 1, 2), target).item() == pytest.approx(1 - (3 / 4 + 1 / 2) / 2)
    # A class that is missed altogether costs as much whether it has one pixel or many.
    rare = torch.tensor([[[[1.0, 1.0, 1.0, -1.0]], [[-1.0, -1.0, -1.0, 1.0]]]])
    missed = torch.tensor([[[[100.0] * 4], [[-100.0] * 4]]])
    assert dice_loss(missed, rare).item() == pytest.approx(1 - (7 / 8 + 1 / 2) / 2)


def test_without_an_adversarial_term_there_is_only_reconstruction():
    terms = Objective(None, l1_weight=7).generator_terms(None, SOURCE, TARGET, FAKE)
    assert list(terms) == ["l1"]


def test_an_objective_without_any_term_is_refused():
    with pytest.raises(ValueError, match="no term"):
        Objective(None, l1_weight=0)


def test_the_gradient_penalty_measures_the_slope_of_each_picture():
    # D is linear in the image with slope 3 on each of 4 pixels: |grad| = 6, so the penalty is (6 - 1)^2 * 10.
    terms, _ = Objective(Wasserstein(10.0)).discriminator_terms(Mean(1, 3), SOURCE, TARGET, FAKE)
    assert terms["penalty"].item() == pytest.approx(250)
    assert "penalty" not in Objective(Hinge()).discriminator_terms(Mean(1, 3), SOURCE, TARGET, FAKE)[0]


class Perceptual(Objective):
    """Keeps networks."""

    def __init__(self, adversarial: AdversarialLoss | None = None, **settings) -> None:
        super().__init__(adversarial, **settings)
        self.early = nn.BatchNorm2d(3)
        self.features = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Dropout())

    def generator_terms(self, discriminator, source, target, fake):
        likeness = (self.features(fake) - self.features(target)).abs().mean() + self.early(fake).mean()
        return super().generator_terms(discriminator, source, target, fake) | {"l2": likeness}


class Learned(AdversarialLoss):
    """An adversarial loss with a network."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(1, 1)

    def real(self, logits):
        return self.net(logits).mean()

    def fake(self, logits):
        return -self.real(logits)


def test_networks_of_an_objective_move_with_the_module():
    moved = module(objective=Perceptual(Learned())).to("meta", torch.float64)
    inside = [
        moved.objective.features[0].weight,
        moved.objective.early.running_mean,
        moved.objective.adversarial.net.bias,
    ]
    assert {(tensor.device.type, tensor.dtype) for tensor in inside} == {("meta", torch.float64)}


class Forgetful(CrossEntropy):
    """A loss whose author forgot the constructor of what it derives from."""

    def __init__(self, scale: float = 2.0) -> None:
        self.scale = scale


def test_an_adversarial_loss_that_forgot_a_constructor_moves_too():
    assert module(objective=Perceptual(Forgetful())).to("meta").objective.adversarial.scale == 2.0


def test_networks_of_an_objective_are_neither_trained_nor_saved_nor_in_training_mode(tmp_path):
    trained = module(objective=Perceptual(l2_weight=1.0))
    before = copy.deepcopy(trained.objective)
    trainer = fit(trained, max_epochs=1)
    trained.train()
    assert not any(layer.training for layer in (trained.objective.early, *trained.objective.features))
    after = dict(trained.objective.named_parameters()) | dict(trained.objective.named_buffers())
    for name, value in [*before.named_parameters(), *before.named_buffers()]:
        assert torch.equal(value, after[name]), name
        assert after[name].grad is None
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    state = torch.load(tmp_path / "last.ckpt", weights_only=True)["state_dict"]
    assert list(state) == ["generator.weight", "generator.bias"]
    fit(module(objective=Perceptual(l2_weight=1.0)), max_epochs=2, resume=tmp_path / "last.ckpt")


def test_checkpoints_that_hold_networks_of_an_objective_load_all_the_same():
    trained = module(objective=Perceptual())
    theirs = {"objective.features.0.weight": torch.zeros(8, 3, 3, 3), "objective.gone": torch.zeros(1)}
    trained.load_state_dict(trained.state_dict() | theirs)
    with pytest.raises(RuntimeError, match=r"Missing key.*generator\.weight"):
        trained.load_state_dict({"generator.bias": torch.zeros(3)})
