"""Checks that a configuration can run: settings, rules, classes, and shapes through the networks."""

import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn.modules.lazy import LazyModuleMixin

from pix2pix.config.components import find_problems_of_components
from pix2pix.config.identity import flatten
from pix2pix.config.old_settings import find_old_names
from pix2pix.config.parse import find_unknown_settings, parse_config
from pix2pix.config.rules import find_broken_rules
from pix2pix.config.schedules import require_known_end
from pix2pix.config.schema import RunConfig
from pix2pix.core.addresses import require_no_secrets
from pix2pix.core.errors import find_line_outside, first_line
from pix2pix.core.instantiate import TARGET, Component, build
from pix2pix.models.objective import Objective

OF_META = (
    "The shapes of a network are tried on torch's meta device, which has no values: forward must not ask for any, as "
    "item() and numpy() do."
)


def parse_and_check(settings: Mapping[str, Any]) -> RunConfig:
    """The typed configuration of a run that can be trained here. Builds and writes nothing.

    Raises:
        ValueError: with every problem of a configuration that cannot be run, one a line, in the user's words.
    """
    config = parse_without_networks(settings)
    try:
        require_known_end(config)
    except ValueError as error:
        raise _configuration_error([str(error)]) from error
    _check_shapes(config)
    return config


def parse_without_networks(settings: Mapping[str, Any]) -> RunConfig:
    """Like `parse_and_check`, but the networks are not tried. For commands that only read data."""
    require_no_secrets((key, str(value)) for key, value in flatten(settings))
    if old := list(find_old_names(settings)):
        raise _configuration_error(old)
    try:
        config = parse_config(settings)
    except ValueError as error:
        raise _configuration_error(str(error).splitlines()) from error
    # Components are checked only if the settings are valid, because their errors would only repeat the ones above.
    found = [*find_unknown_settings(config), *find_broken_rules(config)] or list(find_problems_of_components(settings))
    if found:
        raise _configuration_error(found)
    return config


def _configuration_error(problems: Iterable[str]) -> ValueError:
    """One error with every problem, each on its own line."""
    return ValueError("\n".join(["the configuration cannot be run:", *(f"  {problem}" for problem in problems)]))


def _check_shapes(config: RunConfig) -> None:
    """Sends one batch through both networks on the meta device, and raises ValueError if shapes do not fit."""
    data = config.data
    # Tensors on the meta device have shapes and no memory, so even the largest networks take a moment.
    with torch.device("meta"), torch.no_grad(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*copying from a non-meta parameter.*", UserWarning)  # weights of their own
        source = torch.empty(data.batch_size, data.input_channels, *data.shape)
        target = torch.empty(data.batch_size, data.output_channels, *data.shape)
        try:
            generator = _build_network(config.generator, "generator")
            with _naming("generator", config.generator, f", given a source {tuple(source.shape)}"):
                fake: Any = generator(source)
            if not isinstance(fake, torch.Tensor):
                raise ValueError(
                    f"the generator returns a {type(fake).__name__}; it must return a tensor (B, C, H, W)."
                )
            if fake.shape != target.shape:
                raise ValueError(f"the generator makes {tuple(fake.shape)}, the targets are {tuple(target.shape)}.")
            objective: Objective = build(config.objective)
            if config.discriminator:
                seen = data.output_channels + data.input_channels * objective.conditional
                discriminator = _build_network(config.discriminator, "discriminator")
                given = f", given {(len(source), seen, *data.shape)}"
                with _naming("discriminator", config.discriminator, given):
                    objective.discriminate(discriminator, source, fake)
                    if objective.matches_features:
                        objective.find_features(discriminator, source, fake)
        except (ValueError, RuntimeError) as error:
            raise _configuration_error([str(error)]) from error


def _build_network(component: Component, name: str) -> nn.Module:
    """A network. Raises ValueError if a function made something else, or if its weights have no size yet."""
    with _naming(name, component):
        network = build(component)
    if not isinstance(network, nn.Module):
        raise ValueError(f"{name}.{TARGET}={component[TARGET]}: made a {type(network).__name__}, not an nn.Module.")
    if lazy := next((layer for layer in network.modules() if isinstance(layer, LazyModuleMixin)), None):
        raise ValueError(
            f"{name}: {component[TARGET]} has a {type(lazy).__name__}, whose weights have no size before the first "
            "step, so that no checkpoint can be loaded. Give it the number of channels, as nn.Conv2d takes it."
        )
    return network


@contextmanager
def _naming(name: str, component: Component, given: str = "") -> Iterator[None]:
    """Says of an error of torch, or of a network that is not of this package, which network it is in and where."""
    target = str(component[TARGET])
    try:
        yield
    except (ValueError, RuntimeError, TypeError) as error:
        if isinstance(error, ValueError) and target.startswith("pix2pix."):
            raise
        hint = f" {OF_META}" if isinstance(error, RuntimeError) and "meta" in str(error) else ""
        where = find_line_outside(error, ("pix2pix", "torch", "contextlib"))
        problem = f"{first_line(error).rstrip('.')}{where and f' ({where})'}"
        raise ValueError(f"{name}: {target}{given}: {problem}.{hint}") from error
