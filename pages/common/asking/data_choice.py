"""Which data sets a page offers, and what of them is on this machine."""

import streamlit as st

from engine.data.dataset import Dataset
from engine.errors import EngineError
from engine.results.library import imported_datasets
from pages.common.lab import published_results
from pages.common.lab.shared import datasets, is_here, lab, open_dataset, shown
from pages.common.samples import Samples
from pages.common.words.code_names import data_name


def opened(name: str) -> Dataset:
    """Return a data set that is on this machine. Stops the page where it cannot be used."""
    try:
        return open_dataset(name)
    except EngineError as error:
        st.error(f"The data set “{data_name(name)}” cannot be used. {shown(error)}")
        st.stop()


def data_hash(name: str) -> str | None:
    """Return the content hash of a data set; None where it is not on this machine. Stops the page
    where the data set is here but cannot be used."""
    return opened(name).content_hash if is_here(name) else None


def names_of(role: str, experiment: str = "") -> list[str]:
    """Return the data sets to choose from: those on this machine, those with published results and,
    where an experiment is named, those with imported results of it."""
    imported = imported_datasets(lab().store, experiment) if experiment else ()
    return list(dict.fromkeys([*datasets(), *published_results.datasets_of(role), *imported]))


def samples_of(name: str) -> Samples | None:
    """Return the training samples of a data set; None where it is not on this machine."""
    return Samples(opened(name)) if is_here(name) else None
