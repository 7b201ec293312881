"""The palette: its contrasts, computed, and its way to the browser."""

import re
import tomllib

import pytest

from engine.settings import ROOT
from pages.common.figures import palette
from pages.common.widgets.browser_files import FOLDER

TEXT, MARKS = 4.5, 3.0  # contrasts that WCAG asks of text and of graphics
THEME = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text("utf-8"))["theme"]
LIGHT, DARK = (THEME[name]["backgroundColor"] for name in ("light", "dark"))


def luminance(colour: str) -> float:
    shares = [part / 255 for part in palette.channels(colour)]
    linear = [s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_that_of_the_known_cases() -> None:
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert contrast("#777777", "#FFFFFF") == pytest.approx(4.48, abs=0.01)  # WCAG's own example


@pytest.mark.parametrize("colour", palette.ON_PAGE)
def test_text_and_marks_stand_out_on_both_themes(colour: str) -> None:
    text, mark, dark = palette.ON_PAGE[colour]
    assert contrast(text, LIGHT) >= TEXT
    assert contrast(mark, LIGHT) >= MARKS
    assert contrast(dark, DARK) >= TEXT
    assert mark == colour  # what a figure holds, and a saved picture shows, is the light one


@pytest.mark.parametrize("colour", [palette.REST, palette.REST_DARK])
def test_text_stands_out_on_what_a_bar_leaves_over(colour: str) -> None:
    assert contrast(palette.ON_PALE, colour) >= TEXT
    assert contrast(palette.REST_DARK, DARK) >= MARKS


@pytest.mark.parametrize("colour", [palette.GOOD, palette.BAD, palette.OPEN])
def test_white_text_stands_out_on_verdicts(colour: str) -> None:
    assert contrast("#FFFFFF", colour) >= TEXT


def test_meanings_have_colours_of_their_own() -> None:
    names = ("HONEST", "ATTACKED", "TARGET", "KNOWING", "CHANCE", "PAPER")
    roles = [getattr(palette, name) for name in names]
    assert len(set(roles)) == len(roles)
    assert set(palette.NAMED.values()) <= set(palette.ON_PAGE)


def test_the_style_names_every_colour_and_recolours_what_plotly_draws() -> None:
    style = palette.style()
    for colour, (text, mark, dark) in palette.ON_PAGE.items():
        drawn = "rgb({}, {}, {})".format(*palette.channels(colour))
        assert f"--ial-{colour[1:]}: light-dark({mark}, {dark});" in style
        assert f'[style*="fill: {drawn}"] {{fill: light-dark({text}, {dark})' in style
        assert f'[style*="stroke: {drawn}"] {{stroke: light-dark({mark}, {dark})' in style


def test_the_browser_asks_for_colours_that_there_are() -> None:
    asked = {
        name
        for file in FOLDER.glob("*.js")
        for name in re.findall(r"hue\((?:style, )?'([^']+)'", file.read_text("utf-8"))
    }
    assert asked and asked <= set(palette.NAMED)


def test_the_browser_holds_no_colour_of_its_own_that_means_something() -> None:
    for file in (*FOLDER.glob("*.js"), *FOLDER.glob("*.css")):
        found = set(re.findall(r"#[0-9A-Fa-f]{6}", file.read_text("utf-8")))
        assert not found & (set(palette.ON_PAGE) - {palette.INK}), file.name


def test_the_lab_s_main_buttons_have_the_colour_of_streamlit_s() -> None:
    light, dark = THEME["primaryColor"], THEME["dark"]["primaryColor"]
    assert f"--ial-main: light-dark({light}, {dark});" in palette.style()
    assert f"--ial-on-main: light-dark({LIGHT}, {DARK});" in palette.style()
    assert min(contrast(LIGHT, light), contrast(DARK, dark)) >= TEXT
