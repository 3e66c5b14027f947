"""The schema of a run's configuration, and the error messages for what breaks it."""

import functools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import pytorch_lightning as pl
import torch
from pydantic import Field, ValidationError, model_validator
from pydantic_core import ErrorDetails
from pytorch_lightning.loggers import Logger
from torch import nn

from pix2pix.config.hardware import picked
from pix2pix.config.identity import flat
from pix2pix.config.metric_names import DIAGNOSES, higher_is_better, validation_metrics
from pix2pix.core import instantiate, trust, trusted_modules
from pix2pix.core.addresses import require_no_secrets
from pix2pix.core.instantiate import Part, Settings
from pix2pix.data.pair import PairSource
from pix2pix.data.settings import Data
from pix2pix.data.transforms import PairTransform
from pix2pix.models.learning_rates import LinearDecay
from pix2pix.models.losses import Objective

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


class Optimizer(Settings):
    """Both players' optimizers and what they share. `decay_epochs`: the last epochs, in which the rate falls to 0."""

    lr: Annotated[float, Field(gt=0)]
    betas: tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]]
    decay_epochs: Annotated[int, Field(ge=0)] = 0
    clip_norm: Annotated[float, Field(gt=0)] | None = None
    generator: Part
    discriminator: Part


class Inference(Settings):
    """Test-time choices a user must see; the paper's are batch statistics and dropout on (section 3.4)."""

    normalization: Literal["batch", "running"] = "batch"
    dropout: Literal["on", "off"] = "on"
    seed: Annotated[int, Field(ge=0)] = 0


CAPTURABLE = {"torch.optim.Adam", "torch.optim.AdamW"}


class Step(Settings):
    """How a training step is carried out; see `pix2pix.training.cuda_graph.Execution`."""

    cuda_graph: bool = False
    channels_last: bool = False
    compiled: bool = False


class RunConfig(Settings):
    """The resolved configuration of one run.

    A setting that is added here gets a default: the configurations of earlier runs do not have it.
    """

    name: Annotated[str, Field(min_length=1)]
    output_dir: str
    run_dir: str
    resume: Annotated[str, Field(min_length=1)] = "auto"
    allow_changed_data: bool = False
    init_from: str | None = None
    seed: Annotated[int, Field(ge=0)]
    precision: Literal[32, "32", "32-true", "bf16-mixed", "16-mixed", "auto"] = 32
    ema_decay: Annotated[float, Field(gt=0, lt=1)] | None = None
    data: Data
    generator: Part
    discriminator: Part | None
    objective: Part
    optimizer: Optimizer
    step: Step = Step()
    inference: Inference = Inference()
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
        ours = {name: part for name, part in self.callbacks.items() if part[instantiate.TARGET].startswith("pix2pix.")}
        monitors = {name: part["monitor"] for name, part in ours.items() if isinstance(part.get("monitor"), str)}
        logged = self._validation_metrics()
        for name, monitor in monitors.items():
            # a callback of the user's own may log more than we know of
            if len(ours) == len(self.callbacks) and monitor not in logged:
                raise ValueError(
                    f"callbacks.{name}.monitor={monitor}: this run logs no such metric. Choose from {', '.join(logged)}"
                )
            higher_is_better(monitor, ours[name].get("mode"))
        return self

    def _validation_metrics(self) -> list[str]:
        data = self.data
        labels = data.labels is not None and data.labels == ("B" if data.direction == "AtoB" else "A")
        names = validation_metrics(data.height, data.width, labels=labels)
        diagnosed = any(part[instantiate.TARGET].endswith(".CollapseMonitor") for part in self.callbacks.values())
        return [f"val/{name}" for name in [*names, *(DIAGNOSES if diagnosed else ())]]

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
        if trainer.get("sync_batchnorm") and self._on_cpu():
            raise ValueError(
                "trainer.sync_batchnorm needs GPUs; on CPUs set generator.norm and discriminator.norm=instance"
            )
        return self

    @model_validator(mode="after")
    def _precision_fits(self) -> Self:
        if self.precision == "16-mixed" and self._on_cpu():
            raise ValueError("precision=16-mixed needs a GPU; on the CPU set precision=bf16-mixed or 32")
        fused = any(player.get("fused") for player in (self.optimizer.generator, self.optimizer.discriminator))
        if self.precision == "16-mixed" and self.optimizer.clip_norm and fused:
            raise ValueError(
                "optimizer.clip_norm cannot see through the loss scale of precision=16-mixed with fused optimizers; "
                "set precision=bf16-mixed, or optimizer.generator.fused=false and optimizer.discriminator.fused=false"
            )
        return self

    @model_validator(mode="after")
    def _rate_falls_within_the_training(self) -> Self:
        epochs, decay = self.trainer.get("max_epochs"), self.optimizer.decay_epochs
        LinearDecay(decay).require_last_epoch(epochs)
        if decay and decay > (epochs or 0):
            raise ValueError(f"optimizer.decay_epochs={decay} is more than trainer.max_epochs={epochs}")
        return self

    @model_validator(mode="after")
    def _step_can_be_captured(self) -> Self:
        players = (self.optimizer.generator, self.optimizer.discriminator)
        adam = all(player.get("fused") and player[instantiate.TARGET] in CAPTURABLE for player in players)
        gpu = picked(self.trainer, self.precision)["accelerator"] in {"gpu", "cuda"}
        norms = any(callback.get("gradient_norms") for callback in self.callbacks.values())
        rules = {
            "trainer=gpu: it is recorded on one": gpu,
            "trainer.devices=1: what processes tell each other is not recorded": self.trainer.get("strategy") == "auto",
            "precision=bf16-mixed: the loss scale of 16-mixed is read in every step": self.precision != "16-mixed",
            "optimizer.*.fused=true, of Adam or AdamW: others keep numbers where no graph reads them": adam,
            "callbacks.training_log.gradient_norms=false: a recorded step calls no callback": not norms,
        }
        broken = [rule for rule, kept in rules.items() if self.step.cuda_graph and not kept]
        if broken:
            raise ValueError(f"step.cuda_graph=true needs {'; and '.join(broken)}; or set step.cuda_graph=false")
        return self

    def _on_cpu(self) -> bool:
        return picked(self.trainer, self.precision)["accelerator"] == "cpu"


