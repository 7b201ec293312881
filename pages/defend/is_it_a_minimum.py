"""Is it a minimum? The defence of Section 6, and an attacker who knows it."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import streamlit as st

from engine.experiments import DefenceRequest
from engine.results.store import Stored
from engine.statistics import Detection, detection
from pages.common.asking import controls, door, form, links
from pages.common.figures.axes import number
from pages.common.lab import published_results, registry
from pages.common.lab.shared import badge_of
from pages.common.widgets import blocks, charts, take_away, unfold
from pages.common.widgets.save_figure import Source
from pages.common.words import objective_words, reproduce
from pages.common.words.wording import count, listed
from pages.defend.parts import defence_figures as figures

PAGE = registry.page("minimum")
EXPERIMENT, REQUEST = "defence", DefenceRequest()
KEEPING = "kept defence"  # of published results: the objectives that keep something
ALARMS = 0.05  # share of honest models that the threshold flags at first
LOW, HIGH, STEP = -8.0, 1.0, 0.05  # of the threshold's power of ten
COST = (
    "Trains some 120 honest models and attacks 25 targets at five radii and with seven weights of "
    "the check: some ten minutes on a laptop."
)


def choose_threshold(table: pd.DataFrame) -> tuple[float, links.Expected]:
    """The threshold on the gradient norm; at first the one that flags one honest model in
    twenty."""
    honest = table.loc[table["kind"] == "honest", "gradient_norm"]
    wanted = np.log10(max(honest.quantile(1 - ALARMS), 10**LOW))
    start = float(np.clip(round(np.floor(wanted / STEP) * STEP, 2), LOW, HIGH))
    exponent = st.slider(
        "Threshold on the gradient norm, as a power of ten",
        LOW,
        HIGH,
        start,
        STEP,
        key="threshold",
        help="A model whose training loss has a larger gradient is flagged. At first: one that "
        "flags about 5% of the honest models.",
        bind="query-params",
        on_change=form.forget_notes,
    )
    return 10**exponent, {"threshold": links.Range(LOW, HIGH, whole=False)}


def curves(table: pd.DataFrame) -> dict[str, Detection]:
    """A detector's curve for every radius, for scaled models, and for the attacker who knows it."""
    honest = table.loc[table["kind"] == "honest", "gradient_norm"]
    groups: dict[str, pd.DataFrame] = {}
    attacked = table[table["kind"] == "attacked"]
    for (k, radius), part in attacked.groupby(["k", "radius"]):
        groups[f"attacked into the top {k}, radius {radius:g}"] = part
    groups["scaled"] = table[table["kind"] == "scaled"]
    adaptive = table[(table["kind"] == "adaptive") & (table["stealth"] > 0)]
    groups["knows the check"] = adaptive[adaptive["success"]]
    return {
        name: detection(honest, part["gradient_norm"]) for name, part in groups.items() if len(part)
    }


def finding(table: pd.DataFrame, threshold: float) -> str:
    """What the check finds at this threshold, and what passes it, in words."""
    by = {kind: part for kind, part in table.groupby("kind")}
    alarms = (by["honest"]["gradient_norm"] >= threshold).mean()
    reached = by["attacked"][by["attacked"]["success"]]
    found = (reached["gradient_norm"] >= threshold).mean() if len(reached) else 0.0
    adaptive = by["adaptive"].query("stealth > 0")
    able = adaptive[adaptive["success"]].groupby("target")["gradient_norm"].min()
    passed = int((able < threshold).sum())
    targets = adaptive["target"].nunique()
    return (
        f"A check that flags {alarms:.0%} of {count(len(by['honest']), 'honest model')} flags "
        f"**{found:.0%} of the {count(len(reached), 'model')} that moved a target to the top**. "
        f"But an attacker who knows the check passes it for **at least {passed} of {targets} "
        "targets**."
    )


