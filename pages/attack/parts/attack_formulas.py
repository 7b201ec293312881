"""What the attack computes, in formulas."""

import streamlit as st

from engine.experiments import AttackRequest
from engine.vocabulary import LINEAR
from pages.common.widgets import unfold


@unfold.section("What is computed (Definition 1, Algorithms 1 to 3)", "formulas")
def formulas(request: AttackRequest) -> None:
    """Show the mathematics of the page, with the paper's numbers."""
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
        "decreasing order and calls the first most valuable. With *lowest score first* the rank "
        "counts strictly smaller scores."
    )
    st.markdown(
        "**Algorithm 1, the objective,** is a weighted sum of scores with weights frozen at "
        "the current model. *Algorithm 3*, the paper's, lowers all that stand above the "
        "target $t$:"
    )
    st.latex(
        r"\ell = \sum_i c_i I_i,\qquad c_t=-1,\quad c_i=\tfrac{1}{|A|}\ \text{ for } "
        r"i\in A=\{i : I_i>I_t\}"
    )
    st.markdown(
        "*Lower the top k* puts $c_i = 1/k$ on the current top $k$ instead; *raise the target "
        "only* keeps $c_t=-1$ alone."
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