def check(config: Mapping[str, Any]) -> None:
    """Raises ValueError with every problem of the resolved configuration, one a line, in the user's words."""
    require_no_secrets((key, str(value)) for key, value in flat(config))
    found = list(_setting_problems(config)) or list(_component_problems(config))
    if found:
        raise ValueError("\n".join(["the configuration cannot be run:", *(f"  {problem}" for problem in found)]))


def check_foreign(config: Mapping[str, Any], source: Path) -> None:
    """Raises ValueError for a run's own `config.yaml` that asks for more than a training of ours can have written.

    It is a file like a checkpoint, though a training is made of it: its classes are judged before Hydra reads it, by
    `pix2pix.core.trust`. Optimizers of torch and parts of Lightning are no strangers there.
    """
    found = [f"{name}: no run has it" for name in ("hydra", "defaults", instantiate.TARGET) if name in config]
    found += ["# @package: no run has it"] * ("@package" in source.read_text(encoding="utf-8"))
    found += [f"{key}={value}: a reference, which no run has" for key, value in flat(config) if "${" in str(value)]
    for path, part, kind in _components(config) if not found else ():
        known = "torch.optim" if kind is torch.optim.Optimizer else "pytorch_lightning"
        judge = trust.TrustCheck(
            kind, {known, *trusted_modules.read_trusted_modules()}, factories=kind is torch.optim.Optimizer
        )
        found += judge.find_problems(part, path)
    if found:
        raise trust.UntrustedError(
            "\n".join([f"{source}: no training is made of it:", *(f"  {problem}" for problem in found)])
            + "\nWhere you have read it and know what it runs, copy it to a folder of your own: that is yours."
        )


def _setting_problems(config: Mapping[str, Any]) -> Iterator[str]:
    try:
        RunConfig.model_validate_json(json.dumps(config))
    except ValidationError as error:
        for part in error.errors():
            yield _sentence(part["loc"], part)


def _sentence(location: tuple[int | str, ...], part: ErrorDetails) -> str:
    key = ".".join(map(str, location))
    if part["type"] == "extra_forbidden":
        return instantiate.unknown_key_message(key, _known_settings(location[:-1]))
    message = part["msg"].removeprefix("Value error, ")
    return (
        f"{key}={instantiate.format_value(part['input'])}: {message}."
        if isinstance(part["input"], str | int | float)
        else message
    )


def _known_settings(location: tuple[int | str, ...]) -> list[str]:
    model: Any = RunConfig
    for name in location:
        model = model.model_fields[name].annotation
    return list(model.model_fields)


def _component_problems(config: Mapping[str, Any]) -> Iterator[str]:
    for path, part, kind in _components(config):
        yield from instantiate.validate_component(part, path, kind)


def _components(config: Mapping[str, Any]) -> Iterator[tuple[str, Any, type]]:
    """Every component of a configuration: its dotted name, itself, and what it must be."""
    for key, kind in KINDS.items():
        node: Any = functools.reduce(_below, key.split("."), config)
        if instantiate.is_component(node):
            yield key, node, kind
        else:
            yield from ((f"{key}.{name}", part, kind) for name, part in node.items())


def _below(tree: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    below = tree.get(name)
    return below if isinstance(below, Mapping) else {}
