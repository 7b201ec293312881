"""How far must the model go? The smallest radius of each target, instead of a grid of radii."""

from collections.abc import Sequence
from html import escape

import numpy as np
import streamlit as st

from engine.experiments import MinimalRadiusRequest, MinimalRadiusResult
from engine.experiments.minimal_radius import pooled
from engine.results.store import Stored
from pages.attack.parts import radius_figures, radius_words
from pages.common.asking import controls, data_choice, door, links
from pages.common.asking.form import Form
from pages.common.asking.not_here import offer_instead
from pages.common.keeping import shelf
from pages.common.lab import published_results, registry
from pages.common.lab.shared import provenance
from pages.common.samples import Samples
from pages.common.widgets import blocks, charts, take_away, unfold
from pages.common.widgets.figure import FigureBlock
from pages.common.words.wording import count

PAGE = registry.page("how-far")
EXPERIMENT, ROLE = "minimal-radius", "minimal"


def allow(form: Form, result: MinimalRadiusResult, enough: float) -> float:
    """Ask with a slider how far the model may go, and return it as a radius. enough: the radius at
    which a search ended, if it did."""
    end = round(100 * radius_words.edge(result))
    start, step = radius_words.opening(result, enough)
    percent = form.slider(
        st.container(),  # as wide as the figure, whose axis has the same ends
        "How far may the model move? (% of its weights' size)",
        "within",
        links.Range(0.0, float(end), whole=False),
        start,
        step,
        "The paper's radius, in percent. Samples that need no more keep their colours below.",
    )
    return percent / 100


@shelf.kept
def curve_figure(stored: Stored, within: float, enough: float, earlier: int) -> FigureBlock:
    """earlier: how many earlier versions of the search were run on the same samples."""
    result: MinimalRadiusResult = stored.result
    return FigureBlock(
        name="moved-within-radius",
        title=radius_words.curve_title(result, within),
        kind="Number of samples moved within each change of the model, as a staircase",
        build=radius_figures.curve,
        values=(result, within),
        table=lambda: radius_words.targets_table(result),
        results=(stored,),
        caption=f"Each step is one sample. {radius_words.ends(result, enough)}".rstrip()
        + radius_words.seen_before(earlier),
        details="A step stands at the smallest change that was found for its sample: the distance "
        "between the returned model and the honest one, as a share of the size (norm) of all "
        "honest weights. It is an upper bound: a nearer model may exist.",
    )


@shelf.kept
def rank_figure(stored: Stored, samples: Samples | None) -> FigureBlock:
    result: MinimalRadiusResult = stored.result
    return FigureBlock(
        name="radius-against-rank",
        title=radius_words.scatter_title(result),
        kind="Smallest radius of each target against its rank under the honest model",
        build=radius_figures.against_rank,
        values=(result, samples),
        table=lambda: radius_words.targets_table(result),
        results=(stored,),
        samples=samples,
        at=radius_figures.SAMPLE,
    )


def pictures(result: MinimalRadiusResult, samples: Samples, within: float) -> None:
    """Show every target, the easiest first, with a bar as long as its radius; pale where it needs
    more than `within`."""
    charts.heading("The samples, the easiest first")
    st.caption(
        "Number and bar: the smallest move of the model that was found. Pale: needs more than the "
        f"{100 * within:g}% chosen above."
    )
    farthest = max(result.radius[result.arrived], default=1.0)
    order = np.argsort(np.where(result.arrived, result.radius, np.inf), kind="stable")
    inside = result.moved(within)
    cells = []
    for place in order:
        target = int(result.targets[place])
        found = bool(result.arrived[place])
        needs = radius_words.percent(result.radius[place]) if found else "not moved"
        width = 3.6 * (result.radius[place] / farthest if found else 0)
        bar = (
            f'<div style="height:.35rem;width:{width:.2f}rem;background:var(--ial-attacked)"></div>'
        )
        lines = [
            bar,
            f"<b>{needs}</b>",
            f'<span class="note">sample {target}, “{escape(samples.label(target))}”</span>',
        ]
        shown = blocks.portrait(samples, target)
        cells.append((shown if inside[place] else f'<div style="opacity:.3">{shown}</div>', lines))
    blocks.grid(cells)


def later_lots(dataset: str) -> dict[MinimalRadiusRequest, Stored]:
    """Return the lots of targets that were compared after the first, those that are here."""
    found = {
        request: door.find(EXPERIMENT, request)
        for request in published_results.requests_of(ROLE, dataset)[1:]
    }
    return {request: stored for request, stored in found.items() if stored is not None}


@shelf.kept
def together(lots: Sequence[Stored]) -> MinimalRadiusResult:
    """Return the result of all lots."""
    return pooled([lot.result for lot in lots])


@shelf.kept
def rivals_figure(lots: Sequence[Stored]) -> FigureBlock:
    result = together(lots)
    return FigureBlock(
        name="search-and-attacks",
        title=radius_words.rivals_title(result),
        kind="Samples moved by the search and by attacks that are given a radius",
        build=radius_figures.rivals,
        values=(result,),
        table=lambda: radius_words.comparison(result, len(lots)),
        results=tuple(lots),
    )


