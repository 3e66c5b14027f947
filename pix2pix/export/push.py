"""Writes the folder of a translator for the Hugging Face Hub, and uploads it."""

import logging
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import yaml
from PIL import Image
from torch import Tensor

from pix2pix.config.identity import hide_local_paths
from pix2pix.config.schema import RunConfig
from pix2pix.core.addresses import hide_secrets_in
from pix2pix.core.atomic_files import is_temporary, write_text_atomic
from pix2pix.core.checksums import file_sha256
from pix2pix.data.images.pictures import make_contact_sheet, save_picture
from pix2pix.evaluation.record import FILE, Record, read_record
from pix2pix.export.model_card import Metrics, data_name, render_card
from pix2pix.export.safetensors import generator_weights
from pix2pix.inference.describe import find_licence
from pix2pix.inference.generator import TrainedGenerator, load_generator
from pix2pix.inference.hub import SCHEME, WEIGHTS, explain_hub_errors, import_hub, parse_address
from pix2pix.runs.run import Run
from pix2pix.runs.sample_sheets import TITLES, newest_sheet
from pix2pix.runs.weight_files import write_safetensors

log = logging.getLogger(__name__)

CARD, CONFIG, SHEET = "README.md", "config.yaml", "samples.png"
FILES = (CARD, CONFIG, SHEET, WEIGHTS)
ROWS = 4  # of the sheet that is made of an evaluation
SPLITS = ("test", "val", "train")  # the order of their metrics in the card


def push(
    run: str | Path, repository: str, *, private: bool = False, revision: str | None = None, **options: Any
) -> str:
    """Uploads a translator to the hub in one commit and returns the address of its page.

    The token is the one that huggingface_hub finds: of `hf auth login`, or HF_TOKEN.

    Args:
        run: a run directory or a file of weights.
        repository: USER/NAME; created where it does not exist.
        private: whether only its owner may see a repository that is created.
        revision: the branch to commit to, `main` by default.
        options: those of `write_folder`.

    Raises:
        ValueError: for a malformed name, or when huggingface_hub is not installed.
        OSError: when the hub refuses it or cannot be reached.
    """
    hub = import_hub()
    with tempfile.TemporaryDirectory() as folder:
        files = write_folder(run, repository, Path(folder), **options)
        with explain_hub_errors(f"{SCHEME}{repository}"):
            api = hub.HfApi(library_name="pix2pix")
            page = api.create_repo(repository, private=private or None, exist_ok=True)
            operations = [hub.CommitOperationAdd(path_in_repo=file.name, path_or_fileobj=file) for file in files]
            api.create_commit(repository, operations, commit_message="Upload by pix2pix push", revision=revision)
    return str(page)


def write_folder(
    run: str | Path,
    repository: str,
    folder: Path,
    *,
    licence: str | None = None,
    samples: bool = True,
    half: bool = False,
    **options: Any,
) -> list[Path]:
    """Writes weights, configuration, model card and a sheet of samples into `folder`.

    Args:
        run: a run directory or a file of weights.
        repository: USER/NAME, for the model card.
        folder: a new or empty one, or one that was written before.
        licence: the licence of the weights, as an identifier of the hub. None: the terms of the data, if known.
        samples: whether to include pictures of held-out pairs.
        half: store the weights in float16; they are float32 again when read.
        options: those of `pix2pix.inference.generator.load_generator`; test-time choices become those of the file.

    Returns:
        The files, the weights last.

    Raises:
        ValueError: for a malformed name, or when the folder holds other files.
    """
    parse_address(f"{SCHEME}{repository}")
    _require_own(folder)
    trained = load_generator(run, device="cpu", **options)
    place = Run(run) if Path(run).is_dir() else None
    records = _find_records(place, trained) if place else {}
    terms = find_licence(trained.config, licence, place.provenance().get("imported", {}) if place else {})
    config = hide_private_settings(trained.config.to_mapping()) | {"inference": vars(trained.inference)}
    picture = _write_sheet(place, list(records), folder / SHEET) if place and samples else None
    metrics = [_metrics(trained.config, record) for record in records.values()]
    write_text_atomic(folder / CARD, render_card(repository, trained, metrics, terms, picture and picture.name))
    write_text_atomic(folder / CONFIG, yaml.safe_dump(config, sort_keys=False))
    write_safetensors(folder / WEIGHTS, generator_weights(trained, half), config, trained.step)
    return [folder / CARD, folder / CONFIG, *([picture] if picture else []), folder / WEIGHTS]


