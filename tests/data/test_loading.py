"""What loading a pair from files gives, beside the reference's pipeline on the real data sets."""

import numpy as np
import pytest
import torch
from PIL import Image

from pix2pix.data.images.decode import open_picture, pil_to_tensor
from pix2pix.data.images.resize import resize
from pix2pix.data.sources.folder import PairFolder
from pix2pix.data.sources.image_spec import ImageSpec, split_halves
from pix2pix.data.sources.pair_files import PairFiles
from pix2pix.data.transforms import JitterAndMirror
from tests.conftest import DATASETS, needs_datasets


@needs_datasets
@pytest.mark.parametrize("name", ["facades", "maps"])
def test_real_pairs_are_within_two_levels_of_the_references(name):
    """The reference: Pillow, bicubic to 286."""
    source = PairFolder(str(DATASETS / name))
    pairs, transform = source.split("train"), JitterAndMirror(height=256, width=256, load_height=286, load_width=286)
    for index in range(0, len(pairs), len(pairs) // 20):
        loaded = transform.resize_for_training(pairs[index])
        both = Image.open(source.files("train")[index][0]).convert("RGB")
        for image, half in zip(loaded[:2], split_halves(both, source.files("train")[index][0]), strict=True):
            theirs = np.asarray(half.resize((286, 286), Image.Resampling.BICUBIC)).astype(int)
            assert abs(image.permute(1, 2, 0).numpy().astype(int) - theirs).max() <= 2


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA"])
def test_halves_are_read_as_two_files_of_them_would_be(tmp_path, mode):
    """Ordinary colours take a shorter way; no pixel may show it."""
    noise = np.random.default_rng(0).integers(0, 256, (6, 16, 4 if mode == "RGBA" else 3), dtype=np.uint8)
    picture = Image.fromarray(noise).convert(mode)
    picture.save(tmp_path / "both.png")
    for name, half in zip("AB", split_halves(open_picture(tmp_path / "both.png"), tmp_path / "both.png"), strict=True):
        half.save(tmp_path / f"{name}.png")
    files = [(tmp_path / "both.png",), (tmp_path / "A.png", tmp_path / "B.png")]
    for sides in ((ImageSpec(), ImageSpec()), (ImageSpec((1,)), ImageSpec()), (ImageSpec(), ImageSpec((4,)))):
        together, apart = PairFiles(files, "AtoB", *sides)
        assert torch.equal(together.source, apart.source)
        assert torch.equal(together.target, apart.target)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_how_pixels_lie_in_memory_changes_no_resized_pixel(channels):
    mode = {1: "L", 3: "RGB", 4: "RGBA"}[channels]
    shape = (40, 50, channels) if channels > 1 else (40, 50)
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    image = pil_to_tensor(Image.fromarray(pixels), mode)
    assert torch.equal(resize(image, (31, 64)), resize(image.contiguous(), (31, 64)))
    assert torch.equal(resize(image[..., :25], (31, 64)), resize(image[..., :25].contiguous(), (31, 64)))
