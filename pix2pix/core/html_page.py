"""Renders HTML pages from the Jinja templates beside the modules that write them."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pix2pix.core.plurals import pluralize

SHARED = Path(__file__).with_name("page")  # the style sheet, the icon and the scripts of all pages


def render_page(template: Path, **content: Any) -> str:
    """The page of a template file. Text is escaped; a name that the template needs and `content` lacks is an error.

    In the template, `inline("style.css")` is the text of a file beside it, or of one that all pages share.
    """
    import jinja2
    import markupsafe

    def inline(name: str) -> markupsafe.Markup:
        own = template.parent / name
        return markupsafe.Markup((own if own.is_file() else SHARED / name).read_text(encoding="utf-8"))

    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    environment.filters["pluralize"] = pluralize
    environment.globals["inline"] = inline
    environment.globals["icon"] = "data:image/svg+xml," + quote(inline("icon.svg").strip())
    return environment.from_string(template.read_text(encoding="utf-8")).render(content)


def to_script_json(data: Any) -> str:
    """JSON for a script element of a page. No text in it can close the element.

    Raises:
        ValueError: for a number that is not finite, which JSON lacks.
    """
    return json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def replace_non_finite(tree: Any, by: Callable[[float], Any]) -> Any:
    """Data with `by(number)` in place of infinity and NaN, which JSON lacks."""
    if isinstance(tree, dict):
        return {key: replace_non_finite(value, by) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [replace_non_finite(value, by) for value in tree]
    return by(tree) if isinstance(tree, float) and not math.isfinite(tree) else tree
