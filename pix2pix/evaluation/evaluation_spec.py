"""Checks whether a recorded evaluation is the one that a comparison needs, or is outdated."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pix2pix.config.schema import RunConfig
from pix2pix.core.checksums import file_sha256
from pix2pix.core.trust import Trust
from pix2pix.data.pair import Pair, PairSource, Split
from pix2pix.evaluation.folders import evaluation_folder, find_evaluation
from pix2pix.evaluation.record import (
    INFERENCE,
    PairsDigest,
    Record,
    file_state,
    files_digest,
    hide_password,
    normalize_path,
    text_digest,
)
from pix2pix.evaluation.select_pairs import open_source, training_fingerprint
from pix2pix.runs.run import DEFAULT_CHECKPOINT, Run


@dataclass
class EvaluationSpec:
    """The evaluation that several runs must have so that their metrics compare.

    Attributes:
        split: the split to evaluate on.
        checkpoint: the checkpoint of each run.
        data: a folder of pairs for all runs; None: each run's own.
        scorer: the checkpoint of the scorer; None accepts any.
        trust: modules outside pix2pix whose classes the configurations may build; see `pix2pix.core.trust`.
    """

    split: Split
    checkpoint: str = DEFAULT_CHECKPOINT
    data: str | Path | None = None
    scorer: Path | None = None
    trust: Trust = ()
    metrics: tuple[str, ...] = ()
    _sources: dict[str, PairSource | None] = field(default_factory=dict)
    _files: dict[str, tuple[str, str]] = field(default_factory=dict)
    _pictures: dict[str, str] = field(default_factory=dict)

    def find_evaluation(self, run: Run, config: RunConfig) -> tuple[Path, Record | None]:
        """The folder of a run's evaluation, and its record; None if there is none."""
        return find_evaluation(evaluation_folder(run, config, self.split, checkpoint=self.checkpoint, data=self.data))

    def find_mismatches(self, run: Run, config: RunConfig, record: Record) -> Iterator[str]:
        """Yields the reasons why a recorded evaluation is outdated or made with other options."""
        if "data" not in record or "checkpoint_file" not in record:
            yield "its data and checkpoint are not recorded, as by earlier versions"
            return
        if not self._is_current(self._checkpoint(run), record):
            yield f"{record.get('checkpoint')} has changed since"
        yield from self._find_other_options(config, record)
        yield from self._find_other_data(run, config, record["data"])
        if self.scorer and (record.get("scorer") or {}).get("sha256") != file_sha256(self.scorer):
            yield "not evaluated with this scorer"
        if missing := [name for name in self.metrics if name not in record["metrics"]]:
            yield f"{', '.join(missing)} not measured"

    def _checkpoint(self, run: Run) -> Path | None:
        try:
            return run.checkpoint("last" if self.checkpoint == "ema" else self.checkpoint)
        except OSError:
            return None

    def _is_current(self, checkpoint: Path | None, record: Record) -> bool:
        """Whether the checkpoint is the evaluated one; a missing checkpoint counts as unchanged."""
        if checkpoint is None:
            return True
        recorded = record["checkpoint_file"]
        return file_state(checkpoint).items() <= recorded.items() or file_sha256(checkpoint) == recorded.get("sha256")

    def _find_other_options(self, config: RunConfig, record: Record) -> Iterator[str]:
        wanted = {name: getattr(config.inference, name) for name in INFERENCE}
        wanted |= {"samples": 1, "limit": None, "precision": "float32", "split": self.split}
        actual = record["inference"] | {name: record.get(name) for name in ("samples", "limit", "precision", "split")}
        others = [f"{name}={actual.get(name)}" for name, value in wanted.items() if actual.get(name) != value]
        if others:
            yield f"evaluated with {', '.join(others)}"

    def _find_other_data(self, run: Run, config: RunConfig, recorded: Mapping[str, Any]) -> Iterator[str]:
        path, expected = recorded.get("path"), self.data or config.data.source_path
        if path and expected and normalize_path(path) != normalize_path(hide_password(expected) or ""):
            yield f"evaluated on other data, {path}"
            return
        if self._current_digest(run, config, expected, recorded) not in {None, recorded.get("pictures")}:
            yield f"the pairs{f' in {path}' if path else ''} have changed since"

    def _current_digest(
        self, run: Run, config: RunConfig, path: str | Path | None, recorded: Mapping[str, Any]
    ) -> str | None:
        """The digest of the pairs now; None if they are gone. Pictures are read only if their files changed."""
        source = self._source(run, config, path)
        if source is None:
            return None
        key = f"{path} {id(source)}"
        if key not in self._files:
            self._files[key] = text_digest(source.fingerprint()), files_digest(source, self.split)
        if self._files[key] == (recorded.get("fingerprint"), recorded.get("files")):
            return recorded.get("pictures")
        if key not in self._pictures:
            self._pictures[key] = pictures_digest(source.split(self.split))
        return self._pictures[key]

    def _source(self, run: Run, config: RunConfig, path: str | Path | None) -> PairSource | None:
        """The pairs, opened once for all runs with the same settings; None if they are gone."""
        fingerprint = training_fingerprint(run)
        key = json.dumps([config.data.source_at(path or None), fingerprint], sort_keys=True, default=str)
        if key not in self._sources:
            try:
                self._sources[key] = open_source(
                    config, path or None, fingerprint=fingerprint, file=run.config_file, trust=self.trust
                )
            except (ValueError, OSError):
                self._sources[key] = None
        return self._sources[key]


def pictures_digest(pairs: Sequence[Pair]) -> str:
    """Reads pairs for their digest; empty if one cannot be read."""
    digest = PairsDigest()
    try:
        for index in range(len(pairs)):
            digest.add(index, pairs[index])
    except (ValueError, OSError):
        return ""
    return digest.digest()
