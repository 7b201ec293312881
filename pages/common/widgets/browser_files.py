"""What runs in the browser: plain JavaScript and CSS, each in a file of its own."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import streamlit as st

FOLDER = Path(__file__).parent / "browser"


@cache
def text_of(name: str) -> str:
    """A file's text."""
    return (FOLDER / name).read_text(encoding="utf-8")


def component(name: str, *shared: str) -> Callable[..., object]:
    """The Streamlit component made of NAME.css, of the scripts `shared` and, after them, of
    NAME.js."""
    scripts = [text_of(script) for script in (*shared, f"{name}.js")]
    return st.components.v2.component(
        name, css=text_of(f"{name}.css"), js="\n".join(scripts), isolate_styles=False
    )
