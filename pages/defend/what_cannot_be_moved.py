"""What cannot be moved: certified gradient norms and radii, and the models that tried them."""

import pandas as pd
import streamlit as st

from engine.experiments import (
    CertificatesRequest,
    CertificatesResult,
    MinimalRadiusResult,
    Request,
)
from engine.results.store import Stored
from pages.common.asking import door
from pages.common.asking.form import Form
from pages.common.frames import distinct
from pages.common.keeping import shelf
from pages.common.lab import published_results, registry
from pages.common.widgets import blocks, take_away, unfold
from pages.common.widgets.figure import FigureBlock
from pages.defend.parts import certificate_figures as drawn
from pages.defend.parts import certificate_words as words
from pages.defend.parts import other_case, result_page

PAGE = registry.page("what-cannot-be-moved")
EXPERIMENT = ROLE = "certificates"
PROOF = "defend/texts/certificates.md"
COST = (
    "Computes some twenty bounds with dense eigenvalue problems, and tries them with 12,000 "
    "models: some five minutes for digits on a laptop."
)


def found_of(role: str, experiment: str, dataset: str) -> Stored | None:
    """Return the published result of a role on the same data; None where it is not here."""
    request: Request | None = published_results.request_of(role, dataset)
    return None if request is None else door.find(experiment, request)


@shelf.kept
def least_attacked(stored: Stored) -> float | None:
    """Return the smallest gradient norm of a published model that put its target into the top."""
    table = succeeded(stored.result)
    return None if table.empty else float(table["gradient_norm"].min())


@shelf.kept
def shares_figure(stored: Stored, checked: Stored | None, k: int) -> FigureBlock:
    result: CertificatesResult = stored.result
    attacked = None if checked is None else least_attacked(checked)
    table = drawn.shares_table(result, k)
    return FigureBlock(
        name="certified-shares",
        key=f"shares-{k}",
        title="How many samples are proven safe at each slope",
        kind="Share of the samples that no model can move, by its gradient norm",
        build=drawn.shares,
        values=(table, attacked),
        results=(stored, checked) if checked is not None else (stored,),
        caption="The slope is the norm of the training loss's gradient."
        f"{words.succeeded_from(attacked)}",
    )


@shelf.kept
def by_norm(stored: Stored, checked: Stored | None, k: int) -> FigureBlock:
    """Draw the certified gradient norm of each sample, and the smallest at which it was moved."""
    least = {} if checked is None else least_norms(checked, k)
    table = words.by_norm_table(stored.result, k, least)
    return FigureBlock(
        name=f"certified-norms-top-{k}",
        title=words.sandwich_title(table, "gradient norm"),
        kind="Certified gradient norm of every sample, and the smallest at which it was moved",
        build=drawn.sandwich,
        values=(table, "gradient norm", "a model got it in"),
        results=(stored,) if checked is None else (stored, checked),
        caption=f"{words.pushed_said(stored.result, k)} The other diamonds are published attacks "
        "that succeeded. What lies between the marks of a sample is open.",
    )


def least_norms(checked: Stored, k: int) -> dict[int, float]:
    """Return the smallest gradient norm of a published model that has each target in its top k."""
    table = succeeded(checked.result)
    norms = table[table["k"] <= k].groupby("target")["gradient_norm"].min()
    return dict(zip(norms.index.tolist(), norms.tolist(), strict=True))


def succeeded(table: pd.DataFrame) -> pd.DataFrame:
    """Return the published models that put their target into the top."""
    return table[table["kind"].isin(["attacked", "adaptive"]) & table["success"]]


@shelf.kept
def least_radii(found: Stored, k: int) -> pd.Series:
    """Return the smallest radius at which each target got into the top k, by the search for it or,
    of a sweep, by the attacks at the radii that were tried."""
    result: MinimalRadiusResult | pd.DataFrame = found.result
    if isinstance(result, MinimalRadiusResult):
        arrived = result.arrived
        return pd.Series(result.radius[arrived], index=result.targets[arrived])
    moved = result[(result["k"] == k) & result["success"]]
    radii: pd.Series = moved.groupby("target")["radius"].min()
    return radii


