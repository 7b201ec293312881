"""Money, wrong labels and selections on the command line: what cannot be is refused in words, and a
rule that pays nobody is said."""

from pathlib import Path

import numpy as np
import pytest

from tests.support.command import Done, run_here

BRIEF = ("--draws", "1", "--steps", "2", "--learning-rates", "0.1")


def features(path: Path, turned: bool = False, rare: bool = False) -> str:
    """Write a features file of two classes on a line. turned: test labels contradict those of
    training, so that every training sample pulls the test loss up. rare: a third class has two
    training samples."""
    x = np.concatenate([np.linspace(-2, -0.5, 20), np.linspace(0.5, 2, 20)])
    y = (x > 0).astype(int)
    y_test = 1 - y if turned else y.copy()
    if rare:
        y[[0, 39]] = y_test[[0, 39]] = 2
    X = x[:, None]
    np.savez(path, X_train=X, y_train=y, X_test=X, y_test=y_test)
    return str(path)


def money(tmp_path: Path, *arguments: str) -> Done:
    return run_here(("payments", *arguments, *BRIEF), tmp_path / "cache")


def test_a_rule_that_pays_nobody_is_said_on_the_command_line(tmp_path: Path) -> None:
    data = features(tmp_path / "turned.npz", turned=True)
    small = ("--count", "4", "--k", "5", "--bought", "2", "--names", "2", "--tried", "2")
    done = money(tmp_path, "--dataset", data, *small)
    assert done.returncode == 0, done.stderr
    assert "Rule 'positive' pays nobody in" in done.stdout
    assert "Rule 'net' pays nobody in" in done.stdout
    assert "The rules 'rank' and 'top_k' always pay" in done.stdout
    assert "nan" not in done.stdout.lower()
    other = money(tmp_path, "--dataset", data, *small, "--order", "highest_first")
    assert other.returncode == 0, other.stderr
    assert "pays nobody" not in other.stdout


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("payments", "--count", "41"), "count must be a whole number in [1, 40]. Got 41"),
        (("payments", "--vendor", "10"), "vendor must be a whole number in [0, 9]. Got 10"),
        (("payments", "--bought", "5"), "bought must be a whole number in [1, 4]. Got 5"),
        (("payments", "--vendors", "column"), "column must be one of '0'"),
        (("cleaning", "--flipped", "101"), "no more labels can be flipped than samples are there"),
        (("cleaning", "--vendors", "41"), "vendors must be a whole number in [1, 40]. Got 41"),
        (("selection", "--shares", "0.01"), "keep at least one of 40 samples. Got 0.01"),
        (("lds", "--subsets", "5"), "an even number: halves come with their complements. Got 5"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    tmp_path: Path, asked: tuple[str, ...], said: str
) -> None:
    data = features(tmp_path / "line.npz")
    done = run_here((*asked, "--dataset", data), tmp_path / "cache")
    assert done.returncode != 0
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, "one line, and no traceback"


def test_halves_and_selections_that_lose_a_class_are_named(tmp_path: Path) -> None:
    """Halves end in an error; of selections the others are trained."""
    data = features(tmp_path / "rare.npz", rare=True)
    attack = ("--target", "5", "--radius", "0.3", "--k", "10")
    done = run_here(("lds", "--dataset", data, "--subsets", "8", *attack), tmp_path / "cache")
    assert done.returncode != 0
    assert "and none of class 2" in done.stderr and "Keep more samples" in done.stderr
    shares = ("--shares", "0.1", "0.9", "--draws", "1", "--attributions", "influence")
    done = run_here(("selection", "--dataset", data, *shares, *attack), tmp_path / "cache")
    assert done.returncode == 0, done.stderr
    assert "no class " in done.stdout
