"""What a link to the static page shows where it is posted: a title, a sentence and a picture (Open Graph)."""

from collections.abc import Sequence
from html import escape

from PIL import Image, ImageOps

from pix2pix.web.demo.runs import LoadedRun
from pix2pix.web.demo.sample_pictures import Sample
from pix2pix.web.demo.worker import encode_picture

WIDTH, HEIGHT, MARGIN = 1200, 630, 40  # the size that sites ask for
GROUND = "#f3f1ec"


def draw_preview(run: LoadedRun, samples: Sequence[Sample]) -> bytes | None:
    """The first sample beside its translation, as a PNG of 1200x630; None without samples."""
    if not samples:
        return None
    drawing = samples[0].input.convert("RGB")
    canvas = Image.new("RGB", (WIDTH, HEIGHT), GROUND)
    room = ((WIDTH - 3 * MARGIN) // 2, HEIGHT - 2 * MARGIN)
    for number, picture in enumerate((drawing, run.translate_drawing(drawing, 0).convert("RGB"))):
        method = Image.Resampling.NEAREST if number == 0 else Image.Resampling.BICUBIC  # labels are not blended
        shown = ImageOps.contain(picture, room, method)
        left = MARGIN + number * (room[0] + MARGIN) + (room[0] - shown.width) // 2
        canvas.paste(shown, (left, (HEIGHT - shown.height) // 2))
    return encode_picture(canvas, "png")


def preview_tags(data: str, address: str | None, *, has_picture: bool) -> str:
    """The elements for the head of the page.

    Args:
        data: the name of the data.
        address: where the page will be hosted; None leaves the address of the picture relative.
        has_picture: whether `preview.png` lies beside the page.
    """
    base = f"{address.rstrip('/')}/" if address else ""
    properties = {
        "og:type": "website",
        "og:title": f"{data}: draw, and watch pix2pix translate",
        "og:description": "A network runs in your browser and turns your drawing into a picture while you draw.",
    }
    if address:
        properties["og:url"] = base
    if has_picture:
        properties |= {"og:image": f"{base}preview.png", "og:image:width": str(WIDTH), "og:image:height": str(HEIGHT)}
    tags = [f'<meta property="{name}" content="{escape(value)}">' for name, value in properties.items()]
    return "\n".join([*tags, '<meta name="twitter:card" content="summary_large_image">'])
