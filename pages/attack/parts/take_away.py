"""What can be taken away from a finished attack: files, code; and its formulas."""

from collections.abc import Mapping

import plotly.graph_objects as go
import streamlit as st

from engine.data.sources.bundled import LOADERS
from engine.experiments import AttackRequest
from engine.experiments.base import LINEAR
from engine.results.store import Stored
from pages.attack.parts.attack_view import View
from pages.common.lab.shared import lab, provenance
from pages.common.widgets import code_tabs, unfold
from pages.common.widgets.charts import heading
from pages.common.words import reproduce, wording


def figures_page(headline: str, drawn: Mapping[str, go.Figure], titles: Mapping[str, str]) -> str:
    """All figures as one HTML page that needs no network: Plotly's script is inside."""
    parts = [
        f"<h2>{titles[name]}</h2>" + figure.to_html(full_html=False, include_plotlyjs=position == 0)
        for position, (name, figure) in enumerate(drawn.items())
    ]
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Influence attack</title>'
        '<body style="font-family: sans-serif; max-width: 60rem; margin: 2rem auto">'
        f"<h1>{headline.replace('**', '')}</h1>{''.join(parts)}</body></html>"
    )


def show(stored: Stored, view: View) -> None:
    """Downloads, Python, command line and provenance."""
    heading("Take it with you")
    request = view.request
    name = f"{request.dataset}-sample-{request.targets[0]}"
    result, samples = view.result, view.samples
    headline = wording.headline(result)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.download_button(
            "Samples (CSV)",
            lambda: reproduce.sample_table(result, samples).to_csv().encode(),
            f"{name}-samples.csv",
            "text/csv",
            on_click="ignore",
        )
        st.download_button(
            "Trajectories (CSV)",
            lambda: result.trajectory.to_csv(index=False).encode(),
            f"{name}-trajectories.csv",
            "text/csv",
            on_click="ignore",
        )
        st.download_button(
            "Request (JSON)",
            reproduce.request_json(request),
            f"{name}-request.json",
            "application/json",
            on_click="ignore",
        )
        st.download_button(
            "All figures (HTML)",
            lambda: figures_page(headline, view.figures, view.titles),
            f"{name}.html",
            "text/html",
            on_click="ignore",
        )
    data_dir = None if request.dataset in LOADERS else str(lab().settings.data_dir)
    code_tabs.folded(
        reproduce.snippet(request, data_dir),
        reproduce.command_of("attack", request),
    )
    st.caption(provenance(stored))


@unfold.section("What is computed (Definition 1, Algorithms 1 to 3)", "formulas")
def formulas(request: AttackRequest) -> None:
    """The mathematics of the page, with the paper's numbers."""
    st.markdown(
        "**Definition 1, influence.** With $p_i$ the model's probabilities for training "
        "sample $i$, $y_i$ its one-hot label, $H$ the Hessian of the mean training loss and "
        f"$\\lambda$ the damping (here {request.damping:g}), $g$ the mean gradient of the "
        "test loss:"
    )
    st.latex(
        r"I_i = -\,g^{\top}(H+\lambda I)^{-1}\,\nabla_\theta L(z_i)"
        r" = -\,\big\langle (p_i-y_i)\otimes x_i,\; s\big\rangle,"
        r"\qquad (H+\lambda I)\,s = g"
    )
    if request.model != LINEAR:
        st.markdown(
            "The second form is that of the linear model. For a network all scores are one "
            "derivative of the losses in forward mode, $I_i = -\\,\\mathrm{d}L(z_i;\\,\\theta+"
            "\\varepsilon s)/\\mathrm{d}\\varepsilon$ at 0, and $H$ enters through its "
            "products with vectors."
        )
    st.markdown(
        "The rank of a sample is 1 plus the number of strictly greater scores. A positive "
        "score means that up-weighting the sample *raises* the test loss; the paper ranks in "
        "decreasing order and calls the first most valuable. With `lowest_first` the rank "
        "counts strictly smaller scores."
    )
    st.markdown(
        "**Algorithm 1, the objective,** is a weighted sum of scores with weights frozen at "
        "the current model. `higher_ranked`, the paper's, lowers all that stand above the "
        "target $t$:"
    )
    st.latex(
        r"\ell = \sum_i c_i I_i,\qquad c_t=-1,\quad c_i=\tfrac{1}{|A|}\ \text{ for } "
        r"i\in A=\{i : I_i>I_t\}"
    )
    st.markdown(
        "`top_k` puts $c_i = 1/k$ on the current top $k$ instead; `target` keeps $c_t=-1$ alone."
    )
    st.markdown(
        "**Algorithm 2, the inverse Hessian.** The paper approximates $(H+\\lambda I)^{-1}v$ "
        "by LiSSA's random recursion; here it is solved by preconditioned conjugate "
        "gradients. The gradient of $\\ell$ needs one more solve, $s_c = (H+\\lambda "
        "I)^{-1}\\sum_i c_i\\nabla L(z_i)$:"
    )
    st.latex(
        r"\nabla\ell = -H_{\text{test}}\,s_c-\sum_i c_i H_i\,s"
        r"+\nabla_\theta\big\langle s_c,\,H(\theta)\,s\big\rangle"
    )
    st.markdown(
        "**Algorithm 3, the attack,** is projected Adam from random starts on the sphere, "
        f"{request.steps} steps at learning rates "
        f"{' and '.join(f'{rate:g}' for rate in request.learning_rates)}, a tenth of them "
        "after half of the steps. After every step the model is put back into the ball of "
        f"radius $r={request.radius:g}$:"
    )
    st.latex(r"\lVert\theta'-\theta^*\rVert_2 \le r\,\lVert\theta^*\rVert_2")
