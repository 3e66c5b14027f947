"""Sample sheets on disk: rows of source, output and target, named by epoch, and by step within an epoch."""

import json
import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from natsort import natsorted
from PIL import Image, PngImagePlugin
from torch import Tensor

from pix2pix.data.images.picture_files import open_image, report_unreadable
from pix2pix.data.images.pictures import GAP, TITLE_HEIGHT, make_contact_sheet, save_picture

log = logging.getLogger(__name__)

Kind = Literal["val", "train", "inputs"]
TITLES = ("input", "output", "target")
ABOUT = "pix2pix"
NAME = re.compile(r"[a-z]+_epoch([0-9]+)(-step[0-9]+)?\.png")  # copies under other names are no sheets


@dataclass(frozen=True)
class Sheet:
    """A sample sheet written during a training.

    Args:
        path: the PNG.
        kind: whether it shows validation pairs, training pairs or inputs without targets.
        step: the training step after which it was made.
        names: the names of its pairs, row by row.
    """

    path: Path
    kind: Kind
    step: int
    names: list[str]

    @property
    def epoch(self) -> int:
        """The epoch after which, or within which, it was made, counted from 1."""
        return parse_epoch(self.path)

    def cells(self) -> list[list[Image.Image]]:
        """The pictures, row by row: input, output and, where there is one, target; small ones are enlarged."""
        rows = self.strips()
        columns = len(TITLES) - (self.kind == "inputs")
        width, height = (rows[0].width - GAP) // columns - GAP, rows[0].height - GAP
        lefts = [GAP + column * (width + GAP) for column in range(columns)]
        return [[row.crop((left, 0, left + width, height)) for left in lefts] for row in rows]

    def strips(self) -> list[Image.Image]:
        """The rows as pictures, without the titles."""
        with report_unreadable(self.path), open_image(self.path, ("PNG",)) as page:
            page.load()
        # Every row has the same height: the sheet is one grid under its titles.
        height = (page.height - TITLE_HEIGHT) // len(self.names)
        tops = range(TITLE_HEIGHT, page.height, height)
        return [page.crop((0, top, page.width, top + height)) for top in tops]


def sheet_name(kind: Kind, epoch: int, step: int | None = None) -> str:
    """`val_epoch0010.png` at the end of the tenth epoch, or `val_epoch0010-step0003500.png` within it.

    The hyphen sorts before the dot: the sheets of an epoch's steps come before that of its end.
    """
    return f"{kind}_epoch{epoch:04d}{'' if step is None else f'-step{step:07d}'}.png"


def parse_epoch(path: Path) -> int:
    """The epoch in the name of a sheet, counted from 1."""
    match = NAME.fullmatch(path.name)
    assert match
    return int(match[1])


def list_sheets(folder: Path, kind: Kind | Literal["*"] = "*") -> list[Path]:
    """The files of the sheets of a kind, or of all kinds one after the other, from the oldest to the newest."""
    files = (path for path in folder.glob(f"{kind}_epoch*.png") if NAME.fullmatch(path.name))
    return natsorted(files, key=lambda path: path.name)


def write_sheet(path: Path, kind: Kind, step: int, names: Sequence[str], rows: Sequence[Sequence[Tensor]]) -> Sheet:
    """Writes a sheet: one row of images (C, H, W) in [-1, 1] per pair; of inputs alone a row has no target."""
    about = PngImagePlugin.PngInfo()
    about.add_itxt(ABOUT, json.dumps({"kind": kind, "step": step, "names": list(names)}))
    save_picture(make_contact_sheet(rows, titles=TITLES[: len(rows[0])]), path, pnginfo=about)
    return Sheet(path, kind, step, list(names))


def read_sheets(folder: Path, kind: Kind | Literal["*"] = "*") -> Iterator[Sheet]:
    """The sheets in the folder, those of a kind in their order. Logs a warning for a sheet that cannot be read."""
    for path in list_sheets(folder, kind):
        try:
            sheet = _read_sheet(path)
        except ValueError as error:
            log.warning("%s", error)
        else:
            yield from [] if sheet is None else [sheet]


def read_epoch_sheets(folder: Path) -> dict[int, Sheet]:
    """The newest readable sheet of validation pairs of each epoch, by the epoch, in their order."""
    return {sheet.epoch: sheet for sheet in read_sheets(folder, "val")}


def newest_sheet(folder: Path, kind: Kind) -> tuple[Sheet | None, list[str]]:
    """The last readable sheet of a kind, and the errors of those after it. No earlier sheet is opened."""
    errors: list[str] = []
    for path in reversed(list_sheets(folder, kind)):
        try:
            sheet = _read_sheet(path)
        except ValueError as error:
            errors.append(str(error))
        else:
            if sheet is not None:
                return sheet, errors
    return None, errors


def _read_sheet(path: Path) -> Sheet | None:
    with report_unreadable(path), open_image(path, ("PNG",)) as page:
        about = page.info.get(ABOUT)  # stored before the pixels; page.text would decode the whole picture
        if about is None:
            return None
        sheet = Sheet(path, **json.loads(about))
        _require_valid(sheet, page)
        return sheet


def _require_valid(sheet: Sheet, page: Image.Image) -> None:
    """Raises ValueError for what no sheet of a training says of itself."""
    names = sheet.names
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise ValueError("the names of its pairs are not recorded")
    if sheet.kind not in get_args(Kind) or not isinstance(sheet.step, int):
        raise ValueError("its kind or step is not recorded")
    if (page.height - TITLE_HEIGHT) // len(names) <= GAP or (page.width - GAP) // len(TITLES) <= GAP:
        raise ValueError(f"a picture of {page.width}x{page.height} has no room for {len(names)} pairs")
