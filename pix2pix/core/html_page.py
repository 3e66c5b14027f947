"""Renders HTML pages from the Jinja templates beside the modules that write them."""

from pathlib import Path
from typing import Any

from pix2pix.core.plurals import pluralize


def render_page(template: Path, **content: Any) -> str:
    """The page of a template file. Text is escaped; a name that the template needs and `content` lacks is an error."""
    import jinja2

    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    environment.filters["pluralize"] = pluralize
    return environment.from_string(template.read_text(encoding="utf-8")).render(content)
