"""Downloads and verifies a data set of the catalogue; the same command continues an interrupted download."""

import datetime
import hashlib
import json
import logging
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pix2pix.core.addresses import require_no_secrets
from pix2pix.core.atomic_files import write
from pix2pix.datasets.download.catalogue import HOST, KnownSet, lock_file, pins
from pix2pix.datasets.download.http_download import MirrorError, fetch, forget
from pix2pix.datasets.download.safe_extract import Limits, extract

try:
    import fcntl
except ImportError:  # no such locks on Windows
    fcntl = None

log = logging.getLogger(__name__)


def download(known: KnownSet, root: Path, mirrors: Sequence[str] = ()) -> Path:
    """Brings a data set to `root`/NAME, complete and with the checksum of its first download, or not at all.

    The archive is kept in `root`/.NAME.tar.gz until its pictures stand in their place; they are unpacked beside and
    moved there in one step.

    Args:
        known: the data set.
        root: the folder of all data sets, data.root of the configuration.
        mirrors: URLs of folders that hold NAME.tar.gz, asked in turn before the authors' server.

    Raises:
        ValueError: when something else stands in its place.
        OSError: when no mirror has the right archive, or the disk is too small.
    """
    folder = root / known.name
    root.mkdir(parents=True, exist_ok=True)
    with _alone(root / f".{known.name}.downloading"):
        if folder.exists():
            _require_complete(known, folder)
            log.info("%s is there already, with all its %d pairs.", folder, known.pairs)
        else:
            _from_mirrors(known, root, [*mirrors, HOST])
        forget(_archive(known, root))
    return folder


def mirrors_of(root: Path, named: Sequence[str]) -> list[str]:
    """The mirrors of the command line, then of PIX2PIX_MIRRORS (split at spaces), then of `root`/mirrors.txt."""
    file = root / "mirrors.txt"
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    listed = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    urls = [*named, *os.environ.get("PIX2PIX_MIRRORS", "").split(), *listed]
    require_no_secrets(("--mirror", url) for url in urls)
    for url in urls:
        if not url.startswith(("http://", "https://")):
            raise ValueError(f"mirror {url!r}: not an http or https URL. Give the folder that holds NAME.tar.gz.")
    return list(dict.fromkeys(urls))


def _from_mirrors(known: KnownSet, root: Path, mirrors: Sequence[str]) -> None:
    failures = []
    for mirror in mirrors:
        url = f"{mirror.rstrip('/')}/{known.name}.tar.gz"
        try:
            return _from_one(known, root, url)
        except (MirrorError, ValueError) as error:
            log.info("%s", error)
            failures.append(str(error))
    raise OSError(
        f"{known.name} could not be downloaded:\n  " + "\n  ".join(failures) + "\nName another with --mirror."
    )


def _from_one(known: KnownSet, root: Path, url: str) -> None:
    archive = _archive(known, root)
    fetch(url, archive, lambda coming: _admit(known, root, coming), most=known.largest_archive)
    try:
        digest = _verified(known, root, archive, url)
        _unpack(known, root, archive, {"url": url, "bytes": archive.stat().st_size, "sha256": digest})
    except ValueError:
        forget(archive)  # wrong as a whole: going on from it would never mend it
        raise


def _admit(known: KnownSet, root: Path, coming: int | None) -> None:
    """Refuses what cannot be the archive, or has no room with its pictures beside it."""
    if coming is not None and coming > known.largest_archive:
        raise ValueError(f"{known.name}: the server offers {coming} bytes, but it has about {known.megabytes} MB.")
    expected = known.megabytes * 10**6
    needed = (expected if coming is None else coming) + expected
    free = shutil.disk_usage(root).free
    if free < needed:
        left = _archive(known, root)
        there = f" (an unfinished download, {left}, takes {left.stat().st_size // 10**6} MB)" if left.exists() else ""
        raise OSError(
            f"{known.name} needs about {needed // 10**6} MB in {root}, archive and pictures together; "
            f"{free // 10**6} MB are free{there}. Make room, or set --root (PIX2PIX_DATA) to another disk."
        )


def _verified(known: KnownSet, root: Path, archive: Path, url: str) -> str:
    """The archive's SHA-256. Raises ValueError when it is not the pinned one, or no archive at all."""
    with archive.open("rb") as file:
        beginning = file.read(15)
        if not beginning.startswith(b"\x1f\x8b"):
            raise ValueError(f"{url}: not a gzip archive, it begins with {beginning!r}.")
        file.seek(0)
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    pinned = pins(root).get(known.name, {}).get("sha256")
    if pinned not in {None, digest}:
        raise ValueError(
            f"{url}: its SHA-256 is {digest}, but {lock_file(root)} has {pinned} from the first download. "
            "If the new archive is to be trusted, remove the entry there."
        )
    return digest


def _unpack(known: KnownSet, root: Path, archive: Path, pin: dict[str, object]) -> None:
    beside = root / f".{known.name}.unpacking"
    if beside.exists():
        shutil.rmtree(beside)  # of a killed process: half of it may be missing
    extract(archive, beside, known.name, Limits(3 * known.pairs + 1000, known.largest_folder))
    try:
        lacking = known.lacking(beside / known.name)
        if lacking:
            raise ValueError(f"{pin['url']}: not the set of the catalogue, it has {'; '.join(lacking)}.")
        _pin(known, root, pin)
        (beside / known.name).rename(root / known.name)
    finally:
        shutil.rmtree(beside)


def _pin(known: KnownSet, root: Path, pin: dict[str, object]) -> None:
    """Writes down the first download; later ones are held to it."""
    there = pins(root)
    date = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    there.setdefault(known.name, pin | {"pairs": known.splits, "first_downloaded": date})
    write(lock_file(root), json.dumps(there, indent=2, sort_keys=True) + "\n")


def _require_complete(known: KnownSet, folder: Path) -> None:
    lacking = known.lacking(folder)
    if lacking:
        raise ValueError(
            f"{folder} is there, but is not all of {known.name}: {'; '.join(lacking)}. "
            "Move it away, or set --root (PIX2PIX_DATA) to another folder."
        )


def _archive(known: KnownSet, root: Path) -> Path:
    return root / f".{known.name}.tar.gz"


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Keeps a second download of the same set waiting; the lock ends with the process, however it ends."""
    with lock.open("w", encoding="utf-8") as file:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX)
        yield  # the empty file stays: removing it would let a third process in beside a waiting second one
