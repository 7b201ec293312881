"""Pages that look into one attack: that of the sidebar, a few controls of their own, a result."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from engine.data.dataset import Dataset
from engine.errors import EngineError
from engine.results.store import Stored
from pages.common.asking import controls, door, form, links
from pages.common.lab import published_results
from pages.common.lab.registry import PageEntry
from pages.common.lab.shared import datasets, open_dataset
from pages.common.widgets.charts import heading

# The controls of one's own, bound to the address: their values, and what a link may hold.
Own = Callable[[Dataset, Any], tuple[dict[str, Any], links.Expected]]


@dataclass(frozen=True)
class Inquiry:
    """The result that a page shows, None where there is none; its figures go into `body`."""

    request: Any
    stored: Stored | None
    dataset: Dataset
    head: DeltaGenerator
    body: DeltaGenerator
    given: Mapping[str, str]
    expected: links.Expected
    used: Mapping[str, Any]

    @classmethod
    def open(
        cls,
        page: PageEntry,
        experiment: str,
        role: str,
        start: Callable[[Dataset], Any],
        own: Own,
        ask: str,
        cost: str,
        what: str,
        refusal: Callable[[Dataset], str] = lambda dataset: "",
    ) -> "Inquiry":
        """Title, sidebar, and at the end of the page a run of one's own. `start` is the request for
        a data set without a published one, `cost` says what a run takes, `what` it counts;
        `refusal` why there can be none on a data set, empty where there can."""
        st.title(page.title)
        given, names = dict(st.query_params), datasets()
        name = controls.dataset_choice(form.Form(), names)
        try:
            dataset = open_dataset(name)
        except EngineError as error:
            st.error(f"The data set “{name}” cannot be used. {error}")
            st.stop()
        opening = published_results.request_of(role, name) or start(dataset)
        attack = controls.parameters(form.Form(), dataset.n_train)
        form.keep_choice(**attack)
        head, body, bar = st.container(), st.container(), st.container(border=True)
        with bar:
            heading(ask)
            values, expected = own(dataset, opening)
            request = replace(opening, **attack, **values)
            part = door.Computation.of(experiment, request)
            refused = refusal(dataset)
            if refused:
                st.warning(refused)
            else:
                door.offer([part], cost, what)
            door.show_refusal()
        stored = part.stored
        shown = request if stored is not None else opening
        if stored is None:
            stored = door.find(experiment, opening)
        ranges = links.ranges(dataset.n_train)
        allowed = {"dataset": names, **{n: ranges[n] for n in attack}, **expected}
        used = {"dataset": name, **attack, **values}
        inquiry = cls(shown, stored, dataset, head, body, given, allowed, used)
        with head:
            if refused:
                inquiry.notes({})
                st.markdown(page.finding)
            elif stored is None:
                inquiry.notes({})
                st.markdown(
                    f"{page.finding} For this attack nothing is computed yet: run it below."
                )
            elif shown != request:
                st.info(
                    "The figures show the attack that this page opens with. The one asked for in "
                    "the sidebar and at the end of the page is not computed yet."
                )
        return inquiry

    def notes(self, expected: links.Expected) -> None:
        """Say what of the link cannot be used; `expected` are the controls among the figures."""
        held = {name: st.session_state[name] for name in expected}
        controls.finish(self.given, {**self.expected, **expected}, {**self.used, **held})
        controls.show_notes()
