"""Selects the pairs of an evaluation, and says in words where they come from."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pix2pix.config.schema import RunConfig
from pix2pix.core import trust as trust_checks
from pix2pix.core.addresses import require_no_secrets
from pix2pix.core.plurals import pluralize
from pix2pix.core.sequences import evenly_spaced
from pix2pix.core.trust import Trust, UntrustedError
from pix2pix.data.pair import Pair, PairSource, Split
from pix2pix.data.sources.evaluation_folder import EvaluationFolder
from pix2pix.data.sources.skip_unreadable import SelectedPairs
from pix2pix.evaluation.folders import is_own_data
from pix2pix.evaluation.record import hide_password
from pix2pix.inference.generator import TrainedGenerator
from pix2pix.runs.run import Run

log = logging.getLogger(__name__)

FOLDER_CLASS = "pix2pix.data.PairFolder"
NAMES_SHOWN = 5  # of pairs that cannot be read
ORDER: tuple[Split, ...] = ("val", "test", "train")  # in which the split of other data is chosen


@dataclass(frozen=True)
class Selection:
    """The pairs of an evaluation.

    Attributes:
        source: where they come from.
        split: their split; for a folder without splits the one that was asked for.
        pairs: those that are evaluated.
        origin: which pairs these are, and of which data, in words.
        total: how many there are without a limit.
    """

    source: PairSource
    split: Split
    pairs: Sequence[Pair]
    origin: str
    total: int

    def name(self, index: int) -> str:
        """The name of one of the pairs, without reading it."""
        number = self.pairs.numbers[index] if isinstance(self.pairs, SelectedPairs) else index
        return self.source.pair_name(self.split, number)

    def describe(self, skipped: Sequence[str] = ()) -> str:
        """How many pairs of what: `6 pairs: all pairs in flat, which has no splits`, and which are skipped."""
        count = len(self.pairs)
        of_all = f" of {self.total}, evenly spaced" if count < self.total else ""
        text = f"{pluralize(count - len(skipped), 'pair', 'pairs')}{of_all}: {self.origin}"
        if not skipped:
            return text
        more = f" and {len(skipped) - NAMES_SHOWN} more" if len(skipped) > NAMES_SHOWN else ""
        return f"{text}; without {len(skipped)} that cannot be read: {', '.join(skipped[:NAMES_SHOWN])}{more}"


def select_pairs(
    run: Run, trained: TrainedGenerator, path: str | Path | None, split: Split | None, limit: int | None
) -> Selection:
    """Opens the pairs to evaluate on.

    Args:
        run: the evaluated run; its provenance tells moved training data from other data.
        trained: its generator.
        path: the folder of other pairs; None for the data of the run.
        split: the split; None for `val`, or for a split that other data have.
        limit: the largest number of pairs.

    Raises:
        FileNotFoundError: if there are no such data.
        ValueError: if they have no such split.
    """
    require_no_secrets([("--data", str(path))])
    source = _open(run, trained, path)
    if isinstance(source, EvaluationFolder) and split is None:
        split = next(name for name in ORDER if name in source.splits)
    split = split or "val"
    origin = _describe_origin(source, split, trained.config)
    pairs = source.split(split)
    for doubt in source.find_doubts(split) if isinstance(source, EvaluationFolder) else ():
        log.warning("%s: %s", path, doubt)
    total = len(pairs)
    if limit and limit < total:
        pairs = SelectedPairs(pairs, list(evenly_spaced(total, limit)))
    return Selection(source, split, pairs, origin, total)


def _open(run: Run, trained: TrainedGenerator, path: str | Path | None) -> PairSource:
    """Opens the pairs; raises FileNotFoundError with a remedy."""
    fingerprint = training_fingerprint(run)
    try:
        return open_source(trained.config, path, fingerprint=fingerprint, file=trained.checkpoint, trust=trained.trust)
    except FileNotFoundError as error:
        remedy = "If the data moved, give their folder with --data."
        if not trained.config.data.has_folder:
            remedy = "Name a folder of pairs; the pairs of this run are generated, and are used without --data."
        raise FileNotFoundError(f"{error} {remedy}") from error


def open_source(
    config: RunConfig, path: str | Path | None, *, fingerprint: str | None, file: Path, trust: Trust
) -> PairSource:
    """Opens the data of a run, or other data.

    Training data that have moved to `path`, recognised by their fingerprint, keep the splits of the training. Of any
    other folder of pairs only those splits are taken that it has.

    Args:
        config: the configuration of the run.
        path: the folder of other data; None for those of the run.
        fingerprint: the fingerprint of the run's data, if it is known.
        file: the file that names the class of the data, for error messages.
        trust: modules outside pix2pix whose classes it may name.
    """
    data = config.data

    def open_own() -> PairSource:
        source = data.tolerant_source_at(path)
        return trust_checks.build_trusted(source, "data.source", PairSource, source=file, trust=trust)

    if path is not None and not is_own_data(config, path):
        if not data.has_folder:
            return EvaluationFolder(path, data)
        if data.source_class == FOLDER_CLASS and not _is_moved(open_own, fingerprint):
            return EvaluationFolder(path, data)
    return open_own()


def training_fingerprint(run: Run) -> str | None:
    """The fingerprint of the data that a run was trained on; None if it is unknown."""
    try:
        return run.provenance().get("data_fingerprint")
    except ValueError:  # damaged, which is no reason against an evaluation
        return None


def _is_moved(open_own: Callable[[], PairSource], fingerprint: str | None) -> bool:
    """Whether the training data lie there now. Names and sizes of all files are compared, not their contents."""
    try:
        return fingerprint is not None and open_own().fingerprint() == fingerprint
    except UntrustedError:
        raise
    except (ValueError, OSError):  # no training pairs
        return False


def _describe_origin(source: PairSource, split: Split, config: RunConfig) -> str:
    """Which pairs are evaluated, in words. Raises ValueError for a test split that is not there."""
    where = hide_password(getattr(source, "path", None)) or config.data.name
    if isinstance(source, EvaluationFolder):
        return f"split {split} of {where}" if source.has_splits else f"all pairs in {where}, which has no splits"
    if config.data.source_class != FOLDER_CLASS or split == "train":
        return f"split {split} of {where}"
    return _describe_held_out(source, split, where, EvaluationFolder(str(getattr(source, "path", "")), config.data))


def _describe_held_out(source: PairSource, split: Split, where: str, folder: EvaluationFolder) -> str:
    """The same for a split of the training data, which another one may replace; `folder` has its own splits only."""
    if folder.has_splits and split in folder.splits:
        return f"split {split} of {where}"
    if split == "test":
        raise ValueError(folder.missing_split_message(split))
    if "test" in folder.splits and folder.has_splits and list(source.files("val")) == list(folder.files("test")):
        return f"the test pairs of {where}, which has no val split: the training was validated on them"
    return f"pairs held out of the training pairs in {where}, which has no val split"
