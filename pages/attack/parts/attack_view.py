"""A finished attack as a page shows it: facts, figures, price, tables."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from html import escape

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from engine.attacks.result import AttackResult
from engine.data.dataset import Dataset
from engine.experiments import AttackRequest
from engine.results.store import Stored
from pages.attack.parts import attack_figures
from pages.attack.parts.slope_chart import slope_chart
from pages.common.figures import ranking
from pages.common.figures.trajectories import run_states, trajectories
from pages.common.samples import Samples
from pages.common.widgets import blocks, charts
from pages.common.widgets.blocks import Fact, portrait
from pages.common.widgets.save_figure import Source, Table
from pages.common.words import reproduce, wording

SHOWN_CHANGES = 12
RUN_COLUMNS = {
    "run": "run",
    "learning_rate": "learning rate",
    "steps": "steps",
    "reached": "in the top",  # followed by k
    "rank_test": "rank",
    "rank_holdout": "rank, unknown set",
    "accuracy_holdout": "accuracy, unseen",
    "returned": "returned",
}


def strip(result: AttackResult, samples: Samples) -> None:
    """The target and the five facts."""
    target, n = result.targets[0], len(samples)
    old, reached = int(result.before.ranks[target]), int(result.runs["reached"].sum())
    lead = portrait(samples, target)
    lead += f'<div class="note">the target: {escape(samples.describe(target))}</div>'
    blocks.facts(
        lead,
        [
            Fact("Rank, attacker's test set", f"{old:,} → {result.rank_test:,}", f"of {n:,}"),
            Fact(
                "Rank, unknown test set",
                f"{int(result.before_holdout.ranks[target]):,} → {result.rank_holdout:,}",
                wording.unknown(result),
            ),
            Fact(
                "Accuracy on unseen data",
                wording.percent(result.accuracy_after),
                wording.against(result),
            ),
            Fact("Distance from honest", f"{result.distance:.2f} ‖θ*‖", "the change of the model"),
            Fact(
                "Runs that arrived",
                f"{reached} of {len(result.runs)}",
                f"starts × learning rates, in the top {result.k}",
            ),
        ],
    )


@dataclass(frozen=True)
class View:
    """A finished attack as it is drawn: its figures, and what each says, by the same names."""

    result: AttackResult
    samples: Samples
    request: AttackRequest
    stored: Stored
    figures: Mapping[str, go.Figure]
    titles: Mapping[str, str]

    @classmethod
    def of(cls, stored: Stored, samples: Samples, request: AttackRequest) -> "View":
        result: AttackResult = stored.result
        target, n = result.targets[0], len(samples)
        holdout = len(samples.dataset.y_holdout)
        drawn = {
            "ranking": ranking.ranking(result.before, samples, target, result.k, result.after),
            "top-ten": slope_chart(result.before, result.after, samples, target),
            "trajectories": trajectories(
                result.trajectory,
                run_states(result.runs),
                n,
                result.k,
                request.steps,
                result.accuracy_before,
                int(result.before.ranks[target]),
            ),
            "moves": attack_figures.rank_to_rank(result.before, result.after, samples, target),
            "price": attack_figures.price(
                result.accuracy_before, result.accuracy_after, wording.intervals(result, holdout)
            ),
        }
        titles = {
            "ranking": wording.jump(result),
            "top-ten": wording.turnover(result),
            "trajectories": wording.runs_title(result),
            "moves": f"Who else moved: {wording.movement(result)}",
            "price": wording.price_title(result, holdout),
        }
        return cls(result, samples, request, stored, drawn, titles)

    def draw(
        self,
        name: str,
        badge: str,
        alt: str,
        caption: str = "",
        on_select: Callable[[], None] | None = None,
        cards: bool = False,
    ) -> None:
        """One figure under its message; `alt` says what kind of figure it is, `cards` whether its
        points are samples."""
        charts.heading(self.titles[name], badge)
        key = self.key(name)
        alt = f"{alt}. {self.titles[name]}"
        samples = self.samples if cards else None
        source = Source.of(name, self.tables[name], self.stored)
        charts.chart(self.figures[name], key, alt, source, on_select, samples)
        if caption:
            st.caption(caption)

    @property
    def tables(self) -> Mapping[str, Table]:
        """The numbers of every figure, by its name."""

        def by_sample() -> pd.DataFrame:
            return reproduce.sample_table(self.result, self.samples).reset_index()

        return {
            "ranking": by_sample,
            "top-ten": by_sample,
            "trajectories": lambda: self.result.trajectory,
            "moves": by_sample,
            "price": lambda: wording.accuracies(self.result, len(self.samples.dataset.y_holdout)),
        }

    def key(self, name: str) -> str:
        """The chart's key: another attack is another chart, with no point selected."""
        return f"{name}-{self.request.targets[0]}-{self.request.k}-{self.request.order}"


