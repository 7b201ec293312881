"""What runs in the browser: plain JavaScript and CSS, each in a file of its own."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import streamlit as st

FOLDER = Path(__file__).parent / "browser"


@cache
def text_of(name: str) -> str:
    """Return a file's text."""
    return (FOLDER / name).read_text(encoding="utf-8")


def component(name: str, *shared: str) -> Callable[..., object]:
    """Return the Streamlit component made of the files `shared`, scripts and styles, and after them
    of NAME.js and NAME.css: a component's script cannot import another file."""
    files = (*shared, f"{name}.js", f"{name}.css")
    css, js = ("\n".join(text_of(f) for f in files if f.endswith(kind)) for kind in (".css", ".js"))
    return st.components.v2.component(name, css=css, js=js, isolate_styles=False)
