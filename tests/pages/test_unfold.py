"""What a reader opens is a fragment, except within another one."""

from streamlit.testing.v1 import AppTest


def script() -> None:
    import streamlit as st
    from streamlit.runtime.scriptrunner_utils.script_run_context import ThreadState

    from pages.common.widgets import unfold

    def note(name: str) -> None:
        st.session_state[name] = ThreadState.get().fragment_id

    @unfold.section("Alone", "alone")
    def alone() -> None:
        note("alone")

    @unfold.section("Within", "within")
    def within() -> None:
        note("within")

    @st.fragment
    def around() -> None:
        note("around")
        within()

    note("page")
    alone()
    around()


def test_one_within_a_fragment_belongs_to_it() -> None:
    """Else, when that runs again and again, the browser gets a part without what it stands in."""
    app = AppTest.from_function(script)
    app.session_state["unfold-alone"] = app.session_state["unfold-within"] = True
    app.run()
    assert not app.exception
    ids = {name: app.session_state[name] for name in ("page", "alone", "around", "within")}
    assert ids["page"] is None
    assert None not in (ids["alone"], ids["around"])
    assert ids["within"] == ids["around"] != ids["alone"]


def test_nothing_is_drawn_before_it_is_opened() -> None:
    app = AppTest.from_function(script).run()
    assert not app.exception
    assert "alone" not in app.session_state
    assert "within" not in app.session_state


def in_the_sidebar() -> None:
    import streamlit as st

    from pages.common.widgets import unfold

    def told() -> None:
        st.markdown("told")

    with st.sidebar:
        unfold.section("Aside", "aside")(told)()
    with st.container(key="inner"):
        unfold.section("Within", "within")(told)()


def test_what_unfolds_stays_in_its_container() -> None:
    app = AppTest.from_function(in_the_sidebar).run()
    assert not app.exception
    assert [box.label for box in app.sidebar.expander] == ["Aside"]
    assert [box.label for box in app.main.expander] == ["Within"]
