"""Downloads and verifies a data set of the catalogue; the same command continues an interrupted download."""

import functools
import logging
import shutil
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock

from pix2pix.datasets.download.catalogue import HOST, PublicDataset, lock_file
from pix2pix.datasets.download.http_download import delete_partial, resume_download
from pix2pix.datasets.download.mirrors import require_beginning, require_room, try_mirrors
from pix2pix.datasets.download.pins import Pins
from pix2pix.datasets.download.safe_extract import Limits, safe_extract

log = logging.getLogger(__name__)


def download(known: PublicDataset, root: Path, mirrors: Sequence[str] = ()) -> Path:
    """Downloads a data set to `root`/NAME, complete and with the checksum of its first download, or not at all.

    The archive stays in `root`/.NAME.tar.gz until its pictures are in place. They are unpacked in a hidden folder,
    which is then renamed. A second download of the same data set waits for the first.

    Args:
        known: the data set.
        root: the folder of all data sets, `data.root` in the configuration.
        mirrors: URLs of folders with NAME.tar.gz, tried in order before the authors' server.

    Raises:
        ValueError: when `root`/NAME contains something else.
        OSError: when no mirror has the right archive, or when the disk is too small.
    """
    folder = root / known.name
    root.mkdir(parents=True, exist_ok=True)
    with FileLock(root / f".{known.name}.downloading"):
        if folder.exists():
            _require_complete(known, folder)
            log.info("%s is there already, with all its %d pairs.", folder, known.pairs)
        else:
            sources = [*mirrors, HOST]
            try_mirrors(known.name, f"{known.name}.tar.gz", sources, lambda url: _download_from(known, root, url))
        delete_partial(_archive(known, root))
    return folder


def _download_from(known: PublicDataset, root: Path, url: str) -> None:
    archive = _archive(known, root)
    words = {"contents": "archive and pictures together", "remedy": "set --root (PIX2PIX_DATA) to another disk"}
    sizes = {"megabytes": known.megabytes, "most": known.max_archive_bytes}
    admit = functools.partial(require_room, known.name, archive, **sizes, **words)
    resume_download(url, archive, admit, most=known.max_archive_bytes)
    try:
        require_beginning(archive, url, (b"\x1f\x8b",), "not a gzip archive")
        digest = Pins(lock_file(root)).require_match(known.name, archive, url)
        pin = {"url": url, "bytes": archive.stat().st_size, "sha256": digest, "pairs": known.splits}
        _unpack(known, root, archive, pin)
    except ValueError:
        delete_partial(archive)  # resuming a wrong file would never correct it
        raise


def _unpack(known: PublicDataset, root: Path, archive: Path, pin: dict[str, object]) -> None:
    beside = root / f".{known.name}.unpacking"
    if beside.exists():
        shutil.rmtree(beside)  # a killed process may have left half of it
    safe_extract(archive, beside, known.name, Limits(3 * known.pairs + 1000, known.max_folder_bytes))
    try:
        missing = known.missing_pairs(beside / known.name)
        if missing:
            raise ValueError(f"{pin['url']}: not the set of the catalogue, it has {'; '.join(missing)}.")
        Pins(lock_file(root)).add(known.name, pin)
        (beside / known.name).rename(root / known.name)
    finally:
        shutil.rmtree(beside)


def _require_complete(known: PublicDataset, folder: Path) -> None:
    missing = known.missing_pairs(folder)
    if missing:
        raise ValueError(
            f"{folder} is there, but is not all of {known.name}: {'; '.join(missing)}. "
            "Move it away, or set --root (PIX2PIX_DATA) to another folder."
        )


def _archive(known: PublicDataset, root: Path) -> Path:
    return root / f".{known.name}.tar.gz"
