"""Reads run directories into a comparison: metrics, evaluation protocols and the settings that differ."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from natsort import natsorted

from pix2pix.config.old_settings import find_new_name
from pix2pix.core.plurals import pluralize
from pix2pix.core.trust import Trust
from pix2pix.data.pair import Split
from pix2pix.evaluation.comparison import Comparison
from pix2pix.evaluation.evaluation_spec import EvaluationSpec
from pix2pix.evaluation.fcn_score import resolve_scorer
from pix2pix.evaluation.own_metrics import read_own_metrics
from pix2pix.evaluation.record import Record
from pix2pix.evaluation.run_groups import RunEntry
from pix2pix.runs.metrics import read_metrics
from pix2pix.runs.run import DEFAULT_CHECKPOINT, Run
from pix2pix.runs.state import read_state

LEFT_OUT = "left out of the comparison"
UNKNOWN_DATA = "(unknown)"  # in the place of their digest, without provenance.json
MAX_LABEL_SETTINGS = 3  # if more settings differ, runs are labelled by their names


def load_comparison(
    runs: Sequence[Run],
    split: Split,
    *,
    checkpoint: str = DEFAULT_CHECKPOINT,
    data: str | Path | None = None,
    scorer: str | Path | None = None,
    trust: Trust = (),
) -> Comparison:
    """Reads runs and their evaluations.

    Args:
        runs: the runs, in the order in which they are shown. Runs of one sweep in the order of their names are shown
            by the receptive fields of their discriminators instead, so that PixelGAN is the first.
        split: the split of the evaluations. Without an evaluation on `val`, the last validation of a run is used.
        checkpoint: the evaluated checkpoint of each run.
        data: a folder of pairs on which all runs were evaluated; None: each run's own.
        scorer: the run that is to have scored them; None for any.
        trust: modules outside pix2pix whose classes the configurations may build; see `pix2pix.core.trust`.

    Raises:
        ValueError, OSError: if no run can be read. A damaged run among others is left out; `problems` says why.
    """
    spec = EvaluationSpec(split, checkpoint, data, resolve_scorer(scorer) if scorer else None, trust)
    entries, problems = _read_entries(runs, spec)
    entries = _order_by_field(entries)
    _assume_unknown_data(entries)
    _drop_common_data(entries)
    differing = Comparison(entries, split).differing_settings()
    names = [parse_folder_name(entry.run.path.name) for entry in entries]
    # Directories of one sweep are named by the settings that differ.
    is_sweep = all(names) and len({tuple(name) for name in names}) == 1
    for position, entry in enumerate(entries):
        entry.distinct_settings = dict(names[position]) if is_sweep else _distinct_settings(entry, position, differing)
    _make_labels_unique(Comparison(entries, split))
    return Comparison(entries, split, problems=problems)


def _order_by_field(entries: list[RunEntry]) -> list[RunEntry]:
    """The runs with their discriminators by receptive field, if they are a sweep in the order of its folder."""
    paths = [str(entry.run.path) for entry in entries]
    names = [parse_folder_name(entry.run.path.name) for entry in entries]
    is_folder = len({entry.run.path.parent for entry in entries}) == 1 and paths == natsorted(paths)
    if not is_folder or not all("discriminator" in name for name in names):
        return entries

    def sort_key(position: int) -> tuple[Any, ...]:
        field = entries[position].config.receptive_field or 0
        return tuple((field, value) if key == "discriminator" else (value,) for key, value in names[position].items())

    return [entries[position] for position in natsorted(range(len(entries)), key=sort_key)]


def _read_entries(runs: Sequence[Run], spec: EvaluationSpec) -> tuple[list[RunEntry], dict[Path, str]]:
    """The runs that can be read, and why each of the others cannot."""
    entries, errors = list[RunEntry](), dict[Path, Exception]()
    for run in runs:
        try:
            entries.append(_read_entry(run, spec))
        except (ValueError, OSError) as error:
            errors[run.path] = error
    if errors and not entries:
        raise next(iter(errors.values()))
    return entries, {path: f"{LEFT_OUT}: {error}" for path, error in errors.items()}


def _read_entry(run: Run, spec: EvaluationSpec) -> RunEntry:
    provenance = run.provenance()
    entry = RunEntry(run, config := run.config(), run.path.name, progress=read_state(run, config, provenance))
    data = entry.config.data
    fingerprint = provenance.get("data_fingerprint")
    digest = UNKNOWN_DATA if fingerprint is None else f"({hashlib.sha256(fingerprint.encode()).hexdigest()[:8]})"
    entry.data = f"{data.name} {data.direction} {data.height}x{data.width} {digest}"
    folder, record = spec.find_evaluation(run, entry.config)
    if record is not None:
        entry.metrics = {name: value for name, value in record["metrics"].items() if value is not None}
        entry.own_metrics = read_own_metrics(record)
        entry.pairs = str(
            record.get("data", {}).get("description") or pluralize(record.get("pairs", 0), "pair", "pairs")
        )
        entry.pictures = _read_numbers(record, "pictures")
        entry.intervals = _read_intervals(record)
        entry.subset_spread = {k: v for k, v in _read_numbers(record, "spread").items() if k in entry.pictures}
        entry.evaluation, entry.protocol = folder.name, _protocol(record)
        entry.mismatches = tuple(spec.find_mismatches(run, entry.config, record))
    elif spec.split == "val":
        rows = [row for row in read_metrics(run.path / "metrics.csv") if row.get("val/l1")]
        last = rows[-1] if rows else {}
        entry.measured_at = int(last["step"]) if last else None
        entry.metrics = {k.removeprefix("val/"): float(v) for k, v in last.items() if k.startswith("val/") and v}
    return entry


def _read_numbers(record: Record, name: str) -> dict[str, Any]:
    """The finite numbers of a part of the record; empty for records of earlier versions without it."""
    part = record.get(name)
    return (
        {key: value for key, value in part.items() if isinstance(value, int | float)} if isinstance(part, dict) else {}
    )


def _read_intervals(record: Record) -> dict[str, tuple[float, float]]:
    """The intervals of the metrics that have one; empty for records of earlier versions."""
    part = record.get("intervals")
    found = part.items() if isinstance(part, dict) else ()
    return {
        name: (float(ends[0]), float(ends[1]))
        for name, ends in found
        if isinstance(ends, list) and len(ends) == 2 and all(isinstance(end, int | float) for end in ends)
    }


def _protocol(record: Record) -> dict[str, str]:
    """The settings of an evaluation that affect its metrics; `unknown` if the record lacks them."""
    pairs, scorer = record.get("data") or {}, record.get("scorer") or {}
    protocol = {"checkpoint": record.get("checkpoint")} | record["inference"]
    protocol |= {name: record.get(name, "unknown") for name in ("samples", "precision")}
    protocol |= {"data": f"{pairs.get('path') or pairs.get('kind')} ({pairs['pictures'][:8]})" if pairs else "unknown"}
    protocol |= {"scorer": f"{scorer['path']} ({scorer['sha256'][:8]})"} if scorer else {}
    return {name: str(value) for name, value in protocol.items()}


def _assume_unknown_data(entries: Sequence[RunEntry]) -> None:
    """Counts a run whose pairs are not recorded to those with the same settings, if these have one set of pairs."""
    known = {entry.data for entry in entries if not entry.data.endswith(UNKNOWN_DATA)}
    for entry in entries:
        same = {data for data in known if data.rpartition(" ")[0] == entry.data.rpartition(" ")[0]}
        if entry.data not in known and len(same) == 1:
            (entry.data,) = same


def _drop_common_data(entries: Sequence[RunEntry]) -> None:
    """Removes data and scorer from the protocols if they are the same for all runs of a data set."""
    for data in {entry.data for entry in entries}:
        same = [entry for entry in entries if entry.data == data and entry.evaluation]
        pictures = {entry.protocol["data"].rpartition(" ")[2] for entry in same}
        for entry in same if len(pictures) == 1 else ():
            del entry.protocol["data"]
    if len({entry.protocol["scorer"].rpartition(" ")[2] for entry in entries if "scorer" in entry.protocol}) <= 1:
        for entry in entries:
            entry.protocol.pop("scorer", None)


def _make_labels_unique(comparison: Comparison) -> None:
    """Adds the protocol, folder and name to the distinct settings until the labels of the groups are unique."""
    if len(comparison.protocols()) > 1:
        for entry in comparison.entries:
            entry.distinct_settings |= {"evaluated": comparison.describe_protocol(entry)}
    for name, value_of in (("where", lambda path: str(path.parent)), ("run", lambda path: path.name)):
        names = [group.label for group in comparison.groups]
        if len(set(names)) < len(names):
            for entry in comparison.entries:
                entry.distinct_settings = {name: value_of(entry.run.path)} | entry.distinct_settings


def _distinct_settings(entry: RunEntry, position: int, differing: dict[str, list[Any]]) -> dict[str, Any]:
    """The differing settings of the run at this position; its name if there are too many."""
    if len(differing) > MAX_LABEL_SETTINGS:
        return {"run": "/".join(entry.run.path.resolve().parts[-2:])}
    return {key: values[position] for key, values in differing.items()}


def parse_folder_name(directory: str) -> dict[str, str]:
    """Parses a directory name such as `a=1,b=2`; returns an empty mapping for other names."""
    parts = directory.split(",")
    if not all("=" in part for part in parts):
        return {}
    named = dict(part.split("=", 1) for part in parts)
    return {find_new_name(key) or key: value for key, value in named.items()}
