"""The source revision that a manifest names: the commit, whether files differ from it, or None."""

import subprocess
from pathlib import Path

import pytest

from engine import version


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with one commit, whose package is `engine`."""
    (tmp_path / "engine").mkdir()
    (tmp_path / "engine" / "module.py").write_text("x = 1\n")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "-A")
    git(tmp_path, "-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-qm", "first")
    return tmp_path


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_the_commit(checkout: Path) -> None:
    assert version.revision_of(checkout / "engine") == git(checkout, "rev-parse", "HEAD")


def test_changes_of_the_engine_show_and_others_do_not(checkout: Path) -> None:
    commit = git(checkout, "rev-parse", "HEAD")
    (checkout / "notes.txt").write_text("not the engine's")
    assert version.revision_of(checkout / "engine") == commit
    (checkout / "engine" / "new.py").write_text("")
    assert version.revision_of(checkout / "engine") == commit + "+changes"
    (checkout / "engine" / "new.py").unlink()
    (checkout / "engine" / "module.py").write_text("x = 2\n")
    assert version.revision_of(checkout / "engine") == commit + "+changes"


def test_a_package_inside_another_projects_checkout_has_none(checkout: Path) -> None:
    installed = checkout / ".venv" / "engine"
    installed.mkdir(parents=True)
    assert version.revision_of(installed) is None


def test_a_checkout_that_git_refuses_has_none(tmp_path: Path) -> None:
    (tmp_path / ".git").write_text("gitdir: nowhere")
    assert version.revision_of(tmp_path / "engine") is None


def test_no_git_no_revision(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert version.revision_of(checkout / "engine") is None
