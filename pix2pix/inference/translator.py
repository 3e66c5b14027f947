"""The `Translator`: translates pictures of any size, each at its own size."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from pix2pix.core.prefetch import batch_by_size
from pix2pix.data.images.decode import Picture, array_to_picture, open_picture
from pix2pix.data.images.palettes import to_displayable
from pix2pix.inference.generator import TrainedGenerator, load_generator
from pix2pix.inference.geometry import Canvas, crop, pad_to_multiple, pad_to_size, picture_size, round_up
from pix2pix.inference.tiling import Tiling

Input = Picture | str | Path
Inputs = Input | tuple[Input, ...]
"""A picture, or a tuple of pictures for a run whose source joins several folders."""


class Translator:
    """Translates pictures with a trained generator.

    ```python
    translator = load_translator("outputs/facades")
    translator("drawing.png").save("photo.png")
    ```

    Pictures are not resized. If the network needs a multiple of some size, they are padded by reflection and the output
    is cropped. A picture of more pixels than a tile is translated in tiles, which takes the memory of one tile, and
    half a translation more for each norm that uses the statistics of the picture.

    Args:
        trained: the generator and its test-time settings.
        tile: side of the tiles of large pictures, in pixels; see `pix2pix.inference.tiling`. None never tiles.
        overlap: overlap of neighbouring tiles, in pixels; a quarter of `tile` by default.
        batch_size: how many pictures of equal size run at once. None: as many as take the memory of one picture of
            724x724, see `pix2pix.core.prefetch`.

    Raises:
        ValueError: when `tile` or `batch_size` is less than 1, or `overlap` less than 0.
    """

    def __init__(
        self,
        trained: TrainedGenerator,
        *,
        tile: int | None = 2048,
        overlap: int | None = None,
        batch_size: int | None = None,
    ) -> None:
        if any(value is not None and value < 1 for value in (tile, batch_size)) or (overlap or 0) < 0:
            raise ValueError(f"tile={tile}, overlap={overlap}, batch_size={batch_size}: too small.")
        self.trained, self.tile, self.overlap = trained, tile, overlap
        self.batch_size = batch_size
        self.multiple: int = getattr(trained.generator, "multiple", 1)
        self._lock = threading.Lock()  # the generator's modes change while it runs

    def __call__(
        self,
        *pictures: Any,
        name: str | Sequence[str] = "",
        seed: int | None = None,
        samples: int | None = None,
    ) -> Any:
        """Translates a picture, or a list of pictures, each at its own size.

        Args:
            pictures: a Pillow picture, an array (H, W) or (H, W, C), or a file; or a list of these. A run whose source
                joins several folders takes several pictures; in a list, tuples.
            name: selects the dropout noise: one name for all pictures, or one for each of a list.
            seed: seed of the noise. None: the run's seed.
            samples: number of translations of each picture under different noise, returned as a list.

        Returns:
            An array for an array, otherwise a Pillow picture; a list for a list. Label maps are Pillow pictures with a
            palette, whose pixels are the classes.

        Raises:
            ValueError: for a picture that does not fit the generator, or an output that Pillow cannot hold.
            FileNotFoundError: for a path that does not exist.
        """
        is_single = not isinstance(pictures[0], list)
        requests: Sequence[Inputs] = [pictures] if is_single else pictures[0]
        inputs: list[tuple[Input, ...]] = [each if isinstance(each, tuple) else (each,) for each in requests]
        names = [name] * len(inputs) if isinstance(name, str) else list(name)
        if len(names) != len(inputs):
            raise ValueError(f"{len(names)} names for {len(inputs)} pictures: give one name, or one for each.")
        first = self.trained.inference.seed if seed is None else seed
        by_seed = [
            [_match_type(*each) for each in zip(self._translate_all(inputs, names, number), inputs, strict=True)]
            for number in range(first, first + (samples or 1))
        ]
        results = [list(outputs) if samples else outputs[0] for outputs in zip(*by_seed, strict=True)]
        return results[0] if is_single else results

    def translate(self, *pictures: Input, name: str = "", seed: int | None = None) -> Picture:
        """Translates one picture at the depth of the targets; returns an array if Pillow cannot hold the output."""
        (output,) = self._translate_all([pictures], [name], self.trained.inference.seed if seed is None else seed)
        return output

    def translate_batch(self, pictures: Sequence[Input], names: Sequence[str], seed: int) -> list[Picture]:
        """Translates pictures of equal size in one batch, each under the noise of its own name."""
        return self._translate_batch([((picture,), name) for picture, name in zip(pictures, names, strict=True)], seed)

    def _translate_all(
        self, pictures: Sequence[tuple[Input, ...]], names: Sequence[str], seed: int
    ) -> Iterator[Picture]:
        """Translates one picture after the other; neighbours of equal size share a batch."""
        requests = zip(pictures, names, strict=True)
        for batch in batch_by_size(requests, lambda request: picture_size(request[0][0]), self.batch_size):
            yield from self._translate_batch(batch, seed)

    def _translate_batch(self, requests: Sequence[tuple[tuple[Input, ...], str]], seed: int) -> list[Picture]:
        """Translates (pictures, noise name) of equal size."""
        trained = replace(self.trained, inference=self.trained.inference.with_seed(seed))
        inputs = [[_open_picture(picture) for picture in pictures] for pictures, _ in requests]
        names = [name for _, name in requests]
        titles = [_display_name(pictures) for pictures, _ in requests]
        height, width = picture_size(inputs[0][0])
        with self._lock, _without_cudnn_benchmark():
            if self.tile is not None and height * width > self.tile**2:
                return [self._translate_tiles(trained, *each) for each in zip(inputs, names, titles, strict=True)]
            sources = [trained.read_source(*each, name=title) for each, title in zip(inputs, titles, strict=True)]
            outputs = trained.generate(pad_to_multiple(torch.stack(sources), self.multiple), names)
            return [trained.to_picture(output[:, :height, :width]) for output in outputs]

    def _translate_tiles(self, trained: TrainedGenerator, inputs: list[Picture], name: str, title: str) -> Picture:
        height, width = picture_size(inputs[0])

        def read(top: int, left: int, rows: int, columns: int) -> Tensor:
            part = trained.read_source(*(crop(picture, top, left, rows, columns) for picture in inputs), name=title)
            return pad_to_size(part[None], rows, columns)[0]

        assert self.tile is not None
        size = {"tile": self.tile, "overlap": self.overlap}
        tiling = Tiling(trained.generator, trained.inference, self.multiple, **size, precision=trained.precision)
        canvas = Canvas(height, width)
        padded = round_up(height, self.multiple), round_up(width, self.multiple)
        for top, band in tiling.translate(read, *padded, name):
            rows = min(band.shape[1], height - top)
            if rows > 0:
                image = to_displayable(band[:, :rows, :width], trained.target_palette, read(top, 0, rows, width))
                canvas.put(trained.to_picture(image), top)
        assert canvas.picture is not None
        return canvas.picture


@contextmanager
def _without_cudnn_benchmark() -> Iterator[None]:
    """Turns off cuDNN's benchmark mode, which would time kernels anew for every picture size."""
    before, torch.backends.cudnn.benchmark = torch.backends.cudnn.benchmark, False
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before


