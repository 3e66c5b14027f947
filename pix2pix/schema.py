"""What a run's configuration may say: one model over the resolved tree, and the sentences for what breaks it."""

import functools
import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Self

import pytorch_lightning as pl
import torch
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails
from pytorch_lightning.loggers import Logger
from torch import nn

from pix2pix import components
from pix2pix.data.augmentation import Augment
from pix2pix.data.cache import CacheKind
from pix2pix.data.pair_source import PairSource
from pix2pix.data.palettes import PALETTES, Palette, PaletteChoice
from pix2pix.data.pixels import Depth
from pix2pix.data.sizing import Preprocess
from pix2pix.data.tolerance import OnError
from pix2pix.data.transforms import PairTransform
from pix2pix.evaluation.metrics import validation_metrics
from pix2pix.losses import Objective
from pix2pix.machine import picked

Positive = Annotated[int, Field(ge=1)]


def _rising(limits: tuple[float, float]) -> tuple[float, float]:
    if limits[0] >= limits[1]:
        raise ValueError("the first value must be below the second")
    return limits


def _palette(choice: Any) -> Any:
    try:
        return choice and TypeAdapter(PaletteChoice).validate_python(choice, strict=True) and Palette(choice) and choice
    except ValidationError as error:
        raise ValueError(
            f"data.palette={choice}: give {', '.join(PALETTES)}, a number of classes (2 to 256), or their colours, "
            "[[255,0,0],[0,0,255]] or {tree: [0,128,0], road: [90,90,90]}"
        ) from error


Range = Annotated[tuple[float, float], AfterValidator(_rising)]


