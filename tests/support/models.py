"""Models made by hand."""

from typing import Any

import numpy as np


def model(kind: str, norm: float, **known: Any) -> dict[str, Any]:
    blank: dict[str, Any] = {
        "kind": kind,
        "trained": "",
        **dict.fromkeys(("radius", "scale", "stealth"), np.nan),
        **dict.fromkeys(("target", "k", "rank_before", "rank_after"), 0),
        "success": False,
        "accuracy_drop": 0.0,
        "gradient_norm": norm,
        "relative": 0.5,
    }
    return blank | known
