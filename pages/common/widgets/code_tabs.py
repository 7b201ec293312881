"""The same outside the lab: Python, command line, and what to cite."""

import streamlit as st

from pages.common.widgets import unfold

PAPER = """@inproceedings{yadav2026influence,
  title         = {Influence Attributions can be Systematically Altered by Model Manipulation},
  author        = {Yadav, Chhavi and Wu, Ruihan and Chaudhuri, Kamalika},
  booktitle     = {International Conference on Artificial Intelligence and Statistics (AISTATS)},
  year          = {2026},
  note          = {Earlier title: Influence-based Attributions can be Manipulated},
  eprint        = {2409.05208},
  archivePrefix = {arXiv}
}"""
SOFTWARE = """@software{influence_attack_lab,
  title  = {Influence Attack Lab},
  author = {{The Influence Attack Lab developers}},
  year   = {2026},
  note   = {Apache License 2.0}
}"""

CITATION = f"{PAPER}\n\n{SOFTWARE}\n"


def tabs(python: str, shell: str) -> None:
    """Show a snippet, a command, and BibTeX of the paper and of this software."""
    of_python, of_shell, to_cite = st.tabs(["The same in Python", "Command line", "BibTeX"])
    with of_python:
        st.code(python, "python", wrap_lines=True)
    with of_shell:
        st.code(shell, "bash", wrap_lines=True)
    with to_cite:
        st.code(CITATION.strip(), "latex", wrap_lines=True)


folded = unfold.section("The same in Python and on the command line; what to cite", "code")(tabs)
