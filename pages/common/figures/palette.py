"""The colours of the figures: one colour, one meaning, on every page.

Each is Okabe and Ito's or near one of theirs, which colour-blind readers can tell apart; shapes and
dashes repeat what colours say. A figure holds the colour of its marks on a light page. What the
browser draws instead in text, or on a dark page, is in `ON_PAGE`, and comes with the lab's page as
style: `tests/unit/test_palette.py` holds all of them to contrasts of 4.5 for text and 3 for marks.
"""

from typing import NamedTuple

GREY, BLUE, ACCENT = "#868E96", "#0072B2", "#D55E00"
GREEN, MUSTARD, VIOLET, PINK, INK = "#009E73", "#A87900", "#7B61C9", "#C0689A", "#1F2933"

HONEST = GREY  # the honest model; and lines that only guide the eye
ATTACKED = BLUE  # the attacked model, the attacker, and what the attack reaches
TARGET = ACCENT  # the sample that is to move, and the top that it is to enter
KNOWING = VIOLET  # an attacker who knows the check
CHANCE = PINK  # what is drawn at random, and the baseline that knows no influence function
PAPER = INK  # the paper's numbers
LIMIT = INK  # a threshold, tolerance or ceiling: what is set, not measured
RAISES, LOWERS = MUSTARD, GREEN  # samples that pull the test loss up, or down
FIRST = MUSTARD  # samples that stood first before the attack, where pictures are tinted
CHOSEN = INK  # what the reader has picked
MANY = (BLUE, GREEN, MUSTARD, VIOLET, PINK, GREY)  # of curves that differ in a number alone

FAINT = "rgba(134, 142, 150, 0.45)"
BAND = "rgba(213, 94, 0, 0.13)"  # behind the top k
BEYOND = "rgba(134, 142, 150, 0.16)"  # what lies beyond a limit
REST, ON_PALE = "#B4BBC2", "#18212B"  # what a bar leaves over; text on a pale bar
REST_DARK = "#858E97"  # the former on a dark page, where it is not to be the brightest
GOOD, BAD, OPEN = "#007A59", "#8A6300", "#5F6770"  # of verdicts, dark enough for white text


class OnPage(NamedTuple):
    """A colour as a browser draws it: as text and as a mark on a light page, as either on a dark
    one."""

    text: str
    mark: str
    dark: str


ON_PAGE = {
    GREY: OnPage("#5F6770", GREY, "#9AA3AC"),
    BLUE: OnPage("#0068A3", BLUE, "#4AA3DF"),
    ACCENT: OnPage("#B34F00", ACCENT, "#E8722A"),
    GREEN: OnPage("#007A59", GREEN, "#22B58C"),
    MUSTARD: OnPage("#8A6300", MUSTARD, "#D9A520"),
    VIOLET: OnPage("#6A5ACD", VIOLET, "#A594F0"),
    PINK: OnPage("#A8508A", PINK, "#D98FBB"),
    INK: OnPage(INK, INK, "#E6EAEE"),
}
NAMED = {  # by which the browser's own figures ask for a colour
    "honest": HONEST,
    "attacked": ATTACKED,
    "target": TARGET,
    "knowing": KNOWING,
    "chance": CHANCE,
    "paper": PAPER,
    "limit": LIMIT,
    "raises": RAISES,
    "lowers": LOWERS,
    "first": FIRST,
    "chosen": CHOSEN,
}


HOVER = ".hoverlayer *"  # the frames of what is said under the pointer: they keep their colours


def channels(colour: str) -> tuple[int, int, int]:
    """Return red, green and blue, 0 to 255, of a colour like "#D55E00"."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return red, green, blue


def translucent(colour: str, opacity: float) -> str:
    """Return a colour like "#D55E00" with an opacity."""
    red, green, blue = channels(colour)
    return f"rgba({red}, {green}, {blue}, {opacity})"


def paler(colour: str, share: float) -> str:
    """Return a colour like "#D55E00", mixed with `share` of white: on it ON_PALE is legible, on a
    light page and on a dark one."""
    return "#" + "".join(f"{round(c + share * (255 - c)):02X}" for c in channels(colour))


MAIN_BUTTON = (  # as Streamlit draws its primary button, in the colours of .streamlit/config.toml
    "--ial-main: light-dark(#AD4800, #E8722A); --ial-on-main: light-dark(#FFFFFF, #12171D);"
)


def style() -> str:
    """Return the style of the lab's pages that gives figures their colours: names for what the
    browser draws itself, and rules for what Plotly draws, whose elements name their colour."""
    names = [f"--ial-accent: {ACCENT};", MAIN_BUTTON]
    named = NAMED | {colour.removeprefix("#"): colour for colour in ON_PAGE}
    names += [
        f"--ial-{name}: light-dark({ON_PAGE[colour].mark}, {ON_PAGE[colour].dark});"
        for name, colour in named.items()
    ]
    rules = [f":root {{{' '.join(names)}}}"]
    for colour, (text, mark, dark) in ON_PAGE.items():
        drawn = "rgb({}, {}, {})".format(*channels(colour))
        for element, part, light in (
            (f":not(text, tspan, {HOVER})", "fill", mark),
            (":is(text, tspan)", "fill", text),
            (f":not({HOVER})", "stroke", mark),
        ):
            rules.append(
                f'.js-plotly-plot {element}[style*="{part}: {drawn}"] '
                f"{{{part}: light-dark({light}, {dark}) !important;}}"
            )
    rest = "rgb({}, {}, {})".format(*channels(REST))
    rules.append(
        f'.js-plotly-plot [style*="fill: {rest}"] '
        f"{{fill: light-dark({REST}, {REST_DARK}) !important;}}"
    )
    return "\n".join(rules) + "\n"
