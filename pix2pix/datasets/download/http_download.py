"""Downloads a file over HTTP and resumes partial downloads.

Libraries that check hashes and retry (such as pooch) start again from the first byte; the largest data set has 8.6 GB.
"""

import errno
import http.client
import json
import logging
import re
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pix2pix.core.addresses import authorization_header, hide_secrets, login_hint
from pix2pix.core.atomic_files import write_text_atomic
from pix2pix.core.progress_bars import tqdm

log = logging.getLogger(__name__)

CHUNK = 2**18
TIMEOUT = 60  # seconds without a byte, or until the headers are complete
MIN_PROGRESS = 2**16  # bytes in TIMEOUT seconds, and in an attempt that counts as progress
ATTEMPTS = 5  # in a row without progress
MAX_WAIT = 30  # seconds between attempts
TRANSIENT = {408, 425, 429, 500, 502, 503, 504}  # status codes after which another attempt may succeed


class MirrorError(OSError):
    """A mirror does not have the file or does not deliver it."""


@dataclass(frozen=True)
class Origin:
    """Where the bytes of an unfinished file came from. Only the same file is resumed.

    Args:
        url: the address of the file.
        total: its length in bytes; None if the server does not say.
        validator: its ETag or date, for the server to compare (If-Range).
    """

    url: str
    total: int | None
    validator: str | None


def resume_download(url: str, part: Path, admit: Callable[[int | None], None], *, most: int) -> None:
    """Downloads `url` to the file `part`, from where an earlier attempt ended.

    Args:
        url: http or https.
        part: the unfinished file; PART.json beside it records its origin.
        admit: called with the number of bytes still to come, None if unknown; raises to refuse them.
        most: the largest number of bytes to accept, whatever the server announces.

    Raises:
        MirrorError: when the server does not have the file, sends more than `most` bytes, redirects to another
            protocol, is too slow, or fails ATTEMPTS times in a row.
        OSError: when the disk is full.
    """
    attempt = 0
    while True:
        before = _size(part)
        try:
            return _download_rest(url, part, admit, most)
        except (http.client.HTTPException, urllib.error.URLError, ConnectionError, TimeoutError) as error:
            reason = _describe_failure(error, url)
        # Only attempts that bring nothing count: a connection that breaks every hour still finishes.
        attempt = 0 if _size(part) >= before + MIN_PROGRESS else attempt + 1
        if attempt == ATTEMPTS:
            raise MirrorError(f"{url}: {reason}, {ATTEMPTS} times in a row.")
        wait = min(2**attempt, MAX_WAIT)
        log.info("%s: %s; trying again in %d s from byte %d.", url, reason, wait, _size(part))
        time.sleep(wait)


def _describe_failure(error: Exception, url: str) -> str:
    """Why an attempt failed. Raises MirrorError if another attempt cannot succeed."""
    if isinstance(error, urllib.error.HTTPError):
        error.close()
        if error.code not in TRANSIENT:
            raise MirrorError(
                f"{url}: the server answers {error.code} {error.reason}.{login_hint(error.code)}"
            ) from error
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    return str(cause) or type(cause).__name__


def _download_rest(url: str, part: Path, admit: Callable[[int | None], None], most: int) -> None:
    origin = _read_origin(part)
    # What is there belongs to this address, or is not used.
    start = _size(part) if origin and origin.url == url else 0
    if origin and start and start == origin.total:
        return
    try:
        answer = _send_request(_make_request(url, start, origin))
    except urllib.error.HTTPError as error:
        if error.code != 416:
            raise
        error.close()
        delete_partial(part)  # the server's file is shorter than ours, so it is another one
        raise ConnectionError("the file has changed on the server") from error
    with answer:
        resumed = _is_resumed(answer, start, origin)
        start = start if resumed else 0
        total = None if answer.length is None else start + answer.length  # None for a length that is no number, too
        current = Origin(url, total, _validator(answer))
        if not resumed:
            delete_partial(part)  # first, so that `admit` sees their space as free
        admit(None if current.total is None else current.total - start)
        if not resumed:
            write_text_atomic(_origin_file(part), json.dumps(asdict(current)))
        _append_body(answer, part, start, current, most)


