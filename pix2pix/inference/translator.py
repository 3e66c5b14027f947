"""The `Translator`: translates pictures of any size, each at its own size."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from pix2pix.core.prefetch import batch_by_size
from pix2pix.data.images.decode import Picture, opened, picture_of, size
from pix2pix.data.images.palettes import visible
from pix2pix.inference.generator import TrainedGenerator, load_generator
from pix2pix.inference.tiling import Tiling

Input = Picture | str | Path
Joined = Input | tuple[Input, ...]
"""A picture, or the several inputs of one translation, for runs whose sources were joined from folders."""


class Translator:
    """Translates pictures with a trained generator.

    ```python
    translator = load_translator("outputs/facades")
    translator("drawing.png").save("photo.png")
    ```

    Pictures are translated as they are, not resized; where the network needs a multiple of some size they are extended
    by reflection and cut back. A picture of more pixels than a tile is translated in tiles, which takes the memory of
    one and the time of about half as many more translations as the network has norms that look at the picture.

    Args:
        trained: the generator and how it is run.
        tile: side of the tiles of large pictures, in pixels; see `pix2pix.inference.tiling`. None never tiles.
        overlap: of neighbouring tiles, a quarter of `tile` by default.
        batch_size: how many pictures of a list run at once, where they are of one size. None: as many small ones as
            take no more memory than a picture of 724x724, see `pix2pix.core.prefetch`.
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
        self._one_at_a_time = threading.Lock()  # the generator's modes change while it runs

    def __call__(
        self,
        *pictures: Any,
        name: str | Sequence[str] = "",
        seed: int | None = None,
        samples: int | None = None,
    ) -> Any:
        """The translation of a picture at its own size, or those of a list of pictures.

        Args:
            pictures: a Pillow picture, an array (H, W) or (H, W, C), or the path of a file; or a list of them. Several
                are the several inputs of one translation, for runs whose sources were joined from folders; in a list
                these are tuples.
            name: chooses the dropout noise, one for all pictures or one for each of a list.
            seed: of the noise, in place of the run's.
            samples: so many translations of each picture under different noise, as a list.

        Returns:
            An array for an array, else a Pillow picture; a list for a list. Label maps come as classes, in a Pillow
            picture together with their colours.

        Raises:
            ValueError: for a picture that the generator does not take, or outputs that no Pillow picture holds.
            FileNotFoundError: for a path that leads nowhere.
        """
        alone = not isinstance(pictures[0], list)
        given: Sequence[Joined] = [pictures] if alone else pictures[0]
        each: list[tuple[Input, ...]] = [joined if isinstance(joined, tuple) else (joined,) for joined in given]
        names = [name] * len(each) if isinstance(name, str) else list(name)
        if len(names) != len(each):
            raise ValueError(f"{len(names)} names for {len(each)} pictures: give one name, or one for each.")
        first = self.trained.inference.seed if seed is None else seed
        by_seed = [
            [_match_type(*both) for both in zip(self._translate_all(each, names, number), each, strict=True)]
            for number in range(first, first + (samples or 1))
        ]
        results = [list(same) if samples else same[0] for same in zip(*by_seed, strict=True)]
        return results[0] if alone else results

    def translate(self, *pictures: Input, name: str = "", seed: int | None = None) -> Picture:
        """The translation of one picture at the depth of the targets, as an array where no Pillow picture holds it."""
        (output,) = self._translate_all([pictures], [name], self.trained.inference.seed if seed is None else seed)
        return output

    def translate_batch(self, pictures: Sequence[Input], names: Sequence[str], seed: int) -> list[Picture]:
        """Likewise of several pictures of one size at once, each under the noise of its own name."""
        return self._translate_batch([((picture,), name) for picture, name in zip(pictures, names, strict=True)], seed)

    def _translate_all(
        self, pictures: Sequence[tuple[Input, ...]], names: Sequence[str], seed: int
    ) -> Iterator[Picture]:
        """One translation after the other, those of one size in batches."""
        named = zip(pictures, names, strict=True)
        for batch in batch_by_size(named, lambda each: _size(each[0][0]), self.batch_size):
            yield from self._translate_batch(batch, seed)

    def _translate_batch(self, named: Sequence[tuple[tuple[Input, ...], str]], seed: int) -> list[Picture]:
        trained = replace(self.trained, inference=self.trained.inference.with_seed(seed))
        inputs = [[_open_picture(picture) for picture in joined] for joined, _ in named]
        called = [_display_name(joined) for joined, _ in named]
        with self._one_at_a_time, _without_cudnn_benchmark():
            return self._run(trained, inputs, [name for _, name in named], called)

    def _run(
        self, trained: TrainedGenerator, inputs: list[list[Picture]], names: list[str], called: list[str]
    ) -> list[Picture]:
        height, width = _size(inputs[0][0])
        if self.tile is not None and height * width > self.tile**2:
            return [self._in_tiles(trained, *each) for each in zip(inputs, names, called, strict=True)]
        sources = torch.stack(
            [trained.read_source(*joined, name=file) for joined, file in zip(inputs, called, strict=True)]
        )
        outputs = trained.generate(pad_to_multiple(sources, self.multiple), names)
        return [trained.to_picture(output[:, :height, :width]) for output in outputs]

    def _in_tiles(self, trained: TrainedGenerator, inputs: list[Picture], name: str, called: str) -> Picture:
        height, width = _size(inputs[0])

        def read(top: int, left: int, rows: int, columns: int) -> Tensor:
            part = trained.read_source(*(_cut(picture, top, left, rows, columns) for picture in inputs), name=called)
            return pad_to_size(part[None], rows, columns)[0]

        assert self.tile is not None
        size = {"tile": self.tile, "overlap": self.overlap}
        tiling = Tiling(trained.generator, trained.inference, self.multiple, **size, precision=trained.precision)
        canvas = Canvas(height, width)
        for top, band in tiling.translate(read, _up(height, self.multiple), _up(width, self.multiple), name):
            rows = min(band.shape[1], height - top)
            if rows > 0:
                shown = visible(band[:, :rows, :width], trained.target_palette, read(top, 0, rows, width))
                canvas.put(trained.to_picture(shown), top)
        assert canvas.picture is not None
        return canvas.picture


