"""The controls of an attack, bound to the address bar: every view is a link."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import streamlit as st

from engine.experiments import AttackRequest
from engine.vocabulary import MODELS, OBJECTIVES, ORDERS
from pages.common.asking import links
from pages.common.asking.links import EXAMPLE
from pages.common.widgets import unfold

NOTES, CHOICE = "link_notes", "choice"  # session-state keys beside the widgets' own


def finish(
    given: Mapping[str, str],
    expected: links.Expected,
    used: Mapping[str, Any],
) -> None:
    """Once all controls are made: find what the link got wrong, and keep it until one of them
    changes; show the link to what they hold. `given` is the query from before the widgets:
    Streamlit drops bad values from the address when it makes them; `used` is what they hold."""
    show_link(used)
    found = links.problems(given, expected, used)
    if found:
        st.session_state[NOTES] = found


def show_link(values: Mapping[str, Any]) -> None:
    """The address of the view, with the values of all its controls, to be copied."""
    with st.sidebar:
        link(f"{st.context.url or ''}{links.query(values)}")


@unfold.menu("Link to this view", "link", icon=":material/link:", width="stretch")
def link(address: str) -> None:
    st.code(address, language=None, wrap_lines=True)
    st.caption(
        "Restores this view wherever the lab has the same data: at once where the result is kept; "
        "elsewhere it offers to compute it."
    )


def kept(name: str, allowed: "links.Range | Sequence[Any]", default: Any = None) -> Any:
    """What was chosen by a click, not with a control: in the address and read from it as a
    control's value is. Whoever hears the click writes it into the session state, by this name."""
    held = links.readable(allowed, st.query_params.get(name, ""))
    if name not in st.session_state and held is not None:
        st.session_state[name] = held
    value = st.session_state.get(name, default)
    if value != default:
        st.query_params[name] = str(value)
    elif name in st.query_params:
        del st.query_params[name]
    return value


def unchoose(name: str) -> None:
    """Take back what `kept` keeps, as a button's callback does."""
    st.session_state.pop(name, None)
    st.query_params.pop(name, None)


def show_notes() -> None:
    """Say what a link got wrong."""
    for note in st.session_state.get(NOTES, []):
        st.warning(note)


def forget_notes() -> None:
    st.session_state.pop(NOTES, None)


def default_request(n_train: int) -> AttackRequest:
    """The published example, its target within a data set of `n_train` samples."""
    return replace(EXAMPLE, targets=(min(EXAMPLE.targets[0], n_train - 1),))


def restore_choice(*names: str) -> None:
    """What was chosen on another page carries over (of `names` alone, where they are given), unless
    the link says otherwise; before the first control is made. What that page's controls still hold
    is lost with them, unless it is assigned again."""
    for name, value in st.session_state.get(CHOICE, {}).items():
        if name not in st.query_params and (not names or name in names):
            held = st.session_state.get(name, value)  # `target` may hold a table's column
            st.session_state[name] = held if type(held) is type(value) else value


def keep_choice(**values: Any) -> None:
    """Remember what was chosen, for the other pages."""
    st.session_state[CHOICE] = st.session_state.get(CHOICE, {}) | values


def dataset_choice(datasets: Sequence[str]) -> str:
    """The data set, chosen in the sidebar: a page's first control."""
    restore_choice()
    return choice_of(
        st.sidebar,
        "Data set",
        "dataset",
        datasets,
        "Bundled sets, and features files in the data directory.",
        EXAMPLE.dataset,
    )


