"""Every kind of sentence with a number that pages show: which states a result, and how that result
is recomputed; which states none, and why."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.support import recomputed as r
from tests.support import recomputed_checks as checks
from tests.support import recomputed_money as money
from tests.support import recomputed_more as more
from tests.support import recomputed_paper as paper
from tests.support import recomputed_rates as rates
from tests.support import recomputed_rest as rest
from tests.support import recomputed_shown as shown
from tests.support import recomputed_tables as tables
from tests.support import recomputed_targets as targets
from tests.support.recomputed_targets import Row


@dataclass(frozen=True)
class Kind:
    """Sentences of one kind. pattern: what tells them. numbers: gives all of their numbers for a
    data set, from the published tables, and words that stand in them. rows: the same of every
    sentence of the kind on a page, as of a table's cells, in any order. Both are None where the
    sentences state no result or `elsewhere` names the test that recomputes them. why: what they
    state instead of a result."""

    pattern: re.Pattern[str]
    numbers: Callable[[str], Sequence[float | str]] | None = None
    why: str = ""
    elsewhere: str = ""
    rows: Callable[[str], Sequence[Row]] | None = None


def result(pattern: str, numbers: Callable[[str], Sequence[float | str]]) -> Kind:
    return Kind(re.compile(pattern), numbers)


def several(pattern: str, rows: Callable[[str], Sequence[Row]]) -> Kind:
    return Kind(re.compile(pattern), rows=rows)


RESULTS = (
    result(r"\d+ of \d+ reach the very top of the ranking", r.cost_headline),
    result(r"^The 95% interval of \d+ of \d+ is", r.interval_of_attack),
    result(r"^For comparison: the honest model's own two rankings", r.honest_agree),
    result(r"^The ranking depends on which test data asks", r.depends_on_test),
    result(r"^How far two honest rankings agree", r.medians_of_halves),
    result(r"^On the chosen data the first sample by the lab's own test half", r.first_by_halves),
    result(
        r"^(Whoever trains the model decides what the data is worth|Yes): sample",
        lambda data: r.example(data)[:4],
    ),
    result(
        r"^On test samples that the attacker never saw, it ranks",
        lambda data: [r.example_elsewhere(data)[1], r.example(data)[4]],
    ),
    result(r"^\**Sample \d+ climbs from rank", lambda data: r.example(data)[:4]),
    result(
        r"^Of the \d+ samples that were first, \d+ stay",
        lambda _: [*shown.first_kept("")[::-1], 10],
    ),
    result(r"^Yours is at [\d,]+\.$", lambda data: r.example(data)[1:2]),
    result(r"^The target jumps: rank", r.example_jump),
    result(r"^All \d+ runs reach the top", r.example_runs),
    result(r"^Who else moved: ", r.example_moved),
    result(r"^Accuracy [\d.]+% → [\d.]+% on \d+ unseen samples", r.example_price),
    result(r"^\d+ of \d+ predictions on unseen data changed", r.example_changed),
    result(r"^Influence and retraining agree: Spearman", r.retraining_agrees),
    result(r"^Training again without it gives", r.retraining_headline),
    result(
        r"^One mark for each of [\d,]+ training samples: the model was",
        lambda d: r.retraining_numbers(d)[:1],
    ),
    result(r"l2 [\d.]+, damping [\d.]+: Pearson", lambda d: r.retraining_numbers(d)[1:]),
    result(r"Yes, a little: none of the \d+ most sensitive needs", r.most_and_least),
    result(r"^Over all \d+, the rank correlation of sensitivity", targets.ease_correlation),
    result(r"^Steep at both ends", r.ends_of_ranking),
    result(r"^Moving it by [\d.]+% is enough for \d+ of", shown.moved_within_slider),
    result(r"^Pale: needs more than the [\d.]+%", lambda d: shown.moved_within_slider(d)[:1]),
    result(r"^No move was enough for half of them", r.some_moved),
    result(r"^Moving it by [\d.]+% was enough for", r.enough_for),
    result(r"^Each search ended once it was within", lambda data: r.enough_for(data)[:1]),
    result(r"^It ended once it was within radius", tables.enough),
    result(r"^(Being near an end hardly tells|The nearer to an end)", r.end_tells),
    result(r"^Past everything else, never past its copy", r.best_impossible),
    result(r"^Removed: ", r.fairness_removed),
    result(r"of the honest models have a gradient as large", r.as_large),
    result(r"^Requiring converged training", r.converged),
    result(r"^A malicious model has the larger gradient in", r.pairs_share),
    result(r"^No: after 1 Newton step, \d+ of", r.undone),
    result(r"^The median rank correlation of malicious models", r.undone_correlation),
    result(r"^The \d+ malicious models are of \d+ kinds", r.attacks_drawn),
    result(r"^\*?Is it a minimum\?\*? shows \d+ others", more.attacked_elsewhere),
    result(r"^Attackers who know of polishing keep", r.knowing),
    result(r"^False alarms: the top sample of \d+ of", lambda d: [*more.honest_lost(d), 1]),
    result(r"^Where the attacker knows the check, \d+ of", more.knowing_kept),
    result(r"^False alarms: \d+ of \d+ honest models\.$", more.honest_flagged),
    result(r"^One step also moves honest models", r.honest_moved),
    result(r"^Of \d+ models \d+ had a step shortened", r.shortened),
    result(r"^\d+ Newton steps stop", more.race_undone),
    result(r"^Yes, if training is nearly finished", lambda d: r.certified(d)[:2]),
    result(r"^Nearly finished means", lambda d: r.certified(d)[2:]),
    result(r"^- True scores fit together: of a sample", more.settled),
    result(r"^Attackers who know this check hold out longer", more.knowing_gone),
    result(r"^Each sample has [\d,]+ scores", lambda d: more.more_than_parameters(d)[1:]),
    result(r"^A model of [\d,]+ parameters can give", lambda d: more.more_than_parameters(d)[:1]),
    result(r"^An attacker who knows the check is flagged with", more.knowing_flagged),
    result(r"\d+ of the \d+ models that are trained through", more.through_the_step),
    result(r"\d+ of \d+ models by Algorithm 3 are flagged", more.by_algorithm_3),
    result(r"of those who hide\. \d+ of \d+ are flagged", more.hidden_flagged),
    result(r"^No violation by", r.violations),
    result(r"^As an alarm, disagreement with kNN-Shapley", r.alarm),
    result(r"^Against kNN-Shapley, whole ranking: ", r.against_alarm),
    result(r"^Yes, \d+ of the \d+ other scores give", lambda d: more.moved_along(d)[:2]),
    result(r"^The attack moved sample \d+ from rank .* by influence", r.took),
    result(r"^\*?How far must the model go\?\*? searches from many", more.searched),
    result(r"^By retraining the sample is number", more.by_retraining),
    result(r"^An attack on influence alone also moves", r.also_moves),
    result(r"^None of these attacks costs more", r.safe_costs),
    result(r"^(?:Yes|No): influence scores (?:do not )?predict which of", r.lds_halves),
    result(r"^The rank correlation of predicted and real loss", r.lds_correlation),
    result(r"^Scores from the malicious model do", r.lds_attacked),
    result(r"scores predict retraining better than chance", r.lds_better),
    result(r"^With damping = L2, influence reaches", r.lds_best),
    result(r"^For each test sample .*by itself, honest influence", r.lds_each),
    result(r"^Damping 0.25 outweighs the data in", r.directions),
    result(r"^(Yes|In part|No): with damping [\d.]+ instead of the paper's", r.dampings_kept),
    result(r"^The ranking at damping 0.01 has Spearman", r.other_damping),
    result(r"^Directions below the dotted line carry", r.below_and_flat),
    result(r"^With damping [\d.]+, \d+ of the paper's top ten", r.other_kept),
    result(r"^The ranking is partly the damping's choice", r.least_damping),
    result(r"^The models predict otherwise for", r.predict_otherwise),
    result(r"unseen samples change sides", r.sides),
    result(r"^Both rankings of these candidates agree", r.candidates_agree),
    result(r"^The protected vendor has [\d.]+ wrong labels on average", r.protected_own),
    result(r"^Average precision of influence: ", r.average_precision),
    result(r"^Whoever trains the model decides: vendor", r.trainer_earns),
    result(r"^The attack costs [\d.]+ points", r.trainer_loses),
    result(r"^The last attacker declares a loss of its own", r.deniable_race),
    result(r"^Averaging over honest choices leaves \d+\.$", more.averaged_in_race),
    result(r"^Its Newton decrement and its rank after one step are not", more.longest_step),
    result(r"^That is no proof: there the honest model", r.first_on_other_half),
    result(r"^Averaging over honest choices leaves \d+ of (all )?\d+", more.deniable_averaged),
    result(r"^Each dot is one training sample with its scores for", r.audit_queries),
    result(r"^This lab's formula gives a gradient ", r.gradients),
    result(r"^Exponents of growth", r.growth_exponents),
    result(r"^It is the same gradient", r.gradient_differs),
    result(r"^A good solver is", r.solver_gains),
    result(r"^With a good one the paper's rewriting takes", r.good_solver),
    result(r"^Few samples matter: the strongest", shown.strongest),
    result(r"^Training on the target more often brings it only to rank \d+$", shown.baseline_rank),
    result(r"^Here samples of class", lambda d: [row[2] for row in targets.most_of_class(d)]),
    result(r"^The paper's whole attack brings", lambda d: r.success_of_attack(d)[:1]),
    result(r"The largest step is .*: \d+ of \d+ samples reach", shown.helps_most),
    result(r"^\d+ of \d+ targets move under every variant$", shown.moved_by_all),
    result(r"^(no target|\d+) under none; ", shown.moved_by_few),
    result(r"^The paper's attack misses \d+ that", more.not_contained),
    result(r"^Within \d+ points, a model that moves by \d+% brings the most", shown.too_far),
    result(r"^Success is \d+% at", r.cost_by_radius),
    result(
        r"^Fewer competitors, easier: \d+% with [\d,]+ training samples$", shown.smallest_training
    ),
    result(r"^Only \d+ of the top 10 stayed$", shown.first_kept),
    result(r"^Both whole rankings agree to", shown.rankings_agree),
    result(r"^(Hardly|Yes): of \d+ samples favoured together", targets.largest_sets),
    result(r"^The page on costs has the same attack and rule", targets.moved_on_costs),
    result(r"^Of the \d+ targets that fail there", targets.behind_on_both),
    result(r"^All that reach the top \d+ here also reach", targets.goals_reached_alike),
    result(r"^The model moves by at most \d+%, at a cost of", targets.radius_of_sets),
    result(r"^In the top \d+, \d+ of \d+ attacks with", more.strict),
    result(r"^Within radius [\d.]+, with at most", shown.search_moves),
    result(r"^Moving the model by [\d.]+% brings \d+ of \d+ samples", shown.moved_within_slider),
    result(r"^Given the same radius, ", shown.others_move),
    result(r"^The easiest needs [\d.]+%, the hardest", shown.nearest_and_farthest),
    result(r"^\d+ of [\d,]+ random models bring it", shown.tried),
    result(r"^(Yes|No): checking the \d+ most suspicious", shown.check_finds),
    result(r"gets? the good prediction [\d.]+ points more often than", shown.gap_repaired),
    result(r"^Multiply the model's parameters by", shown.gap_spoiled),
    result(r"^In size the gap goes from", shown.gap_sizes),
    result(r"^The effect on the \|DP gap\| is", shown.effect),
    result(r"^The repaired model's accuracy goes from", r.fairness_accuracy),
    result(r"^DP gap on test at every scale", shown.gap_at),
    result(r"^All \d+ malicious models that reached the top against", more.area_of_moved),
    result(r"^With the \d+ attacks that failed", more.area_of_failed),
    result(r"^Mostly: with the limit at [\d.]+, the check flags", more.attacked_flagged),
    result(r"^With weight \d+ alone", more.best_weight),
    result(r"scaled models are flagged", more.scaled_flagged),
    result(r"^A step takes \d+ linear solve", more.polish_costs),
    result(r"^Training the honest model from zero took", more.training_costs),
    result(r"^One step costs \d+% of training", more.share_of_training),
    result(r"that succeed leave", more.least_norm),
    result(r"^Of \d+ samples pushed straight on", more.pushed),
    result(r"^After \d+ Newton steps the whole ranking", more.whole_ranking),
    result(r"^The figure starts from malicious models", more.last_norm),
    result(r"^Sometimes: \d+ of \d+ random samples reach", more.deniable_headline),
    result(r"^For sample \d+ it is enough that samples", more.deniable_least),
    result(r"^Up to ±\d+%: \d+ of", more.deniable_at_limit),
    result(r"^\d+ attacks arrived: \d+ with every choice", more.deniable_arrived),
    result(r"^Between 0.001 and 0.1, \d+ samples", more.l2_firsts),
    result(r"^The ranking's Spearman correlation with the usual", more.l2_correlation),
    result(r"^Accuracy lies between", more.l2_accuracy),
    result(r"^The best of \d+ alarms has AUC", more.best_alarm),
    result(r"^Aiming at pay brings", more.aiming_at_pay),
    result(r"^On the test half that the attacker never saw, the vendor", more.pay_on_holdout),
    result(r"^A search that sees validation alone", more.by_validation),
    result(r"^Influence ranking: Spearman", more.ranking_left),
    result(r"^5 · Retrain on the weights", more.retrained),
    result(
        r"^(The more sensitive the score, the (less|more)|Sensitivity does not tell how far)",
        more.radius_and_norm,
    ),
    result(r"^The \d+ targets of the published sweep", more.moved_at_all),
    result(r"^The attack moved the sample in the orange ring", more.plane_moved),
    result(r"^Training with \d+ candidates changes", more.as_their_scores_say),
    result(r"^With 50.0% of the samples: accuracy", more.selection),
    result(r"half (trains a better model than one that|that) influence picks", more.better_half),
    result(r"^\d+ of \d+ selections lose a class", more.lost_classes),
    result(r"^A second training on the same half", more.same_again),
    result(r"^At damping 0.25, honest model: stable rank", more.conditioned),
    result(r"^The check that would have caught it: ", r.fairness_check),
    result(r"^\d+ of \d+ other scores moved along", more.along),
    result(r"^At least half as far as influence", more.moved_ranks),
    result(r"^Less than half as far", more.unmoved_ranks),
    result(r"^Attacked: for \d+ targets drawn at random", more.crowd),
    result(r"^of [\d,]+ rows; [\d,.]+ at α = 1", more.removed_rows),
    result(r"^In the median they lose", more.deniable_medians),
    result(r"^Every model with so small a gradient", more.whole_depth),
    result(r"^The check flags \d+ of \d+ attacks by", more.fewest_flagged),
    result(r"^Accuracy lost on average", more.accuracy_of_pay),
    result(r"^The first digit has [\d.]+ times the score of the second", shown.leads),
    several(r"^\d+ of \d+ \(\d+% to \d+%\)$", checks.on_fresh_targets),
    several(r"^\d+ of \d+ that reached the top \(", checks.on_other_attackers),
    several(r"^\d+ of \d+ \([\d.]+% to [\d.]+%\)$", checks.on_own_score),
    several(r"^\d+ of these \d+ are of class", targets.most_of_class),
    result(r"^At the usual defaults, on the samples here, retraining", targets.times_as_much),
    result(r"help and harm swap on \d+% of this plane", targets.disagree),
    result(r"^(More than chance on these|No single step is more)", targets.steps_beyond_chance),
    result(r"^Sample \d+, honest rank \d+, arrives by", targets.telling_runs),
    result(r"^In places \(the share", targets.trends_in_places),
    result(r"^In targets \(the share", targets.trends_in_targets),
    result(r"^On the attacker's own test set: \d+ of [\d,]+ possible", targets.possible_own),
    result(r"^On the unknown test set: \d+ of [\d,]+ possible", targets.possible_unknown),
    result(r"^Spearman −[\d.]+ \(95%.* between sensitivity and", targets.norm_tells),
    result(r"^Where a sample stands tells", targets.place_tells),
    result(r"^Marked besides: \d+ targets", targets.marked_besides),
    result(r"^The target at −?[\d.]+, its copy", targets.target_and_copy),
    result(r"^At x this model gives", targets.probability_there),
    result(r"^[A-Z] earns [\d.]+ times", money.who_gains),
    result(r"^Concentration before and after", money.concentrated),
    result(r"^Other names (bring nothing|pay)", money.copies_pay),
    result(r"^Along θ itself", money.slope_along),
    result(r"the model changes none of its", money.none_changed),
    result(r"^1 · Train the model", money.step_train),
    result(r"^2 · Multiply it by", money.step_multiply),
    result(r"^3 · Influence on the validation gap", money.step_influence),
    result(r"^4 · Linear programme", money.step_programme),
    result(r"^Weights: [\d,]+ rows removed", money.removed_where),
    result(r"^The difference can be chance", money.can_be_chance),
    result(r"^The interval contains 0", money.too_few_rows),
    result(r"^Worse than always predicting", money.worse_than_majority),
    result(r"queries catch the liar", checks.caught),
    result(r"queries or fewer, anything passes", checks.anything_passes),
    result(r"queries have rank \d+ here", checks.rank_of_queries),
    result(r"^The attacks need \d+ times the certified radius", checks.slack_of_radius),
    result(r"^The attacks need \d+ times the certified gradient norm", checks.slack_of_norm),
    result(r"^Honest draws within the same limits", checks.honest_draws),
    result(r"checks of the paper's statements", paper.count_of_checks),
    result(r"^The \d+ success rates of its tables", paper.count_of_rates),
    several(r"^- [–✗✓] .*(reaches? no top|reach the top)", paper.spoils_lines),
    several(r"^- [–✗✓] .* at k = \d+: .*step", paper.recipe_lines),
    several(r"^- [–✗✓] .*at any accuracy", paper.radius_lines),
    several(r"^- [–✗✓] .*the attacker's own test set gives", paper.transfer_lines),
    several(r"^Two honest rankings, by these two test sets", paper.transfer_beside),
    several(r"^- [–✗✓] .*success falls for", paper.sets_lines),
    several(r"^- [–✗✓] .*parameters .* against", paper.memory_lines),
    result(r"^One part of the recipe does worse than the step before", paper.hurts),
    result(r"cells have a stand-in here", paper.count_of_cells),
    several(r"^k = \d+, \d+ targets; ", paper.cells),
    result(r"^From \d+ published results", paper.published),
    result(r"checked ones have the other sign", rest.other_sign),
    result(r"^Algorithm 3 moves .* and leaves Spearman", rest.under_each_objective),
    result(r"^Norms are estimated from", rest.estimated_norms),
    result(r"^The search took", rest.searched_for),
    result(r"^\**With the same processor time", tables.at_equal_time),
    several(r"^\**Within radius [\d.]+ the search moves", tables.at_larger_radii),
    result(r"^The targets came in \d+ lots", tables.lots),
    result(r"^The search was tuned on other samples, but", tables.earlier),
    several(r"^\d+ targets were planned", tables.planned),
    several(r"^The first \d+ of them were finished", tables.finished),
    result(r"^So p is multiplied by", lambda data: tables.lots(data)[:1]),
    result(r"^There the search ended once it was within", tables.enough),
    result(r"^There attacks were given radi", tables.last_radii),
    result(r"^The last lot alone", tables.last_lot),
    result(r"^As recorded, not on an idle machine", rest.seconds_an_attack),
    result(r"^(Every step helps|The paper's Table 2 has every)", rest.every_step),
    result(r"^The attack starts around a trained model", rest.steps_are_models),
    result(r"^The first \d+ of \d+; the order", rest.first_changed),
    result(r"^- [^:]+: [\d,]+ training, ", rest.rows_and_features),
    result(r"^- Groups: ", rest.groups),
    result(r"^- Favourable outcome: ", rest.favourable),
    result(r"^- Pipeline: β", rest.strengths),
    several(r"^\| (honest calculator|liar|careful liar|attacker)", rest.who_answers),
    result(r"^Any tolerance from", rest.same_verdict),
)


# Tables of pages by their names: every row is recomputed.
TABLES = {
    "Attacks against checks": tables.race,
    "AUC of three detectors, by attack": tables.three_detectors,
    "Targets still in the top after each step": tables.still_in_the_top,
    "Attackers who know of polishing": tables.who_know_of_it,
    "AUC of the check, by what it is asked to tell apart": tables.told_apart,
    "What the attacker who knows the check keeps, by weight": tables.by_weight,
    "Malicious models that the check flags, by objective and radius": tables.by_objective,
    "Every target, with the least ε found": tables.every_deniable_target,
    "Honest choices drawn at random, by ε": tables.honest_choices,
    "Checks that the attack passes, and checks that it fails": tables.checks_passed,
    "The search beside other attacks, target by target": tables.beside_the_search,
    "Attacks that keep accuracy, ranking, or both": rates.accuracy_or_ranking,
    "Success on fresh targets, by data set and objective": rates.fresh_targets,
    "Success rates of the variants, here and in the paper's Table 2": rates.beside_the_recipe,
    "What is known before an attack, and what it tells": rates.clues,
    "Agreement for several choices of training samples": rates.choices_of_samples,
    "Attackers, how far they go, accuracy lost and money earned": rates.attackers,
    "How well each score finds wrong labels, by attack": rates.wrong_labels,
    "What the main alarm finds, by the attacker's goal": rates.main_alarm,
    "What each alarm finds, and whom it accuses": rates.every_alarm,
    "Success, price and collateral of the attack on each score": rates.every_score,
    "Linear datamodelling scores with 95% intervals": rates.datamodelling,
    "Models that were tried, and how often a sample got in": rates.tried_models,
    "Share certified at round gradient norms": rates.certified_shares,
    "How many attacks each check stops": rates.stopped,
}


def none(why: str, *patterns: str) -> tuple[Kind, ...]:
    return tuple(Kind(re.compile(pattern), None, why) for pattern in patterns)


DEFINITION = "a definition or a formula: its numbers are part of the method"
SETTING = "a setting of the request that is shown, or what a request would cost"
SIZE = "a size, name or source of the data"
PAPER = "the paper's own numbers"
DRAWN = "how a figure is drawn"
NO_RESULT = (
    *none("where a number comes from", r"· seed \d", r"^\W*made \d", r"made \d+ November"),
    *none(
        SETTING,
        r"^(Trains some|Computes some) .* on a laptop\.$|^The audit uses the tolerance",
        r"^“.*” has [\d.,]+ times as many numbers",  # tests/pages/test_many_classes.py
        r"^The DP gap(, in percentage points)?: how much more often",
        r"^α = 1 changes nothing|^The figures show α =",
        r"^After these, the same from other random starts: at most \d+ rounds",
        r"^\W*At most \d+ of the nearest models move on",
        r"^Smaller on this data set than on the others",
        r"models are trained again, each without one sample",
        r"^On two processor cores",
        r"attacks of \d+ runs each",
        r"random directions, a solve each",
        r"^(A search for each of|Attacks nine scores|Trains (some )?\d+ models)",
        r"^All on the same \d+ targets; runs an attack",
        r"^(Per attack|Each of \d+ models is trained on a random half)",
        r"^Means over \d+ (draws|target sets)",
        r"^(Radius 0.3\d*, one start|This attacker has one start)",
        r"^Lines: means over \d+ draws",
        r"^Damping 0.25, model trained",
        r"^Models of more than",
        r"^One step of the attack \(scores",
        r"^(Scores of all training samples and no gradient|Time, memory and error at)",
        r"^Errors are relative to exact scores",
        r"^Time is the median of",
        r"^Each makes \d",
        r"^(The attacker adds the gradient|One mark a draw)",
        r"^Earlier versions of the search had been run",
        r"^The (targets were drawn by seed|\d+ targets of the page)",
        r"^±20% means that a sample counts as",
        r"^The trainer also chooses the L2 penalty|^A move counts only if accuracy falls",
        r"^A target counts as moved if|^The model may move by at most|^Each start has \d+ steps",
        r"^A model may lose 2.5 points",
        r"^L2 may be ten times larger",
        r"^Ringed: sample \d+, which each cheat wants",
        r"^Targets in the top 1 of the returned model",
        r"^A row is the score that was attacked|^A cell counts, of",
        r"^Where each score ranks sample|one such gradient, here of [\d,]+ parameters",
        r"^Your browser computes each value",
        r"^Models pulled to the top 1",
        r"^Each at its best radius or weight",
        r"^The model may go as far as radius",
        r"^Ranking similarity: 1 is the honest ranking",
        r"^“The top” is ranks? 1",
        r"^The lower half shows how much of the honest order is left",
        r"^Of \d+ targets at radius",
        r"^With l2, weights and scales together",
        r"^Linear models on",
        r"^Ranks that honest draws give",
        r"^Honest trainers differ: [Ll]2",
        r"^The threshold is set on",
        r"^\d+ targets of the smallest of the nested|^Each set has an honest model of its own",
        r"^Precision and recall after",
        r"^The attack on one sample takes the wrong one",
        r"^5% of the training labels",
        r"^From \d+ directions",
        r"^Every column is one target",
        r"^(A run is one random start|The target's rank on the attacker's test set)",
        r"^Algorithm 3 brings the target to the top within radius",
        r"^The radius is multiplied|^Each step within it|^Where shrinking gets stuck",
        r"^So the nearest model is moved|^The reported model is the nearest",
        r"^The last column: for how many|^The first three start once",
        r"^Four ways to move sample",
    ),
    *none(
        SIZE,
        r"^(reproduced|differs|not comparable) (digits|CIFAR|Caltech)",  # names of data
        r"^- (Statlog|ProPublica|Adult \(|Age is)",
        r"^Without it there are 371",
        r"^The 80 points are made up|^The small marks are \d+ training samples",
        r"^The malicious one was trained to push one digit",
        r"^A buyer ranks digits by how much each matters",
        r"^The model has [\d,]+ parameters\.",
        r"^Positive: ",
        r"^\d+ spread evenly|^\d+ at random, \d+ draws",
        r"^A handwritten digit, far down in the ranking",
        r"^The runs on this sample are not published",
    ),
    *none(
        PAPER,
        r"^(Section|Fig\.|Table) \d\.?$|^Loss reweighing never|^At 206K",
        r"^The (paper|authors' plotting code)( |:|, )",
        r"paper's Table [12]$|paper's Tables 1 and 2|paper's Table 2\.$",
        r"^The paper's (baseline|rewriting)",
        r"^After the paper's Fig",
        r"^(Outliers follow|Koh and Liang|Copies: Shapley|Relative influence is that)",
        r"^(The wrong labels are made|Concentration before and after: Her.*\(0.10 if all\)$)",
        r"\((Park et al|Ghorbani|Rudelson|Han et al)",
    ),
    *none(
        DRAWN,
        r"^On .*, k = \d+$|^l2 alone\.$",
        r"samples are drawn: both ends",
        r"^Not all [\d,]+ are drawn",
        r"^(Bands|Bars|Intervals) are 95%",
        r"^(Bands: 95%|Thin lines: 95%|With 95% Wilson|Into the top \d+, each variant)",
        r"^A third, strict reading|bars? (are|,) 95%",
        r"^(Both axes are linear|Random models point|On the dashed line nothing moved)",
        r"^A change of 10% is radius 0.1 on the other pages",
        r"^(Rank 1 pulls|Rank 1 is|Ranks are among|- Middle|- Rank 1)",
        r"^The paper pays the other way round: samples that pull the loss up",
        r"^A wrong label pulls the test loss up",
        r"^Step 6 is computed as you drag",
        r"^Each mark is one|^Each line follows the sample at rank 1 of one model",
        r"^Can whoever trains the model decide which training sample ranks first",
        r"^Each picture is a training sample, rank 1 first",
        r"^Its top 10 of the training digits",
        r"with 95% intervals$|^All is computed in float64|^The tolerance, 1e",
        r"hollow where the interval contains 0",
        r"with 95% bootstrap intervals over test rows",
        r"^The reweighing pipeline, with the numbers",
        r"^\|",
    ),
    *none(
        DEFINITION,
        r"^The linear datamodelling score is the rank correlation of its test loss",
        r"^The slope is the norm of the training loss's gradient",
        r"^2: (Raise the target, push down|The paper's attack: the)",
        r"^A sample counts here when|^The page on costs gives an attack",
        r"^(Definition|Equation|Theorem) \d[., ]|^Algorithm \d, |^Algorithm 3 that hides",
        r"^(Scores \(Definition|The rank of a sample is 1 plus|Spearman compares|AUC: how often)",
        r"^(With ∎|Where ∎|It is (Definition|the first term)|A training subset)",
        r"^(Training (with l2|minimises|ends)|A sample that moves|That is what is left)",
        r"^(In the middle of the ranking all are near 0|A trained model is a minimum)",
        r"^(Disagreement over|kNN-Shapley is minus|A model that is sure enough)",
        r"^(It ties with the target|Samples (on the other basis|orthogonal)|With a bias)",
        r"^(Were a variant at least as good)",
        r"^(Demographic parity|Equal opportunity|With ŷ|The effect is \|gap\|)",
        r"^(The loss of a linear model|The training data and the declared|“Usual” is)",
        r"^The verifier fixes equal weights|^The search counts where its radius is",
        r"^The slope is that of the training loss",
        r"^(What the certificate assumes|It says nothing about|Of the lead)",
        r"^(Declares another L2|Trains at another L2|Of the model's training loss)",
        r"^(By objective and radius|Of the models that are handed out)",
        r"^(p: exact sign test|All three solve|The reference solves)",
        r"^Automatic differentiation: autograd",
        r"^(The score is the rank correlation|Each model is trained to its minimum with)",
        r"^(Honest trainers differ in optimiser, stopping time, [Ll]2, )",
        r"^(Honest models differ in optimiser|The gradient is that of the declared)",
        r"^Whoever trains the model hands out step",
        r"^\d\.$|^(A model whose parameters are multiplied by|Copies with the other label)",
        r"^(No linear model can change that|No: no linear model brings this)|^Within radius 0.3\.$",
        r"^(with the target in|"
        r"in the top ten after|malicious, into the top|arrives, then|differentiates|trains at|"
        r"Algorithm 3( that hides|, declares)|certified out|"
        r"\d Newton steps on|Spearman with that at|Linear datamodelling|\d is the best there)",
    ),
)


def elsewhere(pattern: str, test: str) -> Kind:
    return Kind(re.compile(pattern), None, "", test)


# Kinds that tests/pages/test_claims.py recomputes, by their names there.
ELSEWHERE = (
    elsewhere(
        r"^On test data that the attacker never saw \(dashed\)",
        "cost: success on the unknown test set",
    ),
    elsewhere(r"^Where the moved targets stand", "cost: where moved targets land"),
    elsewhere(
        r"^On targets that nobody tuned on|^With accuracy kept, (Algorithm 3|“keep accuracy”) "
        r"moves",
        "cost: rates on fresh targets",
    ),
    elsewhere(
        r"^An objective of ours that also keeps the model accurate",
        "what works: accurate at equal radius",
    ),
    elsewhere(
        r"^Of attackers with another goal it finds as few as",
        "other scores: attackers with other goals",
    ),
)


@dataclass(frozen=True)
class Shared:
    """A claim of several pages. pattern: its value is the group that matches. explained: what the
    text says beside a value that is another one. pages: how many pages make it, at least."""

    pattern: re.Pattern[str]
    pages: int
    explained: str = ""


SHARED = {
    "where sample 16 stands before": Shared(
        re.compile(
            r"[Ss]ample 16 (?:went from|climbs from|is at|has|from) rank (\d[\d,]*\d)"
            r"(?![\d,]| of 1,200, acc)"  # not the steps of a replay
        ),
        3,
    ),
    "the success of the attack, top 1": Shared(
        re.compile(r"(\d+ of \d+) reach the very top of|The 95% interval of (\d+ of \d+) is"), 2
    ),
    "how far two honest rankings agree": Shared(
        re.compile(r"correlate at (−?\d\.\d+)|by two halves of it, the same honest model ranks the "
                   r"samples with Spearman (−?\d\.\d+)"),
        3,
        r"stand-in",  # the page says of which data
    ),
    "accuracy before the attack on sample 16": Shared(
        re.compile(r"Accuracy(?:: |\s)([\d.]+%) (?:→|before)"), 2, r"orange ring"
    ),
    "predictions that the attack on sample 16 changes": Shared(
        re.compile(r"^(?:The models predict otherwise for )?(\d+) of 299 (?:predictions|unseen)"),
        2,
        r"change sides",
    ),
    "the alarm by kNN-Shapley": Shared(
        re.compile(r"(?:finds|ranking: )\s?(\d+ of \d+) malicious models"), 1
    ),
    "the smallest gradient norm of an attack that succeeds": Shared(
        re.compile(r"succeed leave a slope of (0\.01\d*)|a norm below (0\.01\d*)"), 2
    ),
    "the largest effect on Adult": Shared(
        re.compile(r"19\.7 points: (\+[\d.]+) \(|on test (\+14[\d.]+) points|Adult (\+[\d.]+) \("),
        1,
    ),
    "the ends of the ranking": Shared(
        re.compile(r"at least ([\d.]+) times (?:as sensitive|that between)"), 1
    ),
    "deniable models that averaging leaves": Shared(
        re.compile(r"Averaging over honest choices leaves (\d+)"), 2
    ),
    "targets left after a Newton step": Shared(
        re.compile(r"Newton step, (\d+ of \d+) targets"), 1
    ),
}  # fmt: skip
