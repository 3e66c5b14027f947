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
from pix2pix.data.images.decode import pil_to_tensor
from pix2pix.data.images.palettes import Palette, to_displayable
from pix2pix.data.images.picture_files import open_image, report_unreadable
from pix2pix.data.images.pictures import SheetLayout, select_channels, to_picture
from pix2pix.data.images.resize import flip_size
from pix2pix.data.images.value_range import normalize
from pix2pix.data.sources.synthetic import draw_facade
from pix2pix.runs.sample_sheets import list_sheets
from pix2pix.web.demo.runs import LoadedRun

log = logging.getLogger(__name__)

MAX_SAMPLES = 12
MAX_SATURATION, MIN_WHITE = 12, 0.5  # of a line drawing: levels of 255; fraction of pixels


class Sample(NamedTuple):
    """An input and its target, as pictures."""

    input: Image.Image
    target: Image.Image


def find_samples(run: LoadedRun) -> list[Sample]:
    """Up to a dozen pairs spread over the test set; else from the run's evaluation or sample sheets.

    A run from facade labels without any of these, such as the built-in one, gets rendered facades.
    """
    for find in (_from_data, _from_evaluation, _from_sheet, _from_renderer):
        samples = _try_source(find, run)
        if samples:
            return samples
    log.info("%s: found neither its test set nor pictures of it; the demo starts with an empty canvas.", run.path)
    return []


def _try_source(find: Callable[[LoadedRun], list[Sample]], run: LoadedRun) -> list[Sample]:
    try:
        return find(run)
    except UntrustedError as refusal:
        log.warning("%s", refusal)
    except (ValueError, OSError) as error:  # the demo works without samples
        log.debug("%s: %s", run.path, error)
    return []


def _from_data(run: LoadedRun) -> list[Sample]:
    data, trained = run.config.data, run.translator.trained
    if "://" in str(data.source):  # showing a run must not contact a server that its file names
        return []
    source, transform = trained.open_pairs(), trained.build_transform()
    pairs = source.split("test" if "test" in source.splits else "val")
    palette = data.label_palette
    samples = []
    for index in evenly_spaced(len(pairs), MAX_SAMPLES):
        source, target, _ = transform.transform_for_eval(pairs[index])
        shown = data.source_image_spec.show(source, palette)
        images = shown, to_displayable(target, palette, source)
        samples.append(Sample(*(to_picture(select_channels(image)) for image in images)))
    return samples


def _from_evaluation(run: LoadedRun) -> list[Sample]:
    for split in ("test", "val"):
        inputs = natsorted((run.path / "evaluation" / split / "images").glob("*_input.png"), key=str)
        if inputs:
            files = [inputs[index] for index in evenly_spaced(len(inputs), MAX_SAMPLES)]
            targets = [file.with_name(file.name.removesuffix("_input.png") + "_target.png") for file in files]
            return [Sample(_read(file), _read(target)) for file, target in zip(files, targets, strict=True)]
    return []


def _read(file: Path) -> Image.Image:
    with report_unreadable(file), open_image(file, ("PNG",)) as image:
        image.load()
        return image


def _from_sheet(run: LoadedRun) -> list[Sample]:
    """Crops the pairs from the last sheet of validation pairs, whose rows are input, output, target."""
    sheets = list_sheets(run.path / "samples", "val")
    if not sheets:
        return []
    sheet, layout = _read(sheets[-1]), SheetLayout.for_images(run.size)

    def crop_cell(row: int, column: int) -> Image.Image:
        return sheet.crop(layout.cell(row, column)).resize(flip_size(run.size), Image.Resampling.NEAREST)

    return [Sample(crop_cell(row, 0), crop_cell(row, 2)) for row in range(layout.count_rows(sheet.height))]


def _from_renderer(run: LoadedRun) -> list[Sample]:
    """Rendered label maps in the palette of the run, with their rendered photos."""
    choice = run.config.data.source_label_choice
    if choice not in ("facades", "cmp_facades"):
        return []
    height, width = run.size
    return [_render_sample(Palette(choice), number, height, width) for number in range(MAX_SAMPLES)]


def _render_sample(palette: Palette, number: int, height: int, width: int) -> Sample:
    photo, labels = draw_facade(number, seed=0, height=height, width=width)
    classes = Palette("cmp_facades").classify(normalize(torch.from_numpy(labels).movedim(-1, 0)))
    return Sample(Image.fromarray(palette.pixels[classes].numpy()), Image.fromarray(photo))


def are_line_drawings(samples: list[Sample]) -> bool:
    """Whether the inputs are line drawings: little colour, mostly white."""
    if not samples:
        return False
    pixels = torch.stack([pil_to_tensor(sample.input.resize((64, 64)), "RGB") for sample in samples]).float()
    # The spread between the channels of a pixel is its colour; paper is where even the darkest channel is light.
    saturated = (pixels.amax(dim=1) - pixels.amin(dim=1)).mean()
    white = (pixels.amin(dim=1) > 240).float().mean()
    return bool(saturated < MAX_SATURATION and white > MIN_WHITE)
