"""What a translator is, in words: its network, and the terms of use of what it was trained on."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from pix2pix.config.schema import RunConfig
from pix2pix.core.instantiate import TARGET, is_component
from pix2pix.datasets.download.catalogue import CATALOGUE
from pix2pix.inference.generator import TrainedGenerator

DRAWN = "synthetic_facades"  # data that this package draws itself


class Licence(NamedTuple):
    """What a card says of the terms of use.

    Args:
        header: `license`, `license_name` and `license_link` of the YAML header.
        words: the same in a sentence.
    """

    header: dict[str, str]
    words: str


def find_licence(config: RunConfig, chosen: str | None, imported: Mapping[str, Any]) -> Licence:
    """Returns the terms of a translator: those chosen, else those of the data it was trained on.

    Args:
        config: the configuration of the run.
        chosen: an identifier of the hub, such as `cc-by-4.0`.
        imported: what the provenance tells of imported weights.
    """
    name = config.data.name
    known = CATALOGUE.get(name.removesuffix("_reverse"))
    words = [f"The training data: {known.owner}. Terms: {known.terms} ({known.homepage})."] if known else []
    words += [f"The weights: {imported['terms']}."] if "terms" in imported else []
    if chosen:
        return Licence({"license": chosen}, " ".join([f"The weights: {chosen}.", *words]))
    if known:
        header = {"license": "other", "license_name": f"{known.name}-terms", "license_link": known.homepage}
        return Licence(header, " ".join(words))
    if name == DRAWN:
        return Licence({"license": "mit"}, "The training data were drawn by pix2pix itself (MIT).")
    words += [f"The author names no licence of the data `{name}`. Ask before using the model."]
    return Licence({"license": "unknown"}, " ".join(words))


def describe_network(trained: TrainedGenerator) -> str:
    """The class of the generator with its arguments, and how many weights it has."""
    weights = sum(weight.numel() for weight in trained.generator.parameters())
    return f"{describe_component(trained.config.generator)}, {weights / 1e6:.2f} million weights"


def describe_component(component: Mapping[str, Any]) -> str:
    """The class of a component with its arguments, those that are components themselves in the same way."""
    arguments = ", ".join(f"{name}={_describe_value(value)}" for name, value in component.items() if name != TARGET)
    return f"{component[TARGET].rpartition('.')[2]}({arguments})"


def _describe_value(value: Any) -> str:
    if is_component(value):
        return describe_component(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {_describe_value(each)}" for name, each in value.items()) + "}"
    return str(value)
