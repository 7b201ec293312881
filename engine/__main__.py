"""The command line: every experiment of the registry is a subcommand, its request's fields options.

python -m engine attack --dataset digits --target 16 --k 1 --radius 0.3 --out moved-16
python -m engine ranking --dataset digits
python -m engine publish
"""

import argparse
import io
import json
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import MISSING, Field, dataclass, fields, replace
from functools import partial
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

from tqdm import tqdm

from engine.commands import data, library
from engine.data.tables.options import HELP
from engine.errors import DamagedResult, DataUnavailable, EngineError, InvalidInput
from engine.experiments import EXPERIMENTS, Request, hash_of, make_request, open_data
from engine.options import choices_of
from engine.progress import OnProgress, Progress
from engine.results.compute import compute_and_keep
from engine.results.manifest import MANIFEST, read_manifest
from engine.results.store import Store, Stored, open_folder
from engine.settings import INSTALLED, Settings, read_settings
from engine.threads import wait_passively

# exit codes: the input is at fault, Ctrl-C, nobody reads any more (as in `| head -1`)
FAILURE, INTERRUPTED, UNREAD = 2, 130, 141
NO_BAR = None  # tqdm's word for: only on a terminal
PART = ".lab-part"  # ends the names of files that --out has not yet in place
DEFAULT = "default"
PROGRAM = "influence-attack-lab" if INSTALLED else "python -m engine"
REQUESTS = "requests.json"  # what is published, beside the published results


@dataclass(frozen=True)
class Answer:
    """A result, and whether it was computed just now."""

    stored: Stored
    computed: bool


def parser() -> argparse.ArgumentParser:
    """Make the parser. Options come from the requests' fields: a new experiment needs nothing
    here."""
    top = argparse.ArgumentParser(prog=PROGRAM, description="Influence Attack Lab")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, entry in EXPERIMENTS.items():
        if entry.part or entry.lasts is not None:  # those that make data are commands of `data`
            continue
        command = commands.add_parser(name, help=entry.title, description=entry.title)
        hints = get_type_hints(entry.request)
        for item in fields(entry.request):
            add_option(command, item, hints[item.name])
        command.add_argument("--device", help="auto, cpu, cuda or cuda:N (default: IAL_DEVICE)")
        command.add_argument("--out", type=Path, metavar="DIR", help="also write the result here")
        command.add_argument("--fresh", action="store_true", help="compute even if it is stored")
        if entry.parallel:
            add_parallel_options(command)
    data.add_parser(commands)
    library.add_parser(commands)
    commands.add_parser("publish", help="compute what is listed in cache/published/" + REQUESTS)
    return top


def add_parallel_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--jobs", type=int, help="processes, 0 for a choice by the data's size (default: IAL_JOBS)"
    )
    command.add_argument(
        "--cluster", metavar="ADDRESS", help="a dask scheduler to compute on (default: IAL_CLUSTER)"
    )
    command.add_argument(
        "--cluster-fallback",
        action="store_true",
        default=None,
        help="compute here where the cluster does not answer",
    )


def add_option(command: argparse.ArgumentParser, item: "Field[object]", hint: Any) -> None:
    """Add the option of a request's field; `hint` is its type (Any: a hint may be a special form,
    such as `int | None`)."""
    name, default = item.name, item.default
    text = "; ".join(f"{choice}: {what}" for choice, what in choices_of(item).items())
    help_text = f"{HELP.get(name, text)} (default: %(default)s)"
    required = default is MISSING
    if name == "targets":
        command.add_argument(
            "--target", dest=name, type=int, action="append", required=bool(default), metavar="N",
            default=None if default else argparse.SUPPRESS,  # not asked: the request's own
            help="a training sample to move; repeat it for several",
        )  # fmt: skip
        return
    flag = "--" + name.replace("_", "-")
    add = partial(
        command.add_argument, flag, dest=name, default=default, help=help_text, required=required
    )
    if get_origin(hint) in (tuple, Sequence):
        add(type=listed(get_args(hint)[0]), nargs="+")
    elif hint is bool:
        add(action=argparse.BooleanOptionalAction)
    else:
        kinds = [kind for kind in get_args(hint) if kind is not NoneType]  # of an optional field
        add(type=kinds[0] if kinds else hint)


