"""Start the lab: `python -m pages.common.serve [options of "streamlit run"]`.

The same as `streamlit run app.py`, but for one thing. Streamlit takes any folder called `pages` for
its old automatic pages until the first visit has called `st.navigation`; a server whose first
visitor comes by a link to a page would show "Page not found" over that page. Told in advance, it
does not. And jobs that a crash has interrupted go on at once, before anybody opens a page.
"""

import sys

from streamlit.runtime.pages_manager import PagesManager
from streamlit.web import cli

from engine.errors import InvalidInput
from engine.results.jobs import Jobs
from engine.settings import read_settings
from pages.common.registry import ROOT


def main() -> None:
    try:
        Jobs(read_settings()).watch()
    except InvalidInput as error:
        sys.exit(f"error: {error}")
    PagesManager.uses_pages_directory = False
    sys.argv = ["streamlit", "run", str(ROOT / "app.py"), *sys.argv[1:]]
    cli.main(prog_name="streamlit")


if __name__ == "__main__":
    main()
