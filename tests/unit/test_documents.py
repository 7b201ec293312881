"""What the documents for contributors name exists, and their picture is that of the code."""

import re
import tomllib

import pytest
import yaml

from engine.settings import ROOT
from engine.version import VERSION
from tests.support.rooms import DESIGN, drawn, modules

DOCUMENTS = (
    *("docs/design.md", "docs/certificates.md", "docs/deniable.md", "CONTRIBUTING.md"),
    *("SECURITY.md", "CHANGELOG.md", "deploy/README.md", "docs/numbers.md"),
)
MOST_HOPS = 6


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_files_that_a_document_names_exist(name: str) -> None:
    said = set(re.findall(r"`((?:[\w.]+/)+[\w.]*)`", text_of(name)))
    said = {path for path in said if "NAME" not in path and "SECTION" not in path}
    assert said or name == "CHANGELOG.md"
    assert not {path for path in said if not (ROOT / path).exists()}


def test_the_list_of_numbers_names_every_module_and_no_test_that_is_not_there() -> None:
    said = text_of("docs/numbers.md")
    modules = {path.name for path in (ROOT / "tests" / "support").glob("recomputed*.py")}
    assert set(re.findall(r"`(recomputed\w*\.py)`", said)) == modules
    files = sorted({"test_claims.py", *re.findall(r"`(test_\w+\.py)`", said)})
    tests = "".join(text_of(f"tests/pages/{name}") for name in files)
    named = re.findall(r"`(test_\w+)`", said)
    assert named and not [name for name in named if f"def {name}(" not in tests]
    kinds = re.findall(r"\*([^*|]+: [^*|]+)\*", said)
    assert kinds and not [kind for kind in kinds if f'"{kind}"' not in tests]


def test_the_picture_of_the_rooms_is_up_to_date() -> None:
    text = DESIGN.read_text(encoding="utf-8")
    assert "flowchart" in text
    assert drawn(text) == text, "run python -m tests.support.rooms"


def test_every_room_is_described() -> None:
    described = set(re.findall(r"^\| `(engine/\w+)` \|", text_of("docs/design.md"), re.MULTILINE))
    rooms = {"/".join(name.split(".")[:2]) for name in modules() if name.count(".") >= 2}
    assert described == {room for room in rooms if room.startswith("engine/")}


def test_the_way_from_a_control_to_adam_is_short_and_true() -> None:
    way = text_of("docs/design.md").split("### From `radius` to Adam")[1].split("\n## ")[0]
    hops = re.findall(r"^\d\. `([\w/]+\.py)`: `(\w+)`", way, re.MULTILINE)
    assert len(hops) == len(re.findall(r"^\d\. ", way, re.MULTILINE)) <= MOST_HOPS
    for path, function in hops:
        assert re.search(rf"^(def|class) {function}\b", text_of(path), re.MULTILINE), path
    assert "radius" in text_of(hops[0][0])
    assert "BETA_1" in text_of(hops[-1][0])


def test_the_examples_of_prose_are_ten() -> None:
    table = text_of("CONTRIBUTING.md").split("| instead of | write |\n|---|---|\n")[1]
    assert len(table.split("\n\n")[0].splitlines()) == 10


def test_versions_agree() -> None:
    citation = yaml.safe_load(text_of("CITATION.cff"))
    assert citation["version"] == VERSION
    assert citation["license"] == tomllib.loads(text_of("pyproject.toml"))["project"]["license"]
    assert f"\n## {VERSION}\n" in text_of("CHANGELOG.md")


def test_the_commit_hooks_run_what_is_pinned() -> None:
    (local,) = yaml.safe_load(text_of(".pre-commit-config.yaml"))["repos"]
    pinned = set(re.findall(r"^([\w-]+)==", text_of("requirements.txt"), re.MULTILINE))
    tools = {hook["entry"].split()[0].removeprefix(".venv/bin/") for hook in local["hooks"]}
    assert tools == {"ruff", "mypy"}
    assert tools <= pinned
