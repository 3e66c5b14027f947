"""The catalogue of the paper's data sets: contents, size, owner, terms and address."""

from dataclasses import dataclass
from pathlib import Path

HOST = "http://efrosgans.eecs.berkeley.edu/pix2pix/datasets"
SUFFIXES = (".jpg", ".jpeg", ".png")
MB = 10**6


@dataclass(frozen=True)
class PublicDataset:
    """A public data set: an archive NAME.tar.gz of side-by-side pictures in NAME/SPLIT/.

    Args:
        name: the name of the archive, of its folder, and of the experiment that trains on it.
        splits: how many pairs each split holds.
        megabytes: about how large the archive is; its pictures, JPEGs, take about as much again on disk.
        halves: what A and B are.
        whose: where the pictures come from.
        terms: what is known of the conditions of use.
        homepage: where the terms stand.
        side: height and width of A and of B, in pixels.
    """

    name: str
    splits: dict[str, int]
    megabytes: int
    halves: str
    owner: str
    terms: str
    homepage: str
    side: int = 256

    @property
    def pairs(self) -> int:
        """Number of pairs in all splits."""
        return sum(self.splits.values())

    @property
    def max_archive_bytes(self) -> int:
        """Bytes; a larger archive cannot be the real one."""
        return 2 * self.megabytes * MB

    @property
    def max_folder_bytes(self) -> int:
        """Bytes; a larger unpacked archive cannot be the real one."""
        return 3 * self.megabytes * MB

    def missing_pairs(self, folder: Path) -> list[str]:
        """Describes each split whose number of pictures in `folder` differs from that of this data set."""
        found = {split: count_pictures(folder / split) for split in self.splits}
        return [
            f"{split}: {found[split]} of {pairs} pairs" for split, pairs in self.splits.items() if found[split] != pairs
        ]


def count_pictures(folder: Path) -> int:
    """Number of pictures directly in `folder`; 0 if it does not exist."""
    if not folder.is_dir():
        return 0
    return sum(file.suffix.lower() in SUFFIXES and not file.name.startswith(".") for file in folder.iterdir())


# Pairs in each split: counted by users of the authors' files. Sizes: as other implementations give them.
CATALOGUE = {
    known.name: known
    for known in (
        PublicDataset(
            name="facades",
            splits={"train": 400, "val": 100, "test": 106},
            megabytes=30,
            halves="A photo, B label map",
            owner="CMP Facade Database, Tylecek and Sara, Czech Technical University (GCPR 2013)",
            terms="published for research; cite the database",
            homepage="https://cmp.felk.cvut.cz/~tylecr1/facade/",
        ),
        PublicDataset(
            name="maps",
            splits={"train": 1096, "val": 1098},
            megabytes=250,
            halves="A aerial photo, B map",
            owner="Google Maps around New York City, collected by the authors of pix2pix",
            terms="no licence is given; the pictures are Google's, whose terms of service apply",
            homepage="https://www.google.com/help/terms_maps/",
            side=600,
        ),
        PublicDataset(
            name="edges2shoes",
            splits={"train": 49825, "val": 200},
            megabytes=2200,
            halves="A edges (HED), B photo",
            owner="UT Zappos50K, Yu and Grauman, University of Texas at Austin (CVPR 2014)",
            terms="for academic, non-commercial use; cite the data set",
            homepage="https://vision.cs.utexas.edu/projects/finegrained/utzap50k/",
        ),
        PublicDataset(
            name="edges2handbags",
            splits={"train": 138567, "val": 200},
            megabytes=8600,
            halves="A edges (HED), B photo",
            owner="photos of handbags from Amazon, collected for iGAN by Zhu and others (ECCV 2016)",
            terms="no licence is given; the photos are Amazon's and its sellers'",
            homepage="https://github.com/junyanz/iGAN",
        ),
        PublicDataset(
            name="cityscapes",
            splits={"train": 2975, "val": 500},
            megabytes=113,
            halves="A photo, B label map",
            owner="Cityscapes, Cordts and others (CVPR 2016)",
            terms="non-commercial, after registration with Cityscapes; the authors of pix2pix may no longer offer "
            "their copy. With one of your own: pix2pix data prepare pairs",
            homepage="https://www.cityscapes-dataset.com/license/",
        ),
        PublicDataset(
            name="night2day",
            splits={"train": 17823, "val": 10, "test": 2287},
            megabytes=2000,
            halves="A photo by night, B by day",
            owner="Transient Attributes, Laffont and others, Brown University (SIGGRAPH 2014); webcam pictures",
            terms="no licence is given; published for research, cite the data set",
            homepage="http://transattr.cs.brown.edu/",
        ),
    )
}


def find_dataset(name: str) -> PublicDataset:
    """The data set of that name. Raises ValueError with all names if it is unknown."""
    if name not in CATALOGUE:
        raise ValueError(f"data set {name!r} is unknown. Choose from {', '.join(CATALOGUE)}.")
    return CATALOGUE[name]


def lock_file(root: Path) -> Path:
    """The file with the checksums of the data sets under `root`."""
    return root / "datasets.lock"