def listed(kind: type) -> Callable[[str], object]:
    """Return what makes an entry of a list from its text. The word 'default' stays, for the list
    that the request has by itself."""

    def entry(text: str) -> object:
        return text if text == DEFAULT else kind(text)

    entry.__name__ = kind.__name__  # argparse names it where a text is none
    return entry


def obtain(
    name: str,
    request: Request,
    settings: Settings,
    fresh: bool,
    progress: OnProgress,
) -> Answer:
    """Return the stored result of a request, or compute and store it now."""
    store = Store.of(settings)
    dataset = open_data(request, settings.data_dir, lambda text: progress(Progress(notice=text)))
    found = None if fresh else store.find(name, request, hash_of(dataset))
    if found is not None:
        return Answer(found, computed=False)
    folder = compute_and_keep(name, request, dataset, settings, progress, replace_old=fresh)
    return Answer(open_folder(folder), computed=True)


def describe(outcome: Answer) -> str:
    """Return a short summary in words, and where the result comes from."""
    stored, manifest = outcome.stored, outcome.stored.manifest
    made = "computed now" if outcome.computed else f"stored {manifest.created}"
    if stored.imported is not None:
        made = f"imported {stored.imported.when} from {stored.imported.source}, made elsewhere"
    where = f"{made}, {manifest.seconds:.1f} s on {manifest.device}"
    return f"{EXPERIMENTS[manifest.experiment].describe(stored.result)}\n  {where}"


def check_out(folder: Path, settings: Settings) -> None:
    """Raise InvalidInput unless a result can be written to `folder` and nothing else is lost."""
    stores = Store.of(settings).roots().values()
    if any(folder.resolve().is_relative_to(store.resolve()) for store in stores):
        raise InvalidInput("--out", str(folder), "outside the lab's own results")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        there = {path.name for path in folder.iterdir() if path.suffix != PART}
        usable = os.access(folder, os.W_OK)
    except OSError as error:
        raise InvalidInput("--out", str(folder), f"a folder ({error.strerror})") from None
    if not usable:
        raise InvalidInput("--out", str(folder), "a folder that can be written to")
    if there and there != earlier_result(folder):
        expected = "a new or empty folder, or one that holds an earlier result and nothing else"
        raise InvalidInput("--out", str(folder), expected)


def earlier_result(folder: Path) -> set[str]:
    """Return the names of an earlier result's files; none where the folder holds no result."""
    try:
        return {MANIFEST, *read_manifest(folder).files}
    except DamagedResult:
        return set()


def write_out(folder: Path, stored: Stored) -> None:
    """Copy a result, over an earlier one, which stays where there is no room for both; the manifest
    comes last and makes it one. Raises InvalidInput."""
    names = (*stored.manifest.files, MANIFEST)
    try:
        for name in names:
            shutil.copyfile(stored.folder / name, folder / f"{name}{PART}")
        for path in folder.iterdir():
            if path.suffix != PART:
                path.unlink()
        for name in names:
            (folder / f"{name}{PART}").rename(folder / name)
    except OSError as error:
        expected = (
            f"a folder that can be written to ({error.strerror or error}); the result is kept"
        )
        raise InvalidInput("--out", str(folder), f"{expected} in {stored.folder}") from error
    finally:
        for left in folder.glob(f"*{PART}"):
            left.unlink(missing_ok=True)


class Bar:
    """Draws what a computation tells: done of total, or the steps of an attack, whose k is `k`."""

    def __init__(self, bar: tqdm, k: int) -> None:
        self.bar, self.k = bar, k
        self.best: dict[int, int] = {}

    def __call__(self, progress: Progress) -> None:
        bar = self.bar
        if progress.notice:
            bar.write(progress.notice, file=sys.stderr)
        if progress.total:
            bar.total, bar.n = progress.total, progress.done
            if progress.steps:
                bar.set_postfix_str(f"step {progress.step} of {progress.steps}")
        elif progress.steps:
            bar.total, bar.n = progress.steps, progress.step
        if progress.runs is not None:
            for run, rank in zip(progress.runs.run, progress.runs.rank, strict=True):
                self.best[run] = min(rank, self.best.get(run, rank))
        if self.best:
            arrived = sum(rank <= self.k for rank in self.best.values())
            bar.set_postfix_str(
                f"best rank {min(self.best.values())}, {arrived} of {len(self.best)} runs at the "
                "top"
            )
        bar.refresh()


