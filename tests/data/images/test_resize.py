"""The modes that bring pictures to the size of the network."""

import numpy as np
import pytest
import torch
from PIL import Image

from pix2pix.data.images.resize import reflect_pad, resize, resize_for_eval, resize_for_training
from pix2pix.data.pair import Pair
from pix2pix.data.transforms import JitterAndMirror


def ramp(height: int, width: int, dtype: torch.dtype = torch.uint8) -> torch.Tensor:
    """Every pixel's own number, as far as the type goes."""
    return torch.arange(height * width).reshape(1, height, width).to(dtype)


@pytest.mark.parametrize(
    ("preprocess", "loaded", "plain"),
    [
        ("resize_and_crop", (36, 54), (32, 48)),
        ("scale_width_and_crop", (81, 54), (32, 48)),  # 60 x 40 enlarged in proportion
        ("crop", (60, 40), (32, 40)),
        ("pad", (36, 54), (32, 48)),
        ("none", (60, 40), (60, 40)),
    ],
)
def test_each_mode_loads_and_evaluates_at_its_size(preprocess, loaded, plain):
    image, size = ramp(60, 40), ((32, 48) if preprocess != "crop" else (32, 40))
    assert resize_for_training(image, (36, 54), size, preprocess).shape[1:] == loaded
    assert resize_for_eval(image, size, preprocess).shape[1:] == plain


def test_scaling_to_the_width_leaves_at_least_the_height_of_the_crop():
    assert resize_for_training(ramp(20, 80), (36, 36), (32, 32), "scale_width_and_crop").shape[1:] == (32, 36)


def test_a_picture_smaller_than_the_crop_is_refused_by_name():
    transform = JitterAndMirror(height=32, width=32, load_height=36, load_width=36, preprocess="crop")
    with pytest.raises(ValueError, match=r"pair small: 20x40 pixels are less than the crop 32x32\. Set data\.preproc"):
        transform.resize_for_training(Pair(ramp(20, 40), ramp(20, 40), "small"))


def test_images_of_a_pair_that_do_not_agree_are_refused_by_name():
    transform = JitterAndMirror(height=8, width=8, load_height=8, load_width=8, preprocess="crop")
    with pytest.raises(ValueError, match=r"pair odd: its source is 20x40, its target 20x41"):
        transform.resize_for_training(Pair(ramp(20, 40), ramp(20, 41), "odd"))


def test_padding_keeps_proportions_and_reflects_beyond_the_borders():
    assert reflect_pad(ramp(1, 3), (1, 9))[0, 0].tolist() == [1, 2, 1, 0, 1, 2, 1, 0, 1]
    assert reflect_pad(ramp(1, 1), (2, 3)).tolist() == [[[0] * 3] * 2]
    tall = resize_for_eval(ramp(16, 4), (32, 32), "pad")
    assert torch.equal(tall[:, :, 12:20], resize(ramp(16, 4), (32, 8)))
    assert torch.equal(tall[0, :, 11], tall[0, :, 13])


def test_crops_of_whole_pictures_keep_their_pixels():
    transform = JitterAndMirror(height=4, width=4, load_height=4, load_width=4, preprocess="crop", mirror=False)
    pair = transform.transform_for_training(Pair(ramp(16, 16), ramp(16, 16), "a"), np.random.default_rng(1))
    first = int((pair.source[0, 0, 0] + 1) * 127.5)
    assert ((pair.source[0] + 1) * 127.5)[1].round().tolist() == [first + 16 + column for column in range(4)]


def test_pictures_as_they_are_come_in_batches_of_one_size():
    transform = JitterAndMirror(height=8, width=8, load_height=8, load_width=8, preprocess="none", mirror=False)
    pair = Pair(ramp(5, 7), ramp(5, 7), "a")
    assert transform.transform_for_training(pair, np.random.default_rng(0)).source.shape == (1, 5, 7)
    assert transform.transform_for_eval(pair).source.shape == (1, 5, 7)


@pytest.mark.parametrize("dtype", [torch.uint16, torch.int32, torch.float32])
def test_deep_pixels_are_resized_without_losing_their_depth(dtype):
    deep = ramp(64, 64, torch.int32).mul(15).to(dtype)
    ours = resize(deep, (40, 40))
    assert ours.dtype == dtype
    theirs = Image.fromarray(deep[0].to(torch.float32).numpy()).resize((40, 40), Image.Resampling.BICUBIC)
    assert float(np.abs(ours[0].double().numpy() - np.asarray(theirs)).max()) <= 1


def test_overshooting_ends_at_the_ends_of_the_type():
    step = torch.zeros(1, 32, 32, dtype=torch.int32)
    step[:, :, 16:] = 65535
    found = resize(step.to(torch.uint16), (45, 45)).int()
    assert (int(found.min()), int(found.max())) == (0, 65535)


def places(height: int, width: int) -> torch.Tensor:
    """Every pixel's own place in the scene, 0 to 255 down and across."""
    rows, columns = torch.linspace(0, 255, height), torch.linspace(0, 255, width)
    return torch.stack(torch.meshgrid(rows, columns, indexing="ij")).round().to(torch.uint8)


def padding(preprocess="pad") -> JitterAndMirror:
    size = {"height": 64, "width": 64, "load_height": 64, "load_width": 64}
    return JitterAndMirror(**size, preprocess=preprocess, mirror=False)


@pytest.mark.parametrize("sizes", [((512, 640), (256, 320)), ((100, 99), (200, 201)), ((64, 64), (200, 199))])
def test_padding_aligns_images_of_equal_proportions_whatever_their_sizes(sizes):
    source, target = (places(*size) for size in sizes)
    for pair in (
        padding().transform_for_training(Pair(source, target, "a"), np.random.default_rng(0)),
        padding().transform_for_eval(Pair(source, target, "a")),
    ):
        assert float((pair.source - pair.target).abs().max()) * 32 < 1  # less than a pixel


@pytest.mark.parametrize("sizes", [((512, 640), (480, 640)), ((80, 100), (150, 100))])
@pytest.mark.parametrize("step", ["resize_for_training", "resize_for_eval"])
def test_padding_refuses_images_of_other_proportions(sizes, step):
    pair = Pair(*(places(*size) for size in sizes), "a")
    with pytest.raises(ValueError, match=r"pair a: images of \d+x\d+ and \d+x\d+ have other proportions.*Crop"):
        getattr(padding(), step)(pair)


@pytest.mark.parametrize("preprocess", ["crop", "scale_width_and_crop"])
def test_evaluation_refuses_what_training_refuses(preprocess):
    with pytest.raises(ValueError, match=r"pair a: its source is .* they must agree"):
        padding(preprocess).resize_for_eval(Pair(places(80, 100), places(150, 100), "a"))
