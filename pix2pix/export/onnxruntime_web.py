"""Downloads one pinned version of onnxruntime-web from npm, checks its digest and caches it."""

import base64
import hashlib
import io
import logging
import os
import shutil
import tarfile
import urllib.request
from http.client import HTTPException
from pathlib import Path

from pix2pix.core.atomic_files import atomic_file

log = logging.getLogger(__name__)

VERSION = "1.30.0"
ADDRESS = f"https://registry.npmjs.org/onnxruntime-web/-/onnxruntime-web-{VERSION}.tgz"
SHA512 = (
    "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="  # as in the npm registry
)
MEGABYTES = 33
# The package files that run a model in WebAssembly and by WebGPU; a browser loads one of the two runtimes. Scripts are
# renamed to `.js`, because some servers do not know `.mjs`.
RUNTIMES = {"wasm": "ort-wasm-simd-threaded.wasm", "webgpu": "ort-wasm-simd-threaded.jspi.wasm"}
FILES = {"ort.wasm.bundle.min.mjs": "ort.js", "ort.jspi.bundle.min.mjs": "ort.webgpu.js"} | {
    name: name for name in RUNTIMES.values()
}


def copy_onnxruntime_web(package: str | Path | None, folder: Path) -> None:
    """Copies the files that a browser needs into `folder`.

    Args:
        package: a folder with the package onnxruntime-web; None downloads it into the user's cache.
        folder: the destination, created if it does not exist.

    Raises:
        FileNotFoundError: when the folder does not hold the package.
        OSError: when the package is not cached and cannot be downloaded.
    """
    source = _find_package(Path(package)) if package else _ensure_cached()
    folder.mkdir(parents=True, exist_ok=True)
    for name, local_name in FILES.items():
        shutil.copyfile(source / name, folder / local_name)


def _find_package(package: Path) -> Path:
    for folder in (package, package / "dist", package / "package" / "dist"):
        if all((folder / name).is_file() for name in FILES):
            return folder
    raise FileNotFoundError(
        f"{package}: holds no {' and '.join(FILES)}. Unpack `npm pack onnxruntime-web@{VERSION}` and give that folder."
    )


def cache_folder() -> Path:
    """The folder of cached downloads."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "pix2pix" / f"onnxruntime-web-{VERSION}"


def _ensure_cached() -> Path:
    if not all((cache_folder() / name).is_file() for name in FILES):
        _download(cache_folder())
    return cache_folder()


def _download(folder: Path) -> None:
    log.info("downloading onnxruntime-web %s (%d MB, once) from %s", VERSION, MEGABYTES, ADDRESS)
    try:
        with urllib.request.urlopen(ADDRESS, timeout=30) as answer:
            package = answer.read(2 * MEGABYTES * 10**6)  # a longer answer is not the package
    except (OSError, HTTPException) as error:
        raise OSError(
            f"{ADDRESS}: cannot be downloaded ({error}). Without a network, unpack `npm pack "
            f"onnxruntime-web@{VERSION}` and give its folder with --onnxruntime."
        ) from error
    _require_genuine(package)
    with tarfile.open(fileobj=io.BytesIO(package)) as files:
        for name in FILES:
            content = files.extractfile(f"package/dist/{name}")
            assert content is not None
            with atomic_file(folder / name) as part:
                part.write_bytes(content.read())


def _require_genuine(package: bytes) -> None:
    digest = base64.b64encode(hashlib.sha512(package).digest()).decode()
    if digest != SHA512:
        raise OSError(f"{ADDRESS}: the download is not the package (sha512 {digest}). It was discarded; try again.")
