"""Loads pairs of images for training: sources, caches, transforms, augmentation, samplers, the data module."""

from typing import TYPE_CHECKING

from pix2pix.core.lazy import lazy_getattr

if TYPE_CHECKING:
    from pix2pix.data.datamodule import PairDataModule
    from pix2pix.data.pair import Pair, PairSource
    from pix2pix.data.sources.derived import DerivedPairs
    from pix2pix.data.sources.folder import PairFolder
    from pix2pix.data.sources.shards import ShardedPairs
    from pix2pix.data.sources.synthetic.pairs import SyntheticFacades
    from pix2pix.data.transforms import JitterAndMirror, PairTransform

__all__ = [
    "DerivedPairs",
    "JitterAndMirror",
    "Pair",
    "PairDataModule",
    "PairFolder",
    "PairSource",
    "PairTransform",
    "ShardedPairs",
    "SyntheticFacades",
]

__getattr__ = lazy_getattr(
    __name__,
    {
        "DerivedPairs": "sources.derived",
        "JitterAndMirror": "transforms",
        "Pair": "pair",
        "PairDataModule": "datamodule",
        "PairFolder": "sources.folder",
        "PairSource": "pair",
        "PairTransform": "transforms",
        "ShardedPairs": "sources.shards",
        "SyntheticFacades": "sources.synthetic.pairs",
    },
)
