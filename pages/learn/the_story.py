"""The story: eight steps, one figure that changes from step to step, on published results."""

import streamlit as st

from pages.common.asking import links
from pages.common.asking.form import Form
from pages.common.lab import registry
from pages.common.lab.shared import badge_of, open_dataset
from pages.common.widgets.badge import mark_origin
from pages.common.widgets.component import Component
from pages.learn.parts import story_figures, story_sources
from pages.learn.parts.story_sources import Sources

PAGE = registry.page("story")
STEP, KEY = "step", "the-story"  # in links; of the figure
OPENS = f"{KEY}-opens"  # the session state's name for the step at which it opened
STEPS = links.Range(1, 8)
FIGURE = Component("story", "drawing.js", "story_scenes.js", "story_more.js")


def told(found: Sources, step: int) -> None:
    """Show the figure, at `step` when the page opens."""
    if KEY not in st.session_state:
        st.session_state[OPENS] = step
    more = {"open": st.session_state[OPENS]}
    FIGURE.show(KEY, story_figures.told(found), more, step=lambda: None)
    origin = mark_origin(badge_of(found.stored[0]))
    st.caption(f"Step 6 is computed as you drag. The other steps show stored results.{origin}")


def chosen() -> None:
    """Take over the step that the figure has come to: it is part of the link. A visitor who comes
    from another page comes to the step of the link."""
    if KEY not in st.session_state:
        st.session_state.pop(STEP, None)
    come_to = (st.session_state.get(KEY) or {}).get(STEP)
    if isinstance(come_to, int) and STEPS.low <= come_to <= STEPS.high:
        st.session_state[STEP] = come_to


def page() -> None:
    st.title(PAGE.title)
    chosen()
    form = Form()
    step = form.clicked(STEP, STEPS, 1)
    found = story_sources.collect(open_dataset(links.EXAMPLE.dataset))
    if found is None:
        st.info(
            "The story needs the published results that come with the lab, and some of them are "
            "not here. `python -m engine publish` computes them again."
        )
    else:
        st.markdown(PAGE.question)
        told(found, step)
    form.finish()


page()
