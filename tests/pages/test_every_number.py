"""Every sentence with a number that pages show: recomputed, or of a kind that states no result.

A page's new sentence with a number fails here until `tests/support/number_kinds.py` has its kind:
how its numbers follow from the published tables, or why it states no result.
"""

import re
from collections.abc import Sequence

import pytest

from tests.pages.test_claims import CLAIMS
from tests.support.number_kinds import (
    ELSEWHERE,
    NO_RESULT,
    RESULTS,
    SHARED,
    TABLES,
    Kind,
)
from tests.support.reading import Passage

Said = list[tuple[str, str, Passage]]
PROSE = ("title", "header", "subheader", "markdown", "caption", "info", "warning", "error", "html")
OF_THE_MACHINE = ("data", "results", "join", "lesson", "wall")  # pages of files, jobs and a class
NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(?:\.\d+)?(?:e-?\d+)?")
WORDS = 6  # of a cell; shorter ones are of tables


def sentences(said: Said) -> list[tuple[str, str, str]]:
    """Page, data set and sentence, for every sentence with a number; provenance is left out."""
    found: dict[tuple[str, str, str], None] = {}
    for page, dataset, passage in said:
        short = passage.place == "html" and len(passage.text.split()) < WORDS
        if passage.place not in PROSE or page in OF_THE_MACHINE or short:
            continue
        for sentence in re.split(r"(?<=[.!?])(?<!- \?)\s+(?=[A-Z“*])", passage.text):
            plain = re.sub(r"\s*(example, |own, )?[Pp]recomputed.*$", "", sentence)
            if re.search(r"\d", plain) and "· seed " not in plain:
                found[page, dataset, plain] = None
    return list(found)


def numbers(sentence: str) -> list[str]:
    plain = re.sub(r"CIFAR-10|Caltech-101", "", sentence.replace("−", "-"))
    return NUMBER.findall(re.sub(r"(?<=\d),(?=\d{3})", "", plain))


def agrees(shown: str, exact: float) -> bool:
    """Whether a number is `exact`, rounded to the digits that are shown."""
    mantissa, _, power = shown.partition("e")
    unit = 10.0 ** (int(power or 0) - len(mantissa.partition(".")[2]))
    return abs(float(shown) - exact) <= 0.5 * unit * (1 + 1e-4) + 1e-12


def kind_of(sentence: str) -> Kind | None:
    every = (*RESULTS, *ELSEWHERE, *NO_RESULT)
    return next((kind for kind in every if kind.pattern.search(sentence)), None)


def says(sentence: str, row: Sequence[float | str]) -> bool:
    """Whether a sentence's numbers are those of `row`, in order, and its words stand in it."""
    shown = numbers(sentence)
    exact = [float(value) for value in row if not isinstance(value, str)]
    return (
        len(shown) == len(exact)
        and all(map(agrees, shown, exact))
        and all(word in sentence for word in row if isinstance(word, str))
    )


@pytest.mark.long
def test_every_number_of_a_result_follows_from_the_published_tables(said: Said) -> None:
    wrong: list[object] = []
    used = set()
    lines: dict[tuple[str, str, Kind], list[str]] = {}
    for page, dataset, sentence in sentences(said):
        kind = kind_of(sentence)
        if kind is None or (kind.numbers is None and kind.rows is None):
            continue
        used.add(kind)
        if kind.numbers is None:
            lines.setdefault((page, dataset, kind), []).append(sentence)
        elif not says(sentence, row := kind.numbers(dataset)):
            wrong.append((dataset, sentence, row))
    for (_page, dataset, kind), found in lines.items():
        rows = kind.rows(dataset) if kind.rows else []
        wrong += [(dataset, line, rows) for line in found if not any(says(line, r) for r in rows)]
        wrong += [
            (dataset, row, found) for row in rows if not any(says(line, row) for line in found)
        ]
    assert not wrong
    unused = [kind.pattern.pattern for kind in RESULTS if kind not in used]
    assert not unused, "no page says these any more"
    assert len(used) > 100


