"""Start the lab: `python -m pages.common.serve [options of "streamlit run"]`.

The same as `streamlit run app.py`, but for one thing. Streamlit takes any folder called `pages` for
its old automatic pages until the first visit has called `st.navigation`; a server whose first
visitor comes by a link to a page would show "Page not found" over that page. Told in advance, it
does not. Jobs that a crash has interrupted go on at once, before anybody opens a page. And what the
first visitor would wait for is loaded before there is one.
"""

import gc
import sys
from importlib import import_module

from streamlit.runtime.pages_manager import PagesManager
from streamlit.web import cli

from engine.data.load import load_dataset
from engine.errors import InvalidInput
from engine.results.jobs import Jobs
from engine.results.store import Store
from engine.settings import ROOT, Settings, read_settings
from pages.common.asking.links import EXAMPLE
from pages.common.figures import ranking
from pages.common.lab import published_results
from pages.common.samples import Samples

LATE = ("streamlit.emojis", "scipy.stats")  # imported by others only where they first need it


def load(settings: Settings) -> None:
    """Every module of the pages; by drawing one figure, what Parquet, Plotly and Pillow load when
    they are first used; and what is published."""
    pages = ROOT / "pages"
    for path in [*pages.glob("common/**/*.py"), *pages.glob("*/parts/*.py")]:
        import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    for name in LATE:
        import_module(name)
    samples = Samples(load_dataset(EXAMPLE.dataset, settings.data_dir))
    samples.thumbnail(0)
    store = Store.of(settings)
    stored = store.find("attack", EXAMPLE, samples.dataset.content_hash)
    if stored is not None:
        before, after = stored.result.before, stored.result.after
        ranking.ranking(before, samples, EXAMPLE.targets[0], EXAMPLE.k, after).to_json()
    for _, experiment, request in published_results.listed():
        store.find_published(experiment, request)


def main() -> None:
    try:
        settings = read_settings()
        Jobs(settings).watch()
    except InvalidInput as error:
        sys.exit(f"error: {error}")
    load(settings)
    gc.collect()
    gc.freeze()  # Streamlit collects after every page run: it need not go through what stays
    PagesManager.uses_pages_directory = False
    sys.argv = ["streamlit", "run", str(ROOT / "app.py"), *sys.argv[1:]]
    cli.main(prog_name="streamlit")


if __name__ == "__main__":
    main()
