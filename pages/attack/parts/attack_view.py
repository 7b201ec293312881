"""A finished attack as a page shows it: facts, figures, tables, files."""

from dataclasses import dataclass
from functools import partial
from html import escape

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from engine.attacks.result import AttackResult
from engine.data.dataset import Dataset
from engine.experiments import AttackRequest
from engine.results.store import Stored
from engine.vocabulary import LINEAR
from pages.attack.parts import attack_figures, baseline_view, model_words
from pages.attack.parts.slope_chart import slope_chart
from pages.common.asking import targets
from pages.common.figures import ranking
from pages.common.keeping import shelf
from pages.common.samples import Samples
from pages.common.widgets import blocks, charts, take_away, unfold
from pages.common.widgets.blocks import Fact, portrait
from pages.common.widgets.figure import FigureBlock
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
    """Show the target, its rank on two sets of test samples, and what it took."""
    target, n = result.targets[0], len(samples)
    old, there = (int(r.ranks[target]) for r in (result.before, result.before_holdout))
    reached = int(result.runs["reached"].sum())
    before, after = (wording.percent(a) for a in (result.accuracy_before, result.accuracy_after))
    lead = portrait(samples, target)
    lead += f'<div class="note">{escape(samples.describe(target))}</div>'
    blocks.facts(
        lead,
        [
            Fact("Rank, attacker's test", f"{old:,} → {result.rank_test:,}", f"of {n:,} samples"),
            Fact("Rank, other test", f"{there:,} → {result.rank_holdout:,}", f"of {n:,} samples"),
            Fact("Accuracy", f"{before.rstrip('%')} → {after}", "on unseen data"),
            Fact(
                "Tries that succeed", f"{reached} of {len(result.runs)}", "each from a random start"
            ),
        ],
    )


@dataclass(frozen=True)
class FinishedAttack:
    """A computed attack, with the figures that are drawn of it."""

    stored: Stored
    samples: Samples
    request: AttackRequest

    @property
    def result(self) -> AttackResult:
        result: AttackResult = self.stored.result
        return result

    @property
    def target(self) -> int:
        return self.result.targets[0]

    @property
    def n_holdout(self) -> int:
        return len(self.samples.dataset.y_holdout)

    def by_sample(self) -> pd.DataFrame:
        return reproduce.sample_table(self.result, self.samples).reset_index()

    @shelf.kept
    def ranking(self) -> FigureBlock:
        result = self.result
        key = f"ranking-{self.target}-{result.k}-{self.request.order}"  # nothing is selected there
        return FigureBlock(
            name="ranking",
            key=key,
            title=wording.jump(result),
            kind="Influence score against rank, honest and malicious",
            build=ranking.ranking,
            values=(result.before, self.samples, self.target, result.k, result.after),
            table=self.by_sample,
            results=(self.stored,),
            caption="Click any point to make it the target.",
            samples=self.samples,
            on_select=partial(targets.pick, key, result.before, self.request.k),
        )

    @shelf.kept
    def top_ten(self) -> FigureBlock:
        return FigureBlock(
            name="top-ten",
            title=wording.stayed(self.result),
            kind="The top ten before and after",
            build=slope_chart,
            values=(self.result.before, self.result.after, self.samples, self.target),
            table=self.by_sample,
            results=(self.stored,),
            caption="Lines leaving the top ten end at their actual rank. Both whole rankings agree "
            f"to {wording.decimal(self.result.rank_correlation)} (Spearman; 1 is the same order).",
        )

    @shelf.kept
    def trajectories(self) -> FigureBlock:
        return FigureBlock(
            name="trajectories",
            title=wording.runs_title(self.result),
            kind="Rank, loss and accuracy by step, for every run",
            build=attack_figures.every_run,
            values=(self.result, self.request.steps),
            table=lambda: self.result.trajectory,
            results=(self.stored,),
            caption="A run is one random start at one learning rate; it ends "
            f"{wording.end_of_run(self.request)}. Rank and loss are the attacker's; accuracy is on "
            "held-out data that was not used to pick the model.",
        )

    @shelf.kept
    def moves(self) -> FigureBlock:
        return FigureBlock(
            name="moves",
            title=f"Who else moved: {wording.movement(self.result)}",
            kind="Rank before against rank after",
            build=attack_figures.rank_to_rank,
            values=(self.result.before, self.result.after, self.samples, self.target),
            table=self.by_sample,
            results=(self.stored,),
            caption="One dot a training sample, both axes logarithmic; on the dashed line nothing "
            f"moved.{attack_figures.moves_thinning(len(self.samples))}",
            samples=self.samples,
        )

    @shelf.kept
    def price(self) -> FigureBlock:
        result = self.result
        return FigureBlock(
            name="price",
            title=wording.price_title(result, self.n_holdout),
            kind="Accuracy of both models with intervals",
            build=attack_figures.price,
            values=(
                result.accuracy_before,
                result.accuracy_after,
                wording.intervals(result, self.n_holdout),
            ),
            table=lambda: wording.accuracies(result, self.n_holdout),
            results=(self.stored,),
        )

    def page_of_figures(self) -> str:
        """Return all figures as one HTML page that needs no network: Plotly's script is inside."""
        drawn = [self.ranking(), self.top_ten(), self.trajectories(), self.moves(), self.price()]
        parts = [
            f"<h2>{one.title}</h2>"
            + one.made().to_html(full_html=False, include_plotlyjs=one is drawn[0])
            for one in drawn
        ]
        headline = wording.headline(self.result).replace("**", "")
        return (
            '<!doctype html><html lang="en"><meta charset="utf-8"><title>Influence attack</title>'
            '<body style="font-family: sans-serif; max-width: 60rem; margin: 2rem auto">'
            f"<h1>{headline}</h1>{''.join(parts)}</body></html>"
        )