class _WebOnly(urllib.request.HTTPRedirectHandler):
    """Follows redirects to HTTP and HTTPS only; urllib would follow them to FTP, too."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        if not newurl.lower().startswith(("http://", "https://")):
            fp.close()
            raise MirrorError(f"{req.full_url}: the server redirects to {hide_secrets(newurl)!r}, no web address.")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _send_request(request: urllib.request.Request) -> Any:
    """Sends a request and returns the response, whose headers must be complete within TIMEOUT seconds in all.

    The timeout of urllib counts from byte to byte: a server could send the headers for ever, letter by letter.
    """
    response: Future[Any] = Future()

    def ask() -> None:
        try:
            answer = urllib.request.build_opener(_WebOnly).open(request, timeout=TIMEOUT)
        except BaseException as error:
            if response.set_running_or_notify_cancel():
                response.set_exception(error)
        else:
            if response.set_running_or_notify_cancel():
                response.set_result(answer)
            else:
                answer.close()

    threading.Thread(target=ask, daemon=True).start()
    try:
        return response.result(TIMEOUT)
    except TimeoutError as error:
        response.cancel()  # `ask` closes a late response
        raise TimeoutError(str(error) or f"no whole answer within {TIMEOUT} s") from error


def _make_request(url: str, start: int, origin: Origin | None) -> urllib.request.Request:
    headers = {"User-Agent": "pix2pix", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
        # The server sends the rest only if the file is still the same, else all of it.
        if origin and origin.validator:
            headers["If-Range"] = origin.validator
    request = urllib.request.Request(url, headers=headers)
    if login := authorization_header(url):
        request.add_unredirected_header("Authorization", login)  # not sent along with redirects
    return request


def _is_resumed(answer: Any, start: int, origin: Origin | None) -> bool:
    """Whether the response continues where the file ends. Many servers send the whole file again."""
    if answer.status != 206 or not start or origin is None:
        return False
    match = re.match(r"bytes (\d+)-\d+/(\d+|\*)", answer.headers.get("Content-Range", ""))
    if match is None or int(match[1]) != start or (match[2] != "*" and origin.total not in {None, int(match[2])}):
        raise http.client.HTTPException("the server sends another part than it was asked for")
    return True


def _append_body(answer: Any, part: Path, start: int, origin: Origin, most: int) -> None:
    bar = tqdm(total=origin.total, initial=start, unit="B", unit_scale=True, desc=part.name, disable=None)
    with part.open("ab", buffering=0) as file, bar:
        for chunk in _read_chunks(answer, origin.url):
            if file.tell() + len(chunk) > most:
                delete_partial(part)
                raise MirrorError(f"{origin.url}: the server sends more than {most} bytes. Nothing of it is kept.")
            _write_chunk(file, chunk, part)
            bar.update(len(chunk))
    arrived = _size(part)
    if origin.total is not None and arrived != origin.total:
        raise ConnectionError(f"the server says {origin.total} bytes and the connection ended at {arrived}")


def _write_chunk(file: Any, chunk: bytes, part: Path) -> None:
    try:
        while chunk:
            chunk = chunk[file.write(chunk) :]
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        raise OSError(
            f"{part}: the disk is full; {_size(part) // 10**6} MB have arrived. Free some space and run the "
            "same command again to continue; to cancel the download, remove that file."
        ) from error


def _read_chunks(answer: Any, url: str) -> Iterator[bytes]:
    """Yields the body as it arrives. Raises MirrorError when it is too slow."""
    start, arrived = time.monotonic(), 0
    while chunk := answer.read1(CHUNK):
        yield chunk
        arrived += len(chunk)
        if time.monotonic() - start >= TIMEOUT:
            if arrived < MIN_PROGRESS:
                raise MirrorError(f"{url}: too slow, {arrived} bytes in {TIMEOUT} s.")
            start, arrived = time.monotonic(), 0


def _validator(answer: Any) -> str | None:
    tag = answer.headers.get("ETag")
    weak = tag is None or tag.startswith("W/")  # a weak tag does not promise equal bytes
    return answer.headers.get("Last-Modified") if weak else tag


def _read_origin(part: Path) -> Origin | None:
    try:
        return Origin(**json.loads(_origin_file(part).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _origin_file(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def delete_partial(part: Path) -> None:
    """Removes an unfinished file and the record of its origin."""
    part.unlink(missing_ok=True)
    _origin_file(part).unlink(missing_ok=True)


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0
