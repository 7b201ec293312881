"""The one list of pages: navigation, cards, links and the pages' tests are made from it."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Preset:
    """A view worth opening: what its card says, and its parameters in the link."""

    title: str
    text: str
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PageEntry:
    """One page: where it stands, what it asks, and what it finds (numbers come from results)."""

    section: str
    title: str
    url: str
    file: str
    question: str
    finding: str
    presets: tuple[Preset, ...] = ()
    default: bool = False


PAGES: tuple[PageEntry, ...] = (
    PageEntry(
        section="Learn",
        title="Can you tell them apart?",
        url="apart",
        file="pages/learn/tell_them_apart.py",
        question="Two models, nearly the same accuracy; one was made to rig what data is worth.",
        finding="Predictions do not give it away. The influence ranking does, but only beside an "
        "honest one.",
        default=True,
    ),
    PageEntry(
        section="Learn",
        title="What is influence?",
        url="influence",
        file="pages/learn/what_is_influence.py",
        question="Which training samples decide about a test image, and what does a score mean?",
        finding="An influence score estimates what retraining without the sample would change.",
    ),
    PageEntry(
        section="Attack",
        title="Move one sample to the top",
        url="move-one-sample",
        file="pages/attack/move_one_sample.py",
        question="Can whoever trains the model decide which sample counts as the most valuable?",
        finding="Whoever trains the model decides what the data is worth.",
        presets=(
            Preset(
                "Move a worthless sample to the top",
                "A handwritten digit, far down in the ranking of 1,200, is to become the most "
                "valuable. Watch it climb, and see what it costs.",
            ),
        ),
    ),
    PageEntry(
        section="Attack",
        title="What does it cost?",
        url="cost",
        file="pages/attack/cost.py",
        question="How many samples can be moved, how far must the model go, and what is lost?",
        finding="A model that may go further moves more samples, and loses more.",
    ),
    PageEntry(
        section="Attack",
        title="What makes it work?",
        url="what-works",
        file="pages/attack/what_works.py",
        question="Which parts of the attack move the samples, and where do the other runs get "
        "stuck?",
        finding="Raising the target is not enough: what stands above it must be lowered, from more "
        "than one start.",
    ),
    PageEntry(
        section="Attack",
        title="Many targets at once",
        url="many-targets",
        file="pages/attack/many_targets.py",
        question="Can one model favour a whole set of samples, and what does success mean then?",
        finding="A larger set takes more of the top, but a smaller share of it arrives.",
    ),
    PageEntry(
        section="Attack",
        title="Easy or hard?",
        url="easy-or-hard",
        file="pages/attack/easy_or_hard.py",
        question="Which samples are easy to move, and can that be told beforehand?",
        finding="The scores at both ends of the ranking depend most on the model.",
    ),
    PageEntry(
        section="Attack",
        title="The impossible sample",
        url="impossible",
        file="pages/attack/impossible_sample.py",
        question="Is there a sample that no model, however it is chosen, puts at the top?",
        finding="There are samples that no attack can move to the top.",
        presets=(
            Preset(
                "An impossible sample",
                "Three copies with the other label hold it down: 10,000 random models and the "
                "attack try in vain. Set the weights yourself, and read why.",
                {"k": "3"},
            ),
        ),
    ),
    PageEntry(
        section="Fairness",
        title="Break fairness by one multiplication",
        url="fairness",
        file="pages/fairness/one_multiplication.py",
        question="Can whoever trains the base model spoil the fairness of the next one, without "
        "changing a prediction?",
        finding="A factor on the weights changes no prediction, but every influence score: the "
        "reweighing that was to make the next model fair no longer does.",
        presets=(
            Preset(
                "Break fairness by one multiplication",
                "A base model scaled by 0.001 predicts as before. The model that is trained on its "
                "influence scores is to treat women and men alike. Does it?",
                {"table": "adult", "metric": "dp"},
            ),
        ),
    ),
    PageEntry(
        section="Defend",
        title="The audit",
        url="audit",
        file="pages/defend/audit.py",
        question="Can an auditor tell from the reported scores who invents them, and who rigs the "
        "model?",
        finding="The audit catches invented numbers, and nothing else.",
    ),
    PageEntry(
        section="Defend",
        title="Is it a minimum?",
        url="minimum",
        file="pages/defend/is_it_a_minimum.py",
        question="An honest model is a minimum of its training loss. Does that give the others "
        "away?",
        finding="A model that was moved for its scores is no minimum, but neither is one that was "
        "not trained to the end.",
        presets=(
            Preset(
                "Catch the attacker",
                "Honest models, attacked ones and scaled ones: the gradient of the training loss "
                "tells many of them apart. What if the attacker knows?",
            ),
        ),
    ),
    PageEntry(
        section="Defend",
        title="Would another score have noticed?",
        url="other-scores",
        file="pages/defend/other_scores.py",
        question="Does an attack on influence show in other attributions of the same model?",
        finding="Scores made from the model's gradients are moved along; a score that never sees "
        "the model is not, and disagreement with it gives most attacks away.",
    ),
    PageEntry(
        section="Evidence",
        title="The paper against us",
        url="paper",
        file="pages/evidence/paper_against_us.py",
        question="Which of the paper's numbers and statements hold here, and which cannot be "
        "compared?",
        finding="What the paper states about orders and trends can be tested anywhere; its levels "
        "cannot.",
    ),
    PageEntry(
        section="Evidence",
        title="Why it is fast",
        url="why-fast",
        file="pages/evidence/why_fast.py",
        question="What does one step of the attack cost, and how does it grow?",
        finding="The same gradient from a few matrix products, without automatic differentiation.",
    ),
    PageEntry(
        section="Evidence",
        title="Results and jobs",
        url="results",
        file="pages/evidence/results_and_jobs.py",
        question="What is being computed, what is kept, and how does it get to somebody else?",
        finding="Every result is kept, found again, compared and handed on.",
    ),
    PageEntry(
        section="Data",
        title="Data sets",
        url="data",
        file="pages/data/data_sets.py",
        question="What data is there, what of it is on this machine, and how does yours get in?",
        finding="The lab opens the paper's data sets and your own, once they are on this machine.",
    ),
)


def page(url: str) -> PageEntry:
    """The page at `url`."""
    return next(entry for entry in PAGES if entry.url == url)


def links() -> list[tuple[PageEntry, Mapping[str, str]]]:
    """Every link that the lab itself offers, with its parameters: each page, each preset."""
    presets = {page.url: [p.parameters for p in page.presets if p.parameters] for page in PAGES}
    return [(page, given) for page in PAGES for given in ({}, *presets[page.url])]
