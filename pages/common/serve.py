"""Start the lab: `python -m pages.common.serve [options of "streamlit run"]`.

The same as `streamlit run app.py`, but for one thing. Streamlit takes any folder called `pages` for
its old automatic pages until the first visit has called `st.navigation`; a server whose first
visitor comes by a link to a page would show "Page not found" over that page. Told in advance, it
does not.
"""

import sys

from streamlit.runtime.pages_manager import PagesManager
from streamlit.web import cli

from pages.common.registry import ROOT


def main() -> None:
    PagesManager.uses_pages_directory = False
    sys.argv = ["streamlit", "run", str(ROOT / "app.py"), *sys.argv[1:]]
    cli.main(prog_name="streamlit")


if __name__ == "__main__":
    main()
