"""The colours of the figures: Okabe and Ito's (grey aside), which colour-blind readers can tell
apart, legible on light and dark.

The target is the accent colour everywhere; what belongs to the honest model is grey, what belongs
to the malicious one blue. Shapes and dashes repeat what colours say.
"""

ACCENT, BLUE, GREY = "#D55E00", "#0072B2", "#868E96"
GREEN, PURPLE, ORANGE = "#009E73", "#CC79A7", "#E69F00"
FAINT = "rgba(134, 142, 150, 0.45)"
GOOD, BAD, OPEN = BLUE, "#AD4800", "#5F6770"  # of verdicts, dark enough for white text
BAND = "rgba(213, 94, 0, 0.13)"  # behind the top k


def translucent(colour: str, opacity: float) -> str:
    """Return a colour like "#D55E00" with an opacity."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, {opacity})"
