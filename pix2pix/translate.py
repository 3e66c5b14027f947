"""The translator: a picture of any size in, its translation at the same size out."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch.nn.functional as F
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from pix2pix.data.pairs import pictures
from pix2pix.data.pixels import Picture
from pix2pix.pictures import save
from pix2pix.trained import Trained, load

log = logging.getLogger(__name__)


class Translator:
    """Translates pictures with a trained generator.

    ```python
    translator = load_translator("outputs/facades")
    translator("drawing.png").save("photo.png")
    ```
    """

    def __init__(self, trained: Trained) -> None:
        self.trained = trained
        self.multiple: int = getattr(trained.generator, "multiple", 1)

    def __call__(self, *pictures: Image.Image | str | Path, name: str = "") -> Image.Image:
        """The translation of a picture, at its own size; `name` chooses the dropout noise.

        Raises:
            ValueError: for a picture that the generator does not take, or outputs that no Pillow picture holds.
        """
        output = self.translate(*pictures, name=name)
        if not isinstance(output, Image.Image):
            raise ValueError(
                f"translations of this run have {output.shape[2]} channels of {output.dtype}, which no Pillow picture "
                "holds. Translator.translate returns them as an array."
            )
        return output

    def translate(self, *pictures: Picture | str | Path, name: str = "") -> Picture:
        """The same at the depth of the targets, as an array (H, W, C) where no Pillow picture holds it.

        Several pictures are the several inputs of one translation, for runs whose sources were joined from folders.
        """
        source = self.trained.read(*(Path(p) if isinstance(p, str) else p for p in pictures))[None]
        padded = pad_to_multiple(source, self.multiple)
        output = self.trained.generate(padded, name)
        return self.trained.picture(output[0, :, : source.shape[2], : source.shape[3]])


def load_translator(path: str | Path, **options: Any) -> Translator:
    """The translator of a run directory or checkpoint file; takes the options of `pix2pix.trained.load`."""
    return Translator(load(path, **options))


def pad_to_multiple(image: Tensor, multiple: int) -> Tensor:
    """Extends (B, C, H, W) to the right and below, by reflection, to the next sizes that `multiple` divides."""
    right, below = -image.shape[3] % multiple, -image.shape[2] % multiple
    mode = "reflect" if right < image.shape[3] and below < image.shape[2] else "replicate"
    return F.pad(image, (0, right, 0, below), mode=mode)


def translate_files(translator: Translator, inputs: Sequence[str | Path], output: Path, suffix: str) -> tuple[int, int]:
    """Translates files and the pictures in folders into `output`; one that cannot be read does not stop the rest.

    Returns:
        How many pictures were written, and how many could not be read (each is logged with its reason).

    Raises:
        FileNotFoundError: when an input is not there or a folder holds no pictures, before anything is written.
        ValueError: when two inputs would be written to one file, or an output would replace its input.
    """
    jobs = _outputs(list(_files(inputs)), output, suffix)
    failed = 0
    for file, result in tqdm(jobs.items(), unit="picture", disable=None):
        try:
            save(translator.translate(file, name=file.stem), result)
        except ValueError as error:
            failed += 1
            log.error("%s", error)
    return len(jobs) - failed, failed


def _files(inputs: Iterable[str | Path]) -> Iterator[Path]:
    for path in map(Path, inputs):
        if not path.exists():
            raise FileNotFoundError(f"{path}: no such file or folder.")
        found = pictures(path) if path.is_dir() else [path]
        if not found:
            raise FileNotFoundError(f"{path}: no pictures in this folder.")
        yield from found


def _outputs(files: list[Path], output: Path, suffix: str) -> dict[Path, Path]:
    jobs = {file: output / f"{file.stem}.{suffix}" for file in files}
    taken: dict[Path, Path] = {}
    for file, result in jobs.items():
        if result in taken:
            raise ValueError(
                f"{taken[result]} and {file} would both be written to {result}. Translate them into two folders."
            )
        if result.exists() and file.samefile(result):
            raise ValueError(f"{result}: the output would replace its input. Choose another --output.")
        taken[result] = file
    return jobs
