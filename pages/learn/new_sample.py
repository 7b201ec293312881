"""What is a new sample worth, and where? A point to drag through a plane, and real candidates."""

import streamlit as st

from engine.experiments import CandidatesRequest, CandidatesResult, PlaygroundRequest
from engine.results.store import Stored
from pages.common.asking import data_choice, door, own_data
from pages.common.asking.controls import dataset_choice
from pages.common.asking.form import Form
from pages.common.asking.not_here import offer_instead
from pages.common.keeping import shelf
from pages.common.lab import published_results, registry
from pages.common.lab.shared import badge_of, class_names_of, is_here, open_dataset
from pages.common.samples import Samples
from pages.common.widgets import badge, blocks, charts, plane, take_away, unfold
from pages.common.widgets.figure import FigureBlock
from pages.common.words.code_names import data_name
from pages.common.words.wording import plain
from pages.learn.parts import new_sample_figures as figures
from pages.learn.parts import new_sample_words as words

PAGE = registry.page("new-sample")
ROLE = "candidates"
COST = "An attack on two features: some seconds on a laptop."
CANDIDATES_COST = "An attack, and two trainings for each checked candidate: a minute on a laptop."


@shelf.kept
def candidates_figure(
    stored: Stored, names: tuple[str, ...], samples: Samples | None
) -> FigureBlock:
    """Draw every candidate under both models."""
    result: CandidatesResult = stored.result
    return FigureBlock(
        name="candidates",
        title=words.candidates_title(result),
        kind="Scores of unseen samples under the honest and under the malicious model",
        build=figures.candidates,
        values=(result, names),
        table=lambda: words.candidates_table(result, names),
        results=(stored,),
        samples=samples,
        caption="A mark is a sample that is not in training, with its true label. A positive score "
        "pulls the test loss up. Axes are logarithmic away from zero. Both rankings of these "
        f"candidates agree to {result.correlation:.2f} (Spearman).",
    )


@shelf.kept
def check_figure(stored: Stored) -> FigureBlock:
    """Draw prediction against measurement."""
    result: CandidatesResult = stored.result
    return FigureBlock(
        name="check",
        title=words.check_title(result),
        kind="Predicted against measured effect of training with a candidate",
        build=figures.check,
        values=(result,),
        table=lambda: result.check,
        results=(stored,),
        caption="Each model is trained to its minimum with the candidate at a tiny weight; the "
        f"honest model's score is computed with the damping equal to L2.{words.fragile(result)}",
    )


@unfold.section("What they are worth, before the attack and after it", "candidates")
def candidates(name: str) -> None:
    request = published_results.request_of(ROLE, name) or CandidatesRequest(name)
    asked = door.Computation.of("candidates", request)
    if asked.stored is None:
        st.markdown(f"For “{data_name(name)}” this is not computed yet.")
        door.offer([asked], CANDIDATES_COST, "stage")
        return
    result: CandidatesResult = asked.stored.result
    classes = class_names_of(name, result.honest.shape[1])
    samples = Samples(open_dataset(name), "holdout") if is_here(name) else None
    candidates_figure(asked.stored, classes, samples).show()
    if len(result.check):
        check_figure(asked.stored).show()
    tables = {
        "Candidates": lambda: words.candidates_table(result, classes),
        "Check": lambda: result.check,
    }
    label = "Take the candidates with you"
    take_away.folded(label, "take-candidates", asked.stored, request, tables)


@unfold.section("What is computed (beyond the paper)", "formulas")
def formulas() -> None:
    blocks.prose("learn/texts/new-sample.md")


def take_plane(stored: Stored, request: PlaygroundRequest) -> None:
    tables = {"Points": lambda: words.points_table(stored.result)}
    label, name = "Take the plane with you", f"{request.points}-plane"
    take_away.folded(label, "take-plane", stored, request, tables, name)


def page() -> None:
    st.title(PAGE.title)
    form = Form()
    head = st.container()
    places, real = st.container(), st.container()
    with real:
        charts.heading("And real samples, which the model was not trained on?")
        name = dataset_choice(form, data_choice.names_of(ROLE, "candidates"), st.container())
    shown = {words.SHOWN[points]: points for points in words.SHOWN}
    word = form.segments(
        st.sidebar, "Training samples", "points", list(shown), next(iter(shown)),
        "Drawn by a seed, or real digits on two principal components.",
        words=words.SHORT.__getitem__,
    )  # fmt: skip
    form.finish()
    request = PlaygroundRequest(shown[word])
    asked = door.Computation.of("playground", request)
    if asked.stored is None:
        with head:
            offer_instead(PAGE, asked, COST, "step")
    else:
        result = asked.stored.result
        own = own_data.current()
        where = f" This plane is not “{plain(own)}”: its own candidates stand below." if own else ""
        head.markdown(f"{words.finding(result)}{where}")
        with places:
            st.markdown(words.what_is_shown(request, result))
            plane.show(plane.plane(result), f"plane-{request.points}")
            badge.note(badge_of(asked.stored))
            with st.expander("What the attack did, and how exact this is"):
                st.caption(f"{words.attacked(result)} {words.origin(request, result)}")
    with real:
        candidates(name)
    formulas()
    if asked.stored is not None:
        take_plane(asked.stored, request)


page()
