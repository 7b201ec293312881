"""What the engine's docstrings owe their reader: each error that a function raises, by name, and
the shapes of arrays that a public function takes or returns."""

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import engine
from engine import errors
from engine.errors import EngineError

ENGINE = Path(engine.__file__).parent
ERRORS = {
    name
    for name, found in vars(errors).items()
    if isinstance(found, type) and issubclass(found, EngineError)
}
ARRAYS = re.compile(r"NDArray|ndarray|ArrayLike|_ArrayLike|Tensor|DataFrame")
SHAPES = re.compile(
    r"\((?:[\w+·() ]+,)+[\w+·() ]*\)|row (?:per|for)|[Cc]olumns|in `influence_scores`"
)


def functions(
    body: list[ast.stmt], place: str
) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Yield the functions and methods whose name has no underscore in front."""
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield from functions(node.body, place)
        elif isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield f"{place}:{node.name}", node


def raised_in(node: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    """Return the engine's errors that a function itself raises and does not catch; not those of a
    function within it."""
    found: set[str] = set()
    waiting: list[ast.AST] = list(node.body)
    while waiting:
        part = waiting.pop()
        if isinstance(part, (ast.FunctionDef, ast.Lambda, ast.ClassDef)):
            continue
        if isinstance(part, ast.Raise) and isinstance(part.exc, ast.Call):
            found.add(ast.unparse(part.exc.func))
        if isinstance(part, ast.Try):
            handled = {ast.unparse(h.type) for h in part.handlers if h.type is not None}
            inner = {
                ast.unparse(one.exc.func)
                for one in ast.walk(ast.Module(part.body, []))
                if isinstance(one, ast.Raise) and isinstance(one.exc, ast.Call)
            }
            found |= inner - handled
            waiting += [*part.handlers, *part.orelse, *part.finalbody]
            continue
        waiting += list(ast.iter_child_nodes(part))
    return found & ERRORS


def test_a_function_names_the_errors_that_it_raises() -> None:
    silent, seen = [], 0
    for path in sorted(ENGINE.rglob("*.py")):
        place = str(path.relative_to(ENGINE.parent))
        for name, node in functions(ast.parse(path.read_text("utf-8")).body, place):
            said = ast.get_docstring(node) or ""
            raised = raised_in(node)
            seen += len(raised)
            silent += [f"{name} raises {error}" for error in sorted(raised) if error not in said]
    assert seen > 150, "the engine's functions were not read"
    assert not silent


@pytest.mark.parametrize(
    "name", [n for n in vars(engine)["__all__"] if inspect.isfunction(getattr(engine, n))]
)
def test_a_public_function_says_errors_and_shapes(name: str) -> None:
    function = getattr(engine, name)
    said = inspect.getdoc(function) or ""
    assert re.search(r"Raises\s|errors as in|errors of", said), "it names no error"
    annotations = " ".join(
        str(p.annotation) for p in inspect.signature(function).parameters.values()
    )
    if ARRAYS.search(f"{annotations} {inspect.signature(function).return_annotation}"):
        assert SHAPES.search(said), "it gives no shape"