def attacks_for(k: int, dataset: str) -> Stored | None:
    """Return the published search for the smallest radius where it is here and for this k;
    otherwise the published sweep."""
    searched = found_of("minimal", "minimal-radius", dataset)
    if searched is not None and searched.result.k == k:
        return searched
    return found_of("cost", "sweep", dataset)


@shelf.kept
def by_radius(stored: Stored, attacks: Stored | None, k: int) -> FigureBlock:
    """Draw the certified radius of each sample, and the smallest at which an attack succeeded."""
    table = stored.result.of(k)[["sample", "rank", "radius"]]
    table = table.rename(columns={"radius": "certified"})
    found = pd.Series(dtype=float) if attacks is None else least_radii(attacks, k)
    table["found"] = table["sample"].map(found)
    searched = attacks is not None and isinstance(attacks.result, MinimalRadiusResult)
    tried = (
        "the search for the smallest radius of each target"
        if searched
        else "the smallest radius of the published sweep at which the returned model has its "
        f"target in the top {k}"
    )
    return FigureBlock(
        name=f"certified-radii-top-{k}",
        title=words.sandwich_title(table, "radius"),
        kind="Certified radius of every sample, and the smallest at which an attack succeeded",
        build=drawn.sandwich,
        values=(table, "radius", "an attack succeeded"),
        results=(stored,) if attacks is None else (stored, attacks),
        caption=f"Radius: ‖θ′ − θ*‖ / ‖θ*‖, as on the pages of the attack. Attacks: {tried}. "
        "Samples without a diamond were not attacked, or no attack succeeded.",
    )


@shelf.kept
def depth_figure(stored: Stored) -> FigureBlock:
    depths: pd.DataFrame = stored.result.depths
    n = int(stored.result.samples["sample"].nunique())
    return FigureBlock(
        name="certified-depth",
        title=words.depth_title(depths, n),
        kind="Samples whose order is certified after each Newton step",
        build=drawn.depth,
        values=(depths, n),
        results=(stored,),
        caption=words.depth_said(depths),
    )


@unfold.section("Sample by sample: what is proven, and what attacks need", "norms")
def by_sample(stored: Stored, checked: Stored | None, k: int, dataset: str) -> None:
    by_radius(stored, attacks_for(k, dataset), k).show()
    by_norm(stored, checked, k).show()


@unfold.section("What a few Newton steps certify", "polished")
def polished(stored: Stored) -> None:
    depth_figure(stored).show()


@unfold.section("Tried on the edge, and how it is proven", "tried")
def tried(stored: Stored) -> None:
    result: CertificatesResult = stored.result
    st.markdown(f"**{words.tried_title(result)}**")
    blocks.table(words.tried_table(result), "Models that were tried, and how often a sample got in")
    st.caption(
        "Each model has a gradient norm for which samples are certified. Violations: how often a "
        "certified sample was in the top k all the same. Of the lead: which share of its distance "
        "to the sample that keeps it out a model took away at most, the median and the largest "
        "over all samples. 100% would be the end of the certificate."
    )
    blocks.table(words.shares_table(result), "Share certified at round gradient norms")
    blocks.prose(PROOF)


@unfold.section("How it is proven", "proof")
def proof() -> None:
    blocks.prose(PROOF)


def results(form: Form, stored: Stored, request: CertificatesRequest) -> None:
    """Show the finding, and below it what it rests on."""
    checked = found_of("defence", "defence", request.dataset)
    st.markdown(words.finding(stored.result))
    k = form.choice(
        st.columns([1, 3])[0],
        "Samples cannot reach",
        "k",
        distinct(stored.result.samples, "k"),
        "Rank 1, or any of the first ten ranks.",
        nearest=True,
        words=lambda k: "rank 1" if k == 1 else f"the top {k}",
    )
    form.finish()
    shares_figure(stored, checked, k).show()
    other_case.show(PAGE)
    by_sample(stored, checked, k, request.dataset)
    polished(stored)
    tried(stored)
    take_away.show(stored, request, {"Samples": lambda: stored.result.samples})


result_page.show(PAGE, ROLE, EXPERIMENT, COST, results, proof)
