"""What the lab sends below Streamlit's public interface is, message by message, what Streamlit's
own functions send for the same arguments, and the server knows the same of each control.

A new version of Streamlit that sends or reads something else fails here.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime.state.common import WidgetMetadata
from streamlit.testing.v1 import AppTest

from engine.settings import ROOT
from pages.common.lab.registry import PAGES
from tests.support.sent import Sent, copied

SAME = ("value_type", "callback_args", "callback_kwargs", "bind", "persist_state")
NOTHING: Mapping[str, Any] = {}


def normal(messages: Sequence[ForwardMsg]) -> list[ForwardMsg]:
    """Return the messages of one element without what tells two of a kind apart: its place among
    the others, and its own name."""
    copies = []
    for copy in map(copied, messages):
        copy.metadata.delta_path[1] = 0
        copy.hash = ""
        kind = copy.delta.WhichOneof("type")
        if kind == "add_block":
            block = copy.delta.add_block
            block.id = ""
            getattr(block, str(block.WhichOneof("type"))).id = ""
        else:
            element = copy.delta.new_element
            proto = getattr(element, str(element.WhichOneof("type")))
            if hasattr(proto, "id"):
                proto.id = ""
        copies.append(copy)
    return copies


def same_control(ours: WidgetMetadata, theirs: WidgetMetadata, values: Sequence[object]) -> None:
    """Assert that two controls are read in the same way. values: what a browser may say of them,
    in the form of the wire; None where it has said nothing."""
    for name in SAME:
        assert getattr(ours, name) == getattr(theirs, name), name
    assert (ours.callback is None) == (theirs.callback is None)
    assert (ours.callbacks or {}).keys() == (theirs.callbacks or {}).keys()
    assert (ours.presenter is None) == (theirs.presenter is None)
    for value in values:
        read = theirs.deserializer(value)
        assert ours.deserializer(value) == read
        assert ours.serializer(read) == theirs.serializer(read)


def compare(ours: Sent, theirs: Sent, *values: Sequence[object]) -> None:
    """Assert that the same was sent, and that the controls in it are the same. values: for each
    control, as in `same_control`."""
    assert ours.messages and normal(ours.messages) == normal(theirs.messages)
    for mine, other, said in zip(ours.controls, theirs.controls, values, strict=True):
        same_control(mine, other, said)


def run(script: Callable[..., None], fails: bool = False, **given: Any) -> Any:
    """Run a script and return what it has noted: for the lab, and for Streamlit. fails: whether it
    shows exceptions."""
    app = AppTest.from_function(script, kwargs=given)
    app.run()
    assert bool(app.exception) == fails
    return app.session_state["noted"]


def html(text: str) -> None:
    import streamlit as st

    from pages.common.widgets import blocks
    from tests.support.sent import sent_by

    st.session_state["noted"] = [
        sent_by(lambda: blocks.html(text)),
        sent_by(lambda: st.html(text)),
    ]


@pytest.mark.parametrize("text", ["<p>One</p>", '<div class="ial-facts"><b>2</b> &lt; 3</div>'])
def test_html(text: str) -> None:
    compare(*run(html, text=text))


def folds(opened: bool, look: "dict[str, Any]") -> None:
    import streamlit as st

    from pages.common.widgets import unfold
    from tests.support.sent import sent_by

    def told() -> None:
        st.markdown("told")

    def theirs() -> None:
        with st.expander("A fold", key="b", on_change="rerun", **look) as box:
            if box.open:
                told()

    for key in ("unfold-a", "b"):
        st.session_state.setdefault(key, opened)
    st.session_state["noted"] = [
        sent_by(lambda: unfold.show("A fold", "a", told)),
        sent_by(theirs),
    ]


def menus(opened: bool, look: "dict[str, Any]") -> None:
    import streamlit as st

    from pages.common.widgets import unfold
    from tests.support.sent import sent_by

    def told() -> None:
        st.markdown("told")

    def theirs() -> None:
        with st.popover("A menu", icon=icon, key="b", on_change="rerun", **look) as box:
            if box.open:
                told()

    icon = ":material/link:"
    for key in ("a", "b"):
        st.session_state.setdefault(key, opened)
    st.session_state["noted"] = [
        sent_by(lambda: unfold.menu("A menu", "a", told, icon, **look)),
        sent_by(theirs),
    ]


def without_fragment(sent: Sent) -> Sent:
    """A fold of the lab is a fragment, which names itself in its messages: st.expander is none."""
    for message in sent.messages:
        assert message.delta.fragment_id
        message.delta.fragment_id = ""
    return sent


@pytest.mark.parametrize("opened", [False, True])
@pytest.mark.parametrize(
    ("script", "look"),
    [
        (folds, NOTHING),
        (menus, NOTHING),
        (menus, {"type": "tertiary"}),
        (menus, {"type": "tertiary", "width": "stretch"}),
    ],
)
def test_folds_and_menus(
    opened: bool, script: Callable[..., None], look: Mapping[str, Any]
) -> None:
    ours, theirs = run(script, opened=opened, look=look)
    assert len(ours.messages) == 1 + opened
    compare(without_fragment(ours), theirs, [None, False, True])


def figures(selects: bool, height: int | None) -> None:
    import plotly.graph_objects as go
    import streamlit as st

    from pages.common.widgets import ready_figure
    from tests.support.sent import sent_by

    figure = go.Figure(go.Scatter(x=[0, 1, 2], y=[0.5, 1, 4]), layout={"height": height})
    ready = ready_figure.ReadyFigure.of(figure)
    given: dict[str, Any] = {"on_select": print, "selection_mode": "points"} if selects else {}
    config = {"displaylogo": False}
    st.session_state["noted"] = [
        sent_by(lambda: ready_figure.show(ready, "a", "Three", config, given.get("on_select"))),
        sent_by(lambda: st.plotly_chart(figure, key="b", alt="Three", config=config, **given)),
    ]


@pytest.mark.parametrize("selects", [False, True])
@pytest.mark.parametrize("height", [None, 300])
def test_figures(selects: bool, height: int | None) -> None:
    clicked = '{"selection": {"points": [{"x": 1}], "point_indices": [1], "box": [], "lasso": []}}'
    ours, theirs = run(figures, selects=selects, height=height)
    compare(ours, theirs, *([None, clicked] for _ in range(selects)))


def components(hears: bool) -> None:
    import streamlit as st

    from pages.common.keeping.ready import Ready
    from pages.common.widgets.browser_files import text_of
    from pages.common.widgets.component import Component
    from tests.support.sent import sent_by

    theirs = st.components.v2.component(
        "header", css=text_of("header.css"), js=text_of("header.js"), isolate_styles=False
    )
    data = Ready({"a": [1.5, "<b>"], "b": {"c": None}})
    ours = Component("header")
    told: dict[str, Any] = {"told": lambda: None} if hears else {}
    heard = {f"on_{name}_change": call for name, call in told.items()}
    st.session_state["noted"] = [
        sent_by(lambda: ours.show("a", data, {"more": True}, **told)),
        sent_by(lambda: theirs(key="b", data={**data, "more": True}, **heard)),
        [st.session_state.get(key) for key in ("a", "b")],
    ]


def test_components_that_tell_something() -> None:
    ours, theirs, held = run(components, hears=True)
    assert held[0] == held[1]
    told = '[{"event": "told", "value": 3}]'
    compare(ours, theirs, [None, '{"held": 3}'], [None, told])


def test_components_that_tell_nothing() -> None:
    """Streamlit keeps a state for these too; the lab has nothing to keep."""
    ours, theirs, _ = run(components, hears=False)
    assert normal(ours.messages) == normal(theirs.messages)
    assert not ours.controls


def fragments() -> None:
    import streamlit as st
    from streamlit.runtime.scriptrunner_utils.script_run_context import get_script_run_ctx

    from pages.common.widgets import fragment
    from tests.support.sent import sent_by

    def draw() -> None:
        st.markdown("drawn")

    context = get_script_run_ctx()
    assert context is not None
    noted = []
    with st.container(key="around"):
        for show in (lambda: fragment.alone("name", draw), st.fragment(draw)):
            first = sent_by(show)
            name = first.messages[-1].delta.fragment_id
            context.fragment_ids_this_run = [name]  # as where the browser asks for this one alone
            noted.append((first, sent_by(context.fragment_storage.lookup(name))))
            context.fragment_ids_this_run = None
    st.session_state["noted"] = noted


def test_what_runs_again_alone_sends_the_same_to_the_same_place() -> None:
    """As st.fragment does, except that this draws a container of its own around its elements."""
    for first, again in run(fragments):
        element, drawn_again = first.messages[-1], again.messages[-1]
        assert element.delta.new_element.markdown.body == "drawn"
        assert element.delta.fragment_id
        assert element == drawn_again


def failures() -> None:
    from collections.abc import Callable
    from functools import partial

    import streamlit as st

    from pages.common.widgets import fragment
    from tests.support.sent import sent_by

    def fail() -> None:
        raise ValueError("wrong")

    def caught(show: Callable[[], None], said: list[str]) -> None:
        try:
            show()
        except Exception as error:  # what Streamlit raises is compared, whatever it is
            said.append(f"{type(error).__name__}: {error}")

    noted = []
    for show in (partial(fragment.alone, "name", fail), st.fragment(fail)):
        said: list[str] = []
        sent = sent_by(partial(caught, show, said))
        noted.append((said, sent.messages[-1].delta.new_element.exception))
    st.session_state["noted"] = noted


def test_what_goes_wrong_in_a_fragment_is_shown_as_streamlit_shows_it() -> None:
    (ours, shown), (theirs, shown_by_streamlit) = run(failures, fails=True)
    assert ours == theirs == ["FragmentHandledException: wrong"]
    assert shown.message and shown.message == shown_by_streamlit.message


@pytest.mark.parametrize("entry", PAGES, ids=lambda entry: entry.url)
def test_pages_of_the_navigation(entry: Any) -> None:
    def both(place: str, title: str, url: str, default: bool) -> None:
        import streamlit as st

        from pages.common.lab import navigation, registry

        ours = navigation.page_of(registry.page(url))
        theirs = st.Page(place, title=title, url_path=url, default=default)
        # Ours is shared by all sessions, and says only of a copy whether that has run.
        names = sorted((set(vars(ours)) | set(vars(theirs))) - {"_script_hash", "_can_be_called"})
        st.session_state["noted"] = [
            [getattr(page, name) for name in (*names, "_script_hash", "url_path", "title", "icon")]
            for page in (ours, theirs)
        ]

    given = {"title": entry.title, "url": entry.url, "default": entry.default}
    ours, theirs = run(both, place=str(ROOT / entry.file), **given)
    assert ours == theirs
