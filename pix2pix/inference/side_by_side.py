"""Side-by-side pairs among the files to translate: notices them, and takes the input half of each."""

import logging
from collections.abc import Sequence
from pathlib import Path

from pix2pix.data.direction import orient
from pix2pix.data.images.decode import Picture
from pix2pix.data.settings import DataSettings
from pix2pix.data.sources.image_spec import split_halves
from pix2pix.inference.file_jobs import TranslationJob
from pix2pix.inference.geometry import picture_size

log = logging.getLogger(__name__)

FILES_VIEWED = 50
TOLERANCE = 0.01  # of the proportions


def warn_of_pairs(data: DataSettings, jobs: Sequence[TranslationJob]) -> None:
    """Warns where most files are twice as wide as the pictures of the training, as pairs side by side are."""
    trained = data.shape if data.source_size is None else data.source_size
    if not isinstance(trained, tuple) or data.operation is not None:
        return
    files = [job.file for job in jobs if not job.others]
    viewed = files[:: -(-len(files) // FILES_VIEWED)] if files else []
    wide = [file for file in viewed if _is_twice_as_wide(file, trained)]
    if len(wide) * 2 > len(viewed):
        height, width = trained
        log.warning(
            "%s: twice as wide as the pictures that the run was trained on (%dx%d), as are %d of %d files viewed. If "
            "these are pairs side by side, --side-by-side translates the input half of each.",
            *(wide[0], width, height, len(wide), len(viewed)),
        )


def _is_twice_as_wide(file: Path, trained: tuple[int, int]) -> bool:
    try:
        height, width = picture_size(file)
    except (ValueError, OSError):
        return False
    return abs(width / height / (2 * trained[1] / trained[0]) - 1) < TOLERANCE


def take_input_half(data: DataSettings, picture: Picture, file: Path) -> Picture:
    """The half of a side-by-side pair that is the input: A on the left, B on the right. ValueError for odd widths."""
    left, right = split_halves(picture, file)
    return orient(left, right, data.direction)[0]