def choice_of(
    place: Any,
    label: str,
    key: str,
    choices: Sequence[Any],
    help: str,
    default: Any = None,
    nearest: bool = False,
) -> Any:
    """One of a few choices, bound to the address, which names them as they are shown. What another
    page has left there and is none of them gives way to the default (the first, where none is
    given) or, with `nearest`, to the nearest number."""
    default = choices[0] if default is None else default
    held = st.session_state.get(key)
    if held is not None and held not in choices:
        near = nearest and isinstance(held, int | float)
        st.session_state[key] = min(choices, key=lambda c: abs(c - held)) if near else default
    chosen = place.selectbox(
        label,
        choices,
        index=list(choices).index(default),
        key=key,
        help=help,
        bind="query-params",
        on_change=forget_notes,
    )
    keep_choice(**{key: chosen})
    return chosen


def parameters(n_train: int) -> dict[str, Any]:
    """Target, k, radius and seed, in the sidebar."""
    start = links.values_of(default_request(n_train))
    limits = links.ranges(n_train)
    for name in ("target", "k", "radius", "seed"):  # left over from another data set or page
        held = st.session_state.get(name)
        fits = isinstance(held, int | float) and limits[name].low <= held <= limits[name].high
        if held is not None and not fits:
            st.session_state[name] = start[name]
    with st.sidebar:
        left, right = st.columns(2)
        target = left.number_input(
            "Target",
            0,
            n_train - 1,
            start["target"],
            1,
            key="target",
            help="Number of the training sample to move. A click on the ranking sets it.",
            bind="query-params",
            on_change=forget_notes,
        )
        k = right.number_input(
            "k",
            1,
            n_train - 1,
            start["k"],
            1,
            key="k",
            help="The attack succeeds when the target is among the k first.",
            bind="query-params",
            on_change=forget_notes,
        )
        radius = st.slider(
            "Radius",
            links.RADIUS_LOW,
            links.RADIUS_HIGH,
            start["radius"],
            links.RADIUS_STEP,
            key="radius",
            help="How far the malicious model may lie from the honest one, as a share of the "
            "honest model's norm.",
            bind="query-params",
            on_change=forget_notes,
        )
        seed = st.number_input(
            "Seed",
            0,
            links.SEED_HIGH,
            start["seed"],
            1,
            key="seed",
            help="Decides the random starts.",
            bind="query-params",
            on_change=forget_notes,
        )
    return {"target": target, "k": k, "radius": radius, "seed": seed}


def attack_options(n_train: int, models: Sequence[str]) -> dict[str, Any]:
    """Model, objective, restarts and order: beside the button that they change."""
    start = links.values_of(default_request(n_train))
    first, left, middle, right = st.columns([2, 3, 2, 4])
    missing = [name for name in MODELS if name not in models]
    model = choice_of(
        first,
        "Model",
        "model",
        models,
        "; ".join(f"`{name}`: {text}" for name, text in MODELS.items())
        + (f". This data set cannot have {' or '.join(missing)}." if missing else ""),
        start["model"],
    )
    objective = left.selectbox(
        "Objective",
        list(OBJECTIVES),
        index=list(OBJECTIVES).index(start["objective"]),
        key="objective",
        help="; ".join(f"`{name}`: {text}" for name, text in OBJECTIVES.items()),
        bind="query-params",
        on_change=forget_notes,
    )
    restarts = middle.number_input(
        "Restarts",
        1,
        links.RESTARTS_HIGH,
        start["restarts"],
        1,
        key="restarts",
        help="Random starts; each runs at every learning rate.",
        bind="query-params",
        on_change=forget_notes,
    )
    order = right.segmented_control(
        "Order",
        list(ORDERS),
        default=start["order"],
        required=True,
        key="order",
        help="; ".join(f"`{name}`: {text}" for name, text in ORDERS.items()),
        bind="query-params",
        on_change=forget_notes,
    )
    return {"model": model, "objective": objective, "restarts": restarts, "order": order}


def request_of(values: dict[str, Any]) -> AttackRequest:
    """The attack that the controls ask for."""
    rest = {name: value for name, value in values.items() if name != "target"}
    request = replace(EXAMPLE, targets=(int(values["target"]),), **rest)
    keep_choice(**links.values_of(request))
    return request
