"""Choices that the screen shows in words stand in the address by their codes."""

from pages.common.lab.registry import page
from tests.support.pages import Open, notes

PAGE = page("move-one-sample")


def test_a_link_names_the_code_and_the_screen_the_word(open_page: Open) -> None:
    app = open_page(PAGE, objective="accurate", order="lowest_first", dataset="breast_cancer")
    assert not app.exception
    assert not notes(app)
    assert app.selectbox(key="objective").value == "accurate"
    assert app.session_state["order"] == "lowest_first"
    assert "Breast tumours" in app.selectbox(key="dataset").options
    assert app.selectbox(key="dataset").value == "breast_cancer"
    assert app.query_params["dataset"] == "breast_cancer"


def test_what_is_chosen_goes_into_the_address(open_page: Open) -> None:
    app = open_page(PAGE)
    assert "objective" not in app.query_params
    app.selectbox(key="objective").set_value("top_k").run()
    assert app.query_params["objective"] == "top_k"
    app.selectbox(key="objective").set_value("higher_ranked").run()
    assert "objective" not in app.query_params, "the default is left out"


def test_another_link_on_the_same_page_is_followed(open_page: Open) -> None:
    app = open_page(PAGE, objective="top_k")
    app.query_params["objective"] = "quiet"
    app.run()
    assert app.selectbox(key="objective").value == "quiet"
    app.selectbox(key="objective").set_value("accurate").run()
    assert app.selectbox(key="objective").value == "accurate"


def test_a_bad_code_falls_back_and_leaves_the_address(open_page: Open) -> None:
    app = open_page(PAGE, objective="Algorithm 3")
    assert len(notes(app)) == 1
    assert app.selectbox(key="objective").value == "higher_ranked"
    assert "objective" not in app.query_params