@unfold.section("The whole ranking, before and after: who else moved?", "whole-ranking")
def who_else(attack: FinishedAttack) -> None:
    """Draw the ranking of a finished attack, and what else moved."""
    if targets.was_picked(attack.target):
        st.rerun()
    attack.ranking().show()
    attack.top_ten().show()
    left, right = st.columns(2, gap="medium")
    with left:
        attack.moves().show()
    with right:
        attack.price().show()
        _changed_predictions(attack.result, attack.samples.dataset)
    _moved_most(attack.result, attack.samples)


def take_with_you(attack: FinishedAttack) -> None:
    """Show downloads, Python, command line and provenance."""
    take_away.show(
        attack.stored,
        attack.request,
        {"Samples": attack.by_sample, "Trajectories": lambda: attack.result.trajectory},
        name=f"{attack.request.dataset}-sample-{attack.target}",
        figures=attack.page_of_figures,
    )


def _changed_predictions(result: AttackResult, dataset: Dataset) -> None:
    """Show the unseen samples on which honest and malicious model differ."""
    unseen = Samples(dataset, "holdout")
    honest, malicious = predictions(result, dataset)
    changed, total = np.flatnonzero(honest != malicious), len(unseen)
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


def _moved_most(result: AttackResult, samples: Samples) -> None:
    charts.heading("The samples that moved most")
    blocks.table(
        moved_table(result, samples),
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


@shelf.kept
def runs_table(result: AttackResult, in_top: str) -> pd.DataFrame:
    """Return every run as a table to read; in_top: what the column is called that says who
    arrived."""
    return result.runs[list(RUN_COLUMNS)].rename(columns=RUN_COLUMNS | {"reached": in_top})


@shelf.kept
def moved_table(result: AttackResult, samples: Samples) -> pd.DataFrame:
    """Return the samples that moved most, as a table to read."""
    moved = reproduce.most_moved(result, samples)
    return moved.rename(columns=lambda name: name.replace("_", " "))


@shelf.kept
def predictions(
    result: AttackResult, dataset: Dataset
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return what honest and malicious model predict for the unseen samples."""
    return result.honest.predict(dataset.X_holdout), result.model.predict(dataset.X_holdout)


@unfold.section("Every try, and a simpler way: train on the target more often", "every-try")
def every_try(attack: FinishedAttack) -> None:
    """Draw every run of a finished attack, and the baseline beside it."""
    attack.trajectories().show()
    result = attack.result
    in_top = f"in the top {result.k}"
    blocks.table(
        runs_table(result, in_top),
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
    if attack.request.model == LINEAR:
        baseline_view.show(result, attack.request)
    else:
        st.caption(model_words.NO_BASELINE)
