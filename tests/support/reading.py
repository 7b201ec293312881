"""Reading a page as its visitor does: every text that it shows, and where it stands."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any

from streamlit.testing.v1 import AppTest

from engine.data import catalogue
from pages.common.lab import published_results
from pages.common.lab.registry import PAGES
from pages.common.words.code_names import data_name
from tests.support.pages import unfold

SPOKEN = {"alt", "title", "aria-label", "placeholder"}  # attributes that are heard or pointed at
INLINE = {"b", "i", "em", "strong", "span", "a", "code", "sup", "sub", "abbr", "small", "mark"}
UNREAD = {"style", "script", "code", "pre", "kbd"}  # code is no prose
TEXTS = ("title", "header", "subheader", "markdown", "caption", "info", "warning", "error")
NAMED = {"selectbox", "radio", "multiselect", "select_slider", "slider", "number_input"}
NAMED |= {"text_input", "text_area", "toggle", "checkbox", "file_uploader", "download_button"}


@dataclass(frozen=True)
class Passage:
    """A text on a page. place: what kind of part it stands in."""

    place: str
    text: str


class HtmlText(HTMLParser):
    """The text of HTML in blocks: a tag that begins a line begins a block."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks: list[str] = [""]
        self.unread = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.unread += tag in UNREAD
        if tag not in INLINE:
            self.blocks.append("")
        self.blocks[:0] = [value for name, value in attrs if name in SPOKEN and value]

    def handle_endtag(self, tag: str) -> None:
        self.unread -= tag in UNREAD
        if tag not in INLINE:
            self.blocks.append("")

    def handle_data(self, data: str) -> None:
        if not self.unread:
            self.blocks[-1] += data


def of_html(body: str) -> list[str]:
    """The texts of HTML, without code."""
    parser = HtmlText()
    parser.feed(body)
    return [text for text in (" ".join(block.split()) for block in parser.blocks) if text]


class HtmlRows(HTMLParser):
    """The rows of HTML tables: what a table is called, and the texts of a row's cells."""

    def __init__(self) -> None:
        super().__init__()
        self.name = ""
        self.rows: list[tuple[str, list[str]]] = []
        self.within = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if dict(attrs).get("role") == "region":
            self.name = dict(attrs).get("aria-label") or ""
        if tag == "tr":
            self.rows.append((self.name, []))
        elif tag == "td":
            self.rows[-1][1].append("")
        self.within = (self.within or tag == "td") and tag != "tr"
        if self.within and tag not in INLINE and tag != "td":
            self.rows[-1][1][-1] += " "

    def handle_endtag(self, tag: str) -> None:
        self.within = self.within and tag != "td"

    def handle_data(self, data: str) -> None:
        if self.within:
            self.rows[-1][1][-1] += data


def rows_of_html(body: str) -> list[str]:
    """Every row of the tables in HTML as one text: the table's name and the cells, with bars."""
    parser = HtmlRows()
    parser.feed(body)
    return [
        " | ".join([name, *(" ".join(cell.split()) for cell in cells)])
        for name, cells in parser.rows
        if cells
    ]


def of_markdown(text: str) -> list[str]:
    """The paragraphs of Markdown without its marks, code and formulas."""
    text = re.sub(r"```.*?```|`[^`]*`", " ", text, flags=re.DOTALL)
    text = re.sub(r"\$\$.*?\$\$|(?<!\\)\$.*?(?<!\\)\$", " ∎ ", text, flags=re.DOTALL)
    text = re.sub(r":material/\w+:|:[a-z]+-badge\[([^\]]*)\]", r" \1", text)
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"\*\*|(?<!\w)\*(?=\w)|(?<=\w)\*(?!\w)|^#+ |^> ", "", text, flags=re.MULTILINE)
    text = re.sub(r"\\([^\w\s])", r"\1", text)
    blocks = re.split(r"\n\s*\n|\n(?=[-*|] |\d\. )", text)
    return [t for block in blocks for t in of_html(block)]


