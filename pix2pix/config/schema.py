"""The typed configuration of one run. What follows from its settings is a property with a name."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Field

from pix2pix.config.hardware import select_hardware
from pix2pix.core.instantiate import TARGET, Component, is_component
from pix2pix.core.settings import Settings
from pix2pix.data.settings import DataSettings
from pix2pix.models.initialisation import Scheme

PIX2PIX_STEP = "pix2pix.training.Pix2PixStep"
NETWORKS = ("generator", "discriminator")
CONSTANT = "pix2pix.models.ConstantRate"
VALIDATION_BATCH, VALIDATION_PIXELS = 16, 2**20  # most pairs and most pixels of a validation's batch on a GPU
LIGHTNINGS_EPOCHS = 1000  # how long Lightning trains where neither epochs nor steps are set


def _require_schedule(value: Any) -> Any:
    is_for_each = isinstance(value, dict) and value.keys() == set(NETWORKS) and all(map(is_component, value.values()))
    if not is_component(value) and not is_for_each:
        raise ValueError(
            f"schedule: must be a schedule for both networks, or have one for each, {' and '.join(NETWORKS)}"
        )
    return value


class OptimizerSettings(Settings):
    """Both networks' optimizers and what they share."""

    lr: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    betas: tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]]
    clip_norm: Annotated[float, Field(gt=0)] | None = None
    generator: Component
    discriminator: Component


class InferenceSettings(Settings):
    """Test-time choices that change the pictures; the paper's are batch statistics and dropout on (section 3.4)."""

    model_config = ConfigDict(extra="forbid")  # a choice that this version does not know would make other pictures

    normalization: Literal["batch", "running"] = "batch"
    dropout: Literal["on", "off"] = "on"
    seed: Annotated[int, Field(ge=0)] = 0


class InitSettings(Settings):
    """The initial weights of the package's networks; see `pix2pix.models.initialise`."""

    scheme: Scheme = "normal"
    gain: Annotated[float, Field(gt=0)] | None = None


Choice = Literal["auto", True, False]


class ExecutionSettings(Settings):
    """How a training step is executed; see `pix2pix.training.cuda_graph.Execution`.

    `auto` is decided when a run starts, by `pix2pix.training.execution`; the run's configuration has the decision.
    """

    cuda_graph: Choice = False
    channels_last: Choice = False
    compiled: bool = False
    tf32: bool = True
    validation_batch: Annotated[int, Field(ge=1)] | None = None


class ProvenanceSettings(Settings):
    """What a run records of its origin. `code`: commits and diffs of the repositories of the user's code."""

    code: bool = True


class TrainerSettings(Settings):
    """The settings of Lightning's trainer that are read here, with Lightning's defaults for those that are not set."""

    accelerator: str | None = "auto"
    devices: Any = "auto"
    num_nodes: int = 1
    strategy: Any = "auto"
    max_epochs: int | None = None
    max_steps: int = -1
    fast_dev_run: int = False
    profiler: Any = None
    gradient_clip_val: float | None = None
    accumulate_grad_batches: int = 1
    check_val_every_n_epoch: int | None = 1
    val_check_interval: Any = 1.0
    limit_val_batches: Any = 1.0
    overfit_batches: Any = 0.0
    sync_batchnorm: bool = False

    @classmethod
    def of(cls, trainer: Component) -> Self:
        """The settings in the component `trainer`, whose types `pix2pix.config.check` judges."""
        return cls.model_construct(**{name: trainer[name] for name in cls.model_fields.keys() & trainer.keys()})


