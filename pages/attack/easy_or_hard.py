"""Easy or hard? How strongly a score depends on the model, and whether that foretells success."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from html import escape

import pandas as pd
import streamlit as st

from engine.experiments import SensitivityRequest, SensitivityResult
from engine.results.store import Stored
from pages.attack.parts import moved_target_figures, moved_targets
from pages.common.asking import controls, data_choice, door, form, links
from pages.common.asking.rate_view import best_radius
from pages.common.figures.axes import number, thinning
from pages.common.lab import published_results, registry
from pages.common.lab.shared import badge_of, lab, open_dataset
from pages.common.samples import Samples, hover_names
from pages.common.widgets import blocks, charts, take_away, unfold
from pages.common.widgets.blocks import portrait
from pages.common.widgets.save_figure import Source
from pages.common.words import reproduce
from pages.common.words.wording import count, decimal

PAGE = registry.page("easy-or-hard")
EXPERIMENT, ROLE, ATTACKS = "sensitivity", "sensitivity", "cost"
BET, ROUND = "bet", "deal"  # in links and in the session state: the sample, the round
PLACED = "bet_placed"  # session-state key: data set, k and round of the bet
ROUNDS = 10_000


def choose(table: pd.DataFrame | None, start: float) -> tuple[int, float, links.Expected]:
    """k and radius of the attacks that are looked at, in the sidebar; with them, what a link may
    hold. `start`: the radius to begin with. Without attacks there is nothing to choose."""
    if table is None:
        return 1, 0.0, {}
    ks = [int(k) for k in sorted(table["k"].unique())]
    radii = [float(radius) for radius in sorted(table["radius"].unique())]
    left, right = st.sidebar.columns(2)
    k = controls.choice_of(
        left, "k", "k", ks, "A target is moved when it gets into the top k.", nearest=True
    )
    radius = controls.choice_of(
        right,
        "Radius",
        "radius",
        radii,
        "How far the malicious model may lie from the honest one, of the attacks shown.",
        start,
        nearest=True,
    )
    return k, radius, {"k": ks, "radius": radii}


def place_bet(sample: int) -> None:
    st.session_state[BET] = sample


def next_round() -> None:
    st.session_state[ROUND] = (st.session_state.get(ROUND, 0) + 1) % ROUNDS
    form.unchoose(BET)


def placed_bet(dataset: str, k: int, n: int) -> tuple[dict[str, int | None], links.Expected]:
    """Round and bet, clicked or in the link, and what a link may hold. A bet counts where it was
    placed: on other data or another k there is none yet."""
    expected: links.Expected = {ROUND: links.Range(0, ROUNDS - 1), BET: links.Range(0, n - 1)}
    number_ = controls.kept(ROUND, expected[ROUND], 0)
    place = (dataset, k, number_)
    if st.session_state.setdefault(PLACED, place) != place:
        form.unchoose(BET)
    st.session_state[PLACED] = place
    return {ROUND: number_, BET: controls.kept(BET, expected[BET])}, expected


def bet(
    tried: pd.DataFrame, samples: Samples | None, k: int, n: int, placed: Mapping[str, int | None]
) -> list[int]:
    """The bet on a few targets, and once it is placed how each of them fared; returns them then."""
    dealt = moved_targets.deal(tried, placed[ROUND] or 0)
    if not dealt:
        return []
    chosen = placed[BET]
    known = chosen in dealt
    charts.heading(f"First, your bet: which of these moves into the top {k} most easily?")
    cells = []
    for index in dealt:
        row = tried.loc[index]
        shown = "" if samples is None else portrait(samples, index)
        lines = [f"<b>sample {index}</b>", f"rank {int(row['rank']):,} of {n:,}"]
        if samples is not None:
            lines.insert(1, f"class “{escape(samples.label(index))}”")
        if known:
            lines += [
                f"radius <b>{moved_targets.radius_name(row['least'])}</b>",
                f"norm {number(row['norm'])}",
            ]
        cells.append((shown, lines))
    blocks.grid(cells)
    with st.container(horizontal=True):
        for index in dealt:
            st.button(
                f"Sample {index}",
                key=f"bet-{index}",
                type="primary" if not known or index == chosen else "secondary",
                disabled=known,
                on_click=place_bet,
                args=(index,),
            )
        if known:
            st.button("Other samples", key="bet-again", on_click=next_round)
    if chosen is None or not known:
        st.caption(
            "The easiest is the one that the attack moves with the smallest change of the model. "
            "All of them have been attacked; the answer comes with your bet."
        )
        return []
    st.markdown(outcome(tried.loc[dealt], chosen))
    st.caption("Radius: the smallest of those tried at which some run moved the sample.")
    return dealt


def outcome(dealt: pd.DataFrame, chosen: int) -> str:
    """Whether the bet was won, and whether the gradient norm would have won it."""
    easiest, steepest = int(dealt["least"].idxmin()), int(dealt["norm"].idxmax())
    said = (
        f"Sample {chosen}: you won"
        if chosen == easiest
        else f"You bet on sample {chosen} and lost: it was sample {easiest}"
    )
    norm = (
        "Betting on the largest gradient norm would have won"
        if steepest == easiest
        else f"Betting on the largest gradient norm (sample {steepest}) would have lost"
    )
    return f"**{said}.** {norm} too." if chosen == easiest == steepest else f"**{said}.** {norm}."


def finding(result: SensitivityResult, found: moved_targets.Prediction | None) -> str:
    ratio = moved_targets.ends_against_middle(result)
    ends = (
        "The scores at both ends of the ranking depend on the model **at least "
        f"{ratio:.2g} times as strongly** as those between"
        if ratio > 1
        else "The scores at the ends of the ranking depend on the model no more than those between"
    )
    if found is None:
        return f"{ends}."
    tells = (
        f"**That foretells {moved_targets.strength(found)}** which samples the attack moves"
        if found.tells and found.correlation < 0
        else "**That does not foretell** which samples the attack moves"
    )
    return f"{ends}. {tells} (Spearman {decimal(found.correlation)} with the radius it takes)."


def sensitivity_figure(
    stored: Stored,
    tried: pd.DataFrame,
    names: Sequence[str],
    radius: float,
    ringed: Sequence[int],
    badge: str,
    samples: Samples | None,
) -> None:
    result: SensitivityResult = stored.result
    ratio, n = moved_targets.ends_against_middle(result), len(result.norms)
    title = (
        f"Steep at both ends: the gradient norm there is at least {ratio:.2g} times that between"
        if ratio > 1
        else "The gradient norm is no larger at the ends than between"
    )
    charts.heading(title, badge)
    charts.chart(
        moved_target_figures.sensitivity(result, tried, names, radius, ringed),
        f"sensitivity-{radius:g}",
        alt="Gradient norm of every sample's score against its rank, from the top and from the "
        f"bottom, by whether an attack moved it. {title}",
        source=Source.of(
            f"gradient-norms-radius-{radius:g}", lambda: result_table(result, tried), stored
        ),
        samples=samples,
        at=moved_target_figures.SAMPLE,
    )
    checked = (
        f"; against {count(len(result.exact_norms), 'exact norm')}, spread over the ranking, it is "
        f"{result.error:.1%}"
        if len(result.exact_norms)
        else ""
    )
    st.caption(
        "One mark a training sample, at its rank under the honest model; ends are the first and "
        "the last twentieth. The left half counts from the top, the right half to the bottom, both "
        "on log axes. Rank 1 is the highest score, what the paper calls most valuable: "
        "up-weighting it raises the test loss. Norms are estimated from "
        f"{result.probes:,} random directions, standard error "
        f"{1 / (2 * result.probes) ** 0.5:.1%}{checked}; bars, on the samples that were attacked, "
        f"are ± 2 standard errors.{thinning(n)}"
    )


def prediction_figures(
    tried: pd.DataFrame,
    names: Sequence[str],
    k: int,
    radius: float,
    swept: Stored,
    samples: Samples | None,
) -> None:
    """Whether the norm predicts success, against simpler clues."""
    n = len(names)
    found = moved_targets.prediction("norm", tried, n)
    if found is None:
        charts.heading("Too few attacks, or all ended alike: nothing to predict")
        return
    title, numbers = moved_targets.verdict(found), moved_targets.measured(found, tried, k)
    charts.heading(title, badge_of(swept))
    charts.chart(
        moved_target_figures.by_radius(tried, names, radius),
        f"by-radius-{k}-{radius:g}",
        alt="Gradient norm of the attacked samples by the smallest radius that moved them. "
        f"{title}",
        source=Source.of(
            f"by-least-radius-top-{k}", lambda: tried.rename_axis("sample").reset_index(), swept
        ),
        samples=samples,
        at=moved_target_figures.SAMPLE,
    )
    st.markdown(f"{numbers} {moved_targets.against_place(tried, n)}")
    moved = int(tried["moved"].sum())
    st.caption(
        f"The {len(tried)} targets of the published sweep, drawn at random outside the honest top; "
        f"at radius {radius:g} some run moved {moved} of them into the top {k}, whatever it cost "
        "in accuracy. In brackets, how many needed that radius."
    )
    clues(tried, n, radius)


def clues(tried: pd.DataFrame, n: int, radius: float) -> None:
    """The norm beside what the ranking itself says."""
    rows = []
    for name, label in moved_targets.PREDICTORS.items():
        found = moved_targets.prediction(name, tried, n)
        if found is None:
            continue
        rows.append(
            {
                "known before the attack": label,
                "Spearman with the smallest radius": decimal(found.correlation),
                "95%": ends_of(found.correlation_interval),
                f"AUC, moved at radius {radius:g}": (
                    decimal(found.area) if found.area == found.area else "–"
                ),
                "95% ": ends_of(found.area_interval),
            }
        )
    if not rows:
        return
    charts.heading("Is there a better clue?")
    blocks.table(pd.DataFrame(rows), "What is known before an attack, and what it tells")
    st.caption(
        "Spearman: −1 if more of the clue always means a smaller radius, 0 if it tells nothing. "
        "AUC: how often, of a target that was moved and one that was not, the moved one has more "
        "of the clue; 0.5 is chance, – where all or none were moved. Intervals are 95% percentile "
        "bootstraps over the targets."
    )


def ends_of(interval: tuple[float, float]) -> str:
    low, high = interval
    return f"{decimal(low)} to {decimal(high)}" if low == low else "–"


@unfold.section("What is computed (Definition 1, Figures 4 and 7)", "formulas")
def formulas(request: SensitivityRequest) -> None:
    st.markdown(
        "The paper asks what makes some samples easier to manipulate, and plots the norm of "
        "the gradient of each sample's influence score in the model's parameters. With "
        f"$\\lambda$ the damping (here {request.damping:g}), $g_i$ the gradient of sample "
        "$i$'s loss and $s=(H+\\lambda I)^{-1}\\nabla L_{\\text{test}}$:"
    )
    st.latex(
        r"\nabla_\theta I_i=-(H_{\text{test}}-T)\,(H+\lambda I)^{-1}g_i-H_i\,s,\qquad "
        r"T v=\nabla_\theta\langle v,H(\theta)\,s\rangle"
    )
    st.markdown(
        "One exact norm takes a solve a sample. Here all are estimated at once: $H_{\\text{"
        "test}}-T$ is symmetric, so that for a random direction $u$ a single solve gives the "
        "inner product with *every* gradient,"
    )
    st.latex(
        r"w=(H+\lambda I)^{-1}(H_{\text{test}}-T)\,u,\qquad \langle u,\nabla I_i\rangle="
        r"-\langle w,g_i\rangle-\operatorname{Cov}_{p_i}(Xs,Xu)_i"
    )
    st.markdown(
        "and for Gaussian $u$ its square has the mean $\\lVert\\nabla I_i\\rVert^2$. From "
        f"{request.probes} directions the relative standard error is $1/\\sqrt{{2\\cdot "
        f"{request.probes}}}$."
    )


def result_table(result: SensitivityResult, tried: pd.DataFrame) -> pd.DataFrame:
    """A row per training sample, for a spreadsheet."""
    table = pd.DataFrame(
        {
            "sample": range(len(result.norms)),
            "rank": result.ranking.ranks,
            "score": result.ranking.scores,
            "gradient_norm": result.norms,
            "standard_error": result.standard_errors,
        }
    )
    return table.join(tried[["moved", "least"]].rename(columns={"least": "smallest_radius"}))


def attacks_of(dataset: str) -> tuple[Stored | None, float, float]:
    """The published sweep over radii, if there is one, with its damping and l2."""
    request = published_results.request_of(ATTACKS, dataset)
    default = SensitivityRequest()
    if request is None:
        return None, default.damping, default.l2
    return door.find("sweep", request), request.damping, request.l2


def others_of(
    content: str | None, samples: Samples | None, damping: float, l2: float
) -> pd.DataFrame:
    """What else was attacked on this data set, whoever asked for it: sweeps and single attacks in
    the store."""
    if content is None or samples is None:
        return moved_targets.ATTACKS
    stored = [s for name in ("sweep", "attack") for s in lab().store.on_data(name, content)]
    return moved_targets.attacks_in(stored, len(samples), damping, l2)


def with_others(tried: pd.DataFrame, others: pd.DataFrame) -> pd.DataFrame:
    """The targets of the sweep, and those that were attacked besides."""
    return pd.concat([tried, others[~others.index.isin(tried.index)]])


def no_attacks(dataset: str) -> None:
    st.info(
        f"No sweep over random targets of “{dataset}” is published, so that nothing can be said "
        "about what foretells success. Sweeps of one's own stand on the page “What does it cost?”; "
        "their targets are marked here."
    )


def page() -> None:
    st.title(PAGE.title)
    given, names = dict(st.query_params), data_choice.names_of(ROLE)
    name = controls.dataset_choice(form.Form(), names)
    content = data_choice.data_hash(name)  # stops the page where the data cannot be used
    swept, damping, l2 = attacks_of(name)
    samples = None if content is None else Samples(open_dataset(name))
    others = others_of(content, samples, damping, l2)
    known = others if swept is None else swept.result
    start = best_radius(known) if swept is not None else float(known["radius"].max())
    k, radius, expected = choose(known if len(known) else None, start)
    expected = {"dataset": names, **expected}
    used = {key: st.session_state[key] for key in expected if key in st.session_state}
    request = published_results.request_of(ROLE, name) or SensitivityRequest(name)
    request = replace(request, damping=damping, l2=l2)
    stored = door.find(EXPERIMENT, request)
    placed: dict[str, int | None] = {}
    if stored is not None and swept is not None:
        placed, of_bet = placed_bet(name, k, len(stored.result.norms))
        expected |= of_bet
    controls.finish(given, expected, used | placed)
    controls.show_notes()
    if stored is None:
        st.markdown(f"{PAGE.finding} For this data set it is not computed yet.")
        with st.container(border=True):
            door.offer(
                [door.Computation.of(EXPERIMENT, request)],
                f"{request.probes} random directions, a solve each: seconds on a small data set, "
                "minutes on a large one.",
                "direction",
            )
            door.show_refusal()
        return
    show(stored, request, swept, others[others["radius"] == radius], samples, k, radius, placed)


def show(
    stored: Stored,
    request: SensitivityRequest,
    swept: Stored | None,
    others: pd.DataFrame,
    samples: Samples | None,
    k: int,
    radius: float,
    placed: Mapping[str, int | None],
) -> None:
    result: SensitivityResult = stored.result
    names = hover_names(samples, len(result.norms))
    badge = badge_of(stored)
    table = moved_targets.ATTACKS if swept is None else swept.result
    tried = moved_targets.attempts(table, result, k, radius)
    marked = with_others(tried, moved_targets.attempts(others, result, k, radius))
    found = moved_targets.prediction("norm", tried, len(names))
    st.markdown(f"{finding(result, found)} :gray-badge[{badge}]")
    ringed: list[int] = []
    if swept is not None:
        with st.container(border=True):
            ringed = bet(tried, samples, k, len(names), placed)
    sensitivity_figure(stored, marked, names, radius, ringed, badge, samples)
    if more := len(marked) - len(tried):
        st.caption(
            f"Marked besides: {count(more, 'target')} of other attacks at this radius that are "
            "stored here. They are counted nowhere below, where every target was tried at every "
            "radius."
        )
    if swept is None:
        no_attacks(request.dataset)
    else:
        prediction_figures(tried, names, k, radius, swept, samples)
    formulas(request)
    take_away.show(
        stored,
        request,
        {"Samples": lambda: result_table(result, tried)},
        snippet=reproduce.sensitivity_snippet,
    )


page()
