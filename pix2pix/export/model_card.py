"""Writes the model card of a translator: data, licence, metrics and how to use it, with the YAML header of the hub."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import yaml

from pix2pix.config.metric_names import METRICS
from pix2pix.config.schema import RunConfig
from pix2pix.core.plurals import pluralize
from pix2pix.core.trusted_modules import foreign_modules
from pix2pix.inference.describe import Licence, describe_network
from pix2pix.inference.generator import TrainedGenerator

TAGS = ["pix2pix", "image-to-image", "conditional-gan", "pytorch-lightning"]


@dataclass(frozen=True)
class Metrics:
    """The numbers of one evaluation.

    Args:
        split: `train`, `val` or `test`.
        data: the name of the data.
        pairs: how many were evaluated.
        values: by name.
    """

    split: str
    data: str
    pairs: int
    values: Mapping[str, float]


def render_card(
    repository: str, trained: TrainedGenerator, metrics: Sequence[Metrics], licence: Licence, sheet: str | None
) -> str:
    """Returns the text of README.md.

    Args:
        repository: USER/NAME.
        trained: the generator.
        metrics: the metrics of its evaluations; the first is the one that the hub shows.
        licence: the terms of use.
        sheet: the file name of the picture with samples, None without.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("pix2pix.export", ""), trim_blocks=True, keep_trailing_newline=True
    )
    header = yaml.safe_dump(_header(repository, metrics, licence), sort_keys=False, allow_unicode=True)
    modules = sorted(foreign_modules(trained.config.generator))
    names = [name for name in METRICS if any(name in each.values for each in metrics)]
    return environment.get_template("model_card.md").render(
        **{"header": header, "repository": repository, "name": repository.rpartition("/")[2], "sheet": sheet},
        **{"network": describe_network(trained), "inference": trained.inference, "step": trained.step},
        **{"data": trained.config.data, "licence": licence.words},
        **{"modules": modules, "trust": "".join(f" --trust {module}" for module in modules)},
        **{"metrics": metrics, "names": names, "meanings": METRICS, "pluralize": pluralize},
    )


def _header(repository: str, metrics: Sequence[Metrics], licence: Licence) -> dict[str, Any]:
    results = [
        {
            "task": {"type": "image-to-image"},
            "dataset": {"type": each.data, "name": each.data, "split": each.split},
            "metrics": [{"type": name, "value": round(value, 6)} for name, value in each.values.items()],
        }
        for each in metrics
    ]
    index = {"model-index": [{"name": repository.rpartition("/")[2], "results": results}]} if results else {}
    return {**licence.header, "library_name": "pix2pix", "pipeline_tag": "image-to-image", "tags": TAGS, **index}


def data_name(config: RunConfig, path: str | None) -> str:
    """Returns the name of data for others to read: of a folder, only its last part."""
    return Path(path).name if path else config.data.name