@pytest.mark.long
def test_every_row_of_these_tables_follows_from_the_published_ones(said: Said) -> None:
    shown: dict[tuple[str, str], list[str]] = {}
    for _page, dataset, passage in said:
        name, _, cells = passage.text.partition(" | ")
        if passage.place == "row" and name in TABLES:
            shown.setdefault((dataset, name), []).append(cells)
    assert {name for _, name in shown} == set(TABLES)
    for (dataset, name), lines in shown.items():
        rows = TABLES[name](dataset)
        assert len(lines) == len(rows), (dataset, name)
        for line, row in zip(lines, rows, strict=True):
            assert says(line, row), (dataset, name, line, row)


@pytest.mark.long
def test_every_sentence_with_a_number_is_of_a_known_kind(said: Said) -> None:
    unknown = {(page, s) for page, _, s in sentences(said) if kind_of(s) is None}
    assert not unknown, "say in tests/support/number_kinds.py what these are"


def test_a_kind_that_another_test_recomputes_is_one_of_its_claims() -> None:
    assert {kind.elsewhere for kind in ELSEWHERE} <= set(CLAIMS)


@pytest.mark.long
def test_one_claim_has_one_value_on_every_page(said: Said) -> None:
    """SHARED lists claims that several pages make: all give one value for a data set, or the page
    whose value is another says beside it why."""
    for name, claim in SHARED.items():
        values: dict[str, dict[str, set[str]]] = {}
        for page, dataset, passage in said:
            for match in claim.pattern.finditer(passage.text):
                if claim.explained and re.search(claim.explained, passage.text):
                    continue
                value = next(group for group in match.groups() if group)
                values.setdefault(dataset or "digits", {}).setdefault(value, set()).add(page)
        assert values, name
        pages = set().union(*(where for by in values.values() for where in by.values()))
        assert len(pages) >= claim.pages, (name, pages)
        for dataset, by in values.items():
            assert len(by) == 1, (name, dataset, by)


TRANSFER = re.compile(  # what a model that is handed out does on data that the attacker never saw
    r"(On|by) the unknown test set|On test data that the attacker never saw|"
    r"On the test half that the attacker never saw|success on unseen data"
)


@pytest.mark.long
def test_beside_transfer_stands_how_far_two_honest_rankings_agree(said: Said) -> None:
    texts: dict[tuple[str, str], list[str]] = {}
    for page, dataset, passage in said:
        texts.setdefault((page, dataset), []).append(passage.text)
    stated = {where for where, found in texts.items() if any(map(TRANSFER.search, found))}
    assert {page for page, _ in stated} == {"cost", "many-targets", "paper", "who-gets-the-money"}
    alone = [where for where in stated if not any("correlate at" in t for t in texts[where])]
    assert not alone


@pytest.mark.long
def test_a_rate_on_targets_that_settings_were_tuned_on_is_called_flattered(said: Said) -> None:
    """The objectives `accurate` and `quiet`: their radii, starts and learning rates were chosen on
    the targets of the sweeps with seed 0."""
    tuned = {(p, d) for p, d, passage in said if " ours, not the paper's" in passage.text}
    tuned |= {(p, d) for p, d, passage in said if "Beside the paper's attack: “" in passage.text}
    assert {page for page, _ in tuned} == {"cost", "what-works"}
    flattered = {(p, d) for p, d, passage in said if "which flatters them" in passage.text}
    assert tuned <= flattered


@pytest.mark.long
def test_the_paper_has_both_titles_and_a_guess_is_called_one(said: Said) -> None:
    text = " ".join(passage.text for page, _, passage in said if page == "paper")
    assert "Influence Attributions can be Systematically Altered by Model Manipulation" in text
    assert "AISTATS 2026" in text and "its two k are not in the text at hand" in text
    assert (
        "counts success at k = 3 and k = 10, which suggests the two k of the tables: a guess"
        in text
    )


@pytest.mark.parametrize(
    ("shown", "exact", "same"),
    [("86", 85.6, True), ("86", 86.6, False), ("0.02", 0.0249, True), ("7e-05", 7.3e-5, True)],
)
def test_rounding(shown: str, exact: float, same: bool) -> None:
    assert agrees(shown, exact) is same
