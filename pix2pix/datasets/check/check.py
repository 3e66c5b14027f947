"""`pix2pix data check`: checks a folder and reports as text, JSON and a contact sheet."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pix2pix.data.direction import order_letters
from pix2pix.data.images.decode import pil_to_tensor
from pix2pix.data.images.pictures import make_contact_sheet, save_picture
from pix2pix.data.images.resize import resize
from pix2pix.data.images.value_range import normalize
from pix2pix.datasets.check import suggest_command
from pix2pix.datasets.check.alignment_checks import check_alignment
from pix2pix.datasets.check.file_checks import check_duplicates, check_files, check_pairs
from pix2pix.datasets.check.findings import SEVERITIES, Finding
from pix2pix.datasets.check.measure import PairStats, measure_pairs, read_images, to_rgb
from pix2pix.datasets.check.pixel_settings import check_pixels
from pix2pix.datasets.check.scan import FolderNames, FolderScan, scan_folder
from pix2pix.datasets.download.catalogue import CATALOGUE

MAX_NAMES = 5  # files named in the text; JSON names all
TILE = 160  # pixels of an image on the contact sheet
ROWS, PAIRS_IN_ROW = 6, 3  # of the contact sheet


@dataclass(frozen=True)
class CheckResult:
    """The result of a check: the pairs of a folder and the findings, the most severe first."""

    scan: FolderScan
    pairs: list[PairStats]
    findings: list[Finding]
    guess: suggest_command.DirectionGuess
    command: str

    @property
    def is_trainable(self) -> bool:
        """Whether a training would start and have something to learn: there is no error."""
        return not any(finding.severity == "error" for finding in self.findings)


def check(
    path: Path, name: str | None = None, workers: int | None = None, folders: FolderNames | None = None
) -> CheckResult:
    """Checks the pairs of a folder.

    Args:
        path: the folder, in any layout that training reads, or a table of pairs.
        name: a data set of the catalogue, to compare the numbers of pairs; None compares nothing.
        workers: reading threads; None for one on each core.
        folders: the names of A's and of B's folders; None for A and B, or those that the data seem to have.

    Raises:
        FileNotFoundError: when there is no such folder.
        ValueError: for a name that the catalogue does not have.
    """
    scan = scan_folder(path, folders)
    readings = measure_pairs(scan.pairs, workers, len(scan.folders["A"]))
    guess = suggest_command.guess_direction(readings)
    found = [*scan.findings, *_check_counts(scan, name), *check_files(readings), *check_pairs(readings)]
    found += [*check_pixels(readings, scan.folders), *check_duplicates(readings, guess.photo)]
    found += check_alignment(readings)
    found.sort(key=lambda finding: SEVERITIES.index(finding.severity))
    named = name or (path.resolve().name if path.resolve().name in CATALOGUE else None)
    return CheckResult(scan, readings, found, guess, suggest_command.suggest_command(scan, readings, named))


def _check_counts(scan: FolderScan, name: str | None) -> Iterator[Finding]:
    if name is None:
        return
    missing = [
        f"{split}: {scan.count_pairs().get(split, 0)} of {pairs} pairs"
        for split, pairs in CATALOGUE[name].splits.items()
        if scan.count_pairs().get(split, 0) != pairs
    ]
    if missing:
        message = f"not the {name} of the catalogue, {'; '.join(missing)}"
        yield Finding("warning", "counts", message, f"Get all of it: pix2pix data download {name}.")


def format_text(found: CheckResult) -> Iterator[str]:
    """Yields the lines of the report."""
    counts = ", ".join(f"{pairs} {split}" for split, pairs in found.scan.count_pairs().items())
    yield f"{found.scan.path}: {counts or 'no pairs'}{_describe_files(found.pairs)}"
    for finding in found.findings:
        yield f"{finding.severity}: {finding.message}. {finding.remedy}"
        names = [os.path.relpath(file, found.scan.root) for file in finding.files[:MAX_NAMES]]
        more = len(finding.files) - len(names)
        if names:
            yield f"    {', '.join(names)}{f' and {more} more' if more else ''}"
    if not found.findings:
        yield "no problems found"
    if found.pairs:
        yield f"direction: {_describe_direction(found.guess)}"
    if found.is_trainable:
        yield f"train:     {found.command}"


def _describe_files(readings: list[PairStats]) -> str:
    """Sizes and modes of the files, if they are few enough to name."""
    infos = [info for reading in readings for info in reading.file_infos.values()]
    sizes, modes = {info.size for info in infos}, sorted({info.mode for info in infos})
    size = " and ".join(f"{w}x{h}" for h, w in sorted(sizes)) if 0 < len(sizes) < 3 else f"{len(sizes)} sizes"
    return f"; files of {size}, {'/'.join(modes)}" if infos else ""


def _describe_direction(guess: suggest_command.DirectionGuess) -> str:
    a, b = (f"{share:.0%}" for share in guess.flat)
    measured = f"{a} of A and {b} of B is flat"
    if guess.direction is None:
        return f"not clear from the pictures ({measured}); AtoB makes B from A"
    simple, rich = order_letters(guess.direction)
    if guess.is_by_size:
        return f"{guess.direction}, if the large pictures ({rich}) are to be made from the small ones ({simple})"
    return f"{guess.direction}, if the photos ({rich}) are to be made from the simpler images ({simple}): {measured}"


def format_json(found: CheckResult) -> str:
    """The report as JSON, for scripts. Files are relative to the folder."""
    content: dict[str, Any] = {
        "path": str(found.scan.path),
        "pairs": found.scan.count_pairs(),
        "sound": found.is_trainable,
        "direction": found.guess.direction,
        "command": found.command,
        "findings": [
            {
                "severity": finding.severity,
                "kind": finding.kind,
                "says": finding.message,
                "remedy": finding.remedy,
                "files": [os.path.relpath(file, found.scan.root) for file in finding.files],
            }
            for finding in found.findings
        ],
    }
    return json.dumps(content, indent=2)


def write_contact_sheet(found: CheckResult, file: Path) -> None:
    """Writes a contact sheet: pairs with findings, then others, evenly spaced. Raises ValueError without pairs."""
    read = [reading for reading in found.pairs if reading.sides]
    if not read:
        raise ValueError(f"{found.scan.path}: no pair can be read, so there is no contact sheet.")
    suspects = {file for finding in found.findings if finding.severity != "note" for file in finding.files}
    first = [reading for reading in read if suspects.intersection(reading.entry.files)]
    spaced = [read[int(i)] for i in np.linspace(0, len(read) - 1, min(len(read), ROWS * PAIRS_IN_ROW))]
    chosen = list({reading.entry: reading for reading in [*first, *spaced]}.values())[: ROWS * PAIRS_IN_ROW]
    images = [_load_images(reading, len(found.scan.folders["A"])) for reading in chosen]
    blank = tuple(torch.ones_like(image) for image in images[0])
    columns = min(PAIRS_IN_ROW, len(images))
    images += [blank] * (-len(images) % columns)
    rows = [[i for pair in images[at : at + columns] for i in pair] for at in range(0, len(images), columns)]
    save_picture(make_contact_sheet(rows, ["A", "B"] * columns), file)


def _load_images(reading: PairStats, files_of_a: int) -> tuple[Tensor, ...]:
    """A and B in [-1, 1], (3, TILE, TILE)."""
    pair = read_images(reading.entry.files, files_of_a)
    return tuple(normalize(resize(pil_to_tensor(to_rgb(image), "RGB"), (TILE, TILE))) for image in pair)
