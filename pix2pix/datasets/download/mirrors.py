"""Lists the mirrors of a download, asks them in turn, and checks the disk before bytes arrive."""

import logging
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from pix2pix.core.addresses import require_no_secrets
from pix2pix.datasets.download.http_download import MirrorError

log = logging.getLogger(__name__)


def list_mirrors(folder: Path, named: Sequence[str], file: str = "NAME.tar.gz") -> list[str]:
    """Returns the mirrors of the command line, of PIX2PIX_MIRRORS (split at spaces) and of `folder`/mirrors.txt.

    Args:
        folder: where downloads are written.
        named: URLs from the command line.
        file: what a mirror holds, for the error.

    Raises:
        ValueError: for a mirror that is no http or https URL, or that holds a password.
    """
    listing = folder / "mirrors.txt"
    lines = listing.read_text(encoding="utf-8").splitlines() if listing.exists() else []
    listed = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    urls = [*named, *os.environ.get("PIX2PIX_MIRRORS", "").split(), *listed]
    require_no_secrets(("--mirror", url) for url in urls)
    for url in urls:
        if not url.startswith(("http://", "https://")):
            raise ValueError(f"mirror {url!r}: not an http or https URL. Give the folder that holds {file}.")
    return list(dict.fromkeys(urls))


def try_mirrors(name: str, file: str, mirrors: Sequence[str], download: Callable[[str], None]) -> None:
    """Calls `download` with the URL of `file` on each mirror, until one delivers it.

    Raises:
        OSError: when no mirror has the right file, with the reason of each; or when the disk is too small.
    """
    failures = []
    for mirror in mirrors:
        try:
            return download(f"{mirror.rstrip('/')}/{file}")
        except (MirrorError, ValueError) as error:
            log.info("%s", error)
            failures.append(str(error))
    raise OSError(f"{name} could not be downloaded:\n  " + "\n  ".join(failures) + "\nName another with --mirror.")


def require_room(
    name: str, part: Path, coming: int | None, *, megabytes: int, most: int, contents: str, remedy: str
) -> None:
    """Raises ValueError for a size that cannot be the file's, OSError without space for it and what is made of it.

    Args:
        name: the name of the download.
        part: the unfinished file.
        coming: bytes still to come, None if unknown.
        megabytes: about what the file has, and what is made of it.
        most: bytes beyond which it cannot be the right one.
        contents: what is written, in words.
        remedy: how to choose another disk.
    """
    if coming is not None and coming > most:
        raise ValueError(f"{name}: the server offers {coming} bytes, but it has about {megabytes} MB.")
    expected = megabytes * 10**6
    needed = (expected if coming is None else coming) + expected
    free = shutil.disk_usage(part.parent).free
    if free < needed:
        size = f"{part.stat().st_size // 10**6} MB" if part.exists() else ""
        unfinished = f" (an unfinished download, {part}, takes {size})" if size else ""
        raise OSError(
            f"{name} needs about {needed // 10**6} MB in {part.parent}, {contents}; "
            f"{free // 10**6} MB are free{unfinished}. Make room, or {remedy}."
        )


def require_beginning(file: Path, url: str, beginnings: tuple[bytes, ...], kind: str) -> None:
    """Raises ValueError for a downloaded file that does not begin as one of its kind does."""
    with file.open("rb") as content:
        beginning = content.read(15)
    if not beginning.startswith(beginnings):
        raise ValueError(f"{url}: {kind}, it begins with {beginning!r}.")
