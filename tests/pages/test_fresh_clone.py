"""A bundle exported here opens in a fresh clone of the lab: the same figures, nothing computed."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from engine.data.load import load_dataset
from engine.experiments import AttackRequest, ExplainRequest, ImpossibleRequest
from engine.progress import ignore
from engine.results.bundle import write_bundle
from engine.results.compute import compute_and_keep
from engine.results.library import open_library, select
from engine.results.store import Store
from engine.settings import ROOT, read_settings
from pages.evidence.parts.view_of_result import view_of

# None of them is published.
ASKED = (
    ("attack", AttackRequest(targets=(700,), k=3, radius=0.5, restarts=1)),
    ("explain", ExplainRequest(image=7)),
    ("impossible", ImpossibleRequest(k=2, seed=3)),
)
DRAW = """
import json, sys
from streamlit.testing.v1 import AppTest
from engine.results.jobs import Jobs
from tests.support.pages import unfold
Jobs.submit = lambda self, name, request, *who: sys.exit(f"{name} was computed")
drawn = {}
for url, file, parameters in json.loads(sys.argv[1]):
    app = AppTest.from_file("app.py", default_timeout=250).run()
    app.switch_page(file)
    for name, value in parameters.items():
        app.query_params[name] = value
    app = unfold(app.run())
    assert not app.exception, app.exception
    drawn[url] = [chart.proto.spec for chart in app.get("plotly_chart")]
print(json.dumps(drawn))
"""


def tracked() -> list[str]:
    """The files that a clone of this tree would have."""
    said = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if said.returncode:
        pytest.skip(f"NOT RUN: this is no git checkout ({said.stderr.strip()})")
    return [name for name in said.stdout.splitlines() if (ROOT / name).is_file()]


def run(lab: Path, cache: Path, *arguments: str) -> str:
    """What a Python process says that runs in a lab, with a cache of its own."""
    place = {"IAL_CACHE_DIR": str(cache), "IAL_DEVICE": "cpu", "IAL_WORKER_IDLE_S": "20"}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=lab, env=os.environ | place, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.long
def test_a_bundle_opens_in_a_fresh_clone_with_the_same_figures(tmp_path: Path) -> None:
    clone, here, there = tmp_path / "clone", tmp_path / "here", tmp_path / "there"
    for name in tracked():
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, clone / name)
    settings = read_settings({"IAL_CACHE_DIR": str(here), "IAL_DEVICE": "cpu"})
    for name, request in ASKED:
        data = load_dataset(request.dataset) if hasattr(request, "dataset") else None
        compute_and_keep(name, request, data, settings, ignore)
    chosen = select(open_library(Store.of(settings)).entries, origin="local")
    chosen = [entry for entry in chosen if entry.experiment in dict(ASKED)]
    assert len(chosen) == len(ASKED)
    with (tmp_path / "bundle.zip").open("wb") as file:
        write_bundle(chosen, file)
    run(clone, there, "-m", "engine", "library", "import", str(tmp_path / "bundle.zip"))

    found = [view_of(request) for _, request in ASKED]
    views = json.dumps([(v.page.url, v.page.file, dict(v.parameters)) for v in found if v])
    drawn, again = (
        json.loads(run(lab, cache, "-c", DRAW, views))
        for lab, cache in ((ROOT, here), (clone, there))
    )
    assert list(drawn) == ["move-one-sample", "influence", "impossible"]
    assert [len(figures) for figures in drawn.values()] == [5, 3, 3]
    assert again == drawn
