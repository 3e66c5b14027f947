"""The numbers of the paper's tables, to show next to those of runs (arXiv 1611.07004)."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pix2pix.config.schema import RunConfig

SCORES = ("score_pixel_accuracy", "score_class_accuracy", "score_class_iou")
LAB = ("lab_l", "lab_a", "lab_b")
REAL_PHOTOS = "scores of real photos: .80 / .26 / .21"


class Table(NamedTuple):
    """A table of the paper: title, metrics, and its rows by the setting that varies."""

    title: str
    metrics: tuple[str, ...]
    rows: Mapping[Any, tuple[float, ...]]


LOSSES = Table(
    "Table 1: losses, Cityscapes labels -> photo; " + REAL_PHOTOS,
    SCORES,
    {
        "L1": (0.42, 0.15, 0.11),
        "GAN": (0.22, 0.05, 0.01),
        "cGAN": (0.57, 0.22, 0.16),
        "L1+GAN": (0.64, 0.20, 0.15),
        "L1+cGAN": (0.66, 0.23, 0.17),
    },
)
GENERATORS = Table(
    "Table 2: generators, Cityscapes labels -> photo, batch 10; " + REAL_PHOTOS,
    SCORES,
    {
        ("EncoderDecoder", "L1"): (0.35, 0.12, 0.08),
        ("EncoderDecoder", "L1+cGAN"): (0.29, 0.09, 0.05),
        ("UNet", "L1"): (0.48, 0.18, 0.13),
        ("UNet", "L1+cGAN"): (0.55, 0.20, 0.14),
    },
)
RECEPTIVE_FIELDS = Table(
    "Table 3: receptive fields of the discriminator, Cityscapes labels -> photo; " + REAL_PHOTOS,
    SCORES,
    {1: (0.39, 0.15, 0.10), 16: (0.65, 0.21, 0.17), 70: (0.66, 0.23, 0.17), 286: (0.42, 0.16, 0.11)},
)
LOSS_COLOURS = Table(
    "Figure 7: colour histogram intersections, Cityscapes labels -> photo",
    LAB,
    {"L1": (0.81, 0.69, 0.70), "cGAN": (0.87, 0.74, 0.84), "L1+cGAN": (0.86, 0.84, 0.82)},
)
LABELS = Table(
    "Table 6: photo -> labels, Cityscapes",
    ("pixel_accuracy", "class_accuracy", "class_iou"),
    {"L1": (0.86, 0.42, 0.35), "cGAN": (0.74, 0.28, 0.22), "L1+cGAN": (0.83, 0.36, 0.29)},
)
FIELD_COLOURS = Table(
    "Figure 7: colour histogram intersections of PixelGAN and PatchGAN, Cityscapes labels -> photo",
    LAB,
    {1: (0.83, 0.68, 0.78), 70: (0.86, 0.84, 0.82)},
)


def loss_name(config: RunConfig) -> str:
    """The objective as the paper names it: `L1`, `GAN`, `cGAN`, `L1+GAN`, `L1+cGAN`; others by their terms."""
    objective = config.objective
    names = [name for name in ("l1", "l2", "smooth_l1") if objective.get(f"{name}_weight")]
    if objective.get("adversarial"):
        names.append("cGAN" if objective["conditional"] else "GAN")
    return "+".join(names).replace("l1", "L1") or "none"


def matching_tables(configs: Sequence[RunConfig]) -> list[tuple[Table, list[tuple[float, ...] | None]]]:
    """The tables that vary the same setting as these runs, each with its row for every run, or None."""
    fields = [config.receptive_field for config in configs]
    generators = [config.generator_class for config in configs]
    losses = [loss_name(config) for config in configs]
    if any(config.data.palette is None for config in configs):
        return []  # the tables are about data with label maps
    to_labels = [config.data.label_map_side == "target" for config in configs]
    if all(to_labels):
        tables = [(LABELS, losses)] if len(set(losses)) > 1 else []
    elif any(to_labels):
        return []
    elif len(set(generators)) > 1:
        tables = [(GENERATORS, list(zip(generators, losses, strict=True)))]
    elif len(set(losses)) > 1:
        tables = [(LOSSES, losses), (LOSS_COLOURS, losses)]
    elif len(set(fields)) > 1:
        tables = [(RECEPTIVE_FIELDS, fields), (FIELD_COLOURS, fields)]
    else:
        return []
    return [(table, [table.rows.get(key) for key in keys]) for table, keys in tables]
