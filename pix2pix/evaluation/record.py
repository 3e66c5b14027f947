"""Records the inputs and options of an evaluation, so that outdated results are recognised."""

import contextlib
import csv
import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pix2pix.core.addresses import hide_secrets
from pix2pix.core.checksums import file_sha256
from pix2pix.data.pair import Pair, PairSource, Split
from pix2pix.inference.generator import TrainedGenerator

if TYPE_CHECKING:
    from pix2pix.evaluation.select_pairs import Selection

FILE, PER_IMAGE = "metrics.json", "per_image.csv"
INFERENCE = ("normalization", "dropout", "seed")
PARTS = {
    "data": ("kind", "fingerprint", "files", "pictures"),
    "checkpoint_file": ("sha256",),
    "scorer": ("path", "sha256"),
}
ENCODING = "utf-8-sig"  # with or without the mark that spreadsheets put before the text
Record = dict[str, Any]


class PairsDigest:
    """A digest of the names and file pixels of pairs, which may be added in any order and from threads."""

    def __init__(self) -> None:
        self._digests: dict[int, bytes] = {}

    def add(self, index: int, pair: Pair) -> None:
        """Adds the pair at `index` of the split."""
        digest = hashlib.sha256(pair.name.encode(errors="surrogateescape"))
        for image in pair.images:
            pixels = image.contiguous().numpy()
            digest.update(f"{pixels.dtype} {pixels.shape}".encode())
            digest.update(pixels.data)
        self._digests[index] = digest.digest()

    def digest(self) -> str:
        """The SHA-256 of all pairs, in the order of their indices."""
        return hashlib.sha256(b"".join(self._digests[index] for index in sorted(self._digests))).hexdigest()


def normalize_path(path: str | Path) -> str:
    """The absolute path without symbolic links; an address stays as it is."""
    return str(path).rstrip("/") if "://" in str(path) else os.path.realpath(path)


def make_record(
    trained: TrainedGenerator, selection: "Selection", samples: int, scorer: Path | None, perceptual: bool
) -> Record:
    """Makes the record of an evaluation's inputs, which metrics.json holds beside the metrics.

    It is made before any picture is read, so that a file replaced meanwhile does not match the recorded date.
    """
    source, split = selection.source, selection.split
    return {
        "split": split,
        "limit": len(selection.pairs) if len(selection.pairs) < selection.total else None,
        "samples": samples,
        "checkpoint": trained.checkpoint.name,
        "checkpoint_file": file_state(trained.checkpoint) | {"sha256": file_sha256(trained.checkpoint)},
        "step": trained.step,
        "inference": vars(trained.inference),
        "precision": "half" if trained.half else "float32",
        "device": trained.device.type,
        "data": {
            "kind": trained.config.data.source_class,  # the class name, independent of its file
            "description": selection.describe(),
            "path": hide_password(getattr(source, "path", None)),
            "fingerprint": text_digest(source.fingerprint()),
            "files": files_digest(source, split),
        },
        "scorer": {"path": str(scorer), "sha256": file_sha256(scorer)} if scorer else None,
        "perceptual": perceptual,
    }


def hide_password(path: str | Path | None) -> str | None:
    """The path of the data; an address without passwords, tokens and signatures."""
    if path is None:
        return None
    return hide_secrets(str(path)) if "://" in str(path) else os.path.abspath(path)  # noqa: PTH100


def files_digest(source: PairSource, split: Split) -> str:
    """A digest of names, sizes and times of a split's files. If it is unchanged, the pixels need not be read again."""
    return text_digest("\n".join(_file_state(file) for files in source.files(split) for file in files))


def _file_state(file: Path) -> str:
    stat = file.stat()
    return f"{file.name} {stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns}"


def text_digest(text: str) -> str:
    """The SHA-256 of a text, in hexadecimal."""
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()


def file_state(file: Path) -> dict[str, int]:
    """Size in bytes and time of modification in nanoseconds."""
    stat = file.stat()
    return {"bytes": stat.st_size, "modified": stat.st_mtime_ns}


def read_record(folder: Path) -> Record | None:
    """Reads the record and metrics of an evaluation folder; None if there is no readable one.

    Without a readable table of its pictures, an evaluation counts as none, too, and is made again.
    """
    try:
        record = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(record, dict) or not all(isinstance(record.get(key), dict) for key in ("metrics", "inference")):
        return None
    if not _has_table(folder / PER_IMAGE):
        return None
    metrics = {name: value for name, value in record["metrics"].items() if isinstance(value, int | float)}
    valid = {key: value for key, value in record.items() if key not in PARTS or _has_strings(value, PARTS[key])}
    return valid | {"metrics": metrics}


def _has_table(file: Path) -> bool:
    """Whether the first line of a table of pictures names its columns; a spreadsheet may have saved it otherwise."""
    try:
        with file.open(newline="", encoding=ENCODING, errors="surrogateescape") as content:
            return "name" in next(csv.reader(content), [])
    except (OSError, csv.Error):
        return False


def read_picture_rows(folder: Path) -> dict[str, dict[str, float]]:
    """The metrics of each picture in the folder of an evaluation, by its name, as far as they are numbers."""
    with (folder / PER_IMAGE).open(newline="", encoding=ENCODING, errors="surrogateescape") as file:
        return {row.get("name", ""): _read_numbers(row) for row in csv.DictReader(file)}


def _read_numbers(row: dict[str, str]) -> dict[str, float]:
    numbers: dict[str, float] = {}
    for name, text in row.items():
        with contextlib.suppress(ValueError, TypeError):  # the name of the picture, and what is not measured
            numbers[name] = float(text)
    return numbers


def _has_strings(value: Any, names: Sequence[str]) -> bool:
    return isinstance(value, dict) and all(isinstance(value.get(name), str) for name in names)
