"""`python -m engine library …`: the stored results on the command line."""

import argparse
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from engine.checks import check_choice
from engine.data.untrusted.limits import size
from engine.errors import InvalidInput
from engine.experiments import EXPERIMENTS
from engine.results import bundle
from engine.results.budget import Usage, usage
from engine.results.library import Entry, by_key, open_library, remove, select
from engine.results.store import IMPORTED, LOCAL, PUBLISHED, Store
from engine.settings import Settings

REFUSED = 1  # exit code: a bundle was read, but some of its results were not taken


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `library` with its own commands."""
    text = "stored results: list, export, import, remove"
    library = commands.add_parser("library", help=text, description=text)
    actions = library.add_subparsers(dest="action", required=True, metavar="ACTION")
    show = actions.add_parser("list", help="every stored result, the latest first")
    show.add_argument("--experiment", choices=[n for n, e in EXPERIMENTS.items() if not e.part])
    show.add_argument("--dataset", metavar="NAME")
    show.add_argument("--origin", choices=(LOCAL, PUBLISHED, IMPORTED))
    show.add_argument("--text", default="", help="words that an entry must hold")
    export = actions.add_parser("export", help="pack results into one bundle for somebody else")
    export.add_argument("keys", nargs="+", metavar="KEY", help="as listed, or how it begins")
    export.add_argument("--out", type=Path, required=True, metavar="FILE")
    take_in = actions.add_parser("import", help="take in somebody else's bundle, checked first")
    take_in.add_argument("file", type=Path, metavar="FILE")
    delete = actions.add_parser("remove", help="delete a local or an imported result")
    delete.add_argument("key", metavar="KEY")


def run(options: dict[str, object], settings: Settings) -> int:
    """Do what was asked; the exit code."""
    actions: dict[str, Callable[..., int]] = {
        "list": show,
        "export": export,
        "import": take_in,
        "remove": delete,
    }
    action = options.pop("action")
    code = actions[check_choice("action", action, actions)](Store.of(settings), **options)
    if action == "list":
        print(disk(usage(settings)))
    return code


def disk(used: Usage) -> str:
    """Return what results take of the disk budget, and what was evicted last."""
    last = f"; the last one that went: {used.evicted}" if used.evicted else ""
    return (
        f"computed here, with intermediates: {size(used.held)} of {size(used.budget)} "
        f"(IAL_DISK_GB){last}"
    )


def show(
    store: Store, experiment: str | None, dataset: str | None, origin: str | None, text: str
) -> int:
    library = open_library(store)
    for entry in select(library.entries, experiment, dataset, origin, text):
        print(line(entry))
    for folder in library.unreadable:
        print(f"{folder.name}  cannot be read: {folder}")
    sizes = ", ".join(f"{origin} {size(held)}" for origin, held in library.size.items())
    print(f"\non disk: {sizes}; of it parts of sweeps: {library.parts}, {size(library.parts_size)}")
    return 0


def line(entry: Entry) -> str:
    """Return an entry in one line."""
    source = "" if entry.imported is None else f" from {entry.imported.source}"
    old = "" if entry.current else ", by another version of the lab"
    return (
        f"{entry.key}  {entry.experiment:13}  {entry.dataset or '–':12}  "
        f"{entry.manifest.created[:16]}  {size(entry.size):>9}  {entry.origin}{source}{old}"
    )


def export(store: Store, keys: list[str], out: Path) -> int:
    """Pack results of a store into one bundle, and say where it lies. Raises InvalidInput."""
    entries = open_library(store).entries
    chosen = [by_key(entries, key)[0] for key in keys]
    out = out.expanduser()
    if not out.parent.is_dir():
        raise InvalidInput("--out", str(out), "a file in a folder that is there")
    making = out.with_name(f".{out.name}-{uuid.uuid4().hex[:8]}")
    try:
        with making.open("xb") as file:
            bundle.write_bundle(chosen, file)
        making.replace(out)
    except OSError as error:
        expected = f"a file that can be written ({error.strerror or error})"
        raise InvalidInput("--out", str(out), expected) from error
    finally:
        with suppress(OSError):  # where nothing can be written nothing was
            making.unlink(missing_ok=True)
    print(f"{len(chosen)} packed, {size(out.stat().st_size)} in {out}")
    return 0


def take_in(store: Store, file: Path) -> int:
    """Take the results of a bundle into a store, and say which. Raises InvalidInput."""
    if not file.is_file():
        raise InvalidInput("FILE", str(file), "a bundle that is there")
    report = bundle.import_bundle(file, store)
    for name in report.taken:
        print(f"taken: {name}")
    for name in report.already:
        print(f"already here: {name}")
    for name, why in report.refused.items():
        print(f"refused: {name}: {why}")
    return REFUSED if report.refused else 0


def delete(store: Store, key: str) -> int:
    found = by_key(open_library(store).entries, key)
    for entry in [entry for entry in found if entry.removable] or found[:1]:
        remove(store, entry)  # of a published one alone it says why not
        print(f"removed: {line(entry)}")
    return 0
