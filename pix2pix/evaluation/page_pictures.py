"""The pictures of the comparison page: outputs of the evaluations, and sample sheets of the trainings."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pix2pix.core.prefetch import map_in_threads
from pix2pix.data.images.picture_files import open_image, report_unreadable
from pix2pix.evaluation.comparison import Comparison
from pix2pix.evaluation.run_groups import RunEntry
from pix2pix.inference.gallery import webp_data_uri
from pix2pix.runs.sample_sheets import Sheet, read_epoch_sheets

LOSSY_QUALITY = 90
MAX_LOSSLESS_PIXELS = 16_000_000  # about 25 MB of lossless photos; more pixels are compressed with loss
DEFAULT_COUNT, MAX_OUTPUTS = 8, 960  # inputs, and outputs of all groups for all inputs
MAX_FRAMES, MAX_SAMPLES = 8, 240  # pictures of the trainings: of one pair of one run, and in all
MAX_SAMPLED_GROUPS = MAX_SAMPLES // 3  # fewer than 3 epochs show no course, and so many sheets take long to read


class PagePictures(NamedTuple):
    """The pictures of a page as data URIs.

    Args:
        rows: for each input its `name`, `input`, `outputs` by the number of the group, and `target`.
        samples: the same of validation pairs during training; an output is a list of [epoch, picture].
        is_lossless: whether `rows` are as the evaluation wrote them; `samples` are compressed with loss.
    """

    rows: list[dict[str, Any]]
    samples: list[dict[str, Any]]
    is_lossless: bool


def default_count(comparison: Comparison) -> int:
    """How many inputs a page shows: 8, or fewer so that it opens in seconds."""
    return max(2, min(DEFAULT_COUNT, MAX_OUTPUTS // len(comparison.groups)))


def collect_pictures(comparison: Comparison, count: int) -> PagePictures:
    """Reads the pictures of `count` inputs of each data set, spread evenly over the split."""
    rows: list[dict[str, Any]] = []
    representatives = _select_representatives(comparison)
    for data in dict.fromkeys((entry.data, entry.protocol.get("data")) for entry in representatives.values()):
        entries = {n: e for n, e in representatives.items() if (e.data, e.protocol.get("data")) == data}
        names = list(dict.fromkeys(name for e in entries.values() for name in e.picture_rows if _is_below(name)))
        rows += [_list_files(name, entries) for name in names[:: max(1, len(names) // max(1, count))][:count]]
    files = {file for row in rows for file in (row["input"], row["target"], *row["outputs"].values()) if file}
    is_lossless = sum(map(_count_pixels, files)) <= MAX_LOSSLESS_PIXELS
    ordered = sorted(files)
    uris = dict(
        zip(ordered, map_in_threads(lambda file: _to_data_uri(file, lossless=is_lossless), ordered), strict=True)
    )
    return PagePictures([_with_uris(row, uris) for row in rows], _read_samples(comparison, count), is_lossless)


def _select_representatives(comparison: Comparison) -> dict[int, RunEntry]:
    """The first evaluated run of each group, by the number of the group; each is a column of pictures."""
    evaluated = [[entry for entry in group.entries if entry.evaluation] for group in comparison.groups]
    return {number: entries[0] for number, entries in enumerate(evaluated) if entries}


def _is_below(name: str) -> bool:
    """Whether the name of a picture leads to a file in its folder; that of a foreign run might lead anywhere."""
    return not Path(name).is_absolute() and ".." not in Path(name).parts


def _list_files(name: str, entries: dict[int, RunEntry]) -> dict[str, Any]:
    """The files of a row; None for an input or target that no run has."""
    folders = {number: entry.evaluation_folder / "images" for number, entry in entries.items()}
    outputs = {number: folder / f"{name}_output.png" for number, folder in folders.items()}
    ends = {
        kind: next((file for folder in folders.values() if (file := folder / f"{name}_{kind}.png").is_file()), None)
        for kind in ("input", "target")
    }
    return {"name": name, "outputs": {number: file for number, file in outputs.items() if file.is_file()}} | ends


def _with_uris(row: dict[str, Any], uris: dict[Path, str]) -> dict[str, Any]:
    outputs = {number: uris[file] for number, file in row["outputs"].items()}
    ends = {kind: uris.get(row[kind], "") for kind in ("input", "target")}
    return {"name": row["name"], "outputs": outputs} | ends


def _count_pixels(file: Path) -> int:
    with report_unreadable(file), open_image(file, ("PNG",)) as picture:
        return picture.width * picture.height


def _to_data_uri(file: Path, *, lossless: bool) -> str:
    with report_unreadable(file), open_image(file, ("PNG",)) as picture:
        return webp_data_uri(picture, quality=None if lossless else LOSSY_QUALITY)


def _read_samples(comparison: Comparison, count: int) -> list[dict[str, Any]]:
    """The validation pairs that all groups have on their sample sheets, from the first epoch to the last."""
    if not count or len(comparison.groups) > MAX_SAMPLED_GROUPS:
        return []
    of_groups = {number: _list_sheets(group.entries) for number, group in enumerate(comparison.groups)}
    of_groups = {number: sheets for number, sheets in of_groups.items() if sheets}
    if not of_groups:
        return []
    first = next(iter(of_groups.values()))[-1].names
    names = [name for name in first if all(name in sheets[-1].names for sheets in of_groups.values())]
    names = names[: 2 if 6 * len(of_groups) <= MAX_SAMPLES else 1]
    frames = min(MAX_FRAMES, MAX_SAMPLES // max(1, len(of_groups) * len(names)))
    if not names:
        return []
    thinned = {number: _thin(sheets, frames) for number, sheets in of_groups.items()}
    return _crop_samples(names, thinned)


def _list_sheets(entries: Sequence[RunEntry]) -> list[Sheet]:
    """The sheets of the ends of epochs of the first run of a group that has any."""
    for entry in entries:
        if sheets := read_epoch_sheets(entry.run.path / "samples"):
            return list(sheets.values())
    return []


def _thin(sheets: list[Sheet], count: int) -> list[Sheet]:
    """So many sheets, evenly spaced, with the first and the last."""
    if len(sheets) <= count:
        return sheets
    return [sheets[round(place * (len(sheets) - 1) / (count - 1))] for place in range(count)]


def _crop_samples(names: list[str], of_groups: dict[int, list[Sheet]]) -> list[dict[str, Any]]:
    ends = next(iter(of_groups.values()))[-1]  # it shows all pairs, and every sheet shows the same inputs and targets
    inputs, targets = (_encode_column(ends, names, column) for column in (0, -1))
    rows: list[dict[str, Any]] = [
        {"name": name, "input": source, "target": target, "outputs": {}}
        for name, source, target in zip(names, inputs, targets, strict=True)
    ]
    cells = [(number, sheet) for number, sheets in of_groups.items() for sheet in sheets]
    outputs = map_in_threads(lambda cell: _encode_column(cell[1], names, 1), cells)
    for (number, sheet), encoded in zip(cells, outputs, strict=True):
        for row, picture in zip(rows, encoded, strict=True):
            if picture:
                row["outputs"].setdefault(number, []).append([sheet.epoch, picture])
    return rows


def _encode_column(sheet: Sheet, names: list[str], column: int) -> list[str]:
    """The pictures of a column of a sheet as data URIs; "" for a pair that the sheet does not show."""
    pictures = {name: row[column] for name, row in zip(sheet.names, sheet.cells(), strict=True)}
    return [webp_data_uri(pictures[name], quality=LOSSY_QUALITY) if name in pictures else "" for name in names]
