"""How far two honest rankings agree, in words: pure functions from the tables of `halves`."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from engine.statistics import percentiles
from pages.common.keeping import shelf
from pages.common.words.wording import decimal


@shelf.kept
def beside(table: pd.DataFrame) -> str:
    """Say what stands beside a statement on transfer."""
    own, drawn = table.iloc[0], table.iloc[1:]
    return (
        "For comparison: the honest model's own two rankings, by these two halves of the test "
        f"data, correlate at {decimal(own['spearman'])} (Spearman; median over {len(drawn)} other "
        f"ways to halve it: {decimal(drawn['spearman'].median())})."
    )


@shelf.kept
def finding(table: pd.DataFrame) -> str:
    """Say whether the ranking is the samples' own or the test data's, in a sentence."""
    own, drawn = table.iloc[0], table.iloc[1:]
    low, high = percentiles(drawn["spearman"].to_numpy())
    return (
        "The ranking depends on which test data asks: by two halves of it, the same honest model "
        f"ranks the samples with **Spearman {decimal(own['spearman'])}**, and with "
        f"{decimal(low)} to {decimal(high)} in 95% of {len(drawn)} other ways to halve it."
    )


@shelf.kept
def title(tables: Mapping[str, pd.DataFrame]) -> str:
    """Return the range of the medians over all data sets."""
    medians = [table["spearman"].iloc[1:].median() for table in tables.values()]
    return (
        "How far two honest rankings agree: Spearman "
        f"{decimal(min(medians))} to {decimal(max(medians))}, the median by data set"
    )


@shelf.kept
def caption(table: pd.DataFrame | None) -> str:
    """Say what becomes of the first sample and of the first ten, for the data set that is chosen
    (None where it is not compared)."""
    marks = (
        "A mark is one way to cut the test data in two halves; the diamond is the lab's own. No "
        "model was manipulated."
    )
    if table is None:
        return marks
    own, drawn = table.iloc[0], table.iloc[1:]
    elsewhere = np.median(drawn[["first_on_second", "second_on_first"]].to_numpy())
    n = int(own["n_train"])
    return (
        f"{marks} On the chosen data the first sample by the lab's own test half stands "
        f"at rank {int(own['first_on_second']):,} of {n:,} by the other half (median over the "
        f"other ways: {elsewhere:,.0f}), and of the first ten {own['shared_first']:.0f} "
        f"are shared (mean over the other ways: {drawn['shared_first'].mean():.1f})."
    )
