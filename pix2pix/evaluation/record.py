"""Records the inputs and options of an evaluation, so that outdated results are recognised."""

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pix2pix.config.identity import Config
from pix2pix.core import trust
from pix2pix.core.addresses import hide_secrets
from pix2pix.core.checksums import file_sha256
from pix2pix.core.trust import Trust
from pix2pix.data.cache.preload import images_of
from pix2pix.data.pair import Pair, PairSource, Split
from pix2pix.inference.generator import TrainedGenerator
from pix2pix.runs.run import Run

FILE = "metrics.json"
BEST = "best"
INFERENCE = ("normalization", "dropout", "seed")
PARTS = {
    "data": ("kind", "fingerprint", "files", "pictures"),
    "checkpoint_file": ("sha256",),
    "scorer": ("path", "sha256"),
}
Record = dict[str, Any]


class PairsDigest:
    """A digest of pairs, of their names and every pixel as the files have them, in whatever order they are read."""

    def __init__(self) -> None:
        self._of: dict[int, bytes] = {}

    def add(self, index: int, pair: Pair) -> None:
        """Takes note of the pair at a place of the split; threads may do so side by side."""
        digest = hashlib.sha256(pair.name.encode(errors="surrogateescape"))
        for image in images_of(pair):
            pixels = image.contiguous().numpy()
            digest.update(f"{pixels.dtype} {pixels.shape}".encode())
            digest.update(pixels.data)
        self._of[index] = digest.digest()

    def digest(self) -> str:
        """Of all of them."""
        return hashlib.sha256(b"".join(self._of[index] for index in sorted(self._of))).hexdigest()


def evaluation_folder(
    run: Run,
    config: Config,
    split: Split | str,
    *,
    checkpoint: str = BEST,
    data: str | Path | None = None,
    samples: int = 1,
    half: bool = False,
    **inference: Any,
) -> Path:
    """Where an evaluation is kept: `evaluation/SPLIT`, with what is not the run's own in its name.

    The run's own are the pairs of its training, the best checkpoint and the inference options of its configuration.
    What is made otherwise has a folder of its own, as `evaluation/val,dropout=off`, and replaces nothing else.
    """
    own = config["inference"]
    words = {"checkpoint": _checkpoint_name(run, checkpoint), "data": _data_name(config, data)}
    words |= {name: str(inference[name]) for name in INFERENCE if inference.get(name) not in {None, own[name]}}
    words |= {"samples": str(samples) if samples > 1 else "", "precision": "half" if half else ""}
    return run.evaluation / ",".join([split, *(f"{name}={word}" for name, word in words.items() if word)])


def _checkpoint_name(run: Run, checkpoint: str) -> str:
    """The choice in a word; empty for the best. What has no name in the run goes by its place."""
    file = run.checkpoints / f"{BEST}.ckpt"
    if checkpoint == BEST or re.fullmatch(r"last|ema|epoch=\d+", checkpoint):
        return "" if checkpoint == BEST else checkpoint
    if Path(checkpoint).parent.resolve() == run.checkpoints.resolve():
        return "" if Path(checkpoint).name == file.name else Path(checkpoint).stem
    return _short_name(checkpoint)


def _data_name(config: Config, data: str | Path | None) -> str:
    return "" if data is None or _is_own_data(config, data) else _short_name(data)


def _short_name(path: str | Path) -> str:
    """A file's or folder's name, and of its place a digest: two of one name are told apart."""
    readable = re.sub(r"[^\w.-]+", "_", Path(path).name)[:24]
    return f"{readable}-{hashlib.sha256(_normalize_path(path).encode(errors='surrogateescape')).hexdigest()[:8]}"


def _is_own_data(config: Config, path: str | Path) -> bool:
    """Whether the pairs of the training lie at `path`.

    Where they are gone, others at another place are other data, though names and sizes may be the same.
    """
    own = config["data"]["pairs"].get("path")
    return own is None or _normalize_path(own) == _normalize_path(path)


def _normalize_path(path: str | Path) -> str:
    return str(path).rstrip("/") if "://" in str(path) else os.path.realpath(path)


def make_record(
    trained: TrainedGenerator, source: PairSource, split: Split, scorer: Path | None, perceptual: bool
) -> Record:
    """What stands in metrics.json beside the numbers; to be made before pictures are read, and completed by theirs.

    A file that is replaced while they are read then has another date than the one recorded.
    """
    return {
        "checkpoint": trained.checkpoint.name,
        "checkpoint_file": _state_of(trained.checkpoint) | {"sha256": file_sha256(trained.checkpoint)},
        "step": trained.step,
        "inference": vars(trained.inference),
        "precision": "half" if trained.half else "float32",
        "device": trained.device.type,
        "data": {
            "kind": trained.config["data"]["pairs"]["_target_"],  # by which the class is found when its file moves
            "path": _without_password(getattr(source, "path", None)),
            "fingerprint": _digest(source.fingerprint()),
            "files": files_digest(source, split),
        },
        "scorer": {"path": str(scorer), "sha256": file_sha256(scorer)} if scorer else None,
        "perceptual": perceptual,
    }


def _without_password(path: str | Path | None) -> str | None:
    """The place of the data; of an address without passwords, tokens and signatures."""
    if path is None:
        return None
    return hide_secrets(str(path)) if "://" in str(path) else os.path.abspath(path)  # noqa: PTH100


def files_digest(source: PairSource, split: Split) -> str:
    """Of the names, sizes and times of the files of a split: while it stays, so do the pixels, unread."""
    return _digest("\n".join(_file_state(file) for files in source.files(split) for file in files))


