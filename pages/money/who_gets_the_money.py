"""Who gets the money? Payments to vendors, before and after an attack on the valuation."""

import pandas as pd
import streamlit as st

from engine.data.dataset import Dataset
from engine.errors import InvalidInput
from engine.experiments import PaymentsRequest, PaymentsResult
from engine.market.vendors import Vendors, vendor_columns, vendors_of_column
from engine.results.store import Stored
from pages.common.asking import controls, data_choice, door, halves, links, openings
from pages.common.asking.form import Form, Place
from pages.common.asking.not_here import offer_instead
from pages.common.keeping import shelf
from pages.common.lab import registry
from pages.common.samples import Samples
from pages.common.widgets import blocks, take_away, unfold
from pages.common.widgets.figure import FigureBlock
from pages.common.words.smaller import made_smaller
from pages.common.words.wording import paid_end
from pages.money.parts import money_figures as drawn
from pages.money.parts import money_words as words

PAGE = registry.page("who-gets-the-money")
ROLE, EXPERIMENT = "payments", "payments"
BUDGET = links.Range(1, 10**9)
MOST_VALUES = 20  # of a column that is offered
COST = (
    "Five attacks by the trainer and a dozen by vendors and valuators, on twenty draws of vendors: "
    "a quarter of an hour for digits on a laptop."
)


@shelf.kept
def few_values(dataset: Dataset) -> list[str]:
    """Return the columns of a table with names that hold few values: each may say who sold a
    row."""
    return vendor_columns(dataset, MOST_VALUES) if dataset.feature_names else []


def choose_vendors(
    form: Form, place: Place, result: PaymentsResult, samples: Samples | None
) -> tuple[str, Vendors]:
    """Return who owns the samples: one of the stored schemes, or a column of a table that is
    here."""
    columns = [] if samples is None else few_values(samples.dataset)
    offered = [
        word
        for word, name in words.SCHEMES.items()
        if name in result.schemes or (name == "column" and columns)
    ]
    own = next(word for word, name in words.SCHEMES.items() if name == result.scheme)
    scheme = form.choice(
        place, "Vendors", "vendors", offered, "Who owns which samples.", own, carried=False
    )
    name = words.SCHEMES[scheme]
    if name == "column" and samples is not None and columns:
        column = form.choice(
            st.columns([1, 3])[0], "Column", "column", columns,
            "Each of its values is one vendor.", carried=False,
        )  # fmt: skip
        return name, vendors_of_column(samples.dataset, column)
    return name, result.schemes[name]


@shelf.kept
def earned(stored: Stored, vendors: Vendors, rule: str, attack: str, budget: float) -> pd.DataFrame:
    """Return what each vendor earns, before and after. Raises InvalidInput where nobody is paid."""
    return words.vendors_table(*words.both(stored.result, vendors, rule, attack, budget, "test"))


@shelf.kept
def bars_figure(
    stored: Stored, vendors: Vendors, favoured: str | None, rule: str, attack: str, budget: float
) -> FigureBlock:
    result: PaymentsResult = stored.result
    before, after = words.both(result, vendors, rule, attack, budget, "test")
    table = words.vendors_table(before, after)
    return FigureBlock(
        name=f"payments-{rule}",
        key="bars",
        title=words.bars_title(table),
        kind="Money of each vendor by the honest and the malicious model",
        build=drawn.bars,
        values=(table, favoured, budget),
        results=(stored,),
        caption=f"**Who is paid?** {words.rule_words(result, rule)} {paid_end(result.order)}",
        details=words.concentration(before, after),
    )


@shelf.kept
def pairs_figure(stored: Stored, attack: str, radius: float, agreement: str) -> FigureBlock:
    """Draw both attacks draw by draw. agreement: how far two honest rankings agree, as the caption
    ends."""
    result: PaymentsResult = stored.result
    return FigureBlock(
        name=f"pairs-{attack}",
        key="pairs",
        title=words.pairs_title(result, attack),
        kind="Share of the favoured vendor by two attacks, draw by draw",
        build=drawn.pairs,
        values=(result.against_moving(attack),),
        results=(stored,),
        caption=f"{words.pairs_price(result, attack, radius)}{agreement}",
    )


@unfold.section("Does it pay to aim at pay? Draw by draw", "pairs")
def beside_moving(stored: Stored, attack: str, radius: float) -> None:
    if stored.result.against_moving(attack).empty:
        st.info("In no draw is there a payment by both attacks to compare.")
        return
    agreement = halves.beside(str(stored.manifest.request["dataset"]))
    pairs_figure(stored, attack, radius, agreement).show()


