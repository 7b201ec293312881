"""One way to bind a control to the address bar: every view is a link."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypedDict, TypeVar, overload

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.common.asking import links, own_address, view_link

NOTES, CHOICE = "link_notes", "choice"  # session-state keys beside the widgets' own
Place = DeltaGenerator  # where a control is drawn: a column, a container, the sidebar
HERE: Place = st._main  # where the page is at: blocks.css says how wide a control is there
T = TypeVar("T")


def forget_notes() -> None:
    st.session_state.pop(NOTES, None)


class Binding(TypedDict, total=False):
    bind: Literal["query-params"]
    on_change: Callable[[], None]


BOUND: Binding = {"bind": "query-params", "on_change": forget_notes}
UNBOUND: Binding = {"on_change": forget_notes}


@dataclass(frozen=True)
class Form:
    """The controls of one page, bound to the address bar.

    `given` is the link's query before any control was made (Streamlit drops bad values from the
    address when it makes the controls), `expected` what each parameter may hold, `used` what it
    holds. Every control is made by a method here, under the name that it has in links; `finish`
    then says what of the link cannot be used, and shows the link to the view.
    """

    given: Mapping[str, str] = field(default_factory=lambda: dict(st.query_params))
    expected: dict[str, links.Allowed] = field(default_factory=dict)
    used: dict[str, object] = field(default_factory=dict)

    def note(self, name: str, allowed: links.Allowed, value: object) -> None:
        """Enter a parameter that is not one of this form's controls."""
        self.expected[name], self.used[name] = allowed, value

    def whole(
        self, place: Place, label: str, name: str, limits: links.Range, default: int, help: str
    ) -> int:
        """Draw a field for a whole number, and return it. The default replaces a number outside the
        limits that another page or data set left there."""
        self._settle(name, limits, default)
        value = place.number_input(
            label,
            int(limits.low),
            int(limits.high),
            default,
            1,
            key=name,
            help=help,
            **bound_number(name),
        )
        self.note(name, limits, int(value))
        return int(value)

    def number(
        self, place: Place, label: str, name: str, limits: links.Range, default: float, help: str
    ) -> float:
        """Draw a field for a number within limits, written without trailing zeros; return it."""
        self._settle(name, limits, default)
        value = place.number_input(
            label,
            limits.low,
            limits.high,
            default,
            key=name,
            help=help,
            format="%g",
            **bound_number(name),
        )
        self.note(name, limits, float(value))
        return float(value)

    def optional(
        self, place: Place, label: str, name: str, limits: links.Range, empty: str, help: str
    ) -> float | None:
        """Draw a field for a number within limits, which may stay empty; `empty` is what it says
        then. Returns the number, or None."""
        value = place.number_input(
            label,
            limits.low,
            limits.high,
            None,
            key=name,
            help=help,
            format="%g",
            placeholder=empty,
            **bound_number(name),
        )
        self.note(name, limits, value)
        return value

    def slider(
        self,
        place: Place,
        label: str,
        name: str,
        limits: links.Range,
        default: float,
        step: float,
        help: str = "",
        written: str = "%g",
    ) -> float:
        """Draw a slider, and return its number; the screen has it as Streamlit writes it in the
        format `written`."""
        self._settle(name, limits, default)
        value = place.slider(
            label,
            limits.low,
            limits.high,
            default,
            step,
            format=written,
            key=name,
            help=help or None,
            **bound_number(name),
        )
        self.note(name, limits, value)
        return value

    def text(
        self,
        place: Place,
        label: str,
        name: str,
        default: str,
        help: str,
        placeholder: str | None = None,
    ) -> str:
        """Draw a field for a line of text, and return it unchecked."""
        value = place.text_input(
            label, default, key=name, help=help, placeholder=placeholder, **BOUND
        )
        self.used[name] = value
        return value

    def tick(self, place: Place, label: str, name: str, help: str) -> bool:
        """Draw a tick box, off by default, and return whether it is ticked."""
        value = place.checkbox(label, key=name, help=help, **BOUND)
        self.note(name, (False, True), value)
        return value

    def choice(
        self,
        place: Place,
        label: str,
        name: str,
        choices: Sequence[T],
        help: str,
        default: T | None = None,
        nearest: bool = False,
        carried: bool = True,
        words: Callable[[T], str] | None = None,
    ) -> T:
        """Draw a few choices, which the address names as they are and the screen in their `words`,
        where given; return the chosen one. If another page left something else there, the default
        replaces it (the first choice, where none is given) or, with `nearest`, the nearest number.
        The other pages open with the same choice, unless it is not `carried` there."""
        start = choices[0] if default is None else default
        if words is not None:
            own_address.follow(name, choices, start)
        held = st.session_state.get(name)
        if held is not None and held not in choices:
            near = nearest and isinstance(held, int | float)
            st.session_state[name] = min(choices, key=lambda c: abs(c - held)) if near else start
        chosen = place.selectbox(
            label,
            choices,
            index=list(choices).index(start),
            key=name,
            help=help,
            format_func=words or str,
            **(BOUND if words is None else UNBOUND),
        )
        if words is not None:
            own_address.write(name, chosen, start)
        if carried:
            keep_choice(**{name: chosen})
        self.note(name, list(choices), chosen)
        return chosen

    def asked(
        self,
        place: Place,
        label: str,
        name: str,
        choices: Sequence[T],
        help: str,
        default: T | None = None,
    ) -> T | None:
        """One of a few choices; None until it is made, where there is no default. What is left
        there of other choices gives way."""
        if name in st.session_state and st.session_state[name] not in choices:
            del st.session_state[name]
        chosen = place.selectbox(
            label,
            choices,
            index=None if default is None else list(choices).index(default),
            key=name,
            help=help,
            placeholder="Choose",
            **BOUND,
        )
        self.note(name, list(choices), chosen)
        return chosen

    def segments(
        self,
        place: Place,
        label: str,
        name: str,
        choices: Sequence[str],
        default: str,
        help: str,
        words: Callable[[str], str] | None = None,
    ) -> str:
        """Draw a few choices, all in view, in `words` where given; return the chosen one."""
        if words is not None:
            own_address.follow(name, choices, default)
        chosen = place.segmented_control(
            label,
            list(choices),
            default=default,
            required=True,
            key=name,
            help=help,
            format_func=words or str,
            **(BOUND if words is None else UNBOUND),
        )
        if words is not None:
            own_address.write(name, chosen, default)
        self.note(name, list(choices), chosen)
        return chosen

    def several(
        self,
        place: Place,
        label: str,
        name: str,
        choices: Sequence[str],
        default: Sequence[str] | None = None,
    ) -> list[str]:
        """Ask for some of a few choices, all in view; all of them, or `default`, are chosen at
        first. The label is hidden."""
        chosen = place.segmented_control(
            label,
            list(choices),
            selection_mode="multi",
            default=list(choices if default is None else default),
            key=name,
            label_visibility="collapsed",
            **BOUND,
        )
        self.note(name, list(choices), chosen)
        return chosen

    @overload
    def clicked(self, name: str, allowed: links.Range, default: int) -> int: ...

    @overload
    def clicked(self, name: str, allowed: links.Range) -> int | None: ...

    @overload
    def clicked(self, name: str, allowed: Sequence[T]) -> T | None: ...

    def clicked(self, name: str, allowed: links.Allowed, default: object = None) -> object:
        """Return what was chosen by a click and not with a control. It stands in the address like a
        control's value; the click's callback writes it into the session state, by this name."""
        held = links.readable(allowed, st.query_params.get(name, ""))
        if name not in st.session_state and held is not None:
            st.session_state[name] = held
        value = st.session_state.get(name, default)
        if value != default:
            st.query_params[name] = str(value)
        elif name in st.query_params:
            del st.query_params[name]
        self.note(name, allowed, value)
        return value

    def finish(self) -> None:
        """Show the link to what the controls hold, and say which part of the page's own link cannot
        be used, until a control changes. Call it once all controls are made."""
        view_link.show(self.used)
        found = links.problems(self.given, self.expected, self.used)
        if found:
            st.session_state[NOTES] = found
        for note in st.session_state.get(NOTES, []):
            st.warning(note)

    def _settle(self, name: str, limits: links.Range, default: float) -> None:
        """Put the default in place of a value outside the limits that is left over from another
        data set or page."""
        held = st.session_state.get(name)
        fits = isinstance(held, int | float) and limits.low <= held <= limits.high
        if name in st.session_state and not fits:
            st.session_state[name] = default


def bound_number(name: str) -> Binding:
    """Return the binding of a number to the address, or no binding while the address holds a
    number that is infinite, or reads so because it is too long: Streamlit converts it to a whole
    number before it looks at the limits, and fails."""
    try:
        endless = math.isinf(float(st.query_params.get(name, "")))
    except ValueError:
        return BOUND
    return UNBOUND if endless else BOUND


def unchoose(name: str) -> None:
    """Take back what `clicked` keeps, as a button's callback does."""
    st.session_state.pop(name, None)
    st.query_params.pop(name, None)


def restore_choice(*names: str) -> None:
    """Carry over what was chosen on another page (of `names` alone, where they are given), unless
    the link says otherwise; before the first control is made. What that page's controls still hold
    is lost with them, unless it is assigned again."""
    for name, value in st.session_state.get(CHOICE, {}).items():
        if name not in st.query_params and (not names or name in names):
            held = st.session_state.get(name, value)  # `target` may hold a table's column
            st.session_state[name] = held if type(held) is type(value) else value


def keep_choice(**values: object) -> None:
    """Remember what was chosen, for the other pages."""
    st.session_state[CHOICE] = st.session_state.get(CHOICE, {}) | values
