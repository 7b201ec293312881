"""The class experiment in four steps, for pages that open before a lesson begins."""

from base64 import b64encode
from html import escape

import streamlit as st

from pages.common.figures.palette import ACCENT
from pages.common.widgets import blocks

STEPS = (
    ("A sample", "Everybody is dealt a training sample of their own."),
    ("A bet", "Can an attack move it to the top, and at what price?"),
    ("The attack", "Everybody runs it on their sample."),
    ("The wall", "Everybody's result on one screen, beside this lab's."),
)
SIGNS = (  # of each step, drawn in a square of 24
    '<rect x="3" y="3" width="18" height="18" rx="2"/><path d="M9 8h6l-4 9"/>',
    '<circle cx="12" cy="12" r="9"/><path d="M9.3 9.5a2.8 2.8 0 1 1 3.6 2.7c-.9.3-.9.9-.9 1.8"/>'
    '<path d="M12 17v.2"/>',
    '<path d="M12 21V4m-5 5 5-5 5 5"/><path d="M3 20h4m10 0h4"/>',
    '<path d="M3 21h18M6 21V11m6 10V4m6 17v-7"/>',
)


def picture(sign: str) -> str:
    """Return a sign as an address of a picture: Streamlit leaves SVG out of HTML."""
    drawn = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="none" '
        f'stroke="{ACCENT}" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round">'
        f"{sign}</svg>"
    )
    return f"data:image/svg+xml;base64,{b64encode(drawn.encode()).decode()}"


def show(large: bool = False) -> None:
    """Draw the steps from left to right, down on a phone; `large` on a page that has little
    else."""
    boxes = [
        f'<div class="step"><img src="{picture(sign)}" alt="">'
        f"<b>{number} · {escape(name)}</b> {escape(text)}</div>"
        for number, ((name, text), sign) in enumerate(zip(STEPS, SIGNS, strict=True), 1)
    ]
    arrow = '<div class="arrow" aria-hidden="true">→</div>'
    with st.container(key="large-steps" if large else None):
        blocks.html(f'<div class="ial-flow ial-steps">{arrow.join(boxes)}</div>')