class Settings(BaseModel):
    """A part of the configuration: no unknown keys, no conversions between types."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def _component(value: Any) -> Any:
    if not components.is_component(value):
        raise ValueError(f"must be a mapping with {components.TARGET}, the class to build")
    return value


Part = Annotated[dict[str, Any], BeforeValidator(_component)]

# What each part of the tree must be; everything else about it stands in the signature of the class it names.
KINDS: dict[str, type] = {
    "data.pairs": PairSource,
    "data.transform": PairTransform,
    "generator": nn.Module,
    "discriminator": nn.Module,
    "objective": Objective,
    "optimizer.generator": torch.optim.Optimizer,
    "optimizer.discriminator": torch.optim.Optimizer,
    "trainer": pl.Trainer,
    "callbacks": pl.Callback,
    "logger": Logger,
}


class Data(Settings):
    """Which pairs, at which size, drawn how. Sizes in pixels; `load_*` is the size before the random crop."""

    name: str
    root: str
    path: str | None
    direction: Literal["AtoB", "BtoA"]
    size: Positive
    height: Positive
    width: Positive
    jitter: bool
    mirror: bool
    load_height: Positive
    load_width: Positive
    preprocess: Preprocess
    augment: Augment
    depth: Depth
    source_depth: Depth
    target_depth: Depth
    source_range: Range | None
    target_range: Range | None
    folders: dict[Literal["A", "B"], str | dict[str, Positive]]
    source_channels: Positive
    target_channels: Positive
    operation: str | None = None
    batch_size: Positive
    on_error: OnError
    skip_limit: Annotated[int, Field(ge=0)]
    num_workers: Annotated[int, Field(ge=0)] | Literal["auto"]
    cache: CacheKind
    cache_dir: str
    cache_gigabytes: Annotated[float, Field(gt=0)]
    palette: Annotated[Any, AfterValidator(_palette)]
    labels: Literal["A", "B"] | None
    one_hot: bool
    input_channels: Positive
    output_channels: Positive
    pairs: Part
    transform: Part

    @model_validator(mode="after")
    def _labels_have_a_palette(self) -> Self:
        if (self.palette is None) != (self.labels is None) or (self.one_hot and self.palette is None):
            raise ValueError(
                f"data.palette={self.palette}, data.labels={self.labels}, data.one_hot={self.one_hot}: "
                "a palette and which image is the label map (A or B) belong together, and one_hot needs both"
            )
        return self

    @model_validator(mode="after")
    def _workers_reach_the_cache(self) -> Self:
        if self.cache == "device" and self.num_workers not in {0, "auto"}:
            raise ValueError(
                f"data.num_workers={self.num_workers}: other processes do not reach pairs that are kept on the device; "
                "set data.num_workers=auto, or data.cache=memory"
            )
        return self

    @model_validator(mode="after")
    def _names_a_folder(self) -> Self:
        if self.path is None and "path" in self.pairs:
            raise ValueError("data.path is not set; give the folder of your pairs, data.path=my/pairs")
        return self

    @model_validator(mode="after")
    def _channels_are_read(self) -> Self:
        if self.target_channels == 2 and self.operation != "lab":
            raise ValueError(
                "data.target_channels=2: two channels are Lab's a and b, of data=derived data.operation=lab"
            )
        if {self.source_depth, self.target_depth} != {8} and "source_depth" not in self.pairs:
            raise ValueError("data.depth: these pairs are of 8 bits; convert deeper files, or make them pairs of files")
        drawn = "source_channels" not in self.pairs and self.operation is None
        label_channels = (
            self.source_channels if (self.labels == "A") == (self.direction == "AtoB") else self.target_channels
        )
        if drawn and (self.source_channels, self.target_channels) != (3, 3):
            raise ValueError("data.source_channels, data.target_channels: these pairs are RGB, 3 channels each")
        if self.palette is not None and label_channels != 3:
            raise ValueError("data.palette: label maps are read by their colours, which takes 3 channels")
        return self

    @model_validator(mode="after")
    def _sizes_agree_in_a_batch(self) -> Self:
        if self.preprocess == "none" and self.batch_size > 1:
            raise ValueError(
                f"data.batch_size={self.batch_size}: data.preprocess=none takes pictures of any size, one at a time; "
                "set data.batch_size=1, or data.preprocess=crop where all are of one size"
            )
        return self

    @model_validator(mode="after")
    def _integers_have_a_range(self) -> Self:
        for image in ("source", "target"):
            if getattr(self, f"{image}_depth") == 32 and getattr(self, f"{image}_range") is None:
                raise ValueError(f"data.{image}_depth=32: signed integers need data.{image}_range=[LOW,HIGH]")
        return self

    @model_validator(mode="after")
    def _colours_can_change(self) -> Self:
        source_is_map = self.labels == ("A" if self.direction == "AtoB" else "B")
        if self.augment.colours and (source_is_map or self.source_channels not in {1, 3}):
            raise ValueError(
                "data.augment: brightness, contrast, saturation and hue are of grey and RGB sources, not of label maps "
                "or other channels"
            )
        if self.source_channels != 3 and (self.augment.saturation or self.augment.hue):
            raise ValueError("data.augment: a source without colours has no saturation or hue to change")
        return self

    @model_validator(mode="after")
    def _crop_fits(self) -> Self:
        if self.load_height < self.height or self.load_width < self.width:
            raise ValueError(
                f"data.load_height x data.load_width = {self.load_height}x{self.load_width} is smaller than the crop "
                f"{self.height}x{self.width}; raise it, or leave it to follow from data.size"
            )
        return self


class Optimizer(Settings):
    """Both players' optimizers and what they share. `decay_epochs`: the last epochs, in which the rate falls to 0."""

    lr: Annotated[float, Field(gt=0)]
    betas: tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]]
    decay_epochs: Annotated[int, Field(ge=0)]
    clip_norm: Annotated[float, Field(gt=0)] | None
    generator: Part
    discriminator: Part


class Inference(Settings):
    """Test-time choices a user must see; the paper's are batch statistics and dropout on (section 3.4)."""

    normalization: Literal["batch", "running"]
    dropout: Literal["on", "off"]
    seed: Annotated[int, Field(ge=0)]