@unfold.section("Do attacks that are given a radius move as many?", "comparison")
def comparison(stored: Stored, request: MinimalRadiusRequest) -> None:
    later = later_lots(request.dataset)
    lots = (stored, *later.values())
    result, looks = together(lots), len(lots)
    rivals_figure(lots).show()
    st.markdown(
        "A sample counts here when a search of many tries brings it to the top. The page on costs "
        "gives an attack one radius, *Is any score safe* counts the top 10 after one start, and "
        "both try other samples: so their counts differ."
    )
    st.markdown(
        radius_words.verdict(result, looks)
        if request.equal_time
        else radius_words.against_others(result)
    )
    blocks.table(
        radius_words.comparison(result, looks), "The search beside other attacks, target by target"
    )
    st.caption(radius_words.comparison_caption(result, request, looks))
    for number, (asked, lot) in enumerate({request: stored, **later}.items(), start=1):
        if (planned := published_results.planned(asked)) is not None:
            which = f" for lot {number}" if looks > 1 else ""
            computed, ended = len(lot.result.targets), published_results.ended(asked)
            st.caption(radius_words.planned_caption(planned, computed, which, ended))
    if looks > 1:
        last = list(later)[-1]
        st.caption(radius_words.looks_caption([lot.result for lot in lots], request, last))
    for lot in later.values():
        st.caption(provenance(lot))


@unfold.section("Do samples near the top or the bottom need less?", "by-rank")
def by_rank(stored: Stored, samples: Samples | None) -> None:
    rank_figure(stored, samples).show()


@unfold.section("How the search works", "method")
def method(request: MinimalRadiusRequest) -> None:
    st.markdown(
        "An attack at a fixed radius says yes or no. This search asks for the least radius. With "
        "$t$ the target, it looks at the largest gap between another sample's score and the "
        "target's:"
    )
    st.latex(
        r"\varphi(\theta)=\max_{j\ne t}\frac{I_j-I_t}{\operatorname{std}(I)},\qquad"
        r"\text{rank }1\iff\varphi<0"
    )
    st.markdown(
        f"1. **Start wide.** Algorithm 3 brings the target to the top within radius "
        f"{radius_list(request.start_radii)}; each model found is a start.{rounds_line(request)}\n"
        "2. **Shrink.** The radius is multiplied by 0.9. Each step within it approximates the "
        f"{request.competitors} highest scores linearly and lowers the largest gap. A step "
        "counts if $\\varphi$ falls. Once $\\varphi<0$, the radius shrinks again.\n"
        "3. **Tighten.** Where shrinking gets stuck, steps lower the radius itself while every "
        "approximated gap stays below 0.\n"
        f"{hops_line(request)}{refine_line(request)}\n"
        "The reported model is the nearest of all that were looked at whose **exact scores**, in "
        "double precision, have the target in the top"
        + (
            f", and that loses at most {100 * request.tolerance:g} points of accuracy on the "
            "attacker's test set."
            if request.tolerance is not None
            else "."
        )
        + f" The targets were drawn by seed {request.targets_seed}, without those on which the "
        "search was tuned."
    )


def rounds_line(request: MinimalRadiusRequest) -> str:
    """Say how often the search begins again, with a space before; nothing where it does not."""
    if request.rounds == 1:
        return ""
    return (
        " After these, the same from other random starts: at most "
        f"{count(request.rounds, 'round')}, and none after one that gains less than 1% of the "
        "radius."
    )


def hops_line(request: MinimalRadiusRequest) -> str:
    """Say how the search leaves a local minimum; nothing where it does not."""
    if not request.hops:
        return ""
    return (
        "4. **Hop.** Each search ends in one of many local minima. So the nearest model is moved "
        "at random and the search repeated from there, until "
        f"{count(request.hops, 'repetition')} in a row gain less than 1% of the radius.\n"
    )


def refine_line(request: MinimalRadiusRequest) -> str:
    """Say how the nearest models are refined; nothing where they are not."""
    if not request.refined:
        return ""
    return (
        f"{5 if request.hops else 4}. **Refine.** At most {request.refined} of the nearest models "
        "move on, each to almost a local minimum of the radius. Their steps follow the bend of "
        "$\\varphi=0$, which those before leave.\n"
    )


def radius_list(radii: object) -> str:
    values = [f"{value:g}" for value in radii] if isinstance(radii, tuple | list) else []
    return " or ".join(values)


def not_computed(asked: door.Computation[MinimalRadiusRequest]) -> None:
    """Say, where there is no result, what it takes to have one."""
    cost = (
        f"A search for each of {count(asked.request.n_targets, 'target')}, and the attacks it is "
        "compared with: minutes on a small data set, longer on a large one."
    )
    offer_instead(PAGE, asked, cost, "part")


def page() -> None:
    st.title(PAGE.title)
    form = Form()
    name = controls.dataset_choice(form, data_choice.names_of(ROLE))
    samples = data_choice.samples_of(name)  # stops the page where the data cannot be used
    request = published_results.request_of(ROLE, name) or MinimalRadiusRequest(dataset=name)
    asked = door.Computation.of(EXPERIMENT, request)
    stored = asked.stored
    if stored is None:
        form.finish()
        not_computed(asked)
        return
    result: MinimalRadiusResult = stored.result
    st.markdown(radius_words.finding(result, request.enough))
    within = allow(form, result, request.enough)
    form.finish()
    earlier = published_results.earlier(request)
    curve_figure(stored, within, request.enough, earlier).show()
    if samples is not None:
        pictures(result, samples, within)
    if not request.enough:
        by_rank(stored, samples)
    comparison(stored, request)
    method(request)
    take_away.show(
        stored,
        request,
        {
            "Targets": lambda: radius_words.targets_table(result),
            "Models looked at": lambda: result.path,
            "Starts": lambda: result.starts,
            "Other attacks": lambda: result.others,
        },
    )


page()
