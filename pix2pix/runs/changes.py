"""Compares a run's settings with new ones: a different training, a longer one, or the same."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pix2pix.config.identity import DECIDED_AT_START, DEVICES, IGNORED_SETTINGS, LABELS, LEFT_OPEN, flatten

if TYPE_CHECKING:
    from pix2pix.config.schema import RunConfig

log = logging.getLogger(__name__)

# How long a run is trained, which may change.
LENGTH_SETTINGS = {f"trainer.{name}" for name in ("max_epochs", "max_steps", "max_time", "min_epochs", "min_steps")}
# What is validated, logged, saved and shown: no weight depends on these.
OBSERVATION_SETTINGS = {
    *("log_every_n_steps", "check_val_every_n_epoch", "val_check_interval", "limit_val_batches", "limit_test_batches"),
    *("limit_predict_batches", "num_sanity_val_steps", "enable_progress_bar", "enable_model_summary", "profiler"),
    *("enable_checkpointing", "enable_autolog_hparams", "detect_anomaly", "inference_mode", "default_root_dir"),
}
ERROR_SETTINGS = {"data.on_error", "data.skip_limit"}  # an unreadable pair may be skipped on resuming
OBSERVATION_GROUPS = {"logger", "inference", "metrics", "provenance"}
# How validation pairs are chosen: runs of earlier versions did not record it, and keep the pairs that they have.
VALIDATION_SETTINGS = {f"data.{part}{name}" for part in ("", "source.") for name in ("val_share", "split_seed")}
# Lightning's callbacks that observe a training and those that end it; its others may change the weights.
OBSERVING_CALLBACKS = {
    *("DeviceStatsMonitor", "LearningRateMonitor", "ModelCheckpoint", "ModelSummary", "OnExceptionCheckpoint"),
    *("RichModelSummary", "RichProgressBar", "ThroughputMonitor", "TQDMProgressBar"),
}
ENDING_CALLBACKS = {"EarlyStopping", "Timer"}
MISSING = "nothing"


class Difference(NamedTuple):
    """A setting in which two configurations differ, with its dotted name."""

    key: str
    there: Any
    here: Any

    def __str__(self) -> str:
        return f"{self.key}: {self.there} there, {self.here} here"


@dataclass(frozen=True)
class Changes:
    """The settings in which a new configuration of a run differs from the recorded one, by their effect.

    Args:
        decisive: make it another training.
        length: change how long it is trained.
        unknown: belong to callbacks of the user, which may change the weights.
        other: do not affect the weights.
        place: say where the run and its data are, how data are loaded, and on which devices it is trained.
    """

    decisive: list[Difference] = field(default_factory=list)
    length: list[Difference] = field(default_factory=list)
    unknown: list[Difference] = field(default_factory=list)
    other: list[Difference] = field(default_factory=list)
    place: list[Difference] = field(default_factory=list)

    def all(self) -> list[Difference]:
        """All differences, in the order of their names."""
        differences = [*self.decisive, *self.length, *self.unknown, *self.other, *self.place]
        return sorted(differences, key=lambda difference: difference.key)


def compare_configs(there: "RunConfig", here: "RunConfig") -> Changes:
    """The settings in which `here` differs from `there`.

    A run stays the same training if it is moved, trained longer or on other devices, or if loggers and observing
    callbacks are added or left out.
    """
    from pix2pix.config.defaults import fill_in_missing  # imports torch

    # A setting that only one version knows has its default in the other, so an upgrade alone changes nothing.
    a, b = (dict(flatten(settings)) for settings in fill_in_missing(there, here))
    found = Changes()
    for key in sorted(a.keys() | b.keys()):
        difference = Difference(key, a.get(key, MISSING), b.get(key, MISSING))
        if difference.there != difference.here and not _is_left_open(difference):
            getattr(found, _classify(key, there, here)).append(difference)
    return found


def _is_left_open(difference: Difference) -> bool:
    """Whether one side leaves the setting to the machine, and so takes what the other one has."""
    sides = (difference.there, difference.here)
    return difference.key in DECIDED_AT_START and any(side in LEFT_OPEN for side in sides)


def _classify(key: str, there: "RunConfig", here: "RunConfig") -> str:
    """The part of `Changes` that a setting belongs to."""
    # The order of the checks decides: the first that applies gives the part.
    group, name = [*key.split("."), ""][:2]
    of_devices = group == "trainer" and name in DEVICES
    logged_to = group == "logger" and key.endswith(".directory")  # in runs of earlier versions
    if key in IGNORED_SETTINGS or of_devices or logged_to or (key == "name" and here.is_named_by_its_directory):
        return "place"
    # Fewer pairs in a batch on more devices make the same step.
    if key == "data.batch_size" and there.pairs_per_step == here.pairs_per_step is not None:
        return "place"
    if key in VALIDATION_SETTINGS and there.data.val_share is None:
        return "place"
    if key in LENGTH_SETTINGS:
        return "length"
    if group == "callbacks":
        return _classify_callback(name, there, here)
    is_observation = group in OBSERVATION_GROUPS or (group == "trainer" and name in OBSERVATION_SETTINGS)
    return "other" if is_observation or key in ERROR_SETTINGS | LABELS else "decisive"


def _classify_callback(name: str, there: "RunConfig", here: "RunConfig") -> str:
    # A callback may be in one of the two configurations only. Its most serious class decides.
    parts = [config.callbacks[name] for config in (there, here) if name in config.callbacks]
    kinds = {_classify_class(part["_target_"]) for part in parts}
    return next((kind for kind in ("decisive", "unknown") if kind in kinds), "other")


def _classify_class(path: str) -> str:
    package, name = path.partition(".")[0], path.rpartition(".")[2]
    if package in {"pytorch_lightning", "lightning"}:
        return "other" if name in OBSERVING_CALLBACKS | ENDING_CALLBACKS else "decisive"
    return "other" if package == "pix2pix" else "unknown"


def only_observes(path: str) -> bool:
    """Whether a callback of this class neither changes the weights nor ends the training."""
    return _classify_class(path) == "other" and path.rpartition(".")[2] not in ENDING_CALLBACKS


def summarize(differences: Iterable[Difference]) -> str:
    """The differences on one line; a callback or logger that is added or left out only by its name."""
    texts: dict[str, str] = {}
    for key, there, here in differences:
        group, name = [*key.split("."), ""][:2]
        # All settings of a callback that is added or left out are one difference; later ones find its text in place.
        part = f"{group}.{name}"
        if group in {"callbacks", "logger"} and MISSING in {str(there), str(here)} and key != part:
            texts.setdefault(part, f"{part} {'added' if there == MISSING else 'left out'}")
        texts.setdefault(part if part in texts else key, f"{key} {there} -> {here}")
    return "; ".join(texts.values())


def refusal_message(run: Path, changed: Changes, saved: Path | None) -> str:
    """The message for settings that make another training than the one in the directory.

    Args:
        run: the directory.
        changed: the differences.
        saved: the newest checkpoint of the run, if any.
    """
    lines = [f"{run}: holds a run with another configuration:", *(f"  {each}" for each in changed.decisive)]
    lines += ["These settings make it another training. Choose one of:"]
    lines += ["  name=... gives it a directory of its own" + _own_directory(changed)]
    if saved:
        lines += [f"  name=... resume={saved} continues from there, if the networks are the same"]
        lines += [f"  name=... init_from={run} starts from the weights that fit"]
    return "\n".join([*lines, "  resume=never starts over here; the old run is renamed, not deleted"])


def _own_directory(changed: Changes) -> str:
    return " (with run_dir=..., too: it is set here)" if any(each.key == "name" for each in changed.decisive) else ""


def log_changes(run: Path, changed: Changes) -> None:
    """Logs the differences of a run that continues, except those of place."""
    if changed.decisive:
        log.info("%s has saved no checkpoint yet: it starts over, with %s.", run, summarize(changed.decisive))
    if changed.length:
        log.info("%s has another end than before: %s.", run, summarize(changed.length))
    if changed.other:
        log.info("From here on: %s.", summarize(changed.other))
    if changed.unknown:
        log.warning(
            "From here on: %s. Callbacks of your own may change how the weights are trained. If these do, this is "
            "another training: start a new run with name=...",
            summarize(changed.unknown),
        )
