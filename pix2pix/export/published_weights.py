"""The catalogue of the weights that the authors of pix2pix published: task, data, size, terms and address."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pix2pix.data.direction import Direction
from pix2pix.datasets.download.catalogue import CATALOGUE, PublicDataset
from pix2pix.models.reference_architecture import training_size

HOST = "http://efrosgans.eecs.berkeley.edu/pix2pix/models-pytorch"
SOURCE = "https://github.com/junyanz/pytorch-CycleGAN-and-pix2pix"
LICENCE = f"the authors name no licence for the weights (their code is BSD, {SOURCE})"
MEGABYTES = 218  # 217,704,720 bytes of sat2map.pth; the others hold the same network


@dataclass(frozen=True)
class PublishedWeights:
    """One file NAME.pth: a U-Net at 256x256 pixels of 64 channels, with batch norm, from 3 to 3 channels.

    Args:
        name: the name of the file, and of the run that is made of it.
        task: what it makes of what.
        dataset: the name of its training data in the catalogue of data sets.
        data: the data configuration of the run.
        direction: which half of a pair is the source, in the authors' files.
    """

    name: str
    task: str
    dataset: str
    data: str
    direction: Direction

    @property
    def file(self) -> str:
        """The name of the file on the server."""
        return f"{self.name}.pth"

    @property
    def pairs(self) -> PublicDataset:
        """The data set it was trained on."""
        return CATALOGUE[self.dataset]

    @property
    def terms(self) -> str:
        """What is known of the conditions of use, with the source."""
        return f"trained on {self.pairs.owner}: {self.pairs.terms} ({self.pairs.homepage}); {LICENCE}"

    @property
    def settings(self) -> list[str]:
        """The settings that the tensors do not contain, as `pix2pix import` takes them."""
        return [f"data={self.data}", f"data.direction={self.direction}", f"data.size={self.network['size']}"]

    @property
    def network(self) -> dict[str, Any]:
        """Kind, channels, norm and size of the generator, the same for all."""
        return {"kind": "UNet", "in_channels": 3, "out_channels": 3, "norm": "batch", "size": 256}

    def require_network(self, generator: Mapping[str, Any]) -> None:
        """Raises ValueError when a generator read off tensors is not the one of the catalogue."""
        # The tensors decide: a file of the same name may hold another network.
        kind = generator["_target_"].rpartition(".")[2]
        actual = {**generator, "kind": kind, "size": training_size(generator)}
        wrong = [
            f"{name}={actual.get(name)} instead of {value}"
            for name, value in self.network.items()
            if actual.get(name) != value
        ]
        if wrong:
            raise ValueError(f"not the weights of {self.name}: the network has {', '.join(wrong)}.")


# Directions as the authors give them: docs/datasets.md and the README of their repository.
PUBLISHED = {
    known.name: known
    for known in (
        PublishedWeights("edges2shoes", "makes photos of shoes from edges", "edges2shoes", "edges2shoes", "AtoB"),
        PublishedWeights("sat2map", "makes maps from aerial photos", "maps", "maps", "AtoB"),
        PublishedWeights("map2sat", "makes aerial photos from maps", "maps", "maps_reverse", "BtoA"),
        PublishedWeights(
            "facades_label2photo", "makes photos of buildings from label maps", "facades", "facades", "BtoA"
        ),
        PublishedWeights("day2night", "makes night photos from day photos", "night2day", "night2day", "BtoA"),
    )
}


def find_published_weights(name: str) -> PublishedWeights:
    """Returns the entry of that name. Raises ValueError listing the names."""
    if name not in PUBLISHED:
        raise ValueError(
            f"model {name!r}: no published weights of this name are known. Choose from {', '.join(PUBLISHED)}."
        )
    return PUBLISHED[name]


def find_downloaded(folder: Path) -> dict[str, Path]:
    """Returns the runs directly in `folder` that were made of published weights, by the name of these."""
    runs = {}
    for file in sorted(folder.glob("*/provenance.json")):
        try:
            name = json.loads(file.read_text(encoding="utf-8"))["imported"]["published"]
        except (OSError, ValueError, KeyError, TypeError):
            continue
        runs.setdefault(name, file.parent)
    return runs
