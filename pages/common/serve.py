"""Start the lab: `python -m pages.common.serve [options of "streamlit run"]`.

It differs from `streamlit run app.py` in five things. A gate refuses what an open server must not
take (`pages.common.lab.gate`). Cookies tell browsers apart (`pages.common.lab.browsers`), which
class mode and the owners of jobs rest on. Streamlit is told that `pages` is not a folder of its old
automatic pages; else a first visitor who comes by a link to a page would read "Page not found".
Jobs that a crash has interrupted go on at once. And the server loads what the first visitor would
wait for before there is one. In class mode (IAL_MODE) it listens on the network and prints its
addresses.
"""

import os
import secrets
import sys
from collections.abc import Sequence
from importlib import import_module

from streamlit import config, delta_generator
from streamlit.runtime.pages_manager import PagesManager
from streamlit.web import cli

from engine.data.load import load_dataset
from engine.errors import InvalidInput
from engine.results.jobs import Jobs
from engine.results.store import Store
from engine.settings import ROOT, Settings, read_settings, teacher_token
from pages.common.asking.links import EXAMPLE
from pages.common.figures import ranking
from pages.common.lab import address, garbage, published_results
from pages.common.samples import Samples

OPENING = "\nThe lab opens every page once before it answers: please wait a moment."
LATE = ("streamlit.emojis", "scipy.stats")  # imported by others only where they first need it


def load(settings: Settings) -> None:
    """Load every module of the pages; by drawing one figure, what Parquet, Plotly and Pillow load
    when they are first used; and what is published."""
    pages = ROOT / "pages"
    for path in [*pages.glob("common/**/*.py"), *pages.glob("*/parts/*.py")]:
        import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    for name in LATE:
        import_module(name)
    is_no_console()
    samples = Samples(load_dataset(EXAMPLE.dataset, settings.data_dir))
    samples.thumbnail(0)
    store = Store.of(settings)
    stored = store.find("attack", EXAMPLE, samples.dataset.content_hash)
    if stored is not None:
        before, after = stored.result.before, stored.result.after
        ranking.ranking(before, samples, EXAMPLE.targets[0], EXAMPLE.k, after).to_json()
    for _, experiment, request in published_results.listed():
        store.find_published(experiment, request)


def is_no_console() -> None:
    """Spare the first visitor what Streamlit does before it draws its first element: it finds out
    whether it was started in Python's console, for which it looks up the files of all modules,
    26,000 questions to the disk. There is no public way to tell it."""
    delta_generator._use_warning_has_been_displayed = True


def begin_class(settings: Settings) -> None:
    """Make the teacher's token unless one is set, listen on the network unless told otherwise, and
    print the addresses. The token stays in this process."""
    if not teacher_token():
        os.environ["IAL_TEACHER_TOKEN"] = secrets.token_urlsafe(24)
    if not any(option.startswith("--server.address") for option in sys.argv):
        sys.argv += ["--server.address", "0.0.0.0"]
    sys.argv += ["--logger.hideWelcomeMessage", "true"]  # it would ask an address on the web
    place = address.of_lab(settings, port_of(sys.argv))
    print(
        f"Class mode. Students open {place}\n"
        f"The teacher opens  {address.for_teacher(place, teacher_token())}\n"
        "Keep the second one to yourself: whoever opens it can delete results."
        + (OPENING if settings.open_first else ""),
        flush=True,
    )


def port_of(options: Sequence[str]) -> int:
    """Return the port on which Streamlit will listen."""
    for option, value in zip(options, [*options[1:], ""], strict=True):
        name, _, joined = option.partition("=")
        if name == "--server.port":
            return int(joined or value)
    return int(config.get_option("server.port"))


def main() -> None:
    try:
        settings = read_settings()
        if settings.mode == "class":
            begin_class(settings)
        Jobs(settings).watch()
    except InvalidInput as error:
        sys.exit(f"error: {error}")
    load(settings)
    garbage.collect_seldom()
    PagesManager.uses_pages_directory = False
    sys.argv = ["streamlit", "run", str(ROOT / "asgi.py"), *sys.argv[1:]]
    cli.main(prog_name="streamlit")


if __name__ == "__main__":
    main()
