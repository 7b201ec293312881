"""Disks that are full or may not be written to, and terminals that are none."""

import os
import pty
import resource
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from engine.__main__ import main
from engine.errors import InvalidInput, StorageUnavailable
from engine.experiments import RankingRequest, hash_of, open_data
from engine.progress import ignore
from engine.results.compute import compute_and_keep
from engine.results.jobs import Jobs
from engine.results.manifest import MANIFEST
from engine.results.store import Store, open_folder
from engine.settings import ROOT, read_settings
from tests.support.command import run_here

L2 = 0.02  # of a ranking that is not published
RANKING = ["ranking", "--l2", str(L2)]


def environment(cache: Path, **more: str) -> dict[str, str]:
    return {**os.environ, "IAL_CACHE_DIR": str(cache), "IAL_DEVICE": "cpu", **more}


def command(cache: Path, *arguments: str, **more: str):
    return subprocess.run(
        [sys.executable, "-m", "engine", *arguments],
        cwd=ROOT, env=environment(cache, **more), capture_output=True, timeout=120, check=False,
    )  # fmt: skip


@contextmanager
def small_files(limit: int) -> Iterator[None]:
    """As on a full disk: writing beyond `limit` bytes of a file fails, here and in children."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def sizes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in folder.iterdir()}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("IAL_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("IAL_DEVICE", "cpu")
    return tmp_path


@pytest.fixture
def ranked(place: Path) -> Path:
    assert main(RANKING) == 0
    return place


def test_a_cache_that_holds_no_result_is_said_before_the_work(place, capsys):
    (place / "cache").mkdir()
    (place / "cache" / "results").write_text("a file where a folder should be")
    assert main(RANKING) == 2
    said = capsys.readouterr().err
    assert f"error: Results cannot be kept in '{place}/cache/results'" in said
    assert "IAL_CACHE_DIR" in said
    request, settings = RankingRequest(l2=L2), read_settings()
    with pytest.raises(StorageUnavailable, match="Free some space there, or set IAL_CACHE_DIR"):
        compute_and_keep("ranking", request, open_data(request, None), settings, ignore)


def test_a_disk_that_fills_up_leaves_no_half_result(place):
    """Room for the probe, and not for the result."""
    with small_files(16_384):
        done = run_here(RANKING, place / "cache")
    assert done.returncode == 2
    assert "Results cannot be kept in" in done.stderr
    assert "Traceback" not in done.stderr
    assert list((place / "cache" / "results" / "ranking").iterdir()) == []
    assert main(RANKING) == 0


def test_a_job_on_such_a_disk_fails_with_the_reason(place):
    (place / "cache").mkdir()
    (place / "cache" / "results").write_text("")
    jobs = Jobs(replace(read_settings(), workers=False))
    job = jobs.submit("ranking", RankingRequest(l2=L2))
    worker = [sys.executable, "-m", "engine.results.worker", "short", "0"]
    subprocess.run(
        worker, cwd=ROOT, env=environment(place / "cache", IAL_WORKER_IDLE_S="0.1"), timeout=120,
        check=True, capture_output=True,
    )  # fmt: skip
    state = jobs.state(job)
    assert state.status == "failed"
    assert state.message.startswith("Results cannot be kept in")


def test_out_on_a_full_disk_leaves_the_folder_as_it_was(ranked, monkeypatch, capsys):
    out = ranked / "out"
    for earlier in (False, True):
        before = {p.name: p.read_bytes() for p in out.iterdir()} if earlier else {}

        def full(source, target, real=None):
            Path(target).write_bytes(b"half")
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patched:
            patched.setattr("engine.__main__.shutil.copyfile", full)
            assert main([*RANKING, "--out", str(out)]) == 2
        said = capsys.readouterr().err
        assert "--out must be a folder that can be written to (No space left on device)" in said
        assert "the result is kept in" in said
        assert {p.name: p.read_bytes() for p in out.iterdir()} == before
        assert main([*RANKING, "--out", str(out)]) == 0  # it is not refused afterwards
        assert open_folder(out).result.test.ranks.shape == (1200,)


def test_an_export_that_fails_leaves_no_file(ranked, monkeypatch, capsys):
    key = next((ranked / "cache" / "results" / "ranking").iterdir()).name
    (ranked / "folder.zip").mkdir()
    export = ["library", "export", key, "--out"]
    assert main([*export, str(ranked / "folder.zip")]) == 2
    assert "--out must be a file that can be written (Is a directory)" in capsys.readouterr().err

    def full(*arguments):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("engine.results.bundle.write_bundle", full)
        assert main([*export, str(ranked / "bundle.zip")]) == 2
    assert "(No space left on device)" in capsys.readouterr().err
    assert sorted(p.name for p in ranked.iterdir()) == ["cache", "folder.zip"]
    assert main([*export, str(ranked / "bundle.zip")]) == 0


def test_a_full_disk_publishes_nothing_and_keeps_what_was_published(ranked, monkeypatch):
    """Room for the small files of a result, and not for its arrays."""
    settings = read_settings()
    request = RankingRequest(l2=L2)
    store = Store(settings.cache_dir / "results", ranked / "published")
    stored = store.find("ranking", request, hash_of(open_data(request, None)))
    assert stored is not None
    folder = store.publish(stored)
    before = sizes(folder)
    with small_files(1_000), pytest.raises(StorageUnavailable, match="published'"):
        store.publish(stored)
    assert sizes(folder) == before
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]
    assert store.publish(stored) == folder


def test_a_full_disk_takes_in_no_half_result(ranked, capsys):
    key = next((ranked / "cache" / "results" / "ranking").iterdir()).name
    bundle = str(ranked / "bundle.zip")
    assert main(["library", "export", key, "--out", bundle]) == 0
    other = ranked / "other"
    taking = ["library", "import", bundle]
    with small_files(1_000):
        done = run_here(taking, other)
    assert done.returncode == 2
    assert "File too large" in done.stderr
    assert "Traceback" not in done.stderr
    assert [path for path in other.rglob("*") if path.is_file() and path.suffix != ".lock"] == []
    again = run_here(taking, other)
    assert (again.returncode, again.stdout[:5]) == (0, "taken")


def test_a_full_disk_takes_in_no_half_data_set(place):
    table = place / "loans.csv"
    rows = [f"{i % 7},{i % 5},{'no' if i % 3 else 'yes'}" for i in range(4000)]
    table.write_text("\n".join(["a,b,repaid", *rows]))
    add = ["data", "add", str(table), "--label", "repaid"]
    data = place / "cache" / "data"
    with small_files(1_000):
        done = run_here(add, place / "cache")
    assert done.returncode == 2
    assert "Nothing can be kept in" in done.stderr
    assert "Traceback" not in done.stderr
    assert [path for path in data.rglob("*") if path.is_file() and path.suffix != ".lock"] == []
    assert main(add) == 0


def test_ascii_output_ends_nothing(place):
    done = command(place / "cache", *RANKING, PYTHONIOENCODING="ascii", LC_ALL="C")
    assert done.returncode == 0, done.stderr
    listed = command(place / "cache", "library", "list", PYTHONIOENCODING="ascii")
    assert listed.returncode == 0
    assert b"ranking" in listed.stdout
    assert b"Traceback" not in listed.stderr


def test_a_reader_that_leaves_is_no_error(ranked):
    """As `| head -1` does: the reading end is closed before anything is written."""
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "engine", "library", "list"],
        cwd=ROOT, env=environment(ranked / "cache"), stdout=writing, stderr=subprocess.PIPE,
        timeout=120, check=False,
    )  # fmt: skip
    os.close(writing)
    assert done.returncode == 141
    assert done.stderr == b""


def test_a_progress_bar_is_drawn_on_a_terminal_alone(place):
    attack = ["attack", "--target", "16", "--restarts", "1", "--steps", "20", "--fresh"]
    assert command(place / "cache", *attack).stderr == b""
    terminal, end = pty.openpty()
    termios.tcsetwinsize(end, (24, 100))
    done = subprocess.Popen(
        [sys.executable, "-m", "engine", *attack],
        cwd=ROOT, env=environment(place / "cache"), stdout=subprocess.DEVNULL, stderr=end,
    )  # fmt: skip
    os.close(end)
    drawn = b""
    with suppress(OSError):  # so Linux says that a terminal's other end is closed
        while part := os.read(terminal, 4096):
            drawn += part
    assert done.wait(120) == 0
    assert b"runs at the top" in drawn


def test_a_home_folder_in_settings_and_out(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HOME", str(tmp_path))
    settings = read_settings({"IAL_CACHE_DIR": "~/cache", "IAL_DATA_DIR": "~/data"})
    assert (settings.cache_dir, settings.data_dir) == (tmp_path / "cache", tmp_path / "data")
    with pytest.raises(InvalidInput, match="IAL_CACHE_DIR must be a folder"):
        read_settings({"IAL_CACHE_DIR": "~nobody-of-that-name/cache"})
    monkeypatch.setenv("IAL_CACHE_DIR", "~/cache")
    monkeypatch.setenv("IAL_DEVICE", "cpu")
    assert main([*RANKING, "--out", "~/out"]) == 0
    assert (tmp_path / "out" / MANIFEST).is_file()
    request = RankingRequest(l2=L2)
    found = Store.of(read_settings()).find("ranking", request, hash_of(open_data(request, None)))
    assert found is not None
    assert found.folder.is_relative_to(tmp_path / "cache")


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="Linux has folders that nobody writes")
def test_a_place_that_nobody_may_write_to(place, monkeypatch, capsys):
    """/proc, which root may not write to either: --out, the cache, a bundle, a table taken in."""
    assert main([*RANKING, "--out", "/proc/lab-out"]) == 2
    assert "--out must be a folder" in capsys.readouterr().err
    assert main(RANKING) == 0
    key = next((place / "cache" / "results" / "ranking").iterdir()).name
    assert main(["library", "export", key, "--out", "/proc/lab.zip"]) == 2
    assert "--out must be a file that can be written" in capsys.readouterr().err
    table = place / "own.csv"
    table.write_text("x,y\n" + "1,a\n2,b\n" * 30)
    monkeypatch.setenv("IAL_CACHE_DIR", "/proc/lab-cache")
    add = ["data", "add", str(table)]
    for asked in (
        RANKING,
        ["payments", "--draws", "1"],
        ["certificates", "--directions", "7"],
        add,
    ):
        assert main(asked) == 2
        said = capsys.readouterr().err
        assert "'/proc/lab-cache" in said and "IAL_" in said


@pytest.mark.parametrize(
    "asked",
    [
        ["payments", "--draws", "1", "--steps", "2", "--tried", "2"],
        ["score-matrix", "--steps", "2"],
        ["certificates", "--directions", "20", "--steps", "2"],
        ["data", "list"],
    ],
    ids=lambda asked: asked[0],
)
def test_ascii_and_readers_that_leave_whatever_is_asked(place, asked):
    table = place / "own.csv"
    table.write_text(
        "x,größe,y\n" + "".join(f"{i % 7},{i % 5},{'äöü'[i % 2]}\n" for i in range(60))
    )
    on_table = [] if asked[0] == "data" else ["--dataset", str(table)]
    done = command(place / "cache", *asked, *on_table, PYTHONIOENCODING="ascii", LC_ALL="C")
    assert (done.returncode, b"Traceback" in done.stderr) == (0, False), done.stderr
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as out:
        left = run_here([*asked, *on_table], place / "cache", out)
    assert (left.returncode, left.stderr) == (141, "")
