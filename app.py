"""The lab's entry: page config and navigation, made from the registry of pages."""

import streamlit as st

from pages.common.asking import tour_strip
from pages.common.lab import navigation
from pages.common.lab.registry import PAGES
from pages.common.widgets import class_notice, header

st.set_page_config(page_title="Influence Attack Lab", layout="wide")

sections: dict[str, list] = {}
for entry in class_notice.in_order(PAGES):
    sections.setdefault(entry.section, []).append(navigation.page_of(entry))
chosen = st.navigation(sections, expanded=True)
class_notice.show()
entry_shown = navigation.entry_of(chosen)
header.show(entry_shown)
tour_strip.show(entry_shown)
chosen.run()