def distribution(stored: Stored, threshold: float, badge: str) -> None:
    table: pd.DataFrame = stored.result
    honest = table.loc[table["kind"] == "honest", "gradient_norm"]
    scaled = table[table["kind"] == "scaled"]
    flagged = int((scaled["gradient_norm"] >= threshold).sum())
    moved = table.loc[(table["kind"] == "attacked") & table["success"], "gradient_norm"]
    title = f"Honest models reach from {number(honest.min())} to {number(honest.max())}" + (
        f", attacked ones at the top from {number(moved.min())} to {number(moved.max())}"
        if len(moved)
        else ""
    )
    charts.heading(title, badge)
    charts.chart(
        figures.distributions(table, threshold),
        "norms",
        alt=f"Gradient norms of honest, attacked, scaled and adaptively attacked models. {title}",
        source=Source.of("gradient-norms", lambda: table, stored),
    )
    st.caption(
        "One mark a model. Honest trainers differ in optimiser, stopping time, l2 and, for SGD, "
        "in chance; each is checked against the loss it was trained on. "
        f"{flagged} of {count(len(scaled), 'scaled model')} are flagged"
        f"{': those nearest to 1 pass' if 0 < flagged < len(scaled) else ''}. "
        f"Heights within a row mean nothing. {trained_to_the_end(table)}"
    )


def trained_to_the_end(table: pd.DataFrame) -> str:
    """What would happen if everybody had to train to the end."""
    moved = table[table["kind"].isin(["attacked", "adaptive"]) & table["success"]]
    exact = table[(table["kind"] == "honest") & ~table["trained"].str.startswith("sgd")]
    if moved.empty or exact.empty:
        return ""
    least = moved["gradient_norm"].min()
    below = int((exact["gradient_norm"] < least).sum())
    noisy = table[(table["kind"] == "honest") & table["trained"].str.startswith("sgd")]
    lost = int((noisy["gradient_norm"] >= least).sum())
    return (
        f"No attack that reached the top lies below {number(least)}, and {below} of "
        f"{count(len(exact), 'model')} trained on whole batches do: who may demand that training "
        f"is run to its end catches all of these attacks, and {lost} of {len(noisy)} honest users "
        "of SGD with them."
    )


def detector(found: Mapping[str, Detection], stored: Stored, threshold: float) -> None:
    table: pd.DataFrame = stored.result
    honest = table.loc[table["kind"] == "honest", "gradient_norm"]
    attacked = table.loc[table["kind"] == "attacked", "gradient_norm"]
    whole = detection(honest, attacked)
    title = (
        f"All {count(len(attacked), 'attacked model')} against {len(honest)} honest ones: AUC "
        f"{whole.auc:.3f} (95% {whole.interval.low:.3f} to {whole.interval.high:.3f})"
    )
    charts.heading(title)
    alarms = float((honest >= threshold).mean())
    least = table.loc[table["kind"] == "attacked", "k"].min()
    drawn = {
        name: curve
        for name, curve in found.items()
        if f"top {least}," in name or not name.startswith("attacked")
    }
    charts.chart(
        figures.roc(drawn, alarms),
        "roc",
        alt=f"ROC curves of the gradient-norm check. {title}",
        source=Source.of("roc", lambda: figures.curves_table(drawn), stored),
    )
    blocks.table(
        pd.DataFrame(
            {
                "models": list(found),
                "AUC": [f"{curve.auc:.3f}" for curve in found.values()],
                "95% interval": [
                    f"{curve.interval.low:.3f} to {curve.interval.high:.3f}"
                    for curve in found.values()
                ],
            }
        ),
        "AUC of the check, by what it is asked to tell apart",
    )
    st.caption(
        "AUC: how often a manipulated model has the larger gradient than an honest one, ties half; "
        "intervals by bootstrap of both groups. Attacked models count whether or not they reached "
        "the top; of the attacker who knows the check, those that did."
    )


