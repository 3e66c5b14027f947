"""The `Translator`: translates pictures of any size, at the scale of the training."""

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pix2pix.core.arguments import require_at_least
from pix2pix.core.prefetch import batch_by_size
from pix2pix.data.images.decode import Picture
from pix2pix.data.images.palettes import to_displayable
from pix2pix.data.images.resize import Size, reflect_pad
from pix2pix.inference.generator import TrainedGenerator, load_generator
from pix2pix.inference.geometry import Canvas, picture_size
from pix2pix.inference.requests import Input, Request, make_requests, open_input, take_only_list
from pix2pix.inference.scale import Scale, find_training_scale
from pix2pix.inference.tiling import Tiling
from pix2pix.models.input_sizes import pad_to_multiple, pad_to_size, round_up
from pix2pix.runs.run import DEFAULT_CHECKPOINT

log = logging.getLogger(__name__)


class Translator:
    """Translates pictures with a trained generator.

    ```python
    translator = load_translator("outputs/facades")
    translator("drawing.png").save("photo.png")
    ```

    A picture is resized as in training, so translating a source file gives the same result as evaluating its pair. If
    the network needs a multiple of some size, pictures are padded by reflection and the output is cropped.

    Larger pictures are translated tile by tile. Where norms use the picture's statistics, begun tiles are kept in up to
    half of the free memory. Where they do not fit, time grows by about half a translation for each of these norms.

    Args:
        trained: the generator and its test-time settings.
        tile: side of the tiles of large pictures, in pixels; see `pix2pix.inference.tiling`. None never tiles.
        overlap: overlap of neighbouring tiles, in pixels; a quarter of `tile` by default.
        batch_size: how many pictures of equal size run at once. None: as many as take the memory of one picture of
            512x512, see `pix2pix.core.prefetch`.
        scale: `training` resizes pictures as the training did, `own` keeps their size, a number is a factor. None:
            `training`, or `own` for a run of an earlier version that does not record its scale.
        derive: for a run whose inputs are derived from photos (edges, holes ...): derive them from the pictures. False:
            the pictures are inputs already.

    Raises:
        ValueError: when `tile` or `batch_size` is less than 1, `overlap` less than 0, or `scale` not above 0.
    """

    def __init__(
        self,
        trained: TrainedGenerator,
        *,
        tile: int | None = 2048,
        overlap: int | None = None,
        batch_size: int | None = None,
        scale: Scale | None = None,
        derive: bool = True,
    ) -> None:
        require_at_least(1, tile=tile, batch_size=batch_size)
        require_at_least(0, overlap=overlap)
        self.trained, self.tile, self.overlap = trained, tile, overlap
        self.batch_size = batch_size
        self.training_scale = find_training_scale(trained)
        self.scale: Scale | None = scale
        self.derive = derive
        self.training_scale.require_valid(scale)
        self._warned_of: list[str] = []  # pictures; shared with the copies of `_with_options`
        self.multiple: int = getattr(trained.generator, "multiple", 1)
        self._lock = threading.Lock()  # the generator's modes change while it runs

    def __call__(
        self,
        *pictures: Any,
        name: str | Sequence[str] = "",
        seed: int | None = None,
        samples: int | None = None,
        scale: Scale | None = None,
        derive: bool | None = None,
    ) -> Any:
        """Translates a picture, or a list of pictures.

        Args:
            pictures: a Pillow picture, an array (H, W) or (H, W, C), or a file; or a list of these. A run whose source
                joins several folders takes several pictures; in a list, tuples.
            name: selects the dropout noise: one name for all pictures, or one for each of a list.
            seed: seed of the noise. None: the run's seed.
            samples: number of translations of each picture under different noise, returned as a list.
            scale, derive: replace those of the translator.

        Returns:
            An array for an array, otherwise a Pillow picture; a list for a list. Label maps are Pillow pictures with a
            palette, whose pixels are the classes.

        Raises:
            ValueError: for no picture, one that does not fit the generator, or an output that Pillow cannot hold.
            FileNotFoundError: for a path that does not exist.
        """
        if not pictures:
            raise ValueError("no picture: give a path, a Pillow picture or an array, or a list of these.")
        require_at_least(0, seed=seed)
        require_at_least(1, samples=samples)
        is_single = not isinstance(pictures[0], list)
        requests = make_requests([pictures] if is_single else take_only_list(*pictures), name)
        translator = self._with_options(scale, derive)
        first = self.trained.inference.seed if seed is None else seed
        by_seed = [translator._translate_all(requests, number) for number in range(first, first + (samples or 1))]
        results = [list(outputs) if samples else outputs[0] for outputs in zip(*by_seed, strict=True)]
        return results[0] if is_single else results

    def translate(self, *pictures: Input, name: str = "", seed: int | None = None) -> Picture:
        """Translates one picture at the depth of the targets; returns an array if Pillow cannot hold the output."""
        seed = self.trained.inference.seed if seed is None else seed
        return self.translate_batch([Request(pictures, name)], seed)[0]

    def translate_batch(self, requests: Sequence[Request], seed: int) -> list[Picture]:
        """Translates pictures of one size in one batch. Every other method ends here."""
        trained = replace(self.trained, inference=self.trained.inference.with_seed(seed))
        sources = [self._read(request) for request in requests]
        names = [request.name for request in requests]
        height, width = sources[0].shape[1:]
        with self._lock, _without_cudnn_benchmark():
            if self.tile is not None and height * width > self.tile**2:
                return [self._run_tiles(trained, *each) for each in zip(sources, names, strict=True)]
            padded, top, left = self._pad(torch.stack([trained.encode_source(source) for source in sources]))
            outputs = trained.generate(padded, names)
            return [trained.to_picture(output[:, top : top + height, left : left + width]) for output in outputs]

    def size_of(self, picture: Input) -> Size:
        """Height and width at which a picture is translated; of a file, only the header is read."""
        return self.training_scale.target_size(picture_size(picture), self.scale)

    def _with_options(self, scale: Scale | None, derive: bool | None) -> "Translator":
        """A copy of this translator with other options, for one call."""
        other = copy(self)
        other.scale = self.scale if scale is None else scale
        other.derive = self.derive if derive is None else derive
        return other

    def _translate_all(self, requests: Sequence[Request], seed: int) -> list[Picture]:
        """The translations in order, in the types of their inputs; neighbours of equal size share a batch."""
        batches = batch_by_size(requests, lambda request: self.size_of(request.pictures[0]), self.batch_size)
        return [
            request.match_type(output)
            for batch in batches
            for request, output in zip(batch, self.translate_batch(batch, seed), strict=True)
        ]

    def _read(self, request: Request) -> Tensor:
        """The pixels (C, H, W) of an input, resized, and derived if they are a photo."""
        images = [open_input(picture) for picture in request.pictures]
        own = picture_size(images[0])
        size = self.training_scale.target_size(own, self.scale)
        if not self._warned_of and (warning := self.training_scale.warning(own, size)):
            self._warned_of.append(request.title)
            log.warning("%s: %s", request.name or request.title, warning)
        derivation = request.name if self.derive else None
        return self.trained.read_source(*images, size=size, derivation=derivation, name=request.title)

    def _pad(self, sources: Tensor) -> tuple[Tensor, int, int]:
        """The inputs (B, C, H, W), padded as the network needs them, and the rows and columns added above and left."""
        height, width = sources.shape[2:]
        data = self.trained.config.data
        if data.preprocess == "pad" and height <= data.height and width <= data.width:
            padded = torch.stack([reflect_pad(source, data.shape) for source in sources])
            return padded, (data.height - height) // 2, (data.width - width) // 2
        return pad_to_multiple(sources, self.multiple), 0, 0

    def _run_tiles(self, trained: TrainedGenerator, source: Tensor, name: str) -> Picture:
        """Translates the pixels (C, H, W) of a large input tile by tile, and assembles the output in bands."""
        height, width = source.shape[1:]

        def read(top: int, left: int, rows: int, columns: int) -> Tensor:
            part = trained.encode_source(source[:, top : top + rows, left : left + columns])
            return pad_to_size(part[None], rows, columns)[0]

        assert self.tile is not None
        tiling = Tiling(
            trained.generator,
            trained.inference,
            self.multiple,
            tile=self.tile,
            overlap=self.overlap,
            precision=trained.precision,
        )
        canvas = Canvas(height, width)
        padded = round_up(height, self.multiple), round_up(width, self.multiple)
        for top, band in tiling.translate(read, *padded, name):
            rows = min(band.shape[1], height - top)
            if rows > 0:
                image = to_displayable(
                    band[:, :rows, :width], trained.config.data.target_palette, read(top, 0, rows, width)
                )
                canvas.put(trained.to_picture(image), top)
        assert canvas.picture is not None
        return canvas.picture


