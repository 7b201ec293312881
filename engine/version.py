"""The lab's version, and the revision of the source that runs: both are in every manifest."""

import subprocess
from functools import cache
from pathlib import Path

VERSION = "1.0.0"  # the package's too: pyproject.toml reads it here
CHANGED = "+changes"


@cache
def source_revision() -> str | None:
    """Return the revision of this engine's source, read once a process, whose modules stay as they
    were imported."""
    return revision_of(Path(__file__).resolve().parent)


def revision_of(package: Path) -> str | None:
    """Return the git commit of the checkout in which a package's folder lies at the top, with
    "+changes" where the package's files differ from that commit.

    None where it is not known: the package was installed, or git is missing or refuses.
    """
    checkout = package.parent
    if not (checkout / ".git").exists():  # else git would find a project around an environment
        return None
    commit = git(checkout, "rev-parse", "HEAD")
    changes = git(checkout, "status", "--porcelain", "--", package.name)
    return None if commit is None or changes is None else commit + (CHANGED if changes else "")


def git(checkout: Path, *arguments: str) -> str | None:
    """Return what git says about a checkout; None where there is no git or it fails."""
    try:
        run = subprocess.run(
            ["git", "--no-optional-locks", "-C", str(checkout), *arguments],
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        return None
    return run.stdout.strip() if run.returncode == 0 else None