@unfold.section("What is computed, and where it comes from", "formulas")
def formulas() -> None:
    st.markdown(
        "With $w_i\\ge 0$ what the rule weighs sample $i$ with and $V$ the vendor's samples, its "
        "share is $S=\\sum_{i\\in V}w_i/\\sum_i w_i$. The colluding trainer lowers "
        "$\\sum_i c_i I_i$ with $c=-\\partial S/\\partial I$, frozen at every step, by the same "
        "steps as every other attack of this lab:"
    )
    st.latex(r"\frac{\partial S}{\partial I_i}=\frac{w_i'\,(1[i\in V]-S)}{\sum_j w_j}")
    st.markdown(
        "For the top k and for ranks the steps of $w$ are drawn with a width that narrows to a "
        "tenth. **Outliers** follow the Outlier Attack of Wang, Hu, Deng and Ma (2025), which "
        "perturbs samples, labels kept, until the model errs, and counts how many of the best "
        "samples of each test point are the vendor's. Here the smallest such change of a linear "
        "model is known in closed form, the outliers come on top of what is delivered, and what "
        "counts is money. Counted their way, with outliers in place of the delivery, the vendor "
        "gains as well: the lab's tests check that. "
        "**Copies**: Shapley values are known to reward them (Han et al. 2022); influence, whose "
        "scores are paid for here, does so under most rules. "
        "**Names**: the first three rules add up over samples, so that other names bring nothing; "
        "by vendor, harmful samples sold under another name no longer count against the rest. A "
        "**valuator** changes no model: it reports the best for the vendor of what it has tried, "
        "so that its gains hold the luck of the best of many."
    )


@unfold.section("Who else could gain, what it costs, and what it brings", "attackers")
def attackers(stored: Stored, request: PaymentsRequest, rule: str, budget: float) -> None:
    """Show the table of who attacks, what it costs and what it brings."""
    result: PaymentsResult = stored.result
    blocks.table(
        words.attackers_table(result, rule, budget),
        "Attackers, how far they go, accuracy lost and money earned",
    )
    st.caption(
        f"Means over {result.table['draw'].nunique()} draws, each with a vendor of its own that "
        "somebody favours; money of the budget above. Accuracy is on held-out data. "
        f"{words.directions(result, rule)} {words.neighbours_words(result, rule)}"
        f"{words.unpaid(result, rule)}{made_smaller(request)}"
    )


def linked() -> bool:
    """Return whether a link asks for other vendors, another budget or another attack."""
    return any(name in st.query_params for name in ("vendors", "column", "budget", "attack"))


def show(form: Form, stored: Stored, samples: Samples | None, request: PaymentsRequest) -> None:
    result: PaymentsResult = stored.result
    head, top, body = st.container(), st.container(), st.container()
    rule = words.RULES[
        form.segments(
            top, "Pay rule", "rule", list(words.RULES), next(iter(words.RULES)),
            "  \n".join(f"{word}: {words.rule_words(result, name)}"
                        for word, name in words.RULES.items()),
        )
    ]  # fmt: skip
    with st.expander("Other vendors, budget or attack", linked()):
        first, second, third = st.columns(3)
        scheme, vendors = choose_vendors(form, first, result, samples)
        budget = float(
            form.whole(second, "Budget", "budget", BUDGET, 10_000, "Money to share out.")
        )
        which = form.choice(
            third, "Attack", "attack", [words.FOR_PAY, words.MOVED],
            "The trainer aims at the vendor's pay under this rule, or moves the vendor's samples "
            "into the top k.", carried=False,
        )  # fmt: skip
    form.finish()
    attack = words.shown_attack(result, rule, which)
    favoured = result.vendors.names[result.vendor] if scheme == result.scheme else None
    try:
        table = earned(stored, vendors, rule, attack, budget)
    except InvalidInput:
        body.warning(words.NOBODY)
        return
    accuracies = (result.accuracy["honest"], result.accuracy[attack])
    said = words.finding(table, favoured, budget, *accuracies)
    head.markdown(said)
    with body:
        bars_figure(stored, vendors, favoured, rule, attack, budget).show()
    attackers(stored, request, rule, budget)
    beside_moving(stored, words.aiming_at(rule), request.radius)
    formulas()
    take_away.show(
        stored,
        request,
        {"Vendors": lambda: table, "Attackers": lambda: result.table},
    )


def page() -> None:
    blocks.ask(PAGE)
    form = Form()
    name = controls.dataset_choice(form, data_choice.names_of(ROLE, EXPERIMENT))
    samples = data_choice.samples_of(name)
    n_train = None if samples is None else len(samples)
    asked = door.Computation.of(EXPERIMENT, openings.payments(name, n_train))
    if asked.stored is not None:
        show(form, asked.stored, samples, asked.request)
        return
    form.finish()
    offer_instead(PAGE, asked, COST, "attack", asks=False)


page()