def hide_private_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a configuration without folders of this machine and without passwords in addresses."""
    public = hide_local_paths(settings)
    if isinstance(start := public.get("init_from"), str):
        public |= {"init_from": Path(start).name}
    return hide_secrets_in(public)


def _require_own(folder: Path) -> None:
    others = [file.name for file in folder.iterdir() if file.name not in FILES] if folder.is_dir() else []
    if others:
        raise ValueError(f"{folder}: already holds other files, such as {others[0]}. Choose an empty folder.")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SHEET).unlink(missing_ok=True)


def _find_records(run: Run, trained: TrainedGenerator) -> dict[Path, Record]:
    """The evaluations of exactly these weights under these test-time choices, by folder; test before val."""
    folders = [file.parent for file in sorted(run.evaluation.glob(f"*/{FILE}")) if not is_temporary(file.parent)]
    records = {folder: record for folder in folders if (record := read_record(folder)) is not None}
    digest = file_sha256(trained.checkpoint)
    current = {folder: record for folder, record in records.items() if _is_current(record, trained, digest)}
    for folder in records.keys() - current.keys():
        log.warning("%s: of other weights or test-time choices; the model card leaves it out.", folder)
    if not current:
        log.warning("%s: not evaluated, so the model card has no metrics. Run pix2pix evaluate %s.", run.path, run.path)
    return dict(sorted(current.items(), key=lambda item: (SPLITS.index(item[1]["split"]), item[0].name)))


def _is_current(record: Record, trained: TrainedGenerator, digest: str) -> bool:
    same_weights = record.get("checkpoint_file", {}).get("sha256") == digest
    plain = record.get("samples") == 1 and record.get("precision") == "float32" and record.get("split") in SPLITS
    return same_weights and plain and record["inference"] == vars(trained.inference)


def _metrics(config: RunConfig, record: Record) -> Metrics:
    data = data_name(config, record.get("data", {}).get("path"))
    return Metrics(record["split"], data, record.get("pairs", 0), record["metrics"])


def _write_sheet(run: Run, evaluations: Sequence[Path], path: Path) -> Path | None:
    """Writes the newest sheet of the training, else one made from an evaluation; returns None if there is neither."""
    latest, _ = newest_sheet(run.path / "samples", "val")
    if latest is not None:
        with Image.open(latest.path, formats=("PNG",)) as picture:
            save_picture(picture.convert("RGB"), path)
        return path
    rows = [row for folder in evaluations for row in _rows(folder / "images")][:ROWS]
    if not rows:
        log.warning("%s: has no samples, so the model card has no picture.", run.path)
        return None
    save_picture(make_contact_sheet(rows, titles=TITLES), path)
    return path


def _rows(images: Path) -> list[list[Tensor]]:
    """Input, output and target of the first pairs of an evaluation, each (3, H, W) in [-1, 1]."""
    outputs = sorted(images.rglob("*_output.png"))[:ROWS]
    stems = [str(file).removesuffix("_output.png") for file in outputs]
    return [[_read(Path(f"{stem}_{kind}.png")) for kind in ("input", "output", "target")] for stem in stems]


def _read(file: Path) -> Tensor:
    with Image.open(file, formats=("PNG",)) as picture:
        rgb = picture.convert("RGB")
    pixels = torch.frombuffer(bytearray(rgb.tobytes()), dtype=torch.uint8).view(rgb.height, rgb.width, 3)
    return pixels.permute(2, 0, 1) / 127.5 - 1
