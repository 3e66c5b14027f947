"""Example pictures of the demo: test pairs of the run, or its saved samples if the data set is gone."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from natsort import natsorted
from PIL import Image

from pix2pix.core.sequences import evenly_spaced
from pix2pix.core.trust import UntrustedError
from pix2pix.data.images.decode import to_tensor
from pix2pix.data.images.palettes import Palette, visible
from pix2pix.data.images.picture_files import named, opened_image
from pix2pix.data.images.pictures import GAP, shown, to_picture
from pix2pix.data.images.value_range import scale
from pix2pix.data.sources.synthetic import draw_facade
from pix2pix.web.demo.runs import LoadedRun, source_labels

log = logging.getLogger(__name__)

MAX_SAMPLES = 12
TITLE_HEIGHT = 20  # pixels above the rows of a sheet
MOST_SATURATED, LEAST_PLAIN = 12, 0.5


class Sample(NamedTuple):
    """An input and what it should become, as pictures."""

    input: Image.Image
    target: Image.Image


def find_samples(exhibit: LoadedRun) -> list[Sample]:
    """A dozen pairs spread over the test set; from the run's evaluation, or its sample sheets, when it is not there.

    A run that makes facades of labels and has none of these, as the built-in one, is given facades drawn by code.
    """
    for find in (_from_data, _from_evaluation, _from_sheet, _from_renderer):
        samples = _try_source(find, exhibit)
        if samples:
            return samples
    log.info("%s: neither its test set nor pictures of it are to be found; the demo starts empty.", exhibit.path)
    return []


def _try_source(find: Callable[[LoadedRun], list[Sample]], exhibit: LoadedRun) -> list[Sample]:
    try:
        return find(exhibit)
    except UntrustedError as refusal:
        log.warning("%s", refusal)
    except (ValueError, OSError) as error:  # data that moved are no reason not to draw
        log.debug("%s: %s", exhibit.path, error)
    return []


def _from_data(exhibit: LoadedRun) -> list[Sample]:
    data, trained = exhibit.config["data"], exhibit.translator.trained
    if "://" in str(data["pairs"]):  # to show a file to somebody is no reason to ask a server it names
        return []
    pairs, transform = trained.open_pairs().split("test"), trained.build_transform()
    palette = Palette(data["palette"]) if data["palette"] else None
    samples = []
    for index in evenly_spaced(len(pairs), MAX_SAMPLES):
        source, target, _ = transform.plain(pairs[index])
        both = visible(source, palette), visible(target, palette, source)
        samples.append(Sample(*(to_picture(shown(image)) for image in both)))
    return samples


def _from_evaluation(exhibit: LoadedRun) -> list[Sample]:
    for split in ("test", "val"):
        inputs = natsorted((exhibit.path / "evaluation" / split / "images").glob("*_input.png"), key=str)
        if inputs:
            chosen = [inputs[index] for index in evenly_spaced(len(inputs), MAX_SAMPLES)]
            return [Sample(_read(file), _read(file.with_name(_target_name(file)))) for file in chosen]
    return []


def _target_name(file: Path) -> str:
    return file.name.removesuffix("_input.png") + "_target.png"


def _read(file: Path) -> Image.Image:
    with named(file), opened_image(file, ("PNG",)) as image:
        image.load()
        return image


def _from_sheet(exhibit: LoadedRun) -> list[Sample]:
    """Cut out of the last sheet of validation pairs: input, output, target in a row."""
    sheets = natsorted((exhibit.path / "samples").glob("val_epoch*.png"), key=str)
    if not sheets:
        return []
    sheet, (width, height) = _read(sheets[-1]), exhibit.size
    scale = max(1, 128 // width)
    step_x, step_y = width * scale + GAP, height * scale + GAP

    def cell(column: int, row: int) -> Image.Image:
        left, top = GAP + column * step_x, TITLE_HEIGHT + row * step_y
        enlarged = sheet.crop((left, top, left + width * scale, top + height * scale))
        return enlarged.resize((width, height), Image.Resampling.NEAREST)

    return [Sample(cell(0, row), cell(2, row)) for row in range((sheet.height - TITLE_HEIGHT) // step_y)]


def _from_renderer(exhibit: LoadedRun) -> list[Sample]:
    """Label maps drawn by code, in the colours that the run knows, and the photos that belong to them."""
    choice = source_labels(exhibit.config)
    if choice not in ("facades", "cmp_facades"):
        return []
    width, height = exhibit.size
    return [_render_sample(Palette(choice), number, height, width) for number in range(MAX_SAMPLES)]


def _render_sample(palette: Palette, number: int, height: int, width: int) -> Sample:
    photo, labels = draw_facade(number, seed=0, height=height, width=width)
    classes = Palette("cmp_facades").read(scale(torch.from_numpy(labels).movedim(-1, 0)))
    return Sample(Image.fromarray(palette.pixels[classes].numpy()), Image.fromarray(photo))


def are_line_drawings(samples: list[Sample]) -> bool:
    """Whether the inputs are pen on paper: hardly any colour, and mostly white."""
    if not samples:
        return False
    pixels = torch.stack([to_tensor(sample.input.resize((64, 64)), "RGB") for sample in samples]).float()
    saturated = (pixels.amax(dim=1) - pixels.amin(dim=1)).mean()
    white = (pixels.amin(dim=1) > 240).float().mean()
    return bool(saturated < MOST_SATURATED and white > LEAST_PLAIN)