def show(view: View, badge: str, pick: Callable[[str], None]) -> None:
    """All of a finished attack but headline and strip; `pick` hears of clicks on the ranking."""
    result, samples, request = view.result, view.samples, view.request
    view.draw(
        "ranking",
        badge,
        "Influence score against rank, honest and malicious",
        f"Click any point to make it the target. {wording.score_meaning(request.order)}",
        partial(pick, view.key("ranking")),
        cards=True,
    )
    left, right = st.columns([1, 1.1], gap="medium")
    with left:
        view.draw(
            "top-ten",
            badge,
            "The top ten before and after",
            "Whoever is outside the top ten ends at the rank where it stands.",
        )
    with right:
        view.draw(
            "trajectories",
            badge,
            "Rank, loss and accuracy by step, for every run",
            "A run is one random start at one learning rate; it leaves when it arrives in the "
            f"shaded top {request.k}, or after {request.steps} steps. Rank and loss are the "
            "attacker's; accuracy is on the unseen half, which chooses nothing.",
        )
    left, right = st.columns(2, gap="medium")
    with left:
        view.draw(
            "moves",
            badge,
            "Rank before against rank after",
            "One dot a training sample, both axes logarithmic; on the dashed line nothing moved."
            f"{attack_figures.moves_thinning(len(samples))}",
            cards=True,
        )
    with right:
        view.draw("price", badge, "Accuracy of both models with intervals")
        _changed_predictions(result, samples.dataset)
    _tables(result, samples)


def _changed_predictions(result: AttackResult, dataset: Dataset) -> None:
    """The unseen samples on which honest and malicious model differ."""
    unseen = Samples(dataset, "holdout")
    honest = result.honest.predict(dataset.X_holdout)
    malicious = result.model.predict(dataset.X_holdout)
    changed = np.flatnonzero(honest != malicious)
    total = len(unseen)
    charts.heading(f"{len(changed):,} of {total:,} predictions on unseen data changed")
    if not len(changed):
        st.caption("Both models predict the same class for every sample of the unseen half.")
        return
    cells = []
    for i in changed[:SHOWN_CHANGES]:
        was, now, truth = (
            unseen.class_name(c) for c in (honest[i], malicious[i], dataset.y_holdout[i])
        )
        verdict = "lost" if was == truth else "gained" if now == truth else "wrong twice"
        cells.append(
            (
                portrait(unseen, int(i)),
                [
                    escape(f"“{was}” → “{now}”"),
                    f'<span class="note">truly “{escape(truth)}”: {verdict}</span>',
                ],
            )
        )
    blocks.grid(cells)
    if len(changed) > SHOWN_CHANGES:
        st.caption(
            f"The first {SHOWN_CHANGES} of {len(changed):,}; the order is that of the data set."
        )


def yes(true: bool) -> str:
    return "✓" if true else ""


def _tables(result: AttackResult, samples: Samples) -> None:
    charts.heading("The samples that moved most")
    moved = reproduce.most_moved(result, samples)
    blocks.table(
        moved.rename(columns=lambda name: name.replace("_", " ")),
        "The samples whose rank changed by the largest factor",
        {
            "picture": '<img src="{}" alt="" />'.format,
            "rank before": "{:,}".format,
            "rank after": "{:,}".format,
            "score before": "{:.3g}".format,
            "score after": "{:.3g}".format,
        },
    )
    of_features = "" if samples.pictured else f" {blocks.FEATURES_MEAN}."
    st.caption(f"By the factor between rank before and rank after; the target first.{of_features}")
    charts.heading("Every run, arrived or not")
    in_top = f"in the top {result.k}"
    blocks.table(
        result.runs[list(RUN_COLUMNS)].rename(columns=RUN_COLUMNS | {"reached": in_top}),
        "One row per run: learning rate, steps, ranks and accuracies",
        {
            "learning rate": "{:g}".format,
            in_top: yes,
            "rank": "{:,}".format,
            "rank, unknown set": "{:,}".format,
            "accuracy, unseen": "{:.1%}".format,
            "returned": yes,
        },
    )
    st.caption(
        "The returned model has the lowest rank on the attacker's test set, then the highest "
        "accuracy there; the unseen half has no say."
    )
