"""Who asked for a job, and whether the queue is closed to students.

    owners.json   in a job's folder: the visitors who asked for it, the first one first
    frozen        in the queue's folder, while the teacher has it closed

Equal requests are one job, so that a job may have several owners: it is cancelled when the last of
them takes it back. Whoever changes owners holds the queue's lock.
"""

from pathlib import Path

from engine.errors import TooMany
from engine.results.queue import OWNERS, going, owners_of, write_json

FROZEN = "frozen"


def join(folder: Path, owner: str) -> None:
    """Make a visitor an owner of a job; '' stands for nobody in particular."""
    known = owners_of(folder)
    if owner and owner not in known:
        write_json(folder / OWNERS, {"owners": [*known, owner]})


def leave(folder: Path, owner: str) -> bool:
    """Take back what an owner asked for; returns whether a job of theirs has no owner now."""
    known = owners_of(folder)
    left = [other for other in known if other != owner]
    write_json(folder / OWNERS, {"owners": left})
    return bool(known) and not left


def check_room(jobs_dir: Path, job: str, owner: str, most: int) -> None:
    """Raise TooMany where a visitor has `most` jobs that wait or run, this one not among them."""
    if not owner or not most:
        return
    own = [j.id for j in going(jobs_dir) if owner in owners_of(jobs_dir / j.id)]
    if job not in own and len(own) >= most:
        raise TooMany(
            f"You have {len(own)} computations that wait or run already, as many as one visitor "
            "may. Wait for one of them, or cancel it."
        )


def is_frozen(jobs_dir: Path) -> bool:
    return (jobs_dir / FROZEN).exists()


def freeze(jobs_dir: Path, frozen: bool) -> None:
    """Close the queue to students, or open it again."""
    jobs_dir.mkdir(parents=True, exist_ok=True)
    if frozen:
        (jobs_dir / FROZEN).touch()
    else:
        (jobs_dir / FROZEN).unlink(missing_ok=True)
