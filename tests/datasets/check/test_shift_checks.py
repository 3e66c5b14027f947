"""A shift or a scale of B against A is measured in pixels, and single pairs that lie otherwise are named."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pix2pix.datasets.check.check import check
from pix2pix.datasets.check.findings import Finding
from pix2pix.datasets.check.phase_correlation import estimate_alignment
from tests.conftest import DATASETS, needs_datasets

PAIRS = 48
SETS = ["facades", "maps", "edges2shoes"]
FARTHEST = 16


def widen(image: Image.Image) -> Image.Image:
    """The picture with its border pixels repeated."""
    return Image.fromarray(np.pad(np.asarray(image), ((FARTHEST, FARTHEST), (FARTHEST, FARTHEST), (0, 0)), "edge"))


def shift(image: Image.Image, right: int, down: int) -> Image.Image:
    """The picture shifted, in the same size."""
    left, top = FARTHEST - right, FARTHEST - down
    return widen(image).crop((left, top, left + image.width, top + image.height))


def enlarge(image: Image.Image, factor: float) -> Image.Image:
    """The picture scaled about its centre, in the same size."""
    x, y = (FARTHEST + side / 2 * (1 - 1 / factor) for side in image.size)
    lines = (1 / factor, 0, x, 0, 1 / factor, y)
    return widen(image).transform(image.size, Image.Transform.AFFINE, lines, Image.Resampling.BICUBIC)


def write_set(folder: Path, name: str, change) -> Path:
    """Pairs of a real set whose B is changed by `change(number, image)`."""
    (folder / "train").mkdir()
    for number, file in enumerate(sorted((DATASETS / name / "train").iterdir())[:PAIRS]):
        with Image.open(file) as both:
            pair = both.convert("RGB")
        middle = pair.width // 2
        pair.paste(change(number, pair.crop((middle, 0, pair.width, pair.height))), (middle, 0))
        pair.save(folder / "train" / f"{number}.bmp")
    return folder


def findings_of(folder: Path) -> dict[str, Finding]:
    return {finding.kind: finding for finding in check(folder).findings}


@needs_datasets
@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize(("right", "down"), [(3, 0), (-8, 8)])
def test_the_shift_of_a_set_is_found_within_a_pixel(tmp_path, name, right, down):
    findings = findings_of(write_set(tmp_path, name, lambda _, image: shift(image, right, down)))
    assert findings.keys() & {"shifted", "scaled", "misaligned", "unrelated", "alignment"} == {"shifted"}
    message = findings["shifted"].message
    across = re.search(r"([\d.]+) px (right of|left of)", message)
    along = re.search(r"([\d.]+) px (below|above)", message)
    assert across
    assert (across[2] == "right of") == (right > 0)
    assert float(across[1]) == pytest.approx(abs(right), abs=1)
    assert bool(along) == bool(down)
    assert not along or (along[2] == "below" and float(along[1]) == pytest.approx(down, abs=1))


@needs_datasets
@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("factor", [1.03, 0.97])
def test_the_scale_of_a_set_is_found_within_a_pixel_at_its_border(tmp_path, name, factor):
    findings = findings_of(write_set(tmp_path, name, lambda _, image: enlarge(image, factor)))
    assert findings.keys() & {"shifted", "scaled", "misaligned", "unrelated", "alignment"} == {"scaled"}
    percents = re.findall(r"([\d.]+)% (wider|higher|narrower|lower)", findings["scaled"].message)
    assert [word for _, word in percents] == (["wider", "higher"] if factor > 1 else ["narrower", "lower"])
    assert all(float(percent) == pytest.approx(3, abs=100 / 128) for percent, _ in percents)


@needs_datasets
def test_single_pairs_that_lie_otherwise_are_named_the_worst_first(tmp_path):
    shifts = {5: 6, 20: 12}
    folder = write_set(tmp_path, "edges2shoes", lambda number, image: shift(image, shifts.get(number, 0), 0))
    finding = findings_of(folder)["misaligned"]
    assert [file.name for file in finding.files] == ["20.bmp", "5.bmp"]
    assert re.search(r"2 of \d+ pairs .* in the worst, B lies 1[12]\.\d px right of where it should", finding.message)


def test_pictures_without_a_common_edge_are_not_estimated(tmp_path):
    random = np.random.default_rng(0)
    (tmp_path / "train").mkdir()
    for number in range(24):
        noise = random.integers(0, 255, (64, 128, 3), np.uint8)
        Image.fromarray(noise).save(tmp_path / "train" / f"{number}.png")
    findings = findings_of(tmp_path)
    assert "could not be estimated" in findings["alignment"].message
    assert findings.keys().isdisjoint({"shifted", "scaled", "misaligned"})


def test_what_strangers_have_in_common_is_no_shift():
    """A frame that every A and, two pixels further right, every B has says nothing of its pair."""
    random = np.random.default_rng(0)
    a, b = random.integers(0, 40, (2, 24, 256, 256), np.uint8)
    a[:, :, 100] = b[:, :, 102] = 255
    assert estimate_alignment(list(a), list(b)).shift.clarity < 8


@needs_datasets
def test_pairs_that_all_lie_in_other_ways_are_named_without_a_shift_of_the_set(tmp_path):
    random = np.random.default_rng(0)
    shifts = random.integers(-16, 17, (PAIRS, 2))
    folder = write_set(tmp_path, "facades", lambda number, image: shift(image, *map(int, shifts[number])))
    findings = findings_of(folder)
    assert "shifted" not in findings
    assert "misaligned, by" in findings["misaligned"].message
    worst = shifts[int(findings["misaligned"].files[0].stem)]
    assert np.hypot(*worst) > 10
