"""What is offered for citing is BibTeX that a parser can read."""

import re

import pytest

from pages.common.widgets.code_tabs import PAPER, SOFTWARE


@pytest.mark.parametrize("entry", [PAPER, SOFTWARE])
def test_an_entry_has_its_fields_and_closes_its_braces(entry: str) -> None:
    assert re.match(r"@(inproceedings|software)\{[a-z0-9_]+,\n", entry)
    assert entry.count("{") == entry.count("}")
    depth = 0
    for letter in entry:
        depth += {"{": 1, "}": -1}.get(letter, 0)
        assert depth >= 0
    fields = dict(re.findall(r"^  (\w+)\s+= \{(.*)\},?$", entry, flags=re.MULTILINE))
    assert {"title", "author", "year"} <= set(fields)
