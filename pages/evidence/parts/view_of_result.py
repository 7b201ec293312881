"""From a stored result to the view that shows it: the page, and the parameters of its link.

A link is given only where the page, reading it, would ask for exactly this request.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import singledispatch

from engine.data.tables.options import HELP, TableOptions
from engine.experiments import (
    AttackRequest,
    AttributionsRequest,
    AuditRequest,
    BaselineRequest,
    CandidatesRequest,
    CertificatesRequest,
    CleaningRequest,
    ConditioningRequest,
    DefenceRequest,
    DeniableRequest,
    ExplainRequest,
    FairnessRequest,
    GradientsRequest,
    HalvesRequest,
    ImpossibleRequest,
    LdsRequest,
    LeaveOneOutRequest,
    LessonRequest,
    MinimalRadiusRequest,
    PairsRequest,
    PaymentsRequest,
    PlaygroundRequest,
    PolishRequest,
    ReplayRequest,
    ScalingRequest,
    ScoreMatrixRequest,
    SelectionRequest,
    SensitivityRequest,
    SolversRequest,
    SweepRequest,
)
from engine.options import taken_from
from pages.common.asking import halves, links, number_lists, sweep_requests, table_options
from pages.common.lab import published_results
from pages.common.lab.registry import PageEntry, page
from pages.common.lab.shared import baseline_request
from pages.defend.parts.polish_words import case
from pages.learn.parts import new_sample_words, retraining

Examined = AuditRequest | AttributionsRequest
RETRAINED = ("setting", "l2", "damping", "samples")
COLUMNS = ("target", "positive", "sensitive", "privileged")
# A page about sweeps: url, role, axes of its controls, whether starts are among them.
SweepPage = tuple[str, str, Sequence[str], bool]
SWEPT: tuple[SweepPage, ...] = (
    ("cost", "cost", ("radii", "ks"), True),
    ("many-targets", "sizes", ("set_sizes", "radii", "ks"), True),
    ("what-works", "ablation", ("radii", "ks"), False),
)
JUDGED: Mapping[type, tuple[str, str]] = {  # role among the published, and page
    LdsRequest: ("lds", "lds"),
    SelectionRequest: ("selection", "lds"),
    ScoreMatrixRequest: ("score matrix", "is-any-score-safe"),
    ConditioningRequest: ("conditioning", "look"),
    CandidatesRequest: ("candidates", "new-sample"),
}
BESIDE = {  # pages that show a role without controls of it, and whether of one data set alone
    "training": ("cost", True),
    "baseline": ("cost", True),
    "frontier": ("cost", True),
    "fresh": ("cost", False),
    "other attackers": ("other-scores", True),
}


@dataclass(frozen=True)
class ResultView:
    """A page and the parameters that make it show one result."""

    page: PageEntry
    parameters: Mapping[str, str]


def view(url: str, **parameters: object) -> ResultView:
    return ResultView(page(url), {name: str(value) for name, value in parameters.items()})


def on_grid(radius: float) -> bool:
    """Return whether the slider of the pages about one attack can hold a radius."""
    steps = radius / links.RADIUS_STEP
    return links.RADIUS_LOW <= radius <= links.RADIUS_HIGH and abs(steps - round(steps)) < 1e-9


@singledispatch
def view_of(request: object) -> ResultView | None:
    """Return the view that shows the result of a request; None where no page does."""
    return None


@view_of.register
def of_attack(request: AttackRequest) -> ResultView | None:
    values = links.values_of(request)
    same = links.request_of(values) == request
    fits = 1 <= request.restarts <= links.RESTARTS_HIGH and on_grid(request.radius)
    return view("move-one-sample", **values) if same and fits else None


@view_of.register
def of_replay(request: ReplayRequest) -> ResultView | None:
    return of_attack(request.attack)


@view_of.register
def of_pairs(request: PairsRequest) -> ResultView | None:
    shown = published_results.request_of("pairs", request.dataset)
    return view("apart") if request == shown else None


@view_of.register
def of_sweep(request: SweepRequest) -> ResultView | None:
    """Look first where a page opens with a published sweep: where none is, the data set is read to
    estimate how large a sweep may be."""
    pages = sorted(SWEPT, key=lambda page: not published_for(page[1], request.dataset))
    known = sum(published_for(page[1], request.dataset) for page in pages)
    first, rest = pages[:known], pages[known:]
    return among(first, request) or beside(request) or among(rest, request)


def published_for(role: str, dataset: str) -> bool:
    return published_results.request_of(role, dataset) is not None


def among(pages: Sequence[SweepPage], request: SweepRequest) -> ResultView | None:
    """Return the view of a sweep on the first of these pages whose controls can ask for it."""
    for url, role, axes, starts in pages:
        start = sweep_requests.opening_sweep(role, request.dataset)
        given = {name: number_lists.shown_numbers(getattr(request, name)) for name in axes}
        read = {
            name: number_lists.read_numbers(sweep_requests.AXES[name], text)
            for name, text in given.items()
        }
        asked = sweep_requests.with_axes(replace(start, n_targets=request.n_targets), read)
        if starts and len(request.restarts) == 1:
            asked = replace(asked, restarts=request.restarts)
        if asked == request:
            number = {"starts": request.restarts[0]} if starts else {}
            return view(url, dataset=request.dataset, targets=request.n_targets, **number, **given)
    return None


def beside(request: SweepRequest | BaselineRequest | AttributionsRequest) -> ResultView | None:
    """Return the page that shows a published result, whatever else it shows."""
    for role, (url, of_one) in BESIDE.items():
        if request in published_results.requests_of(role, request.dataset):
            return view(url, **({"dataset": request.dataset} if of_one else {}))
    return None


@view_of.register
def of_baseline(request: BaselineRequest) -> ResultView | None:
    if baseline_request(links.EXAMPLE) == request:
        return of_attack(links.EXAMPLE)
    return beside(request)


@view_of.register
def of_fairness(request: FairnessRequest) -> ResultView | None:
    given = number_lists.shown_numbers(request.scales)
    own = {n: getattr(request, n) for n in ("beta", "gamma", "l2", *COLUMNS)}
    own = {name: value for name, value in own.items() if value is not None}
    scales = number_lists.read_numbers(number_lists.Axis("scales", "Scales", ""), given)
    table = {name: getattr(request, name) for name in HELP}
    table |= {"metric": request.metric, "merge_others": request.merge_others}
    if FairnessRequest(request.dataset, **own, scales=scales, **table) != request:
        return None
    shown = own | {"metric": request.metric, "scales": given}
    shown |= {"merge_others": "true"} if request.merge_others else {}
    shown |= table_options.as_in_links(taken_from(TableOptions, request))
    return view("fairness", table=request.dataset, **shown)


@view_of.register
def of_impossible(request: ImpossibleRequest) -> ResultView | None:
    asked = replace(ImpossibleRequest(), k=request.k, seed=request.seed)
    return view("impossible", k=request.k, seed=request.seed) if asked == request else None


@view_of.register
def of_defence(request: DefenceRequest) -> ResultView | None:
    shown = [r for _, name, r in published_results.with_role() if name == "defence"]
    return view("minimum") if request in [DefenceRequest(), *shown] else None


@view_of.register
def of_polish(request: PolishRequest) -> ResultView | None:
    shown = [r for _, name, r in published_results.with_role() if name == "polish"]
    if request not in (shown or [PolishRequest()]):
        return None
    return view("undo-it", **({"case": case(request)} if len(shown) > 1 else {}))


@view_of.register
def of_certificates(request: CertificatesRequest) -> ResultView | None:
    return view("what-cannot-be-moved") if request == CertificatesRequest() else None


@view_of.register
def of_deniable(request: DeniableRequest) -> ResultView | None:
    shown = published_results.request_of("deniable", "digits") or DeniableRequest()
    return view("deniable") if request == shown else None


@view_of.register
def of_sensitivity(request: SensitivityRequest) -> ResultView | None:
    name = request.dataset
    shown = published_results.request_of("sensitivity", name) or SensitivityRequest(name)
    return view("easy-or-hard", dataset=name) if request == shown else None


@view_of.register
def of_minimal_radius(request: MinimalRadiusRequest) -> ResultView | None:
    name = request.dataset
    shown = published_results.requests_of("minimal", name) or [MinimalRadiusRequest(dataset=name)]
    return view("how-far", dataset=name) if request in shown else None


@view_of.register
def of_leave_one_out(request: LeaveOneOutRequest) -> ResultView | None:
    name = request.dataset
    for setting in retraining.SETTINGS:
        if retraining.setting_of(setting, name) == request:
            return view("influence", dataset=name, setting=setting)
    l2, damping, samples = request.l2, request.damping, request.n_samples
    if LeaveOneOutRequest(name, l2, damping, samples) != request:
        return None
    own = dict(zip(RETRAINED, (retraining.OWN, l2, damping, samples), strict=True))
    return view("influence", dataset=name, **own)


@view_of.register
def of_halves(request: HalvesRequest) -> ResultView | None:
    same = request == halves.request_for(request.dataset)
    return view("influence", dataset=request.dataset) if same else None


@view_of.register
def of_explain(request: ExplainRequest) -> ResultView | None:
    same = request == ExplainRequest(request.dataset, request.image)
    return view("influence", dataset=request.dataset, image=request.image) if same else None


@view_of.register
def of_audit(request: AuditRequest) -> ResultView | None:
    return into_one_attack(request, "audit", "audit", "queries")


@view_of.register
def of_attributions(request: AttributionsRequest) -> ResultView | None:
    return into_one_attack(request, "other-scores", "other scores", "neighbours") or beside(request)


def into_one_attack(request: Examined, url: str, role: str, own: str) -> ResultView | None:
    """View a result on a page that looks into one attack, with a control of its own."""
    names = ("dataset", "target", "k", "radius", "seed", own)
    values = {name: getattr(request, name) for name in names}
    start = published_results.request_of(role, request.dataset) or type(request)(request.dataset)
    same = replace(start, **values) == request and on_grid(request.radius)
    return view(url, **values) if same else None


JudgedRequest = (
    LdsRequest | SelectionRequest | ScoreMatrixRequest | ConditioningRequest | CandidatesRequest
)


@view_of.register
def of_playground(request: PlaygroundRequest) -> ResultView | None:
    shown = new_sample_words.SHOWN[request.points]
    same = request == PlaygroundRequest(request.points)
    return view("new-sample", points=shown) if same else None


@view_of.register
def of_judged(request: JudgedRequest) -> ResultView | None:
    """View a result on a page that shows one request a data set: the published one, or else the
    default."""
    role, url = JUDGED[type(request)]
    name = request.dataset
    start = published_results.request_of(role, name) or type(request)(name)
    return view(url, dataset=name) if request == start else None


@view_of.register
def of_lesson(request: LessonRequest) -> ResultView | None:
    return view("wall", lesson=request.lesson) if request.bets_moved else None


@view_of.register
def of_speed(request: GradientsRequest | ScalingRequest | SolversRequest) -> ResultView | None:
    return view("why-fast") if request in [r for _, _, r in published_results.listed()] else None


@view_of.register
def of_payments(request: PaymentsRequest) -> ResultView | None:
    return of_role(request, "who-gets-the-money", "payments")


@view_of.register
def of_cleaning(request: CleaningRequest) -> ResultView | None:
    return of_role(request, "wrong-labels", "cleaning")


def of_role(request: PaymentsRequest | CleaningRequest, url: str, role: str) -> ResultView | None:
    """Return a page that shows one result of a data set: the published one, or that of its
    defaults."""
    shown = published_results.request_of(role, request.dataset) or type(request)(request.dataset)
    return view(url, dataset=request.dataset) if request == shown else None
