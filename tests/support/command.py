"""The command line in this process: a new one takes seconds to import everything."""

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import pytest

from engine.__main__ import main


@dataclass(frozen=True)
class Done:
    """How a command ended, as `subprocess.run` says it."""

    returncode: int
    stdout: str
    stderr: str


def run_here(
    arguments: Sequence[str], cache: Path, out: TextIO | None = None, **environment: str
) -> Done:
    """Run a command with its results in `cache`, and these settings. out: where it writes, if what
    it says is not to be returned."""
    said, err = io.StringIO(), io.StringIO()
    place = {"IAL_CACHE_DIR": str(cache), "IAL_DEVICE": "cpu", **environment}
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(out or said),
        contextlib.redirect_stderr(err),
    ):
        for name, value in place.items():
            patch.setenv(name, value)
        try:
            code = main(arguments)
        except SystemExit as ended:  # as argparse ends what it cannot read, and after its help
            code = int(ended.code or 0)
    return Done(code, said.getvalue(), err.getvalue())