def keeping() -> dict[DefenceRequest, Stored]:
    """What the check finds of the objectives that keep something, where that is here."""
    requests = published_results.requests_of(KEEPING, REQUEST.dataset)
    found = {request: door.find(EXPERIMENT, request) for request in requests}
    return {request: stored for request, stored in found.items() if stored is not None}


def objectives(stored: Stored, others: Mapping[DefenceRequest, Stored], threshold: float) -> None:
    """The objectives that keep something beside the paper's, under the same check."""
    results = {REQUEST.objective: stored.result}
    results |= {request.objective: other.result for request, other in others.items()}
    rows = figures.by_objective(results, threshold)
    if rows.empty:
        return
    title = caught_title(rows)
    charts.heading(title)
    charts.chart(
        figures.caught(rows),
        "objectives",
        alt=f"Share of attacked models that the check flags, by objective and radius. {title}",
        source=Source.of("by-objective", lambda: rows, stored, *others.values()),
    )
    meanings = "; ".join(objective_words.MEANINGS[request.objective] for request in others)
    badges = [
        f":gray-badge[{objective_words.NAMES[request.objective]}: {badge_of(other)}]"
        for request, other in others.items()
    ]
    st.caption(
        f"Models pulled to the top {rows['k'].min()}, whether or not they got there, on the same "
        f"{count(int(rows['attacks'].max()), 'target')}; bars are 95% Wilson intervals. "
        f"{meanings}. Per attack: {budgets([REQUEST, *others])}. {' '.join(badges)}"
    )
    blocks.table(
        objectives_table(rows, figures.passing(results, threshold)),
        "Attacked models that the check flags, by objective and radius",
    )
    st.caption(
        "p: exact sign test against Algorithm 3 on the targets of which only one of the two models "
        "is flagged. The last column: for how many targets who knows the check and starts at θ* "
        f"reaches the top unflagged, at radius {REQUEST.stealth_radius:g}, with one of the weights "
        "that all have."
    )


def caught_title(rows: pd.DataFrame) -> str:
    """How many the check flags, where the most objectives can be compared."""
    most = rows.groupby("radius")["objective"].count()
    radius = most[most == most.max()].index.max()
    said = [
        f"{row.flagged} of {row.attacks} by {objective_words.NAMES[row.objective]}"
        for row in rows[rows["radius"] == radius].itertuples()
    ]
    return f"Models flagged at radius {radius:g}: {listed(said)}"


def budgets(requests: Sequence[DefenceRequest]) -> str:
    """'4 runs of at most 100 steps for Algorithm 3', and so on."""
    return listed(
        [
            f"{count(max(r.restarts, 1) * len(r.learning_rates), 'run')} of at most {r.steps} "
            f"steps for {objective_words.NAMES[r.objective]}"
            for r in requests
        ]
    )


def objectives_table(rows: pd.DataFrame, passed: Mapping[str, tuple[int, int]]) -> pd.DataFrame:
    """The rows as a table to read."""
    read = [
        {
            "attack": f"{objective_words.NAMES[row.objective]}, {row.radius:g}",
            "reach the top": f"{row.reached} of {row.attacks}",
            "and pass": row.passed,
            "flagged": f"{row.flagged} ({row.low:.0%} to {row.high:.0%})",
            "p": "" if row.objective == REQUEST.objective else f"{row.p:.2g}",
            "AUC": f"{row.auc:.3f} ({row.auc_low:.3f} to {row.auc_high:.3f})",
            "knows the check and passes": "{} of {}".format(*passed[row.objective])
            if row.radius == REQUEST.stealth_radius
            else "",
        }
        for row in rows.itertuples()
    ]
    return pd.DataFrame(read)


