"""Values of Lightning's trainer that its own checks let through, judge too late, or refuse in other words."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field

from pix2pix.config.schema import RunConfig
from pix2pix.core.instantiate import find_value_problems, format_value

Positive = Annotated[int, Field(ge=1)]
Limit = Annotated[int, Field(ge=0)] | Annotated[float, Field(ge=0, le=1)]
Interval = (
    Positive
    | Annotated[float, Field(gt=0, le=1)]
    | Annotated[str, Field(pattern=r"^\d\d:\d\d:\d\d:\d\d$")]
    | dict[str, float]
)
Cards = Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)] | Annotated[str, Field(pattern=r"^[\d, ]+$")]
AT_LEAST_ONE = "a whole number of at least 1"
LIMIT = "a number of batches, as 100, or a share of them from 0 to 1, as 0.5"

VALUES: dict[str, tuple[Any, str]] = {
    "accelerator": (Literal["auto", "cpu", "gpu", "cuda", "mps"], "auto, cpu, gpu, cuda or mps"),
    "devices": (Positive | Literal["auto", -1, "-1"] | Cards, "auto, a number of devices, -1 for all, or a list"),
    "num_nodes": (Positive, AT_LEAST_ONE),
    "max_epochs": (Annotated[int, Field(ge=-1)], "a number of epochs, or null for no limit"),
    "max_steps": (Annotated[int, Field(ge=-1)], "a number of training steps, or -1 for no limit"),
    "val_check_interval": (Interval, "a number of steps, as 1000, or a share of an epoch up to 1.0, as 0.5"),
    "check_val_every_n_epoch": (Positive, AT_LEAST_ONE),
    "log_every_n_steps": (Positive, AT_LEAST_ONE),
    "limit_train_batches": (Limit, LIMIT),
    "limit_val_batches": (Limit, LIMIT),
    "overfit_batches": (Limit, LIMIT),
}
"""Types and ranges of settings below `trainer`, and the same in words; null is Lightning's own choice."""


def find_wrong_trainer_values(config: RunConfig) -> Iterator[str]:
    """Yields a sentence for each setting of the trainer that is out of its range."""
    for name, (annotation, words) in VALUES.items():
        value = config.trainer.get(name)
        if value is not None and any(find_value_problems(value, name, annotation)):
            yield f"trainer.{name}={format_value(value)}: give {words}"
    devices = config.trainer.get("devices")
    if config.hardware_here()["accelerator"] == "cpu" and (devices in (-1, "-1") or isinstance(devices, list)):
        yield f"trainer.devices={format_value(devices)}: on the CPU give the number of processes, such as 2"