class RunConfig(Settings):
    """The resolved configuration of one run.

    A setting that is added here gets a default: the configurations of earlier runs do not have it.
    """

    name: Annotated[str, Field(min_length=1)]
    output_dir: str
    run_dir: str
    tags: list[str] = Field(default_factory=list)
    notes: str | None = None
    resume: Annotated[str, Field(min_length=1)] = "auto"
    allow_changed_data: bool = False
    init_from: str | None = None
    init: InitSettings = InitSettings()
    seed: Annotated[int, Field(ge=0)]
    precision: Literal[32, "32", "32-true", "bf16-mixed", "16-mixed", "auto"] | None = 32
    ema_decay: Annotated[float, Field(gt=0, lt=1)] | None = None
    ema_warmup: bool = False
    provenance: ProvenanceSettings = ProvenanceSettings()
    execution: ExecutionSettings = ExecutionSettings()
    inference: InferenceSettings = InferenceSettings()
    data: DataSettings
    generator: Component
    discriminator: Component | None
    objective: Component
    training_step: Component = Field(default_factory=lambda: {TARGET: PIX2PIX_STEP})
    optimizer: OptimizerSettings
    schedule: Annotated[dict[str, Any], BeforeValidator(_require_schedule)] = Field(
        default_factory=lambda: {TARGET: CONSTANT}
    )
    trainer: Component
    metrics: dict[str, Component] = Field(default_factory=dict)
    callbacks: dict[str, Component]
    logger: dict[str, Component]

    @classmethod
    def from_mapping(cls, settings: Mapping[str, Any]) -> Self:
        """The configuration in a mapping of plain values. Raises pydantic's ValidationError for values out of range."""
        # Strict checks by the rules of JSON: a list stands for a tuple, but no string for a number. JSON has no paths:
        # `default=str` writes them as text, as config.yaml does.
        return cls.model_validate_json(json.dumps(settings, default=str))

    def to_mapping(self) -> dict[str, Any]:
        """Plain values, as they stand in config.yaml and in checkpoints."""
        return self.model_dump(mode="json")

    @property
    def trainer_settings(self) -> TrainerSettings:
        """The trainer's settings as typed attributes; `trainer_here` is the component that is built."""
        return TrainerSettings.of(self.trainer)

    @property
    def limits(self) -> tuple[float, float]:
        """The numbers of epochs and of training steps after which the training ends; infinite without a limit."""
        epochs, steps = self.trainer_settings.max_epochs, self.trainer_settings.max_steps
        if epochs is None and steps == -1:
            epochs = LIGHTNINGS_EPOCHS
        # -1 is Lightning's word for no limit.
        return math.inf if epochs is None or epochs == -1 else epochs, math.inf if steps == -1 else steps

    @property
    def stop_conditions(self) -> tuple[tuple[float, float], dict[str, Component]]:
        """Everything that may end the training: its limits, and callbacks of other packages."""
        foreign = {key: part for key, part in self.callbacks.items() if not part[TARGET].startswith("pix2pix.")}
        return self.limits, foreign

    @property
    def fast_dev_run(self) -> int:
        """Lightning's trial of a few batches, of which nothing is kept; 0 for a real training."""
        return int(self.trainer_settings.fast_dev_run or 0)

    @property
    def pairs_per_step(self) -> int | None:
        """Pairs in a training step over all processes; None where the number of processes depends on the machine."""
        trainer = self.trainer_settings
        devices = 1 if trainer.devices == "auto" else trainer.devices  # trainer=auto takes one
        numbers = (self.data.batch_size, devices, trainer.num_nodes)
        return math.prod(numbers) if all(isinstance(number, int) and number > 0 for number in numbers) else None

    def hardware_here(self) -> dict[str, Any]:
        """This machine's choice of the trainer's settings that are left to the machine, such as the accelerator."""
        return select_hardware(self.trainer, self.precision, sizes_vary=not self.data.has_one_size)

    def trainer_here(self) -> Component:
        """The trainer's settings on this machine: what is left to the machine is filled in."""
        return self.trainer | self.hardware_here()

    @property
    def is_single_process(self) -> bool:
        """Whether one process on one device trains, whatever cluster it runs in."""
        trainer = TrainerSettings.of(self.trainer_here())
        return trainer.devices in (1, "1") and trainer.num_nodes == 1 and trainer.strategy == "auto"

    @property
    def validation_batch(self) -> int:
        """Pairs of a validation that are computed together: one on the CPU, several on a GPU, if their sizes agree."""
        if self.execution.validation_batch is not None:
            return self.execution.validation_batch
        trainer, data = self.trainer_settings, self.data
        # Limits of Lightning's count batches, and mean pairs.
        is_limited = trainer.limit_val_batches != 1.0 or trainer.overfit_batches or trainer.fast_dev_run
        if self.hardware_here()["accelerator"] not in {"gpu", "cuda"} or is_limited or not data.has_one_size:
            return 1
        return max(1, min(VALIDATION_BATCH, VALIDATION_PIXELS // (data.height * data.width)))

    @property
    def has_profiler(self) -> bool:
        """Whether the trainer is given a profiler."""
        return bool(self.trainer_settings.profiler)

    @property
    def is_named_by_its_directory(self) -> bool:
        """Whether run and directory have the same name. A run that is renamed with its directory stays the same run."""
        return Path(self.run_dir).name == self.name

    @property
    def monitor(self) -> tuple[str, Literal["min", "max"] | None] | None:
        """The metric that chooses the best checkpoint, and its direction where that is set; None without."""
        checkpoint = self.callbacks.get("checkpoint", {})
        return (checkpoint["monitor"], checkpoint.get("mode")) if checkpoint.get("monitor") else None

    @property
    def trained_optimizers(self) -> dict[str, Component]:
        """The optimizer of each network that is trained. `optimizer` has one for D even where there is no D."""
        optimizers = {"generator": self.optimizer.generator, "discriminator": self.optimizer.discriminator}
        return optimizers if self.discriminator else {"generator": self.optimizer.generator}

    @property
    def schedules(self) -> dict[str, Component]:
        """The learning-rate schedule of each network that is trained."""
        is_shared = is_component(self.schedule)
        return {name: self.schedule if is_shared else self.schedule[name] for name in self.trained_optimizers}

    @property
    def generator_class(self) -> str:
        """The name of the generator's class, without its package."""
        return self.generator[TARGET].rpartition(".")[2]

    @property
    def receptive_field(self) -> int | None:
        """The discriminator's receptive field, in pixels; None without a discriminator."""
        return (self.discriminator or {}).get("receptive_field")
