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

NEEDED = ("name", "direction", "height", "width", "source_channels", "target_channels", "palette", "labels")
KNOWN = (*NEEDED, "folders", "preprocess", "operation", "source_depth", "target_depth")  # without these, as they were
CODING = ("source_palette", "target_palette", "source_range", "target_range")  # of the transform


def require_complete(config: Mapping[str, Any], file: Path) -> None:
    """Raises ValueError, naming the file, where the configuration lacks what translating takes, or says nonsense."""
    parts = ("data", "generator", "inference")
    lacking = [name for name in parts if not isinstance(config.get(name), Mapping)]
    if not lacking:
        lacking = [f"data.{name}" for name in NEEDED if name not in config["data"]]
        inner = ("pairs", "transform")
        lacking += [f"data.{name}" for name in inner if not isinstance(config["data"].get(name), Mapping)]
    if lacking:
        raise ValueError(f"{file}: its configuration is not whole, it lacks {', '.join(lacking)}. Copy the file again.")
    if found := list(_problems(config)):
        raise ValueError("\n".join([f"{file}: its configuration cannot be used:", *(f"  {text}" for text in found)]))


def read_complete_config(run: Run) -> Config:
    """The configuration of a run, known to be whole. Raises what `Run.config` and `require_complete` raise."""
    config = run.config()
    require_complete(config, run.config_file)
    return config


def _problems(config: Mapping[str, Any]) -> Iterator[str]:
    data = config["data"]
    for name in KNOWN:
        if name in data:
            field = Data.model_fields[name]
            annotation = Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
            yield from instantiate.validate_value(data[name], f"data.{name}", annotation)
    for name in CODING:
        annotation = instantiate.argument_annotation(JitterAndMirror, name)
        yield from instantiate.validate_value(data["transform"].get(name), f"data.transform.{name}", annotation)
    yield from instantiate.validate_arguments(config["inference"], "inference", InferenceMode)


def build_generator(config: Config, state: Mapping[str, Tensor], file: Path, trusted: trust.Trust = ()) -> nn.Module:
    """The generator of a configuration, with the weights of the file it came from.

    It is made without memory first: a configuration that asks for other weights than the file has costs none.

    Raises:
        ValueError: for a generator that may not or cannot be built, or has other weights, or none that are numbers.
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
    """Weights that are not those of the generator beside them."""


@contextmanager
def _limit_parameters(most: int) -> Iterator[None]:
    """Ends the construction of a network that has many more weights than this."""
    count = itertools.count(1)

    def count_parameter(module: nn.Module, name: str, parameter: nn.Parameter) -> None:
        if next(count) > most:
            raise ValueError("it has many more weights than the file")

    handle = register_module_parameter_registration_hook(count_parameter)
    try:
        yield
    finally:
        handle.remove()


def _require_matching_weights(plan: nn.Module, state: Mapping[str, Tensor], file: Path) -> None:
    """Raises UnfitError unless the state holds a number for each of the plan's weights, and nothing else."""
    _require_matching_shapes(state, plan.state_dict(), file)
    memory = sum(weight.nbytes for weight in itertools.chain(plan.parameters(), plan.buffers()))
    if memory > 8 * file.stat().st_size + 2**20:
        raise WeightsMismatchError(f"{file}: its generator takes {memory / 1e9:.1f} GB, far more than the file holds.")
    for name, value in state.items():
        if (value.is_floating_point() or value.is_complex()) and not bool(torch.isfinite(value).all()):
            raise WeightsMismatchError(f"{file}: {name} has NaN or infinite values. Choose another checkpoint.")


def _require_matching_shapes(state: Mapping[str, Tensor], wanted: Mapping[str, Tensor], file: Path) -> None:
    """Raises UnfitError unless both name the same weights, of the same shapes."""
    there, here = ({name: tuple(value.shape) for name, value in tensors.items()} for tensors in (state, wanted))
    for name in {**here, **there}:
        if there.get(name) != here.get(name):
            held, asked = (f"{shapes[name]}" if name in shapes else "nothing" for shapes in (there, here))
            raise WeightsMismatchError(
                f"{file}: holds the weights of another network than the configuration describes: {name} is {held} in "
                f"the file, {asked} by the configuration."
            )