def _file_state(file: Path) -> str:
    stat = file.stat()
    return f"{file.name} {stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()


def _state_of(file: Path) -> dict[str, int]:
    stat = file.stat()
    return {"bytes": stat.st_size, "modified": stat.st_mtime_ns}


def read_record(folder: Path) -> Record | None:
    """What an evaluation in a folder was made of, and its numbers; None where there is none that can be read."""
    try:
        record = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(record, dict) or not all(isinstance(record.get(key), dict) for key in ("metrics", "inference")):
        return None
    numbers = {name: value for name, value in record["metrics"].items() if isinstance(value, int | float)}
    told = {key: value for key, value in record.items() if key not in PARTS or _has_strings(value, PARTS[key])}
    return told | {"metrics": numbers}


def _has_strings(value: Any, names: Sequence[str]) -> bool:
    return isinstance(value, dict) and all(isinstance(value.get(name), str) for name in names)


@dataclass
class EvaluationSpec:
    """How the evaluations of several runs are to be made, so that their numbers compare.

    Attributes:
        split: whose pairs.
        checkpoint: which weights of each run.
        data: a folder of pairs for all of them, in place of each run's own.
        scorer: the checkpoint of the run that has read their outputs; None where that does not matter.
        trust: modules whose classes the configurations of the runs may have built; see `pix2pix.core.trust`.
    """

    split: Split
    checkpoint: str = BEST
    data: str | Path | None = None
    scorer: Path | None = None
    trust: Trust = ()
    _sources: dict[str, PairSource | None] = field(default_factory=dict)
    _known: dict[str, tuple[str, str]] = field(default_factory=dict)
    _pictures: dict[str, str] = field(default_factory=dict)

    def folder(self, run: Run, config: Config) -> Path:
        """Where the evaluation of a run is kept."""
        return evaluation_folder(run, config, self.split, checkpoint=self.checkpoint, data=self.data)

    def find_mismatches(self, run: Run, config: Config, record: Record) -> Iterator[str]:
        """Why an evaluation is not what an evaluation of the run would be now; nothing where it is."""
        if "data" not in record or "checkpoint_file" not in record:
            yield "its data and checkpoint are not recorded, as by earlier versions"
            return
        if not self._is_of(self._checkpoint(run), record):
            yield f"of another {record.get('checkpoint')} than the one that is there now"
        yield from self._other_choices(config, record)
        yield from self._other_data(run, config, record["data"])
        if self.scorer and (record.get("scorer") or {}).get("sha256") != file_sha256(self.scorer):
            yield "this scorer has not read it"

    def _checkpoint(self, run: Run) -> Path | None:
        try:
            return run.checkpoint("last" if self.checkpoint == "ema" else self.checkpoint)
        except OSError:
            return None

    def _is_of(self, checkpoint: Path | None, record: Record) -> bool:
        """Whether a checkpoint is still the one that was evaluated; one that is gone cannot have changed."""
        if checkpoint is None:
            return True
        known = record["checkpoint_file"]
        return _state_of(checkpoint).items() <= known.items() or file_sha256(checkpoint) == known.get("sha256")

    def _other_choices(self, config: Config, record: Record) -> Iterator[str]:
        wanted = {name: config["inference"][name] for name in INFERENCE}
        wanted |= {"samples": 1, "precision": "float32", "split": self.split}
        made = record["inference"] | {name: record.get(name) for name in ("samples", "precision", "split")}
        others = [f"{name}={made.get(name)}" for name, value in wanted.items() if made.get(name) != value]
        if others:
            yield f"evaluated with {', '.join(others)}"

    def _other_data(self, run: Run, config: Config, data: Mapping[str, Any]) -> Iterator[str]:
        path, expected = data.get("path"), self.data or config["data"]["pairs"].get("path")
        if path and expected and _normalize_path(path) != _normalize_path(_without_password(expected) or ""):
            yield f"evaluated on other data, {path}"
            return
        if self._pictures_now(run, config, expected, data) not in {None, data.get("pictures")}:
            yield f"the pairs{f' in {path}' if path else ''} have changed since"

    def _pictures_now(self, run: Run, config: Config, path: str | Path | None, data: Mapping[str, Any]) -> str | None:
        """The digest of the pairs as they are now; None where they are gone. Read only where their files changed."""
        source = self._source(run, config, path)
        if source is None:
            return None
        key = f"{path} {id(source)}"
        if key not in self._known:
            self._known[key] = _digest(source.fingerprint()), files_digest(source, self.split)
        if self._known[key] == (data.get("fingerprint"), data.get("files")):
            return data.get("pictures")
        if key not in self._pictures:
            self._pictures[key] = pictures_digest(source.split(self.split))
        return self._pictures[key]

    def _source(self, run: Run, config: Config, path: str | Path | None) -> PairSource | None:
        """The pairs, found once for all runs of one setting; None where they are gone."""
        pairs = config["data"]["pairs"] | ({"path": str(path)} if path else {})
        key = json.dumps(pairs, sort_keys=True, default=str)
        if key not in self._sources:
            try:
                self._sources[key] = trust.build(
                    pairs, "data.pairs", PairSource, source=run.config_file, trust=self.trust
                )
            except (ValueError, OSError):
                self._sources[key] = None
        return self._sources[key]


def pictures_digest(pairs: Sequence[Pair]) -> str:
    """The digest of pairs that are read for it alone; empty where one cannot be read."""
    seen = PairsDigest()
    try:
        for index in range(len(pairs)):
            seen.add(index, pairs[index])
    except (ValueError, OSError):
        return ""
    return seen.digest()
