"""Features of published results that stand in for those of the paper's image sets: which data set's
they are, and how much of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from engine.data import catalogue, inventory
from engine.data.images.backbones import Backbone
from engine.data.inventory import InventoryEntry
from pages.common.lab import published_results
from pages.common.lab.shared import lab
from pages.common.words.code_names import data_name

READY = ":green-badge[ready]"


@dataclass(frozen=True)
class StandingIn:
    """A data set's stand-in that lies here, with its numbers of training samples, test samples and
    features. `about` is what it stands in for."""

    about: catalogue.Description
    entry: InventoryEntry | None = None
    samples: tuple[int, int, int] | None = None

    def whole(self, backbone: Backbone | None) -> InventoryEntry | None:
        """Return the stand-in if it has all samples and the network's number of features."""
        return self.entry if backbone is not None and self.covers(backbone) else None

    def covers(self, backbone: Backbone) -> bool:
        rows = self.about.rows
        return self.samples == (rows["train"], rows["test"], backbone.n_features)

    @property
    def part(self) -> InventoryEntry | None:
        """Return the stand-in if it has fewer samples than its data set."""
        if self.samples is None or self.samples[:2] == tuple(self.about.rows.values()):
            return None
        return self.entry

    @property
    def said(self) -> str:
        """Say in two lines how many of the samples there are to train on."""
        return "" if self.samples is None else stand_in(f"{self.samples[0]:,} pictures")


def stand_in(what: str) -> str:
    """Return two lines on a stand-in that is ready, and what it is."""
    return f"**Stand-in** {READY}  \n{what}"


def is_ready(entry: InventoryEntry) -> str:
    """Say in two lines that the features of a network lie here, or what stands in for them."""
    name = made_by(entry).split("  \n")[0]
    if entry.here:
        return f"{name}  \n{READY}"
    return stand_in(name.strip("*"))


def made_by(entry: InventoryEntry) -> str:
    if entry.backbone is None:
        return ""
    name = entry.backbone.title.split(" (")[0]
    return f"**{name}**  \n{entry.backbone.n_features:,} features"


def of(about: catalogue.Description, entries: Sequence[InventoryEntry]) -> StandingIn:
    """Return the stand-in of a data set among those that lie here."""
    for entry in entries:
        if entry.here and stands_for(entry) is about:
            samples = inventory.samples_of(entry.name, lab().settings.data_dir)
            return StandingIn(about, entry, samples)
    return StandingIn(about)


def stands_for(entry: InventoryEntry) -> catalogue.Description | None:
    """Return the data set whose features these stand in for; None where they are no stand-in."""
    names = {here: title for title, here in published_results.stand_ins().items()}
    title = names.get(entry.name) if entry.about is None else None
    return next((about for about in catalogue.SETS.values() if about.title == title), None)


def title(entry: InventoryEntry) -> str:
    """Return a data set's title in bold; as code, the name that a visitor gave it."""
    said = data_name(entry.name)
    return f"`{said}`" if said == entry.name else f"**{said}:**"