def run_experiment(
    name: str,
    out: Path | None,
    fresh: bool,
    device: str | None,
    jobs: int | None = None,
    cluster: str | None = None,
    cluster_fallback: bool | None = None,
    **options: object,
) -> None:
    """Compute a request, or find its stored result, and print it; `options` are the request's
    fields. What is None is as the settings say."""
    settings = read_settings()
    settings = replace(
        settings,
        device=settings.device if device is None else device,
        jobs=settings.jobs if jobs is None else jobs,
        cluster=settings.cluster if cluster is None else cluster,
        cluster_fallback=cluster_fallback or settings.cluster_fallback,
    )
    # A column may be called 'default': among the options of a table the word means nothing else.
    options = {n: value for n, value in options.items() if value != [DEFAULT] or n in HELP}
    request = make_request(name, options)
    if out is not None:
        out = out.expanduser()
        check_out(out, settings)
    with tqdm(total=None, leave=False, file=sys.stderr, disable=NO_BAR) as bar:
        follow = Bar(bar, getattr(request, "k", 0))
        outcome = obtain(name, request, settings, fresh, follow)
    if out is not None:
        write_out(out, outcome.stored)
    print(describe(outcome))
    if out is not None:
        print(f"  written to {out}")


def publish() -> None:
    """Publish every listed request that is not yet, or is damaged: the local result of it, if there
    is one, or one computed now. Requests on data that is not on this machine are left as they are.
    Raises InvalidInput.
    """
    settings = read_settings()
    path = settings.published / REQUESTS
    try:
        listed = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidInput(REQUESTS, str(path), f"a JSON list of requests ({error})") from None
    published, local = Store(settings.published, settings.published), Store.of(settings)
    for item in listed:
        name, request = item["experiment"], make_request(item["experiment"], item["request"])
        try:
            data_hash = hash_of(open_data(request, settings.data_dir, print))
        except (InvalidInput, DataUnavailable) as error:  # of such a name, or not to be had
            there = "published" if published.find_published(name, request) else "NOT published"
            print(f"{there}, its data set is not on this machine ({error}): {item}")
            continue
        if published.find(name, request, data_hash) is not None:
            print(f"already published: {item}")
            continue
        found = local.find(name, request, data_hash, with_imported=False)
        if found is None:
            follow = Bar(tqdm(total=None, leave=False, file=sys.stderr, disable=NO_BAR), 0)
            outcome = obtain(name, request, settings, fresh=True, progress=follow)
            found = outcome.stored
        folder = local.publish(found)
        print(f"published: {folder.name}\n{describe(Answer(found, computed=False))}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit code. What a terminal cannot show is replaced, and ends nothing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    wait_passively()
    try:
        code = run_command(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or exit would flush again
        return UNREAD
    return code


def run_command(arguments: Sequence[str] | None) -> int:
    options = vars(parser().parse_args(arguments))
    command = options.pop("command")
    try:
        if command == "publish":
            publish()
        elif command == "data":
            quiet = options["action"] != "prepare" or NO_BAR
            with tqdm(total=None, leave=False, file=sys.stderr, disable=quiet) as bar:
                return data.run(options, read_settings(), Bar(bar, 0))
        elif command == "library":
            return library.run(options, read_settings())
        else:
            run_experiment(command, **options)
    except EngineError as error:
        print(f"error: {error}", file=sys.stderr)
        return FAILURE
    except BrokenPipeError:
        raise
    except OSError as error:  # a disk that is full or may not be written to
        print(f"error: {error}. Free some space, or choose another folder.", file=sys.stderr)
        return FAILURE
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main())
