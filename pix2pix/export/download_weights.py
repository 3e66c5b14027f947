"""Downloads weights that the authors of pix2pix published and makes a run of them."""

import functools
import logging
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock

from pix2pix.datasets.download.http_download import delete_partial, resume_download
from pix2pix.datasets.download.mirrors import require_beginning, require_room, try_mirrors
from pix2pix.datasets.download.pins import Pins
from pix2pix.export.import_reference import import_reference, quote
from pix2pix.export.published_weights import HOST, MEGABYTES, PublishedWeights
from pix2pix.models.reference_architecture import recognise_generator
from pix2pix.models.reference_weights import read_state_dict
from pix2pix.runs.run import Run

log = logging.getLogger(__name__)

LOCK_FILE = "models.lock"  # beside the run: the checksums of first downloads
LARGEST = 2 * MEGABYTES * 10**6  # bytes beyond which a file cannot be the real one
BEGINNINGS = (b"PK\x03\x04", b"\x80")  # of a file that torch saved: a zip, or a pickle of versions before 1.6


def download_weights(known: PublishedWeights, output: Path, mirrors: Sequence[str] = ()) -> Run:
    """Brings published weights to the run directory `output`, whole and with the checksum of the first download.

    The file is kept beside the run, as .NAME.pth, until the run is complete; an interrupted download is resumed.

    Args:
        known: the entry of the catalogue.
        output: the run directory; a run of the same weights is left as it is.
        mirrors: URLs of folders that hold NAME.pth, asked in turn before the authors' server.

    Raises:
        ValueError: when `output` holds something else.
        OSError: when no mirror has the right file, or the disk is too small.
    """
    run, folder = Run(output), output.absolute().parent
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / f".{known.name}.downloading"):
        if _is_downloaded(known, run):
            log.info("%s holds %s already; nothing was downloaded.", run.path, known.name)
        else:
            _require_empty(run)
            try_mirrors(known.name, known.file, [*mirrors, HOST], lambda url: _import_from(url, known, run))
        delete_partial(_part(known, run))
    return run


def _is_downloaded(known: PublishedWeights, run: Run) -> bool:
    imported = run.provenance().get("imported", {})
    return imported.get("published") == known.name and run.config_file.is_file() and run.has_checkpoints()


def _require_empty(run: Run) -> None:
    if run.path.exists() and (not run.path.is_dir() or any(run.path.iterdir())):
        raise ValueError(f"{run.path}: already holds something else. Choose another folder with --output.")


def _part(known: PublishedWeights, run: Run) -> Path:
    return run.path.absolute().parent / f".{known.file}"


def _import_from(url: str, known: PublishedWeights, run: Run) -> None:
    """Downloads the file from one URL and imports it. Raises ValueError, and removes the file, when it is wrong."""
    part = _part(known, run)
    words = {"contents": "weights and run together", "remedy": "set --output to a folder on another disk"}
    admit = functools.partial(require_room, known.name, part, megabytes=MEGABYTES, most=LARGEST, **words)
    resume_download(url, part, admit, most=LARGEST)
    try:
        require_beginning(part, url, BEGINNINGS, "no PyTorch weights")
        pins = Pins(part.with_name(LOCK_FILE))
        digest = pins.require_match(known.name, part, url)
        known.require_network(recognise_generator(read_state_dict(part)))
        _import(known, part, run, url)
    except ValueError as error:
        delete_partial(part)  # resuming a wrong file would never mend it
        raise ValueError(f"{url}: {str(error).removeprefix(f'{url}: ')}") from error
    pins.add(known.name, {"url": url, "bytes": part.stat().st_size, "sha256": digest})


def _import(known: PublishedWeights, part: Path, run: Run, url: str) -> None:
    place = f"run_dir={quote(str(run.path))}"
    about = {"published": known.name, "url": url, "terms": known.terms}
    import_reference(part, [*known.settings, place], name=known.name, about=about)
