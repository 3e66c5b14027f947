"""Rebuilds a network from the configuration stored in its file of weights."""

import itertools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook
from torch.overrides import TorchFunctionMode

from pix2pix.core import trust as trust_checks
from pix2pix.core.errors import first_line
from pix2pix.core.instantiate import Component, build
from pix2pix.core.trust import Trust


def build_network(
    component: Component, key: str, state: Mapping[str, Tensor], file: Path, trust: Trust = ()
) -> nn.Module:
    """Builds a network of a configuration, `generator` or `discriminator`, and loads the file's weights into it.

    It is first built on the meta device, so that a configuration that does not match the file allocates no memory.

    Raises:
        ValueError: for a network that is not trusted or cannot be built, or whose weights have other names or shapes,
            or are not finite.
    """
    trust_checks.require_trusted(component, key, nn.Module, source=file, trust=trust)
    try:
        # First without memory. A file with few weights must not describe a network that takes hours to construct.
        with torch.device("meta"), _limit_parameters(10 * len(state) + 1000):
            plan: nn.Module = build(component)
        _require_matching_weights(plan, state, file)
        with _SkipInitialisation():
            network = build(component)
        network.load_state_dict(dict(state))
    except Exception as error:  # a constructor may raise anything
        if isinstance(error, WeightsMismatchError):
            raise
        raise ValueError(f"{file}: its {key} cannot be built ({type(error).__name__}: {first_line(error)}).") from error
    return network


class _SkipInitialisation(TorchFunctionMode):
    """Leaves new weights as they are: those of the file replace them, and random ones take a second to draw."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if getattr(func, "__module__", None) == nn.init.__name__:
            return args[0] if args else (kwargs or {})["tensor"]
        return func(*args, **kwargs or {})


class WeightsMismatchError(ValueError):
    """The weights in the file do not fit the network in its configuration."""


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
        raise WeightsMismatchError(f"{file}: its network takes {memory / 1e9:.1f} GB, far more than the file holds.")
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
