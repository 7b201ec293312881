"""What one vendor earns."""

from numpy.typing import ArrayLike

from engine.market.payments import TOP_K, payments
from engine.market.vendors import Vendors


def vendor_share(
    scores: ArrayLike,
    vendors: Vendors,
    vendor: int,
    rule: str = "positive",
    *,
    k: int = TOP_K,
    order: str = "highest_first",
) -> float:
    """Return the share of any budget that `payments` gives one vendor."""
    return float(payments(scores, vendors, rule, k=k, order=order).shares[vendor])
