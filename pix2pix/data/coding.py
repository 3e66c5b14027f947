"""Derives from the data settings which image is coded by class, and in which channels and depth."""

from typing import Any

from pix2pix.data.images.decode import Depth
from pix2pix.data.images.palettes import Palette
from pix2pix.data.sources.image_spec import ImageSpec, make_spec


def target_depth(config: dict[str, Any]) -> Depth:
    """The depth of a run's targets; label maps are painted in 8 bits, however many their files have."""
    return 8 if targets_are_labels(config) else config["data"].get("target_depth", 8)


def source_side(config: dict[str, Any]) -> ImageSpec:
    """How the source of a run's pairs is read from files."""
    data = config["data"]
    image = "A" if data["direction"] == "AtoB" else "B"
    folders = (data.get("folders") or {}).get(image, image)
    palette = data["palette"] if data["labels"] == image else None
    return make_spec(folders, data["source_channels"], data.get("source_depth", 8), palette)


def palette_of(config: dict[str, Any]) -> Palette | None:
    """The palette of the data's label maps, where they have one."""
    name = config["data"]["palette"]
    return Palette(name) if name else None


def coded_palettes(config: dict[str, Any]) -> tuple[Palette | None, Palette | None]:
    """The palettes by which sources and targets are coded with a channel for each class."""
    transform = config["data"]["transform"]
    source, target = (transform.get(f"{image}_palette") for image in ("source", "target"))
    return Palette(source) if source else None, Palette(target) if target else None


def targets_are_labels(config: dict[str, Any]) -> bool:
    """Whether the data go from photos to label maps."""
    data = config["data"]
    return data["labels"] == ("B" if data["direction"] == "AtoB" else "A")