@contextmanager
def _without_cudnn_benchmark() -> Iterator[None]:
    """Turns off cuDNN's benchmark mode, which would time kernels again for every picture size."""
    before, torch.backends.cudnn.benchmark = torch.backends.cudnn.benchmark, False
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before


def load_translator(
    path: str | Path,
    *,
    checkpoint: str = DEFAULT_CHECKPOINT,
    weights: str | None = None,
    tile: int | None = 2048,
    overlap: int | None = None,
    batch_size: int | None = None,
    scale: Scale | None = None,
    derive: bool = True,
    **options: Any,
) -> Translator:
    """Loads the translator of a run directory, a checkpoint or exported weights (`.safetensors`).

    `load_translator("facades")` loads the built-in one, and `load_translator("hf://USER/NAME")` one of the Hugging Face
    Hub; `hf://USER/NAME@REVISION` selects a branch, a tag or a commit. An exported file needs nothing beside it.

    Args:
        path: the run or file; or the name of a built-in translator, see `pix2pix.inference.builtin`.
        checkpoint: checkpoint of a run: `last`, `best`, `ema` (moving average in the last one), `epoch=N`, or a path.
        weights: the earlier name of `checkpoint`.
        tile, overlap, batch_size, scale, derive: as of `Translator`.
        options: options of `pix2pix.inference.generator.load_generator`: device, half, normalization, dropout, seed;
            and `trust`, modules outside pix2pix whose classes the configuration may build, for example trust=["mylab"].

    Raises:
        FileNotFoundError: when the run or file does not exist.
        ValueError: when the file is damaged, is no checkpoint of pix2pix, or names classes that are not trusted.
    """
    trained = load_generator(path, checkpoint=weights or checkpoint, **options)
    trained.pack()
    return Translator(trained, tile=tile, overlap=overlap, batch_size=batch_size, scale=scale, derive=derive)
