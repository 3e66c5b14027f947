"""Rebuilds a generator from the configuration stored in its file of weights."""

import itertools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from pix2pix.config.identity import Config
from pix2pix.core import instantiate, trust
from pix2pix.data.settings import Data
from pix2pix.data.transforms import JitterAndMirror
from pix2pix.inference.mode import InferenceMode
from pix2pix.runs.run import Run

REQUIRED = ("name", "direction", "height", "width", "source_channels", "target_channels", "palette", "labels")
CHECKED = (
    *REQUIRED,
    "folders",
    "preprocess",
    "operation",
    "source_depth",
    "target_depth",
)  # the rest is absent from older files
CODING = ("source_palette", "target_palette", "source_range", "target_range")  # settings of the transform


def require_complete(config: Mapping[str, Any], file: Path) -> None:
    """Raises ValueError, with the file, if the configuration lacks a setting needed to translate or has a bad value."""
    parts = ("data", "generator", "inference")
    lacking = [name for name in parts if not isinstance(config.get(name), Mapping)]
    if not lacking:
        lacking = [f"data.{name}" for name in REQUIRED if name not in config["data"]]
        inner = ("pairs", "transform")
        lacking += [f"data.{name}" for name in inner if not isinstance(config["data"].get(name), Mapping)]
    if lacking:
        raise ValueError(
            f"{file}: its configuration is incomplete, it lacks {', '.join(lacking)}. Copy the file again."
        )
    if problems := list(_find_problems(config)):
        raise ValueError("\n".join([f"{file}: its configuration is invalid:", *(f"  {text}" for text in problems)]))


def read_complete_config(run: Run) -> Config:
    """Reads the configuration of a run and checks it. Raises what `Run.config` and `require_complete` raise."""
    config = run.config()
    require_complete(config, run.config_file)
    return config


def _find_problems(config: Mapping[str, Any]) -> Iterator[str]:
    data = config["data"]
    for name in CHECKED:
        if name in data:
            field = Data.model_fields[name]
            annotation = Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
            yield from instantiate.validate_value(data[name], f"data.{name}", annotation)
    for name in CODING:
        annotation = instantiate.argument_annotation(JitterAndMirror, name)
        yield from instantiate.validate_value(data["transform"].get(name), f"data.transform.{name}", annotation)
    yield from instantiate.validate_arguments(config["inference"], "inference", InferenceMode)


def build_generator(config: Config, state: Mapping[str, Tensor], file: Path, trusted: trust.Trust = ()) -> nn.Module:
    """Builds the generator of a configuration and loads the file's weights into it.

    It is first built on the meta device, so that a configuration that does not match the file allocates no memory.

    Raises:
        ValueError: for a generator that is not trusted or cannot be built, or whose weights have other names or shapes,
            or are not finite.
    """
    node = config["generator"]
    trust.require_trusted(node, "generator", nn.Module, source=file, trust=trusted)
    try:
        with torch.device("meta"), _limit_parameters(10 * len(state) + 1000):
            plan: nn.Module = instantiate.build(node)
        _require_matching_weights(plan, state, file)
        generator = instantiate.build(node)
        generator.load_state_dict(dict(state))
    except Exception as error:  # a constructor may raise anything
        if isinstance(error, WeightsMismatchError):
            raise
        raise ValueError(f"{file}: its generator cannot be built ({type(error).__name__}: {error}).") from error
    return generator


class WeightsMismatchError(ValueError):
    """The weights in the file do not fit the generator in its configuration."""


@contextmanager
def _limit_parameters(limit: int) -> Iterator[None]:
    """Aborts the construction of a network that registers more parameters than `limit`."""
    count = itertools.count(1)

    def count_parameter(module: nn.Module, name: str, parameter: nn.Parameter) -> None:
        if next(count) > limit:
            raise ValueError("it has many more weights than the file")

    handle = register_module_parameter_registration_hook(count_parameter)
    try:
        yield
    finally:
        handle.remove()


def _require_matching_weights(plan: nn.Module, state: Mapping[str, Tensor], file: Path) -> None:
    """Raises WeightsMismatchError unless the state holds finite values for exactly the weights of the plan."""
    _require_matching_shapes(state, plan.state_dict(), file)
    memory = sum(weight.nbytes for weight in itertools.chain(plan.parameters(), plan.buffers()))
    if memory > 8 * file.stat().st_size + 2**20:
        raise WeightsMismatchError(f"{file}: its generator takes {memory / 1e9:.1f} GB, far more than the file holds.")
    for name, value in state.items():
        if (value.is_floating_point() or value.is_complex()) and not bool(torch.isfinite(value).all()):
            raise WeightsMismatchError(f"{file}: {name} has NaN or infinite values. Choose another checkpoint.")


def _require_matching_shapes(state: Mapping[str, Tensor], wanted: Mapping[str, Tensor], file: Path) -> None:
    """Raises WeightsMismatchError unless both have the same names and shapes."""
    stored, planned = ({name: tuple(value.shape) for name, value in tensors.items()} for tensors in (state, wanted))
    for name in {**planned, **stored}:
        if stored.get(name) != planned.get(name):
            in_file, in_plan = (f"{shapes[name]}" if name in shapes else "nothing" for shapes in (stored, planned))
            raise WeightsMismatchError(
                f"{file}: holds the weights of another network than the configuration describes: {name} is {in_file} "
                f"in the file, {in_plan} in the configuration."
            )
