"""Pairs whose input is made from the target."""

import numpy as np
import pytest
import torch
from PIL import Image

from pix2pix.data.cache.cache import Cache
from pix2pix.data.datamodule import PairDataModule
from pix2pix.data.images.lab import join_lightness, split_lightness
from pix2pix.data.images.value_range import normalize
from pix2pix.data.samplers import Draw
from pix2pix.data.sources.derivations import blur, derive_input, edges, grayscale, inpaint, noise, superres
from pix2pix.data.sources.derived import DerivedPairs
from pix2pix.data.transforms import JitterAndMirror
from tests.conftest import TINY, copy_few, needs_datasets, pix2pix

SIZES = {"height": 32, "width": 48, "load_height": 36, "load_width": 54}


@pytest.fixture
def folder(tmp_path):
    for number in range(1, 13):
        pixels = np.random.default_rng(number).integers(0, 256, (40, 60, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    return tmp_path


@pytest.mark.parametrize(
    ("operation", "channels"),
    [
        *(("grayscale", (1, 3)), ("lab", (1, 2)), ("edges", (1, 3)), ("inpaint", (3, 3))),
        *(("superres", (3, 3)), ("blur", (3, 3)), ("noise", (3, 3))),
    ],
)
def test_every_operation_makes_pairs_of_the_size_they_are_used_at(folder, operation, channels):
    source = DerivedPairs(str(folder), operation=operation, val_share=None, **SIZES)
    train, val = source.split("train"), source.split("val")
    assert (len(train), len(val), val[0].name) == (11, 1, "10")
    assert train[0].source.shape == (channels[0], 36, 54)
    assert val[0].target.shape == (channels[1], 32, 48)
    again = DerivedPairs(str(folder), operation=operation, val_share=None, **SIZES).split("train")[0]
    assert torch.equal(train[0].source, again.source)


def test_holes_and_noise_differ_between_pictures_and_seeds(folder):
    def first(name, seed=0):
        pairs = DerivedPairs(str(folder), operation=name, seed=seed, **SIZES).split("train")
        return pairs[0].source.float() - pairs[0].target, pairs[1].source.float() - pairs[1].target

    for name in ("inpaint", "noise"):
        one, two = first(name)
        assert not torch.equal(one, two)
        assert not torch.equal(one, first(name, seed=1)[0])


def redrawn(folder, operation, kind="off", **options):
    """The data module of a training that draws its inputs anew, with its pairs in a cache of some kind."""
    pairs = DerivedPairs(str(folder), operation=operation, redraw=True, **options, **SIZES)
    data = PairDataModule(pairs, JitterAndMirror(**SIZES), seed=3)
    cache = Cache(kind, folder / "cache")
    data.training.resized = cache.store([data.training.resized], torch.device("cpu"))[1][0]
    return data


@pytest.mark.parametrize("kind", ["off", "memory", "disk", "device"])
@pytest.mark.parametrize("operation", ["inpaint", "noise"])
def test_redrawn_inputs_differ_between_epochs_and_come_again_the_same_from_every_cache(folder, operation, kind):
    training = redrawn(folder, operation, kind).training
    first, again, later = (training[Draw(epoch, 1)][0] for epoch in (0, 0, 1))
    assert torch.equal(first.source, again.source)
    assert not torch.equal(first.source, later.source)
    assert torch.equal(first.target, later.target)
    assert torch.equal(later.source, redrawn(folder, operation).training[Draw(1, 1)][0].source)


def test_a_redrawn_hole_lies_in_the_picture_of_its_pair(folder):
    pair, _ = redrawn(folder, "inpaint", amount=0.25).training[Draw(5, 2)]
    hole = (pair.source != pair.target).any(dim=0)
    assert 70 <= int(hole.sum()) <= 81  # 9x9; a white pixel of the picture may lie in it
    assert (pair.source[:, hole] == 255).all()


def test_validation_pairs_and_the_inputs_that_are_not_redrawn_stay(folder):
    data = redrawn(folder, "inpaint")
    plain = DerivedPairs(str(folder), operation="inpaint", **SIZES)
    for split in ("train", "val"):
        assert torch.equal(data.pairs.split(split)[0].source, plain.split(split)[0].source)
    assert torch.equal(data.training_plain.pairs[0].source, plain.split("train")[0].source)
    pair = plain.split("train")[0]
    assert plain.redraw(pair, 3, 7, 0) is pair


def test_an_operation_that_draws_nothing_is_not_redrawn(folder):
    with pytest.raises(ValueError, match=r"redraw=true: blur draws nothing at random; inpaint and noise do"):
        DerivedPairs(str(folder), operation="blur", redraw=True, **SIZES)


def test_a_hole_is_square_white_and_leaves_the_rest():
    picture = torch.zeros(3, 40, 60, dtype=torch.uint8)
    holed = inpaint(picture, np.random.default_rng(0), 0.5, "white")
    assert (holed == 255).sum() == 3 * 20 * 20
    assert inpaint(picture, np.random.default_rng(0), 0.5, "noise").unique().numel() > 100


def test_noise_has_the_strength_it_says():
    picture = torch.full((3, 64, 64), 128, dtype=torch.uint8)
    assert float(noise(picture, np.random.default_rng(0), 25).float().std()) == pytest.approx(25, rel=0.05)


def test_blur_keeps_the_mean_and_spreads_a_point_as_a_gaussian_does():
    picture = torch.zeros(3, 65, 65, dtype=torch.uint8)
    picture[:, 32, 32] = 255
    spot = blur(picture, 2.0)[0].float()
    assert float(spot[32, 32]) == pytest.approx(255 / (2 * np.pi * 4), abs=0.6)
    assert torch.equal(spot, spot.T)


def test_superres_sees_squares():
    picture = torch.zeros(3, 64, 64, dtype=torch.uint8)
    picture[:, ::2] = 255  # stripes finer than the squares
    assert superres(picture, 4)[0].unique().tolist() == [128]


def test_grayscale_is_luma_and_edges_are_where_the_picture_changes():
    picture = torch.zeros(3, 32, 32, dtype=torch.uint8)
    picture[:, :, 16:] = 255
    assert grayscale(picture).unique().tolist() == [0, 255]
    lines = edges(picture, 200.0)
    assert int((lines == 0).any(dim=1).sum()) in {1, 2}
    assert (lines[:, :, :14] == 255).all()


def test_lightness_and_colour_join_to_the_picture_they_were_split_from():
    picture = torch.randint(0, 256, (3, 32, 32), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    lightness, colour = split_lightness(picture)
    joined = join_lightness(normalize(lightness)[None], normalize(colour)[None])[0]
    assert float((joined - normalize(picture)).abs().mean()) < 0.01
    grey = torch.full((3, 4, 4), 100, dtype=torch.uint8)
    assert split_lightness(grey)[1].unique().tolist() == [128]


def test_the_fingerprint_knows_pictures_and_operation(folder):
    prints = {DerivedPairs(str(folder), operation=name, **SIZES).fingerprint() for name in ("blur", "noise")}
    (folder / "1.png").unlink()
    prints.add(DerivedPairs(str(folder), operation="blur", **SIZES).fingerprint())
    assert len(prints) == 3


def test_a_folder_without_pictures_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no pictures in"):
        DerivedPairs(str(tmp_path), operation="blur", **SIZES)
    with pytest.raises(FileNotFoundError, match=r"no folder .*gone"):
        DerivedPairs(str(tmp_path / "gone"), operation="blur", **SIZES)


@needs_datasets
@pytest.mark.parametrize("operation", ["lab", "inpaint", "grayscale"])
def test_a_run_on_derived_pairs_is_trained_evaluated_and_translates(tmp_path, operation):
    """Colourisation takes a black and white picture and gives a coloured one of the same lightness."""
    words = [word for word in TINY if "pairs" not in word and "epochs" not in word]
    data = [f"data.path={copy_few('maps', tmp_path / 'maps')}", f"data.operation={operation}", "trainer.max_epochs=1"]
    pix2pix("train", "data=derived", *words, *data, "trainer.limit_train_batches=2", f"output_dir={tmp_path}", "name=x")
    pix2pix("evaluate", tmp_path / "x")
    Image.linear_gradient("L").resize((50, 40)).save(tmp_path / "grey.png")
    pix2pix("translate", tmp_path / "x", tmp_path / "grey.png", "-o", tmp_path / "out", "--scale", "own")
    with Image.open(tmp_path / "out" / "grey.png") as translated:
        assert (translated.mode, translated.size) == ("RGB", (50, 40))
        if operation == "lab":
            with Image.open(tmp_path / "grey.png") as before:
                assert np.abs(np.asarray(before, float) - np.asarray(translated.convert("L"), float)).mean() < 12


def test_an_operation_that_this_version_does_not_have_is_named():
    with pytest.raises(ValueError, match=r"data\.operation=emboss: there is no such operation"):
        derive_input(torch.zeros(3, 8, 8, dtype=torch.uint8), "a", "emboss", None)  # pyright: ignore[reportArgumentType]