def load_translator(
    path: str | Path,
    *,
    weights: str | None = None,
    tile: int | None = 2048,
    overlap: int | None = None,
    batch_size: int | None = None,
    **options: Any,
) -> Translator:
    """Loads the translator of a run directory, a checkpoint or exported weights (`.safetensors`).

    `load_translator("facades")` loads the built-in one, and `load_translator("hf://USER/NAME")` one of the Hugging Face
    Hub; `hf://USER/NAME@REVISION` selects a branch, a tag or a commit. An exported file needs nothing beside it.

    Args:
        path: the run or file; or the name of a built-in translator, see `pix2pix.inference.builtin`.
        weights: checkpoint of a run: `best` (default), `last`, `ema` (moving average in the last one), `epoch=N`, or a
            path.
        tile: side of the tiles of large pictures, in pixels; None never tiles.
        overlap: overlap of neighbouring tiles, in pixels; a quarter of `tile` by default.
        batch_size: how many pictures of equal size run at once. None: chosen by their size.
        options: options of `pix2pix.inference.generator.load_generator`: device, half, normalization, dropout, seed;
            and `trust`, modules outside pix2pix whose classes the configuration may build, for example trust=["mylab"].

    Raises:
        FileNotFoundError: when the run or file does not exist.
        ValueError: when the file is damaged, is no checkpoint of pix2pix, or names classes that are not trusted.
    """
    if weights is not None:
        options["checkpoint"] = weights
    return Translator(load_generator(path, **options), tile=tile, overlap=overlap, batch_size=batch_size)


def _match_type(output: Picture, inputs: Sequence[Input]) -> Picture:
    """The output as an array for an array, otherwise as a Pillow picture."""
    if isinstance(inputs[0], np.ndarray):
        return np.asarray(output)
    if not isinstance(output, Image.Image):
        raise ValueError(
            f"translations of this run have {output.shape[2]} channels of {output.dtype}, which no Pillow picture "
            "holds. Translator.translate returns them as an array."
        )
    return output


def _display_name(pictures: Sequence[Input]) -> str:
    """The name of the pictures in error messages."""
    return str(pictures[0]) if isinstance(pictures[0], str | Path) else "picture"


def _open_picture(picture: Input) -> Picture:
    """The picture in memory; a Pillow picture if Pillow can hold it."""
    if isinstance(picture, str | Path):
        return open_picture(Path(picture))
    if isinstance(picture, np.ndarray) and picture.dtype == np.uint8:
        return array_to_picture(picture.reshape(*picture.shape[:2], -1))
    return picture
