"""Pages that look into one attack: that of the sidebar, a few controls of their own, a result."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from engine.data.dataset import Dataset
from engine.experiments import AttributionsRequest, AuditRequest
from engine.results.store import Stored
from pages.common.asking import controls, data_choice, door
from pages.common.asking.form import Form, keep_choice
from pages.common.asking.not_here import lacking
from pages.common.lab import published_results
from pages.common.lab.registry import PageEntry
from pages.common.lab.shared import datasets
from pages.common.widgets import blocks
from pages.common.widgets.charts import heading

R = TypeVar("R", AuditRequest, AttributionsRequest)


def nothing_against(dataset: Dataset) -> str:
    """Return the `refusal` of pages that look into attacks on any data set."""
    return ""


@dataclass(frozen=True)
class Question(Generic[R]):
    """What a page asks of an attack.

    experiment, role: of its results, and of the published ones. start: the request for a data set
    without a published one. own: makes the page's own controls, and puts what they hold into a
    request. heading, cost: what stands above a run of one's own, and what that takes. refusal: why
    there can be no run on a data set, empty where there can.
    """

    page: PageEntry
    experiment: str
    role: str
    start: Callable[[Dataset], R]
    own: Callable[[Form, Dataset, R], R]
    heading: str
    cost: str
    refusal: Callable[[Dataset], str] = nothing_against


@dataclass(frozen=True)
class ExaminedAttack(Generic[R]):
    """The result that a page shows; its figures go into `body`, its finding into `head`. as_asked:
    it is of the attack that is asked for, and not of the one that the page opens with instead."""

    request: R
    stored: Stored
    head: DeltaGenerator
    body: DeltaGenerator
    form: Form
    as_asked: bool

    @classmethod
    def open(cls, question: Question[R]) -> "ExaminedAttack[R]":
        """Draw title, sidebar, and at the end of the page a run of one's own; stops the page where
        there is nothing to show, and says so."""
        blocks.ask(question.page)
        form = Form()
        name = controls.dataset_choice(form, datasets())
        dataset = data_choice.opened(name)
        opening: R = published_results.request_of(question.role, name) or question.start(dataset)
        attack = controls.aim(form, dataset.n_train)
        keep_choice(**attack)
        head, body, bar = st.container(), st.container(), st.container(border=True)
        with bar:
            heading(question.heading)
            request = question.own(form, dataset, replace(opening, **attack))
            asked = door.Computation.of(question.experiment, request)
            refused = question.refusal(dataset)
            if refused:
                st.warning(refused)
            else:
                door.offer([asked], question.cost, "step")
            door.show_refusal()
        stored = asked.stored
        if stored is None and request != opening:
            stored = door.find(question.experiment, opening)
        with head:
            if stored is None:
                form.finish()
                run = "" if refused else " Run it below."
                st.markdown(lacking(name) + run)
                st.stop()
            if asked.stored is None and request != opening:
                st.info(
                    "The figures show the attack that this page opens with. The one asked for in "
                    "the sidebar and at the end of the page is not computed yet."
                )
        as_asked = asked.stored is not None
        return cls(request if as_asked else opening, stored, head, body, form, as_asked)

    def say(self, finding: str) -> None:
        """Say, once all controls are made, which part of the link cannot be used, and the
        finding."""
        with self.head:
            self.form.finish()
            st.markdown(finding)
