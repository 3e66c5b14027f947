"""Pairs that are read from files, in either direction."""

from collections.abc import Iterable, Sequence

from PIL import Image
from torch import Tensor

from pix2pix.data.direction import Direction, orient
from pix2pix.data.images.decode import open_picture, pil_to_tensor
from pix2pix.data.images.memory_file import File
from pix2pix.data.pair import Pair, read_ahead
from pix2pix.data.sources.image_spec import RGB_SPEC, ImageSpec, require_even, split_halves
from pix2pix.data.sources.pair_names import pair_name
from pix2pix.data.sources.pair_paths import PairPaths


class PairFiles(Sequence[Pair]):
    """Pairs in files. An entry is (file,) with A and B side by side, or the files of A and then those of B."""

    def __init__(
        self, files: Sequence[tuple[File, ...]], direction: Direction, a: ImageSpec = RGB_SPEC, b: ImageSpec = RGB_SPEC
    ) -> None:
        self.files, self.direction = files, direction
        self.a, self.b = a, b

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Pair:  # pyright: ignore[reportIncompatibleMethodOverride]
        files = self.files[index]
        if len(files) == 1:
            a, b = self._read_halves(files[0])
        else:
            count = len(self.a.channels)
            a, b = self.a.read(files[:count]), self.b.read(files[count:])
        source, target = orient(a, b, self.direction)
        return Pair(source, target, self._name(index, files))

    def read_ahead(self, indices: Iterable[int]) -> None:
        """Begins to read pairs that are about to be indexed, where their files come over a network."""
        read_ahead(self.files, indices)

    def name(self, index: int) -> str:
        """The name of a pair."""
        return self._name(index, self.files[index])

    def _name(self, index: int, files: tuple[File, ...]) -> str:
        if isinstance(self.files, PairPaths):
            return self.files.pair_name(index)
        # Shards have the name in the file; indexing them once more would read the pair a second time.
        return pair_name(files[0].stem, *self.a.folders[:1])

    def _read_halves(self, file: File) -> tuple[Tensor, Tensor]:
        """A and B of a side-by-side picture; an ordinary RGB picture is converted once for both."""
        picture = open_picture(file)
        if isinstance(picture, Image.Image) and picture.mode == "RGB" and self.a.is_plain_rgb and self.b.is_plain_rgb:
            require_even(picture.width, file)
            left, right = pil_to_tensor(picture, "RGB").chunk(2, dim=-1)
            return left, right
        left, right = split_halves(picture, file)
        return self.a.combine([left], str(file)), self.b.combine([right], str(file))
