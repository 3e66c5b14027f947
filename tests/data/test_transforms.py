"""One draw for both images."""

import numpy as np
import pytest
import torch

from pix2pix.data.images.resize import resize
from pix2pix.data.pair import InputAlone, Pair
from pix2pix.data.transforms import JitterAndMirror, PairTransform


def noise_pair(height: int, width: int) -> Pair:
    image = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, height, width), dtype=np.uint8))
    return Pair(image, image.clone(), "noise")


@pytest.fixture
def jitter() -> JitterAndMirror:
    return JitterAndMirror(height=16, width=24, load_height=20, load_width=30)


def test_both_images_get_the_same_crop_and_mirror(jitter):
    for draw in range(20):
        pair = jitter.transform_for_training(noise_pair(40, 50), np.random.default_rng(draw))
        assert torch.equal(pair.source, pair.target)


def test_the_draw_depends_on_its_generator_alone(jitter):
    first = jitter.transform_for_training(noise_pair(40, 50), np.random.default_rng(7))
    np.random.default_rng(1).random(100)
    again = jitter.transform_for_training(noise_pair(40, 50), np.random.default_rng(7))
    assert torch.equal(first.source, again.source)


def test_every_corner_and_both_mirrors_occur(jitter):
    views = {
        jitter.transform_for_training(noise_pair(20, 30), np.random.default_rng(i)).source.numpy().tobytes()
        for i in range(2000)
    }
    assert len(views) == 5 * 7 * 2


def test_the_papers_jitter_is_resize_crop_mirror_and_scale_bit_for_bit(jitter):
    pair = noise_pair(40, 50)
    for seed in range(8):
        random = np.random.default_rng(seed)
        top, left, mirror = int(random.integers(5)), int(random.integers(7)), bool(random.integers(2))
        crop = resize(pair.source, (20, 30))[:, top : top + 16, left : left + 24]
        expected = (crop.flip(-1) if mirror else crop).to(torch.float32) / 127.5 - 1
        assert torch.equal(jitter.transform_for_training(pair, np.random.default_rng(seed)).source, expected)


def test_a_batch_of_loaded_pairs_gives_what_each_pair_gives_alone(jitter):
    pairs = [noise_pair(40, 50), noise_pair(31, 47)]
    loaded = [jitter.resize_for_training(pair) for pair in pairs]
    assert [(image.dtype, image.shape[1:]) for image in loaded[1][:2]] == [(torch.uint8, (20, 30))] * 2
    views = [jitter.sample_view(pair, np.random.default_rng(i)) for i, pair in enumerate(loaded)]
    batch = Pair(torch.stack([p.source for p in loaded]), torch.stack([p.target for p in loaded]), "both")
    together = jitter.augment_batch(batch, views)
    alone = [jitter.transform_for_training(pair, np.random.default_rng(i)) for i, pair in enumerate(pairs)]
    assert torch.equal(together.source, torch.stack([pair.source for pair in alone]))
    assert torch.equal(together.target, torch.stack([pair.target for pair in alone]))


def test_no_jitter_and_no_mirror_leave_the_picture_as_it_is():
    plain = JitterAndMirror(height=20, width=30, load_height=20, load_width=30, mirror=False)
    pair = noise_pair(20, 30)
    expected = pair.source / 127.5 - 1
    assert torch.equal(plain.transform_for_training(pair, np.random.default_rng(0)).source, expected)
    assert torch.equal(plain.transform_for_eval(pair).source, expected)


def test_values_span_minus_one_to_one(jitter):
    white = torch.full((3, 20, 30), 255, dtype=torch.uint8)
    pair = jitter.transform_for_eval(Pair(white, torch.zeros_like(white), "extremes"))
    assert (pair.source == 1).all()
    assert (pair.target == -1).all()
    assert pair.source.dtype == torch.float32


def test_resizing_agrees_with_pillow_within_two_levels():
    from PIL import Image

    smooth = torch.linspace(0, 255, 512)[None, None].expand(3, 512, 512).to(torch.uint8)
    ours = resize(smooth, (286, 286)).permute(1, 2, 0).numpy().astype(int)
    theirs = Image.fromarray(smooth.permute(1, 2, 0).numpy()).resize((286, 286), Image.Resampling.BICUBIC)
    assert abs(ours - np.asarray(theirs).astype(int)).max() <= 2


@pytest.mark.parametrize("preprocess", ["resize_and_crop", "scale_width_and_crop", "crop", "pad", "none"])
def test_an_input_without_a_target_is_seen_as_that_of_a_pair(preprocess):
    transform = JitterAndMirror(height=16, width=24, load_height=20, load_width=30, preprocess=preprocess)
    pair = noise_pair(40, 50)
    alone = transform.transform_input(InputAlone(pair.source, "noise"))
    assert torch.equal(alone.source, transform.transform_for_eval(pair).source)
    assert torch.equal(alone.source, PairTransform.transform_input(transform, InputAlone(pair.source, "a")).source)
