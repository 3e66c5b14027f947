"""Makes pairs from single pictures by deriving the input: colourisation, inpainting, deblurring and so on."""

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import Field
from torch import Tensor

from pix2pix.core.plurals import pluralize
from pix2pix.core.randomness import derivation_generator
from pix2pix.data.images.decode import read_pixels, read_size
from pix2pix.data.images.lab import split_lightness
from pix2pix.data.images.picture_files import drop_suffix
from pix2pix.data.images.resize import Pixels, Preprocess, resize_for_training
from pix2pix.data.inventory import Inventory
from pix2pix.data.pair import Pair, PairSource, Split
from pix2pix.data.sources.derivations import RANDOM, Operation, derive_input, draw_input, import_opencv
from pix2pix.data.sources.pair_paths import PairPaths, inventory_splits
from pix2pix.data.sources.single_pictures import find_single_pictures
from pix2pix.data.sources.splits import (
    DEFAULT_SHARE,
    Share,
    complete_splits,
    describe_held_out,
    missing_split_message,
)


class DerivedPairs(PairSource):
    """Every picture of a folder is a target; its input is made from it, by default the same way every time.

    Pictures in folders below count too. Splits are the folders `train`, `val` and `test` where there are any; without
    `val`, a share of `train` is held out. Pictures are first resized to the size at which they are used, and inputs
    are derived after that.

    | operation | input | `amount` and its default |
    |---|---|---|
    | `grayscale` | luma, one channel | |
    | `lab` | lightness; the target is Lab's a and b | |
    | `edges` | Canny's edges, black on white | the upper threshold, 200 |
    | `inpaint` | a square hole at a random place | its side as a share of the picture's, 0.5 |
    | `superres` | averaged over squares and enlarged again | the side of the squares in pixels, 4 |
    | `blur` | Gaussian blur | its standard deviation in pixels, 2 |
    | `noise` | Gaussian noise added | its standard deviation in 255ths, 25 |

    Args:
        path: the folder of pictures.
        operation: how the input is made.
        amount: the strength of the operation, as in the table; None for its default.
        fill: the content of a hole.
        height: height of pairs for evaluation, in pixels.
        width: width of pairs for evaluation.
        load_height: height of training pairs before the random crop.
        load_width: width of training pairs before the random crop.
        preprocess: how pictures are brought to that size; see `pix2pix.data.images.resize`.
        seed: seed of holes and noise.
        redraw: whether a training draws a new hole or new noise in every epoch. Validation and test pairs keep theirs.
        val_share: the share of the training pictures that is held out where there is no validation split; None: as of
            `PairFolder`.
        split_seed: chooses the pictures that are held out.

    Raises:
        FileNotFoundError: when there is no such folder, or no picture in it.
        ValueError: for `redraw` of an operation that draws nothing, for a folder of pairs, and for two pictures of one
            name.
    """

    def __init__(
        self,
        path: str,
        *,
        operation: Operation,
        amount: Annotated[float, Field(gt=0)] | None = None,
        fill: Literal["white", "noise"] = "white",
        height: Pixels,
        width: Pixels,
        load_height: Pixels,
        load_width: Pixels,
        preprocess: Preprocess = "resize_and_crop",
        seed: Annotated[int, Field(ge=0)] = 0,
        redraw: bool = False,
        val_share: Share | None = DEFAULT_SHARE,
        split_seed: Annotated[int, Field(ge=0)] = 0,
    ) -> None:
        self.path = Path(path)
        found = find_single_pictures(self.path).splits
        self.held_out_by = None if val_share is None or "val" in found else split_seed
        completed = complete_splits(found, self.path, val_share, split_seed)
        self.pictures = {split: files.files for split, files in completed.items()}
        self.sizes = {"train": (load_height, load_width), "val": (height, width), "test": (height, width)}
        self.resize = functools.partial(resize_for_training, crop_size=(height, width), preprocess=preprocess)
        self.derivation = operation, amount, fill
        self.seed, self.redraws = seed, redraw
        if redraw and operation not in RANDOM:
            raise ValueError(
                f"data.source.redraw=true: {operation} draws nothing at random; {' and '.join(RANDOM)} do. "
                "Leave it false, or choose another data.operation."
            )
        if operation == "edges":
            import_opencv()

    @property
    def splits(self) -> tuple[Split, ...]:
        """The splits that have pictures."""
        return tuple(split for split in get_args(Split) if split in self.pictures)

    def split(self, split: Split) -> "DerivedFiles":
        """The pairs of `split`, in natural order of their names. Raises ValueError where there is no such split."""
        return DerivedFiles(
            self.files(split), functools.partial(self.resize, load_size=self.sizes[split]), self._derive_pair
        )

    def pair_name(self, split: Split, index: int) -> str:
        """The name of a pair, without reading it."""
        return self.files(split).pair_name(index)

    def files(self, split: Split) -> PairPaths:
        """(picture,) of each pair."""
        if split not in self.pictures:
            raise ValueError(missing_split_message(self.path, split, self.splits))
        return self.pictures[split]

    def source_size(self, split: Split, index: int) -> tuple[int, int]:
        """Height and width of the picture that a pair is made from, from the header of its file."""
        return read_size(self.files(split)[index][0])

    def describe(self) -> list[str]:
        """How many pictures there are, and what is validated on."""
        counts = {split: len(files) for split, files in self.pictures.items()}
        pictures = pluralize(counts["train"], "picture", "pictures")
        return [f"{self.path}: {pictures}; {describe_held_out(counts, self.held_out_by)}."]

    def fingerprint(self) -> str:
        """A digest of the names and sizes of all files, and of the derivation."""
        return self.inventory().fingerprint

    def inventory(self) -> Inventory:
        """The files, with their dates."""
        return inventory_splits(self.pictures.values(), self.path, repr((self.derivation, self.seed)))

    def redraw(self, pair: Pair, seed: int, epoch: int, index: int) -> Pair:
        """The pair with the hole or the noise of this epoch, made from its target, which is the picture."""
        if not self.redraws:
            return pair
        operation, amount, fill = self.derivation
        random = derivation_generator(seed, epoch, index)
        return pair._replace(source=draw_input(pair.target, random, operation, amount, fill))

    def _derive_pair(self, picture: Tensor, name: str) -> Pair:
        operation, amount, fill = self.derivation
        if operation == "lab":
            return Pair(*split_lightness(picture), name)
        return Pair(derive_input(picture, name, operation, amount, fill, self.seed), picture, name)


class DerivedFiles(Sequence[Pair]):
    """Picture files and the pairs that are derived from them."""

    def __init__(
        self, files: PairPaths, resize: Callable[[Tensor], Tensor], derive: Callable[[Tensor, str], Pair]
    ) -> None:
        self.files, self.resize, self.derive = files, resize, derive

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Pair:  # pyright: ignore[reportIncompatibleMethodOverride]
        (file,) = self.files[index]
        name = self.files.pair_name(index)
        drawn_by = drop_suffix(file.name) if self.files.keys is None else name  # as in earlier versions
        return self.derive(self.resize(read_pixels(file, 3)), drawn_by)._replace(name=name)


def input_derivation(operation: str | None, settings: Mapping[str, Any]) -> Callable[[Tensor, str], Tensor] | None:
    """The function that derives an input from a picture and its name, as `DerivedPairs` with these settings does.

    None for an operation that leaves the picture as it is: no operation, and `lab`, whose input is part of the picture.
    """
    if operation is None or operation == "lab":
        return None
    known = {name: settings[name] for name in ("amount", "fill", "seed") if name in settings}
    return functools.partial(derive_input, operation=operation, **{"amount": None} | known)
