"""R1, differentiable augmentation, the image pool and the average with a warm-up, against numbers by hand."""

import pytest
import torch
from torch import nn

from pix2pix.core.randomness import seed_step
from pix2pix.models import PatchGAN
from pix2pix.models.augmentation import AugmentedDiscriminator, change_colors, cut_out, translate
from pix2pix.models.image_pool import ImagePool
from pix2pix.models.losses import LeastSquares
from pix2pix.models.objective import Objective
from pix2pix.models.regularised_objective import RegularisedObjective, r1_penalty
from pix2pix.training.moving_average import MovingAverage

NINE = torch.arange(1.0, 10).reshape(1, 1, 3, 3)


def linear(*weights: float) -> nn.Conv2d:
    """A discriminator whose logit at each pixel is the weighted sum of the channels."""
    layer = nn.Conv2d(len(weights), 1, 1, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(weights).reshape(1, -1, 1, 1))
    return layer


def test_r1_is_half_the_squared_gradient_at_real_pictures():
    # dD/dx is 3 at each of the 6 pixels, whatever the picture: 6 * 9 / 2.
    assert r1_penalty(lambda x: [linear(3)(x)], torch.randn(2, 1, 2, 3)).item() == pytest.approx(27)
    # Of scales with 3 and 2 the mean of 27 and 6 * 4 / 2.
    assert r1_penalty(lambda x: [linear(3)(x), linear(2)(x)], torch.randn(1, 1, 2, 3)).item() == pytest.approx(19.5)


def test_r1_trains_the_discriminator():
    discriminator = linear(5, 3)
    source, target = torch.randn(2, 1, 1, 2, 3)
    objective = RegularisedObjective(Objective(LeastSquares()), r1_weight=10.0)
    terms, _ = objective.discriminator_terms(discriminator, source, target, target)
    assert terms["r1"].item() == pytest.approx(10 * 6 * 9 / 2)
    terms["r1"].backward()
    # By the weight of the image, 10 * 6 * w; the gradient is taken by the image alone, not by the source.
    assert discriminator.weight.grad.flatten().tolist() == pytest.approx([0, 180])


def test_pictures_move_by_pixels_and_leave_zeros():
    moved = translate(NINE, torch.tensor([1]), torch.tensor([-1]))
    assert moved[0, 0].tolist() == [[0, 0, 0], [2, 3, 0], [5, 6, 0]]


def test_a_square_of_half_the_side_is_cut_out_around_its_middle_also_at_the_border():
    ones = torch.ones(2, 3, 4, 4)
    cut = cut_out(ones, torch.tensor([0, 2]), torch.tensor([3, 2]))
    assert cut[0, 1].tolist() == [[1, 1, 0, 0], [1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 1, 1]]
    assert cut[1, 2].tolist() == [[1, 1, 1, 1], [1, 0, 0, 1], [1, 0, 0, 1], [1, 1, 1, 1]]


def test_colors_change_by_brightness_saturation_and_contrast():
    picture = torch.tensor([[[0.0, 0.2]], [[0.4, 0.2]]])[None]  # two channels, two pixels
    same = torch.full((1, 1, 1, 1), 0.5)
    (unchanged,) = change_colors([picture], same, same, same)
    torch.testing.assert_close(unchanged, picture)
    (brighter,) = change_colors([picture], same + 0.25, same, same)
    torch.testing.assert_close(brighter, picture + 0.25)
    (grey,) = change_colors([picture], same, same * 0, same)  # each pixel the mean of its channels
    torch.testing.assert_close(grey, torch.full_like(picture, 0.2))
    (flat,) = change_colors([picture], same, same, same * 0)  # half of the difference from the mean, 0.2
    torch.testing.assert_close(flat, torch.tensor([[[0.1, 0.2]], [[0.3, 0.2]]])[None])


ALL = ("color", "translation", "cutout")


def test_a_source_and_its_image_are_transformed_by_the_same_draw():
    torch.manual_seed(0)
    image = torch.rand(4, 3, 16, 16)
    seen = AugmentedDiscriminator(nn.Identity(), ALL, [3, 3])(torch.cat([image, image], dim=1))
    assert torch.equal(seen[:, :3], seen[:, 3:])
    assert all(not torch.equal(part, image[0]) for part in seen[:, :3])


def test_the_draw_is_a_function_of_seed_and_step():
    image, augmented = torch.rand(4, 3, 16, 16), AugmentedDiscriminator(nn.Identity(), ALL, [3])

    def transform(step):
        seed_step(0, step, 0)
        return augmented(image)

    assert torch.equal(transform(7), transform(7))
    assert not torch.equal(transform(7), transform(8))


def test_gradients_pass_the_transformations():
    image = torch.rand(2, 3, 16, 16, requires_grad=True)
    AugmentedDiscriminator(nn.Identity(), ("color", "translation"), [3])(image).square().sum().backward()
    assert image.grad is not None
    assert image.grad.abs().sum() > 0


def test_features_that_are_compared_are_of_pictures_under_the_same_draw():
    discriminator = PatchGAN(3, receptive_field=16, base_channels=4)
    image = torch.rand(2, 3, 16, 16)
    augmented = AugmentedDiscriminator(discriminator, ALL, [3])
    first, second = augmented.features(image)[0], augmented.features(image)[0]
    assert all(torch.equal(*layers) for layers in zip(first, second, strict=True))
    assert not torch.equal(first[0], discriminator.features(image)[0][0])


def pairs(*numbers: int) -> list[torch.Tensor]:
    """A batch of pairs: source n, target 10 n, output 100 n."""
    return [torch.tensor(numbers).float().reshape(-1, 1, 1, 1) * factor for factor in (1, 10, 100)]


def test_a_pool_exchanges_half_of_the_pairs_for_earlier_ones_and_each_pair_as_a_whole():
    torch.manual_seed(0)
    pool = ImagePool(50)
    first = pairs(*range(50))
    assert all(torch.equal(*each) for each in zip(pool.exchange(*first), first, strict=True))
    sources, targets, fakes = pool.exchange(*pairs(*range(100, 500)))
    assert torch.equal(10 * sources, targets)
    assert torch.equal(100 * sources, fakes)
    exchanged = sources.flatten() != torch.arange(100, 500)
    assert exchanged.float().mean().item() == pytest.approx(0.5, abs=0.1)
    assert len(set(sources.flatten().tolist())) == 400, "an earlier pair leaves the pool once"


def test_a_pool_goes_on_as_it_was_saved():
    pool, again = ImagePool(3), ImagePool(3)
    pool.exchange(*pairs(1, 2, 3, 4))
    again.load_state_dict(pool.state_dict())
    batches = []
    for each in (pool, again):
        torch.manual_seed(1)
        batches.append(each.exchange(*pairs(*range(5, 15))))
    assert all(torch.equal(*parts) for parts in zip(*batches, strict=True))


def test_an_empty_pool_is_saved_and_loaded():
    pool = ImagePool(3)
    pool.load_state_dict(ImagePool(3).state_dict())
    assert pool.pairs == []


def test_an_average_with_a_warm_up_begins_with_smaller_decays():
    network = nn.Linear(1, 1, bias=False)
    average = MovingAverage(network, 0.25, has_warm_up=True)
    values = []
    for weight in (0.0, 1.0, 0.0, 1.0):
        nn.init.constant_(network.weight, weight)
        average.update(network)
        average.resume()
        values.append(average.module.weight.item())
    first = 1 - 2 / 11  # a copy, then decays of 2/11 and 3/12, and no more than 0.25
    assert values == pytest.approx([0, first, first * 0.25, first * 0.25 * 0.25 + 0.75])
