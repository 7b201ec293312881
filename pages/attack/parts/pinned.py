"""The attack that is pinned as A, in the address, and held against another."""

from dataclasses import replace

import pandas as pd
import streamlit as st

from engine.errors import EngineError
from engine.experiments import AttackRequest
from engine.models.model import kinds_for
from engine.results.store import Stored
from engine.vocabulary import OBJECTIVES, ORDERS
from pages.attack.parts import attack_view
from pages.common.asking import data_choice, door, links
from pages.common.asking.form import Form
from pages.common.keeping import shelf
from pages.common.samples import Samples
from pages.common.widgets import blocks, charts
from pages.common.words import wording
from pages.common.words.code_names import in_words

PINNED = "pinned"  # the parameter that names it
NOTHING_PINNED = "none"
FIELDS = ("target", "k", "radius", "seed", "objective", "restarts", "order", "model")


def written(request: AttackRequest) -> str:
    """Return an attack as the parameter of a link."""
    values = links.values_of(request)
    return ",".join(f"{name}:{values[name]}" for name in FIELDS)


def read(text: str, dataset: str, n_train: int, kinds: list[str]) -> AttackRequest | None:
    """Return the attack that a link's parameter writes; None where it cannot be used."""
    given = dict(part.partition(":")[::2] for part in text.split(","))
    named: dict[str, links.Allowed] = {
        "model": kinds,
        "objective": list(OBJECTIVES),
        "order": list(ORDERS),
    }
    allowed = named | links.ranges(n_train)
    if set(given) != set(FIELDS):
        return None
    values = {name: links.readable(allowed[name], given[name]) for name in FIELDS}
    if None in values.values():
        return None
    try:
        return links.request_of({"dataset": dataset, **values})
    except EngineError:  # values that no attack can have together: the link's note says so
        return None


def pinned_attack(form: Form, request: AttackRequest, n_train: int) -> AttackRequest | None:
    """Return the attack that is pinned as A, which the link names."""
    text = st.query_params.get(PINNED, "")
    found = read(text, request.dataset, n_train, kinds_for(data_choice.opened(request.dataset)))
    form.note(PINNED, [text] if found else [NOTHING_PINNED], text if found else "")
    return found


def pin(request: AttackRequest | None) -> None:
    """Keep an attack as A, or none, as a button's callback."""
    if request is None:
        st.query_params.pop(PINNED, None)
    else:
        st.query_params[PINNED] = written(request)


@shelf.kept
def side_by_side(first: Stored, second: Stored) -> pd.DataFrame:
    """Return both attacks as a table: what was asked for, and what came of it."""

    def column(stored: Stored) -> dict[str, str]:
        result, asked = stored.result, stored.manifest.request
        target = result.targets[0]
        return {
            "sample": f"{target}",
            "goal": in_words(asked["objective"]),
            "radius allowed": f"{asked['radius']:g}",
            "rank": f"{int(result.before.ranks[target]):,} → {result.rank_test:,}",
            "accuracy on unseen data": wording.percent(result.accuracy_after),
            "distance from the honest model": f"{result.distance:.2f} ‖θ*‖",
            "other ranks (Spearman)": wording.decimal(result.rank_correlation),
            "rank on the unknown test set": f"{result.rank_holdout:,}",
        }

    a, b = column(first), column(second)
    return pd.DataFrame({"": list(a), "A": list(a.values()), "B": list(b.values())})


def compare(first: AttackRequest, stored: Stored, request: AttackRequest, samples: Samples) -> None:
    """Hold the pinned attack, A, against the one on the bench, B."""
    pinned = door.find("attack", first)
    if pinned is None:
        st.info("The attack that is pinned as A is not kept here. Unpin it, or run it again.")
        return
    charts.heading("A, the pinned attack, beside B, the one above")
    blocks.table(side_by_side(pinned, stored), "Both attacks: what was asked for, what came of it")
    for place, name, one, asked in zip(
        st.columns(2, gap="medium"), "AB", (pinned, stored), (first, request), strict=True
    ):
        with place:
            block = attack_view.FinishedAttack(one, samples, asked).moves()
            named = f"moves-{name}"
            replace(block, name=named, key=named, title=f"{name}: {block.title}").show()
