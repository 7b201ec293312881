"""The image's own commands, run as the image's user on a tree that this user cannot write: what can
be tried of the image where no container runtime is to be had.

The tree holds what `COPY . .` takes, the environment is that of the Dockerfile, and user, command
and health check are read from it. A process of that user may read every file here, as in the
image, where its interpreter lies in /usr/local; it may write nothing but its two folders and /tmp.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.settings import ROOT
from tests.support.browser import free_port
from tests.unit.test_deployment import stages

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("setpriv") is None,
    reason="only root can become the image's user, with util-linux's setpriv",
)
LAB = stages()["lab"]
PATIENCE = 120.0


def instruction(name: str) -> str:
    """The rest of the one line of the stage that begins so."""
    (line,) = (line for line in LAB if line.startswith(name))
    return line.removeprefix(name).strip()


def environment() -> dict[str, str]:
    """What ENV sets."""
    return dict(pair.split("=", 1) for pair in instruction("ENV").split())


def tree(folder: Path) -> Path:
    """What the image has at /lab: the files under version control that .dockerignore leaves."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\0")
    for name in filter(None, listed):
        if (ROOT / name).is_file() and not name.startswith("tests/"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    return folder


def as_user(command: list[str], **options: Any) -> subprocess.Popen:
    """A process of the image's user, with no right beyond that of reading."""
    user, group = instruction("USER").split(":")
    kept = [
        f"--{kind}=-all,+dac_read_search" for kind in ("bounding-set", "inh-caps", "ambient-caps")
    ]
    become = [f"--reuid={user}", f"--regid={group}", "--clear-groups", *kept, "--no-new-privs"]
    return subprocess.Popen(["setpriv", *become, *command], **options)


@pytest.fixture
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, str]]]:
    """The tree, and the environment with cache and data in folders of the user's."""
    base = Path("/tmp") / f"ial-image-{os.getpid()}"  # pytest's own folder is closed to others
    base.mkdir(mode=0o755)
    user, group = map(int, instruction("USER").split(":"))
    said = environment()
    for name in ("IAL_CACHE_DIR", "IAL_DATA_DIR"):
        place = base / said[name].lstrip("/")
        place.mkdir()
        os.chown(place, user, group)
        said[name] = str(place)
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    try:
        own = {"OMP_NUM_THREADS": "1", "IAL_WORKERS": "no"}  # as in compose.yaml, for servers
        yield tree(base / "lab"), kept | said | own
    finally:
        shutil.rmtree(base)


def test_the_images_command_serves_as_its_user_and_its_health_check_agrees(
    lab: tuple[Path, dict[str, str]],
) -> None:
    folder, said = lab
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    port = free_port()
    command = [sys.executable, *json.loads(instruction("CMD"))[1:], "--server.port", str(port)]
    check = json.loads(re.split(r"\bCMD\b", instruction("HEALTHCHECK"))[1])
    check = [sys.executable, *(word.replace("8501", str(port)) for word in check[1:])]
    with (folder.parent / "log").open("w") as log:
        server = as_user(command, cwd=folder, env=said, stdout=log, stderr=log)
        try:
            end = time.monotonic() + PATIENCE
            while (healthy := as_user(check, cwd=folder, env=said, stderr=log).wait()) != 0:
                assert server.poll() is None and time.monotonic() < end, Path(log.name).read_text()
                time.sleep(0.5)
            owner = Path(f"/proc/{server.pid}").stat().st_uid
        finally:
            server.terminate()
            server.wait()
    assert (healthy, owner) == (0, int(instruction("USER").split(":")[0]))
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    denied = as_user(["touch", str(folder / "app.py")], stderr=subprocess.DEVNULL).wait()
    assert denied != 0, "this user could have written there, and the check above means nothing"
