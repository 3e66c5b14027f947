"""The static files of the demo page, for the server and for the exported page."""

import mimetypes
from collections.abc import Mapping, Sequence
from html import escape
from importlib import resources
from typing import Any, Literal

from pix2pix.core.html_page import SHARED, to_script_json
from pix2pix.web.demo.sample_pictures import Sample
from pix2pix.web.demo.worker import encode_picture

Engine = Literal["server", "browser"]
WORKER_FILES = {"browser_worker.js", "runtime.js", "downloads.js"}
ENGINE_FILES = {"server": {"server.js", "openapi.json"}, "browser": {"browser.js", *WORKER_FILES}}
MEDIA = {".js": "text/javascript", ".svg": "image/svg+xml", ".html": "text/html", ".css": "text/css"}
SHARED_FILES = ("colours.css", "icon.svg")  # with the other pages
Files = dict[str, tuple[bytes, str]]


def read_page_files(engine: Engine, page_data: Mapping[str, Any]) -> dict[str, bytes]:
    """The files of the page by name.

    Args:
        engine: where the model runs.
        page_data: runs, canvas and samples. They are part of the HTML, so the page has its final shape when it is first
            painted.
    """
    others = ENGINE_FILES["browser" if engine == "server" else "server"]
    folder = resources.files("pix2pix.web.demo").joinpath("page")
    files = {file.name: file.read_bytes() for file in folder.iterdir() if file.name not in others}
    files |= {name: (SHARED / name).read_bytes() for name in SHARED_FILES}
    modules = sorted(name for name in files if name.endswith(".js") and name not in {"main.js", *WORKER_FILES})
    files["index.html"] = _fill(files["index.html"].decode(), engine, page_data, modules).encode()
    return files


def _fill(html: str, engine: Engine, page_data: Mapping[str, Any], modules: Sequence[str]) -> str:
    data = to_script_json(page_data)
    replacements = {
        'data-engine="server"': f'data-engine="{engine}"',
        "<title>pix2pix</title>": f"<title>{escape(page_data['runs'][0]['data'])} · pix2pix</title>",
        'id="page-data">{}': f'id="page-data">{data}',
        '<script type="module"': "".join(f'<link rel="modulepreload" href="{name}">\n' for name in modules)
        + '<script type="module"',
    }
    for marker, text in replacements.items():
        assert html.count(marker) == 1, marker
        html = html.replace(marker, text)
    return html


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