def strings(value: Any) -> Iterator[str]:
    """Every string in JSON, without pictures and keys."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from strings(part)
    elif isinstance(value, list):
        for part in value:
            yield from strings(part)


def of_figure(spec: str) -> Iterator[Passage]:
    """What a figure writes: titles, axes, legend, notes, ticks."""
    figure = json.loads(spec)
    layout = figure["layout"]
    for name, part in layout.items():
        if re.fullmatch(r"[xy]axis\d*|polar|coloraxis", name) and isinstance(part, dict):
            title = part.get("title", {})
            yield Passage("axis", title if isinstance(title, str) else title.get("text", ""))
            yield from (Passage("tick", str(t)) for t in part.get("ticktext") or ())
    for note in layout.get("annotations", ()):
        yield Passage("note", note.get("text", ""))
    for trace in figure["data"]:
        if trace.get("name") and trace.get("showlegend", True):
            yield Passage("legend", trace["name"])
        for name in ("text", "hovertext", "hovertemplate", "x", "y", "texttemplate"):
            values = trace.get(name)
            if isinstance(values, dict):  # numbers, packed
                continue
            for value in [values] if isinstance(values, str) else values or ():
                if isinstance(value, str):
                    shown = re.sub(r"%{[^}]*}", "", value)  # the names of Plotly's own fields
                    yield Passage(f"figure {name}", shown)


def of_element(element: Any) -> Iterator[Passage]:
    """What an element of Streamlit's shows."""
    kind = element.type
    proto: Any = getattr(element, "proto", None)
    if kind in TEXTS:
        yield from (Passage(kind, text) for text in of_markdown(element.value))
        prose = re.sub(r"```.*?```", "", element.value, flags=re.DOTALL)
        yield from (Passage("code", text) for text in re.findall(r"`([^`]+)`", prose))
    elif kind == "html":
        yield from (Passage(kind, text) for text in of_html(proto.body))
        yield from (Passage("row", text) for text in rows_of_html(proto.body))
    elif kind == "plotly_chart":
        for passage in (Passage("alt", proto.alt), *of_figure(proto.spec)):
            yield from (Passage(passage.place, text) for text in of_html(passage.text))
    elif kind == "bidi_component":
        data = json.loads(proto.json or "null")
        for text in strings(data):
            if " " in text:  # what has none is a key or a picture
                yield Passage(f"component {proto.component_name}", text)
    elif kind == "dataframe":
        for column in element.value.columns:
            yield Passage("column", str(column))
        for column in element.value.select_dtypes(["object", "str"]):
            yield from (Passage("cell", str(v)) for v in element.value[column].unique())
    elif kind == "metric":
        yield Passage(kind, f"{proto.label}: {proto.body} {proto.delta}")
    if kind in NAMED | {"button", "button_group"}:
        yield from (Passage("label", text) for text in of_markdown(proto.label))
        yield from (Passage("help", text) for text in of_markdown(proto.help))
        for option in getattr(proto, "options", ()):
            yield Passage("option", getattr(option, "content", option))


def read(app: AppTest) -> list[Passage]:
    """Every text of the page, in the order in which it stands."""

    def walk(block: Any) -> Iterator[Passage]:
        for part in block.children.values():
            if hasattr(part, "children"):
                label = getattr(getattr(part, "proto", None), "label", "")
                if label:
                    yield Passage("fold", label)
                yield from walk(part)
            else:
                yield from of_element(part)

    return [p for root in app._tree.children.values() for p in walk(root) if p.text.strip()]


def data_sets_of(app: AppTest) -> tuple[str, list[str]]:
    """The link's parameter with which the page chooses data, and the codes that it offers; none
    where it offers no choice."""
    codes = {data_name(name): name for name in known_data_sets()}
    for box in app.selectbox:
        if box.label == "Data set" and box.key in ("dataset", "table"):
            return str(box.key), [codes[option] for option in box.options if option in codes]
    return "", []


def known_data_sets() -> set[str]:
    """The codes of the data sets that are bundled or published."""
    published = {r.dataset for _, _, r in published_results.listed() if hasattr(r, "dataset")}
    return {*catalogue.SETS, *catalogue.FEATURES, *published}


def every_page(
    open_page: Callable[..., AppTest], figures: list[tuple[str, str]] | None = None
) -> Iterator[tuple[str, str, Passage]]:
    """What every page says as its address opens it and on each data set that it offers, with what
    unfolds: page, data set ('' where there is none to choose), passage. figures: gets the JSON of
    each figure, with its page."""
    for page in PAGES:
        app = open_page(page)
        name, others = data_sets_of(app)
        opening = str(app.session_state[name]) if name else ""
        for dataset in [opening, *(other for other in others if other != opening)]:
            if dataset != opening:
                app = open_page(page, **{name: dataset})
            assert not app.exception, (page.url, dataset)
            yield from ((page.url, dataset, passage) for passage in read(unfold(app)))
            if figures is not None:
                figures += [(page.url, chart.proto.spec) for chart in app.get("plotly_chart")]
