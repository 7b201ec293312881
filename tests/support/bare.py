"""Serve a bare Streamlit page, set up as the lab is: `python -m tests.support.bare [options]`.

What a page of the lab costs is compared with it. The configuration is the lab's own, and so are the
settings of the garbage collector: what differs is the page alone.
"""

import sys
from pathlib import Path

import numpy  # noqa: F401  loaded before the first visitor, as in the lab
import pandas  # noqa: F401
import plotly.graph_objects as go
from streamlit.web import cli

from pages.common.lab import garbage

PAGE = Path(__file__).with_name("bare_page.py")


def main() -> None:
    go.Figure(go.Scatter(x=[0], y=[0])).to_json()
    garbage.collect_seldom()
    sys.argv = ["streamlit", "run", str(PAGE), *sys.argv[1:]]
    cli.main(prog_name="streamlit")


if __name__ == "__main__":
    main()
