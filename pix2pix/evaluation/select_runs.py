"""Selects runs by their settings: `--where generator=unet`."""

import difflib
from collections.abc import Mapping, Sequence

from pix2pix.config.defaults import fill_in_defaults
from pix2pix.config.identity import flatten
from pix2pix.core.instantiate import TARGET
from pix2pix.evaluation.load_comparison import parse_folder_name
from pix2pix.runs.run import Run


def select_runs(runs: Sequence[Run], conditions: Sequence[str]) -> list[Run]:
    """The runs that meet all conditions, in their order.

    A condition is SETTING=VALUE, or SETTING=VALUE,VALUE for one of several values. SETTING is the name of a setting,
    its last part (`lr`), a choice in the name of a sweep's folder, or a component, whose value is its class without
    regard to case (`generator=unet`). A damaged run, whose settings are unknown, is kept: whoever reads it says what is
    wrong.

    Raises:
        ValueError: for a condition of another form, a setting that no run has, a last part of several settings that
            differ, or conditions that no run meets.
    """
    if not conditions:
        return list(runs)
    wanted = [_parse(condition) for condition in conditions]
    readable = {run.path: named for run in runs if (named := _read_named_settings(run)) is not None}
    if not readable:
        return list(runs)
    settings = list(readable.values())
    known = sorted({name for each in settings for name in each})
    for name, _ in wanted:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            remedy = f"Did you mean {near[0]}?" if near else "Name a setting of config.yaml, such as data.size."
            raise ValueError(f"--where {name}: no run has this setting. {remedy}")
        _require_one_meaning(name, settings)
    selected = {
        path
        for path, named in readable.items()
        if all(
            any(_is_equal(text, value) for text in _texts(named, name) for value in values) for name, values in wanted
        )
    }
    if not selected:
        values = {name: sorted({text for each in settings for text in _texts(each, name)}) for name, _ in wanted}
        values_of_runs = "; ".join(f"{name}: {', '.join(each)}" for name, each in values.items())
        wrong = f"--where {' '.join(conditions)}: none of the {len(readable)} runs."
        raise ValueError(f"{wrong} They have {values_of_runs}.")
    return [run for run in runs if run.path in selected or run.path not in readable]


def _parse(condition: str) -> tuple[str, list[str]]:
    name, equals, value = condition.partition("=")
    if not (name and equals and value):
        raise ValueError(f"--where {condition}: write SETTING=VALUE, for example --where generator=unet.")
    return name, value.split(",")


def _read_named_settings(run: Run) -> dict[str, dict[str, set[str]]] | None:
    """Every name that a condition may use, as `_named_settings`; None for a run that is damaged."""
    try:
        return _named_settings(run)
    except (ValueError, OSError):
        return None


def _named_settings(run: Run) -> dict[str, dict[str, set[str]]]:
    """Every name that a condition may use: the settings of the run that it may mean, and the texts of their values."""
    exact: dict[str, set[str]] = {}
    for key, value in flatten(fill_in_defaults(run.config())):
        # A component is named by its class: `generator._target_: pix2pix.models.UNet` is `generator=unet`.
        is_class = key.endswith(f".{TARGET}")
        name, text = (key.removesuffix(f".{TARGET}"), str(value).rpartition(".")[2]) if is_class else (key, str(value))
        exact.setdefault(name, set()).add(text)
    for key, text in parse_folder_name(run.path.name).items():
        exact.setdefault(key, set()).add(text)
    short: dict[str, dict[str, set[str]]] = {}
    for key, texts in exact.items():
        short.setdefault(key.rpartition(".")[2], {})[key] = texts
    return short | {key: {key: texts} for key, texts in exact.items()}  # `seed` is the run's, not `inference.seed`


def _texts(named: Mapping[str, Mapping[str, set[str]]], name: str) -> set[str]:
    return set().union(*named.get(name, {}).values())


def _require_one_meaning(name: str, settings: Sequence[Mapping[str, Mapping[str, set[str]]]]) -> None:
    """Raises ValueError if a last part is that of several settings which differ in a run: `depth` of net and pixels."""
    for named in settings:
        meanings = named.get(name, {})
        if meanings and not set.intersection(*meanings.values()):
            keys = ", ".join(sorted(meanings))
            raise ValueError(f"--where {name}: these settings have different values: {keys}. Give the full name.")


def _is_equal(text: str, value: str) -> bool:
    """Whether both are the same number (1e-4 is 0.0001), or the same text but for case and underscores."""
    try:
        return float(text) == float(value)
    except ValueError:
        text, value = (each.casefold().replace("_", "") for each in (text, value))
        return text == value
