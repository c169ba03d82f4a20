"""The page as text: the template, with style sheet and script inside. Every value is escaped."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from hermes_diag.reporters.page.view import Page

_FOLDER = Path(__file__).parent


def text(page: Page) -> str:
    """One HTML document. Its policy lets nothing in but its own style and script, each named by its hash."""
    style, script = ((_FOLDER / name).read_text("utf-8") for name in ("style.css", "script.js"))
    policy = f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; img-src data:"
    policy += "; base-uri 'none'; form-action 'none'"
    whole = _template().render(
        page=page,
        style=Markup(style),  # nosec B704
        script=Markup(script),  # nosec B704
        policy=policy,
    )
    return whole.encode("utf-8", "replace").decode()


@cache
def _template() -> Template:
    return Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    ).get_template("page.html")


def _hash(text_: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text_.encode()).digest()).decode()}'"
