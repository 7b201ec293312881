"""What comes after taking in a data set: it is ranked at once, and an attack is one click away."""

import numpy as np
import streamlit as st

from engine.attacks.result import Ranking
from engine.data.dataset import Dataset
from engine.errors import EngineError
from engine.experiments import AttackRequest, cost
from engine.settings import ROOT
from pages.common.asking import controls, door, links, progress
from pages.common.lab import registry
from pages.common.lab.shared import open_dataset, ranking_request

ATTACK_PAGE = "move-one-sample"


def request_of(dataset: Dataset, target: int = 0) -> AttackRequest:
    """Return the example's attack, on a sample of this data."""
    start = links.values_of(controls.default_request(dataset.n_train))
    return links.request_of({**start, "dataset": dataset.name, "target": target})


def last_of(before: Ranking) -> int:
    """Return the sample at the end of the ranking."""
    return int(np.argmax(before.ranks))


def attack_it(name: str) -> None:
    """Offer to attack the last of the ranking; the ranking's job is followed until it is there."""
    try:
        dataset = open_dataset(name)
    except EngineError:  # it was removed, or changed: its pages say so
        return
    ranked = door.obtain(
        "ranking",
        ranking_request(request_of(dataset)),
        "The honest ranking",
        progress.draw_plain(f"Ranking the {dataset.n_train:,} training samples"),
        cost.honest_seconds(dataset),
        chosen=True,
    )
    if ranked is None:
        return
    before: Ranking = ranked.result.test
    target = last_of(before)
    asked = request_of(dataset, target)
    if forbidden := door.why_not("attack", asked):
        st.caption(forbidden)
        return
    st.markdown(
        f"Its {dataset.n_train:,} training samples are ranked. Sample {target} is the last of them:"
    )
    if st.button(f"Attack sample {target}", type="primary", key="own_attack"):
        door.submit("attack", asked)
        page = registry.page(ATTACK_PAGE)
        st.switch_page(
            ROOT / page.file, query_params={n: str(v) for n, v in links.values_of(asked).items()}
        )
