"""The same outside the lab: link, Python, command line, and what to cite."""

import streamlit as st

PAPER = """@misc{yadav2024influence,
  title         = {Influence-based Attributions can be Manipulated},
  author        = {Yadav, Chhavi and Wu, Ruihan and Chaudhuri, Kamalika},
  year          = {2024},
  eprint        = {2409.05208},
  archivePrefix = {arXiv}
}"""
SOFTWARE = """@software{influence_attack_lab,
  title  = {Influence Attack Lab},
  author = {{The Influence Attack Lab developers}},
  year   = {2026},
  note   = {Apache License 2.0}
}"""


def show(python: str, shell: str, link: str = "") -> None:
    """Tabs with a snippet, a command, BibTeX of the paper and of this software, and, where there is
    one, the view's address."""
    names = ["Link to this view"] * bool(link) + ["The same in Python", "Command line", "BibTeX"]
    tabs = dict(zip(names, st.tabs(names), strict=True))
    if link:
        with tabs["Link to this view"]:
            st.code(link, language=None, wrap_lines=True)
    with tabs["The same in Python"]:
        st.code(python, "python", wrap_lines=True)
    with tabs["Command line"]:
        st.code(shell, "bash", wrap_lines=True)
    with tabs["BibTeX"]:
        st.code(f"{PAPER}\n\n{SOFTWARE}", "latex", wrap_lines=True)
