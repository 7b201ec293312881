"""What runs in the browser: plain JavaScript and CSS, each in a file of its own."""

from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "browser"


@cache
def text_of(name: str) -> str:
    """Return a file's text."""
    return (FOLDER / name).read_text(encoding="utf-8")
