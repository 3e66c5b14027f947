"""Reads files, or ranges of them, from a disk, a web server or an object store that fsspec can open."""

import logging
import time
from pathlib import Path
from typing import Any

from pix2pix.core.addresses import authorization_header, hide_secrets, login_hint

log = logging.getLogger(__name__)

# Every file system that was opened. A forked loader worker must not close its parent's connections, which it would do
# when it forgets the parent's file systems: the parent would wait minutes for an answer.
_opened: set[Any] = set()

RETRY_DELAYS = (0.5, 1.0, 2.0, 4.0)  # seconds before a failed read is tried again
RETRY_SECONDS = 60.0  # after which it is not: s3fs itself tries 250 times, for three minutes


def is_remote(url: str) -> bool:
    """Whether this is an address for fsspec, such as https://host/shards, rather than a path on this machine."""
    return "://" in url and not url.startswith(("file://", "local://"))


def read_range(url: str, offset: int, size: int) -> bytes:
    """Reads `size` bytes from `offset`. Raises ValueError when the answer is longer or shorter."""
    content, url = fetch(url, offset, offset + size), hide_secrets(url)
    if len(content) == size:
        return content
    if len(content) > size:
        raise ValueError(
            f"{url}: the server sends the whole file instead of the requested range. Use a server that supports range "
            f"requests, or copy each shard once with data.path=filecache::{url.rpartition('/')[0]}"
        )
    raise ValueError(f"{url}: ends before the pair at byte {offset}: the copy is incomplete. Copy the file again.")


def fetch(url: str, start: int | None = None, end: int | None = None) -> bytes:
    """Reads the bytes of a file from `start` to `end`. A failed read is tried again, five times in all or for a minute.

    Raises:
        FileNotFoundError: when there is no such file.
        ValueError: for an address that no installed package can read.
        OSError: when the file cannot be read.
    """
    from fsspec.core import url_to_fs

    where, login, began = hide_secrets(url), _login_options(url), time.monotonic()
    for wait in (*RETRY_DELAYS, None):
        try:
            system, path = url_to_fs(url, **login)
            _opened.add(system)
            _require_file(system, path)
            return bytes(system.cat_file(path, start=start, end=end))  # by name: those of S3 have a version before
        except (FileNotFoundError, PermissionError) as error:
            raise type(error)(f"{where}: {error.strerror or 'there is no such file'}") from error
        except ImportError as error:
            raise ValueError(f"{where}: this kind of address needs another package. {error}") from error
        except Exception as error:  # every file system has errors of its own
            reason, remedy = hide_secrets(str(error)), login_hint(getattr(error, "status", None))
            is_late = time.monotonic() - began > RETRY_SECONDS
            if wait is None or is_late or remedy or isinstance(error, ValueError):
                raise OSError(f"{where}: cannot be read ({type(error).__name__}: {reason}).{remedy}") from error
            log.info("%s: %s; trying again in %s s.", where, reason or type(error).__name__, wait)
            time.sleep(wait)
    raise AssertionError("the last attempt returns or raises")


def _login_options(url: str) -> dict[str, Any]:
    """The options that tell fsspec the login of a web host; redirects to other hosts do not get it."""
    last = url.rpartition("::")[2]
    scheme = last.partition("://")[0]
    login = authorization_header(last) if scheme in {"http", "https"} else None
    return {scheme: {"headers": {"Authorization": login}}} if login else {}


def _require_file(system: Any, path: str) -> None:
    """Raises FileNotFoundError for a pipe or the like on this machine, which reading might wait for without end."""
    from fsspec.implementations.local import LocalFileSystem

    if isinstance(system, LocalFileSystem) and not Path(path).is_file():
        raise FileNotFoundError(path)
