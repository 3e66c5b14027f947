"""The static files of the demo page, for the server and for the exported page."""

import mimetypes
from collections.abc import Sequence
from importlib import resources
from typing import Literal

from pix2pix.web.demo.sample_pictures import Sample
from pix2pix.web.demo.worker import encode_picture

Engine = Literal["server", "browser"]
ENGINE_FILES = {"server": {"server.js", "openapi.json"}, "browser": {"browser.js", "browser_worker.js"}}
MEDIA = {".js": "text/javascript", ".svg": "image/svg+xml", ".html": "text/html", ".css": "text/css"}
Files = dict[str, tuple[bytes, str]]


def read_page_files(engine: Engine) -> dict[str, bytes]:
    """The files of the page by name; `engine` is where the model runs."""
    others = ENGINE_FILES["browser" if engine == "server" else "server"]
    folder = resources.files("pix2pix.web.demo").joinpath("page")
    files = {file.name: file.read_bytes() for file in folder.iterdir() if file.name not in others}
    files["index.html"] = files["index.html"].replace(b'data-engine="server"', f'data-engine="{engine}"'.encode())
    return files


def media_type(name: str) -> str:
    """The media type of a file. Fixed for the page's types, because system tables differ for JavaScript."""
    suffix = name[name.rindex(".") :]
    return MEDIA.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"


def sample_files(samples: Sequence[Sample]) -> Files:
    """The samples as PNGs with their media type, by the paths in `page_data`."""
    return {
        sample_path(number, side): (encode_picture(picture, "png"), "image/png")
        for number, sample in enumerate(samples)
        for side, picture in sample._asdict().items()
    }


def sample_path(number: int, side: str) -> str:
    """The path of a sample's input or target, relative to the page."""
    return f"samples/{number}_{side}.png"
