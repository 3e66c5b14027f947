"""Inputs of a test or validation split that have no targets: shown among the samples, and no part of any metric."""

from collections.abc import Sequence

from pix2pix.core.plurals import pluralize
from pix2pix.data.pair import InputAlone
from pix2pix.data.sources.image_spec import ImageSpec
from pix2pix.data.sources.pair_paths import PairPaths

USE = "the samples of the training show some, and `pix2pix translate` takes them"


class InputFiles(Sequence[InputAlone]):
    """Inputs in files, read as the sources of pairs are."""

    def __init__(self, files: PairPaths, spec: ImageSpec) -> None:
        self.files, self.spec = files, spec

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> InputAlone:  # pyright: ignore[reportIncompatibleMethodOverride]
        return InputAlone(self.spec.read(self.files[index]), self.files.pair_name(index))


def describe_inputs(count: int, place: str) -> str:
    """The note about inputs without targets."""
    return f"{pluralize(count, 'input', 'inputs')} in {place} without targets: {USE}"
