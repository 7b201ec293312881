"""The rooms of the code and who imports whom, read from the source: for tests and for the picture.

`python -m tests.support.rooms` draws the picture in docs/design.md anew.
"""

import ast
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from engine.settings import ROOT

Graph = Mapping[str, set[str]]

# A module may import what its own layer holds and what is above it. A name stands for a module, or
# for a folder without what is named on its own.
LAYERS: tuple[tuple[str, ...], ...] = (
    ("errors", "progress", "version", "vocabulary"),
    ("checks", "settings", "parallel", "rows", "threads"),
    ("statistics", "devices", "allocation", "options"),
    ("data", "data.dataset", "data.fairness"),
    ("data.raw_files", "data.preparation", "data.subset", "data.untrusted"),
    ("data.tables",),
    ("data.encoding",),
    ("data.images.backbones",),
    ("data.catalogue",),
    ("data.sources", "data.images"),
    ("data.intake",),
    ("data.load",),
    ("data.inventory",),
    ("data.prepare",),
    ("data.intake.take_in",),
    ("models",),
    ("influence",),
    ("attacks", "fairness"),
    ("scrutiny", "speed"),
    ("market",),
    ("experiments",),
    ("results",),
    ("commands",),
    ("__main__",),
)
DESIGN = ROOT / "docs" / "design.md"
PICTURE = re.compile(r"(<!-- rooms: .*? -->\n)(.*?)(<!-- end of rooms -->)", re.DOTALL)


def python_files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


@cache
def modules() -> dict[str, Path]:
    """Every module of engine and pages by its dotted name; a package's is its `__init__`."""
    found = {}
    for path in [*python_files(ROOT / "engine"), *python_files(ROOT / "pages"), ROOT / "app.py"]:
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        found[name.removesuffix(".__init__")] = path
    return found


def named_in(path: Path) -> set[str]:
    """All that a file imports, wherever in the file: modules, and what is taken from them."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.module and not node.level, f"{path} has a relative import"
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


@cache
def graph() -> dict[str, set[str]]:
    """Which modules of ours each module imports, lazily and for its types too."""
    return {name: (named_in(path) & modules().keys()) - {name} for name, path in modules().items()}


def circles(imports: Graph) -> list[list[str]]:
    """Groups of modules that import each other: strongly connected components of two and more.

    Kosaraju: in the order in which a walk leaves them, last first, the walk along the turned-round
    imports reaches exactly what lies on a circle with where it begins.
    """
    left: dict[str, None] = {}
    for name in imports:
        walk(name, imports, set(left), left)
    importers = {name: {other for other in imports if name in imports[other]} for name in imports}
    seen: set[str] = set()
    found = []
    for name in reversed(left):
        if name not in seen:
            group: dict[str, None] = {}
            walk(name, importers, seen, group)
            seen |= group.keys()
            found.append(sorted(group))
    return [group for group in found if len(group) > 1]


def walk(name: str, imports: Graph, seen: set[str], left: dict[str, None]) -> None:
    """Add to `left` all that is reached from a module, each after what it leads to."""
    if name not in seen:
        seen.add(name)
        for other in sorted(imports[name]):
            walk(other, imports, seen, left)
        left[name] = None


def layer(module: str) -> int:
    """The layer of a module of the engine, by the longest name in LAYERS that holds it."""
    own = module.removeprefix("engine.")
    holding = [
        (len(name), place)
        for place, names in enumerate(LAYERS)
        for name in names
        if own == name or own.startswith(f"{name}.")
    ]
    assert holding, f"{module} lies in no layer: add it to LAYERS in tests/support/rooms.py"
    return max(holding)[1]


def room(module: str) -> str:
    """What a module counts as in the picture: a room of the engine, or a section of the pages."""
    first, *rest = module.split(".")
    if first == "app" or (first == "engine" and rest in ([], ["__main__"], ["settings"])):
        return {"app": "app", "engine": "engine"}.get(module, rest[-1] if rest else first)
    if first == "engine":
        return rest[0] if (ROOT / "engine" / rest[0]).is_dir() else "tools"
    return "pages.common" if rest[0] == "common" else "pages"


def reduced(imports: Graph) -> dict[str, set[str]]:
    """The same order with the arrows alone that do not follow from others."""

    def beyond(names: Iterable[str]) -> set[str]:
        found: dict[str, None] = {}
        for name in names:
            walk(name, imports, set(found), found)
        return set(found)

    return {name: {o for o in to if o not in beyond(to - {o})} for name, to in imports.items()}


def picture() -> str:
    """The rooms as a Mermaid diagram: an arrow for an import that does not follow from others."""
    rooms: dict[str, set[str]] = {}
    for name, used in graph().items():
        rooms.setdefault(room(name), set()).update(room(other) for other in used)
    rooms = {name: used - {name, "engine"} for name, used in rooms.items() if name != "engine"}
    assert not circles(rooms), circles(rooms)
    arrows = [f"    {a} --> {b}" for a, to in sorted(reduced(rooms).items()) for b in sorted(to)]
    return "\n".join(["```mermaid", "flowchart TD", *arrows, "```", ""])


def drawn(text: str) -> str:
    """The design document with the picture as the code is now."""
    return PICTURE.sub(lambda found: found[1] + picture() + found[3], text)


if __name__ == "__main__":
    DESIGN.write_text(drawn(DESIGN.read_text(encoding="utf-8")), encoding="utf-8")
    print(f"drawn in {DESIGN}")