class RunConfig(Settings):
    """The resolved configuration of one run."""

    name: Annotated[str, Field(min_length=1)]
    output_dir: str
    run_dir: str
    resume: Annotated[str, Field(min_length=1)]
    allow_changed_data: bool
    init_from: str | None
    seed: Annotated[int, Field(ge=0)]
    precision: Literal[32, "32", "32-true", "bf16-mixed", "16-mixed", "auto"]
    ema_decay: Annotated[float, Field(gt=0, lt=1)] | None
    data: Data
    generator: Part
    discriminator: Part | None
    objective: Part
    optimizer: Optimizer
    inference: Inference
    trainer: Part
    callbacks: dict[str, Part]
    logger: dict[str, Part]

    @model_validator(mode="after")
    def _players_fit(self) -> Self:
        adversarial = self.objective.get("adversarial")
        if adversarial and self.discriminator is None:
            raise ValueError(
                "the objective has an adversarial term but discriminator=none; choose one, or objective=l1"
            )
        if (
            adversarial
            and adversarial.get("gradient_penalty")
            and (self.discriminator or {}).get("norm", "batch") == "batch"
        ):
            raise ValueError(
                "objective.adversarial: a gradient penalty is a norm per picture, which batch norm mixes; "
                "set discriminator.norm=instance or none"
            )
        return self

    @model_validator(mode="after")
    def _monitors_are_logged(self) -> Self:
        if any(not part[components.TARGET].startswith("pix2pix.") for part in self.callbacks.values()):
            return self  # a callback of the user's own may log more than we know of
        data = self.data
        labels = data.labels is not None and data.labels == ("B" if data.direction == "AtoB" else "A")
        logged = [f"val/{name}" for name in validation_metrics(data.height, data.width, labels=labels)]
        for name, part in self.callbacks.items():
            if part.get("monitor", logged[0]) not in logged:
                raise ValueError(
                    f"callbacks.{name}.monitor={part['monitor']}: this run logs no such metric. "
                    f"Choose from {', '.join(logged)}"
                )
        return self

    @model_validator(mode="after")
    def _labels_are_coded(self) -> Self:
        of_labels = [name for name in ("cross_entropy_weight", "dice_weight") if self.objective.get(name)]
        if of_labels and not self.data.transform.get("target_palette"):
            raise ValueError(
                f"objective.{of_labels[0]}: cross-entropy and Dice need label maps as targets, one channel a class; "
                "set data.one_hot=true, data.palette, data.labels and the data.direction that ends in the label map"
            )
        return self

    @model_validator(mode="after")
    def _trainer_fits(self) -> Self:
        trainer = self.trainer
        if trainer.get("gradient_clip_val") is not None:
            raise ValueError(
                "trainer.gradient_clip_val does not reach two alternating players; set optimizer.clip_norm"
            )
        if trainer.get("accumulate_grad_batches", 1) != 1:
            raise ValueError(
                "trainer.accumulate_grad_batches: the players alternate every batch; raise data.batch_size instead"
            )
        on_cpu = picked(trainer, self.precision)["accelerator"] == "cpu"
        if trainer.get("sync_batchnorm") and on_cpu:
            raise ValueError(
                "trainer.sync_batchnorm needs GPUs; on CPUs set generator.norm and discriminator.norm=instance"
            )
        if self.precision == "16-mixed" and on_cpu:
            raise ValueError("precision=16-mixed needs a GPU; on the CPU set precision=bf16-mixed or 32")
        fused = any(player.get("fused") for player in (self.optimizer.generator, self.optimizer.discriminator))
        if self.precision == "16-mixed" and self.optimizer.clip_norm and fused:
            raise ValueError(
                "optimizer.clip_norm cannot see through the loss scale of precision=16-mixed with fused optimizers; "
                "set precision=bf16-mixed, or optimizer.generator.fused=false and optimizer.discriminator.fused=false"
            )
        epochs = trainer.get("max_epochs")
        if self.optimizer.decay_epochs and self.optimizer.decay_epochs > (epochs or 0):
            raise ValueError(
                f"optimizer.decay_epochs={self.optimizer.decay_epochs} is more than trainer.max_epochs={epochs}"
            )
        return self


def check(config: Mapping[str, Any]) -> None:
    """Raises ValueError with every problem of the resolved configuration, one a line, in the user's words."""
    found = list(_setting_problems(config)) or list(_component_problems(config))
    if found:
        raise ValueError("\n".join(["the configuration cannot be run:", *(f"  {problem}" for problem in found)]))


def _setting_problems(config: Mapping[str, Any]) -> Iterator[str]:
    try:
        RunConfig.model_validate_json(json.dumps(config))
    except ValidationError as error:
        for part in error.errors():
            yield _sentence(part["loc"], part)


def _sentence(location: tuple[int | str, ...], part: ErrorDetails) -> str:
    key = ".".join(map(str, location))
    if part["type"] == "extra_forbidden":
        return components.unknown(key, _known_settings(location[:-1]))
    message = part["msg"].removeprefix("Value error, ")
    return (
        f"{key}={components.shown(part['input'])}: {message}."
        if isinstance(part["input"], str | int | float)
        else message
    )


def _known_settings(location: tuple[int | str, ...]) -> list[str]:
    model: Any = RunConfig
    for name in location:
        model = model.model_fields[name].annotation
    return list(model.model_fields)


def _component_problems(config: Mapping[str, Any]) -> Iterator[str]:
    for key, kind in KINDS.items():
        node: Any = functools.reduce(lambda tree, name: tree[name], key.split("."), config)
        parts = (
            {key: node}
            if components.is_component(node)
            else {f"{key}.{name}": part for name, part in (node or {}).items()}
        )
        for path, part in parts.items():
            yield from components.problems(part, path, kind)
