"""Names the folder of an evaluation, and finds those of earlier versions, whose default was the best checkpoint."""

import hashlib
import logging
import os
import re
from pathlib import Path
from typing import Any

from pix2pix.config.schema import RunConfig
from pix2pix.data.pair import Split
from pix2pix.evaluation.record import INFERENCE, Record, normalize_path, read_record
from pix2pix.runs.run import DEFAULT_CHECKPOINT, Run

log = logging.getLogger(__name__)

FORMER_DEFAULT = "best"  # the checkpoint of `evaluation/SPLIT` in earlier versions


def evaluation_folder(
    run: Run,
    config: RunConfig,
    split: Split | str,
    *,
    checkpoint: str = DEFAULT_CHECKPOINT,
    data: str | Path | None = None,
    samples: int = 1,
    limit: int | None = None,
    half: bool = False,
    **inference: Any,
) -> Path:
    """The folder of an evaluation: `evaluation/SPLIT`, plus every option that differs from the run's defaults.

    The defaults are the training data, the last checkpoint and the inference settings of the configuration. An
    evaluation with other options has its own folder, such as `evaluation/val,checkpoint=best,dropout=off`.
    """
    own = config.inference.model_dump()
    data_name = "" if data is None or is_own_data(config, data) else _short_name(data)
    words = {"checkpoint": _checkpoint_name(run, checkpoint), "data": data_name}
    words |= {name: str(inference[name]) for name in INFERENCE if inference.get(name) not in {None, own[name]}}
    words |= {"samples": str(samples) if samples > 1 else "", "precision": "half" if half else ""}
    words |= {"limit": str(limit or "")}
    return run.evaluation / ",".join([split, *(f"{name}={word}" for name, word in words.items() if word)])


def find_evaluation(folder: Path) -> tuple[Path, Record | None]:
    """Reads the evaluation that belongs in `folder`; returns where it lies and its record, None if there is none.

    An earlier version wrote evaluations of the best checkpoint to `evaluation/SPLIT`, and those of the last one to
    `evaluation/SPLIT,checkpoint=last`. Each is found, and neither is taken for the other.
    """
    for place in (folder, _former_folder(folder)):
        if (record := read_record(place)) is not None and _own_folder(place, record) == folder:
            return place, record
    return folder, None


def keep_former_evaluation(folder: Path) -> None:
    """Moves an earlier version's evaluation of the best checkpoint out of `folder`, which is about to be replaced."""
    record = read_record(folder)
    own = folder if record is None else _own_folder(folder, record)
    if own != folder and not own.exists():
        os.replace(folder, own)  # noqa: PTH105
        log.info("%s: an evaluation of the best checkpoint by an earlier version. It was moved to %s.", folder, own)


def _own_folder(folder: Path, record: Record) -> Path:
    """The folder in which this version looks for an evaluation that lies in `folder`."""
    split, _, options = folder.name.partition(",")
    if not options.startswith("checkpoint=") and record.get("checkpoint") == f"{FORMER_DEFAULT}.ckpt":
        return folder.with_name(",".join(filter(None, [split, f"checkpoint={FORMER_DEFAULT}", options])))
    return folder.with_name(_leave_out_checkpoint(folder.name, DEFAULT_CHECKPOINT))


def _former_folder(folder: Path) -> Path:
    """The folder in which an earlier version wrote the evaluation that this version writes to `folder`."""
    split, _, options = folder.name.partition(",")
    if options.startswith("checkpoint="):
        return folder.with_name(_leave_out_checkpoint(folder.name, FORMER_DEFAULT))
    return folder.with_name(",".join(filter(None, [split, f"checkpoint={DEFAULT_CHECKPOINT}", options])))


def _leave_out_checkpoint(name: str, checkpoint: str) -> str:
    """The name of a folder without this choice of a checkpoint; `last-v1` is another checkpoint than `last`."""
    return ",".join(part for part in name.split(",") if part != f"checkpoint={checkpoint}")


def _checkpoint_name(run: Run, checkpoint: str) -> str:
    """A short name of the checkpoint; empty for the default. A file outside the run is named by its path."""
    is_name = re.fullmatch(r"best|last|ema|epoch=\d+", checkpoint)
    is_own = bool(is_name) or Path(checkpoint).parent.resolve() == run.checkpoints.resolve()
    name = Path(checkpoint).name.removesuffix(".ckpt") if is_own else _short_name(checkpoint)
    return "" if name == DEFAULT_CHECKPOINT else name


def _short_name(path: str | Path) -> str:
    """The name of a path with a digest of its location, which keeps two paths of one name apart."""
    readable = re.sub(r"[^\w.-]+", "_", Path(path).name)[:24]
    return f"{readable}-{hashlib.sha256(normalize_path(path).encode(errors='surrogateescape')).hexdigest()[:8]}"


def is_own_data(config: RunConfig, path: str | Path) -> bool:
    """Whether `path` is the folder of the training pairs.

    Another path counts as other data even if the training pairs are gone and names and sizes agree.
    """
    own = config.data.source_path
    return own is not None and normalize_path(own) == normalize_path(path)
