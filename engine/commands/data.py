"""`python -m engine data …`: the data sets of this machine on the command line."""

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.checks import check_choice
from engine.data import catalogue, inventory
from engine.data.images.backbones import BACKBONES, DEFAULT
from engine.data.intake import take_in
from engine.data.tables.options import HELP, TableOptions
from engine.experiments.prepare import describe_prepared
from engine.progress import OnProgress, Progress
from engine.settings import Settings


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `data` with its own commands."""
    text = "data sets: list, prepare, add your own, remove, check"
    data = commands.add_parser("data", help=text, description=text)
    actions = data.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("list", help="what there is, and what of it is on this machine")
    prepare = actions.add_parser("prepare", help="fetch a data set, compute its features")
    prepare.add_argument("name", metavar="NAME", help=", ".join(catalogue.SETS))
    choices = "; ".join(f"{b.name}: {b.title}" for b in BACKBONES.values())
    prepare.add_argument("--backbone", default="", help=f"{choices} (default: {DEFAULT})")
    prepare.add_argument("--device", help="auto, cpu, cuda or cuda:N (default: IAL_DEVICE)")
    add = actions.add_parser("add", help=f"take in data of your own: {take_in.KINDS}")
    add.add_argument("file", type=Path, metavar="FILE")
    add.add_argument("--name", help="what the data set is called (default: the file's name)")
    add.add_argument("--label", metavar="COLUMN", help="a table's column with the classes")
    add.add_argument(
        "--test-share",
        type=float,
        default=take_in.TEST_SHARE,
        metavar="SHARE",
        help="of a table, or of images without train/ and test/ (default: %(default)s)",
    )
    add.add_argument(
        "--backbone",
        default=take_in.BACKBONE,
        help=f"for images: {choices} (default: %(default)s)",
    )
    add.add_argument("--device", help="auto, cpu, cuda or cuda:N (default: IAL_DEVICE)")
    add_table_options(add)
    add.add_argument(
        "--preview", action="store_true", help="only say what it would become, and take nothing in"
    )
    remove = actions.add_parser("remove", help="delete a data set's files")
    remove.add_argument("name", metavar="NAME")
    remove.add_argument(
        "--originals", action="store_true", help="also the pictures that it was made from"
    )
    actions.add_parser("check", help="compare every file with its SHA-256; exit code 1 for faults")


def add_table_options(command: argparse.ArgumentParser) -> None:
    """Add the options for reading a table, those of `engine.data.tables.options`."""
    flags = {"header": argparse.BooleanOptionalAction, "impute": argparse.BooleanOptionalAction}
    default = TableOptions()
    for name, text in HELP.items():
        if name in flags:
            command.add_argument(
                f"--{name}", action=flags[name], default=getattr(default, name), help=text
            )
        else:
            metavar = "SPELLING" if name == "missing" else "COLUMN"
            command.add_argument(
                f"--{name}", nargs="+", action="extend", metavar=metavar, help=text
            )


def run(options: dict[str, object], settings: Settings, progress: OnProgress) -> int:
    """Do what was asked; the exit code."""
    action = options.pop("action")
    actions: dict[str, Callable[..., int]] = {
        "list": show,
        "prepare": prepare,
        "add": add,
        "remove": remove,
        "check": check,
    }
    return actions[check_choice("action", action, actions)](settings, progress, **options)


def show(settings: Settings, progress: OnProgress) -> int:
    entries = inventory.entries(settings.data_dir)
    width = max(len(entry.name) for entry in entries)
    for entry in entries:
        print(f"{entry.name:{width}}  {status(entry):22}  {describe(entry)}")
    total = inventory.size_of([settings.data_dir])
    print(f"\n{total / 1e6:,.1f} MB in {settings.data_dir}")
    return 0


def status(entry: inventory.InventoryEntry) -> str:
    if entry.here:
        return f"here, {entry.n_bytes / 1e6:,.1f} MB" if entry.files else "comes with the lab"
    return "not here" if entry.begun is None else f"begun, {entry.begun:.0%} done"


def describe(entry: inventory.InventoryEntry) -> str:
    if entry.about is None:
        return f"your own {entry.kind}"
    rows = " / ".join(f"{n:,}" for n in entry.about.rows.values())
    features = entry.about.n_features or (entry.backbone and entry.backbone.n_features)
    made = f" by {entry.backbone.title}" if entry.backbone else ""
    return (
        f"{entry.about.title}: {rows} {' / '.join(entry.about.rows)}, "
        f"{entry.about.n_classes} classes, {features:,} features{made}"
    )


def prepare(
    settings: Settings, progress: OnProgress, name: str, backbone: str, device: str | None
) -> int:
    from engine.data.prepare import prepare_set

    settings = replace(settings, device=device or settings.device)
    made = prepare_set(name, backbone, settings.data_dir, settings.device, progress)
    print(describe_prepared(made))
    return 0


def add(
    settings: Settings,
    progress: OnProgress,
    file: Path,
    name: str | None,
    label: str | None,
    test_share: float,
    backbone: str,
    device: str | None,
    preview: bool,
    **table: Any,  # the fields of TableOptions
) -> int:
    options = TableOptions(**{n: value for n, value in table.items() if value is not None})

    def report(done: int, total: int) -> None:
        progress(Progress(done, total))

    chosen = take_in.name_for(file.name, name)
    found = take_in.preview(file, label, test_share, report, options)
    print(f"{found.file} as '{chosen}': {found.headline} {found.balance}")
    for line in (*found.notes, *found.problems):
        print(f"  {line}")
    if found.n_problems > len(found.problems):
        print(f"  … {found.n_problems:,} problems in all")
    if preview:
        print("Nothing was taken in.")
        return 0
    where = settings.data_dir
    device = device or settings.device
    take_in.add(file, where, chosen, label, test_share, backbone, device, progress, options)
    print(f"'{chosen}' is a data set now, in {where}")
    return 0


def remove(settings: Settings, progress: OnProgress, name: str, originals: bool) -> int:
    freed = inventory.remove(name, settings.data_dir, originals)
    print(f"'{name}' is removed: {freed / 1e6:,.1f} MB freed")
    return 0


def check(settings: Settings, progress: OnProgress) -> int:
    found = inventory.check(settings.data_dir)
    for finding in found:
        print(f"{finding.file}: {finding.fault or 'sound'}")
    faults = sum(bool(finding.fault) for finding in found)
    print(f"Checked in {settings.data_dir}: {len(found)}; with a fault: {faults}")
    return 1 if faults else 0