def stealth(stored: Stored, threshold: float, badge: str) -> None:
    table: pd.DataFrame = stored.result
    kept = figures.kept(table, threshold)
    knowing = kept[kept["weight"] > 0]
    best = knowing.loc[knowing["share"].idxmax()]
    radius = table.loc[table["kind"] == "adaptive", "radius"].iloc[0]
    title = (
        f"Who knows the check and gives it weight {best['weight']:g} reaches the top unflagged for "
        f"{best['unflagged']:.0f} of {best['attacks']:.0f} targets"
    )
    charts.heading(title, badge)
    sizes = table["gradient_norm"].clip(lower=figures.SMALLEST)
    thresholds = np.geomspace(sizes.min(), 2 * sizes.max(), 200)
    charts.chart(
        figures.stealth_curve(table, thresholds, threshold),
        "stealth",
        alt=f"Success of the attacker who knows the check at each threshold. {title}",
        source=Source.of("knows-the-check", lambda: kept, stored),
    )
    st.caption(
        "He adds the gradient's norm, times a weight, to the objective of Algorithm 1, and starts "
        f"at θ*; radius {radius:g}. His runs stop at the top and do not go on to hide there: what "
        "he keeps here is the least that he could. Where the curve of success lies above that of "
        "honest models flagged, the check costs honest trainers more than it costs him. Bands: 95% "
        "Wilson."
    )
    blocks.table(shown(kept), "What the attacker who knows the check keeps, by weight")


def shown(kept: pd.DataFrame) -> pd.DataFrame:
    """What the attacker keeps, as a table to read."""
    rows = [
        {
            "weight": f"{row.weight:g}",
            "reach the top": f"{row.reached} of {row.attacks}",
            "and pass": f"{row.unflagged} ({row.low:.0%} to {row.high:.0%})",
            "median gradient norm": number(row.norm),
            "accuracy lost, of those that reach it": (
                "–" if np.isnan(row.accuracy_drop) else f"{100 * row.accuracy_drop:.1f} points"
            ),
        }
        for row in kept.itertuples()
    ]
    return pd.DataFrame(rows)


@unfold.section("What is checked (Section 6), and how the attacker answers", "formulas")
def how() -> None:
    st.markdown("Training ends at a minimum of the mean cross-entropy with its l2 term,")
    st.latex(
        r"L(\theta)=\tfrac1n\sum_i \ell(z_i,\theta)+\tfrac{l_2}{2}\lVert\theta\rVert^2,"
        r"\qquad \nabla L(\theta^*)=0,"
    )
    st.markdown(
        "which is its only one: any softmax model has directions without curvature, so that "
        "the smallest eigenvalue of the Hessian of $L$ is $l_2$ exactly, and positive. An "
        "attacked or scaled model is somewhere else. The attacker who knows the check lowers"
    )
    st.latex(
        r"\sum_i c_i I_i+\rho\,\lVert\nabla L(\theta)\rVert,\qquad"
        r"\nabla\lVert\nabla L\rVert=(H+l_2 I)\,\frac{\nabla L}{\lVert\nabla L\rVert}."
    )


def results(stored: Stored) -> None:
    table, badge = stored.result, badge_of(stored)
    given = dict(st.query_params.to_dict())
    said = st.empty()
    place = st.container()
    threshold, expected = choose_threshold(table)
    controls.finish(given, expected, {"threshold": st.session_state["threshold"]})
    controls.show_notes()
    said.markdown(f"{finding(table, threshold)} :gray-badge[{badge}]")
    with place:
        distribution(stored, threshold, badge)
    detector(curves(table), stored, threshold)
    others = keeping()
    if others:
        objectives(stored, others, threshold)
    stealth(stored, threshold, badge)
    how()
    take_away.show(
        stored, REQUEST, {"Models": lambda: table}, list(others), reproduce.defence_snippet
    )


def page() -> None:
    st.title(PAGE.title)
    stored = door.find(EXPERIMENT, REQUEST)
    if stored is not None:
        results(stored)
        return
    st.markdown(f"{PAGE.finding} It has not been measured here yet.")
    with st.container(border=True):
        door.offer([door.Computation.of(EXPERIMENT, REQUEST)], COST, "stage")
    how()


page()