@contextmanager
def _without_cudnn_benchmark() -> Iterator[None]:
    """Keeps cuDNN from timing its kernels for each size of picture, which a training in this process may have asked."""
    before, torch.backends.cudnn.benchmark = torch.backends.cudnn.benchmark, False
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before


class Canvas:
    """A picture that is filled from the top downwards, by parts of its full width."""

    def __init__(self, height: int, width: int) -> None:
        self.height, self.width = height, width
        self.picture: Picture | None = None

    def put(self, part: Picture, top: int) -> None:
        """Puts a part where it belongs; the first one decides what kind of picture it is."""
        if isinstance(part, Image.Image):
            if self.picture is None:
                self.picture = Image.new(part.mode, (self.width, self.height))
                if part.mode == "P":
                    self.picture.putpalette(part.getpalette() or [])
            assert isinstance(self.picture, Image.Image)
            self.picture.paste(part, (0, top))
        else:
            if self.picture is None:
                self.picture = np.empty((self.height, self.width, part.shape[2]), part.dtype)
            assert isinstance(self.picture, np.ndarray)
            self.picture[top : top + len(part)] = part


def load_translator(
    path: str | Path,
    *,
    weights: str | None = None,
    tile: int | None = 2048,
    overlap: int | None = None,
    batch_size: int | None = None,
    **options: Any,
) -> Translator:
    """The translator of a run directory, a checkpoint or exported weights (`.safetensors`), which is enough alone.

    `load_translator("facades")` is the one that is installed with the package. `load_translator("hf://USER/NAME")` is
    one of the Hugging Face Hub; `hf://USER/NAME@REVISION` chooses a branch, a tag or a commit.

    Args:
        path: of the run or the file; or the name of a built-in translator, see `pix2pix.inference.builtin`.
        weights: of a run: `best` (by default), `last`, `ema` (the moving average at its end), `epoch=N`, or a path.
        tile: see `Translator`, as for `overlap` and `batch_size`.
        overlap: see above.
        batch_size: see above.
        options: those of `pix2pix.inference.generator.load_generator`: device, half, normalization, dropout, seed; and
            `trust`, modules beside pix2pix whose classes the configuration may have built, as trust=["mylab"].

    Raises:
        FileNotFoundError: when there is no such run or file.
        ValueError: when the file is damaged or none of ours, or names classes that no file may have built.
    """
    if weights is not None:
        options["checkpoint"] = weights
    return Translator(load_generator(path, **options), tile=tile, overlap=overlap, batch_size=batch_size)


def pad_to_multiple(image: Tensor, multiple: int) -> Tensor:
    """Extends (B, C, H, W) to the right and below, by reflection, to the next sizes that `multiple` divides."""
    return pad_to_size(image, _up(image.shape[2], multiple), _up(image.shape[3], multiple))


def pad_to_size(image: Tensor, height: int, width: int) -> Tensor:
    """Extends (B, C, H, W) to the right and below: by reflection, or its last pixels where it is too small for that."""
    right, below = width - image.shape[3], height - image.shape[2]
    mode = "reflect" if right < image.shape[3] and below < image.shape[2] else "replicate"
    return F.pad(image, (0, right, 0, below), mode=mode)


def _up(length: int, multiple: int) -> int:
    return -(-length // multiple) * multiple


def _match_type(output: Picture, given: Sequence[Input]) -> Picture:
    """The output as the kind of thing that was given."""
    if isinstance(given[0], np.ndarray):
        return np.asarray(output)
    if not isinstance(output, Image.Image):
        raise ValueError(
            f"translations of this run have {output.shape[2]} channels of {output.dtype}, which no Pillow picture "
            "holds. Translator.translate returns them as an array."
        )
    return output


def _display_name(pictures: Sequence[Input]) -> str:
    """What an error calls them."""
    return str(pictures[0]) if isinstance(pictures[0], str | Path) else "picture"


def _open_picture(picture: Input) -> Picture:
    """The picture in memory, a Pillow picture where Pillow has such pictures."""
    if isinstance(picture, str | Path):
        return opened(Path(picture))
    if isinstance(picture, np.ndarray) and picture.dtype == np.uint8:
        return picture_of(picture.reshape(*picture.shape[:2], -1))
    return picture


def _size(picture: Input) -> tuple[int, int]:
    """Height and width."""
    if isinstance(picture, str | Path):
        width, height = size(Path(picture))
        return height, width
    return (picture.height, picture.width) if isinstance(picture, Image.Image) else (len(picture), picture.shape[1])


def _cut(picture: Picture, top: int, left: int, rows: int, columns: int) -> Picture:
    """A part of the picture, less where the picture ends."""
    height, width = _size(picture)
    bottom, right = min(top + rows, height), min(left + columns, width)
    if isinstance(picture, Image.Image):
        return picture.crop((left, top, right, bottom))
    return picture[top:bottom, left:right]
