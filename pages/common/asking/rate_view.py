"""What of a sweep's success rates is looked at: k, the limit on accuracy, the count, the radius."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from engine.attacks import rates as counting
from engine.attacks.rates import CELL, highest
from engine.vocabulary import ACCURACY_TOLERANCE
from pages.common.asking import links
from pages.common.asking.form import HERE, Form, keep_choice
from pages.common.frames import distinct
from pages.common.keeping import shelf
from pages.common.words.rate_words import FORMS, SHOWN_FORMS, share

success_rates = shelf.kept(counting.success_rates)
share_rates = shelf.kept(counting.share_rates)
reweighing_rates = shelf.kept(counting.reweighing_rates)

COLUMNS = [5, 6]  # k beside the radius, whose name is the longer one
LOSSES = links.Range(0.0, 10.0, whole=False)  # points; the highest stands for no limit


@dataclass(frozen=True)
class RateView:
    """One k, one limit on accuracy (a share; None: none), one way to count (a form), one radius.

    The form is how success on the attacker's own test set is counted. On the unknown test set only
    returned models are counted: whoever looks for a run that succeeds there chooses by that set.
    """

    k: int
    tolerance: float | None
    form: str
    radius: float

    @property
    def limit(self) -> float:
        """Return the permitted fall of accuracy; without limit, all of it."""
        return 1.0 if self.tolerance is None else self.tolerance

    @shelf.kept
    def both(self, table: pd.DataFrame, by: Sequence[str] = CELL) -> pd.DataFrame:
        """Return rates of this form with accuracy kept and at any cost."""
        return self.counted(success_rates(table, self.limit, by))

    def counted(self, rates: pd.DataFrame) -> pd.DataFrame:
        """Return the rows of this form on the attacker's own test set, and of the returned models
        on the unknown one."""
        return rates[rates["form"].where(rates["split"] == "test", self.form) == self.form]

    @shelf.kept
    def rates(self, table: pd.DataFrame, by: Sequence[str] = CELL) -> pd.DataFrame:
        """Return rates of every k and radius under this limit and form."""
        rates = self.both(table, by)
        return rates[rates["regime"] == "high_accuracy"]

    @shelf.kept
    def shares(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return both readings of multi-target success at every k, under this limit, form and
        radius."""
        shares = share_rates(table[table["radius"] == self.radius], self.limit)
        return self.counted(shares[shares["regime"] == "high_accuracy"])


@shelf.kept
def on_own_test(rates: pd.DataFrame) -> pd.DataFrame:
    """Return the rows on the attacker's own test set."""
    return rates[rates["split"] == "test"]


@shelf.kept
def best_radius(table: pd.DataFrame) -> float:
    """Return the radius at which the attack keeps accuracy and succeeds most often, over all k."""
    by = ("radius",)
    rates = success_rates(table, ACCURACY_TOLERANCE, by).query(
        "form == 'any_run' and split == 'test'"
    )
    return float(highest(rates[rates["regime"] == "high_accuracy"])["radius"].iloc[0])


def choose_view(
    form: Form, table: pd.DataFrame, with_radius: bool = False, largest: bool = False
) -> RateView:
    """k, limit, count and (where it is asked for, and there are several) radius, from controls: all
    choose among what is computed. The limit stands above the figure, the others in the sidebar.
    `largest`: begin with the largest k, which only this page does, instead of the smallest."""
    ks, radii = distinct(table, "k"), distinct(table, "radius")
    several = with_radius and len(radii) > 1
    columns = st.sidebar.columns(COLUMNS) if several else [st.sidebar]
    k = form.choice(
        columns[0],
        "Into the top",
        "k",
        ks,
        "How many places count as the top (k).",
        ks[-1] if largest else ks[0],
        nearest=True,
        carried=not largest,
    )
    radius = radii[0]
    if several:
        radius = form.choice(
            columns[-1],
            "Model moves by",
            "radius",
            radii,
            "How far the malicious model may lie from the honest one, as a share of its weights' "
            "size (norm): the paper's radius. Of the figures that show a single one.",
            best_radius(table),
            nearest=True,
            words=share,
        )
    points = form.slider(
        HERE,
        "Accuracy we may lose (points)",
        "tolerance",
        LOSSES,
        100 * ACCURACY_TOLERANCE,
        0.5,
        "On data that the attacker never saw; the paper permits 3 points. "
        f"{LOSSES.high:g} stands for no limit.",
    )
    keep_choice(tolerance=points)
    named = form.choice(
        st.sidebar,
        "Arrives in",
        "form",
        list(FORMS.values()),
        "Some try of the attack, as the paper counts, or the one model that it hands out, which is "
        "chosen without the unseen data.",
        words=SHOWN_FORMS.__getitem__,
    )
    counted = next(counted for counted, name in FORMS.items() if name == named)
    return RateView(k, None if points >= LOSSES.high else points / 100, counted, radius)
