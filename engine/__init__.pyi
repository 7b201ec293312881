# The public names and the modules that they come from, read by lazy_loader and by type checkers.

from .attacks.attack import attack as attack
from .attacks.attack import attack_each as attack_each
from .attacks.deniable import deniable_attack as deniable_attack
from .attacks.deniable import needed_epsilon as needed_epsilon
from .attacks.minimal import minimal_radius as minimal_radius
from .attacks.options import AttackOptions as AttackOptions
from .attacks.options import DeniableOptions as DeniableOptions
from .attacks.options import MinimalOptions as MinimalOptions
from .attacks.rates import share_rates as share_rates
from .attacks.rates import success_rates as success_rates
from .attacks.result import AttackResult as AttackResult
from .attacks.result import MinimalRadii as MinimalRadii
from .attacks.result import Ranking as Ranking
from .attacks.result import Replay as Replay
from .attacks.result import ReweighingResult as ReweighingResult
from .attacks.result import StepInfo as StepInfo
from .attacks.reweighing import loss_reweighing as loss_reweighing
from .attacks.reweighing import loss_reweighing_each as loss_reweighing_each
from .attacks.sweep import sweep as sweep
from .data.dataset import Dataset as Dataset
from .data.fairness import FairnessDataset as FairnessDataset
from .data.load import load_dataset as load_dataset
from .data.load import load_fairness_dataset as load_fairness_dataset
from .errors import EngineError as EngineError
from .errors import InvalidInput as InvalidInput
from .fairness.options import FairnessOptions as FairnessOptions
from .fairness.result import FairnessResult as FairnessResult
from .fairness.scaling import fairness_scaling as fairness_scaling
from .influence.estimators import Lissa as Lissa
from .influence.scores import InfluenceScores as InfluenceScores
from .influence.scores import influence_gradient as influence_gradient
from .influence.scores import influence_scores as influence_scores
from .market.payments import Payments as Payments
from .market.payments import payments as payments
from .market.vendors import Vendors as Vendors
from .market.vendors import make_vendors as make_vendors
from .market.vendors import vendors_by_column as vendors_by_column
from .market.vendors import vendors_of_sets as vendors_of_sets
from .models.fit import fit as fit
from .models.fit_network import fit_network as fit_network
from .models.linear import LinearModel as LinearModel
from .models.network import Network as Network
from .scrutiny.agreement import ranking_agreement as ranking_agreement
from .scrutiny.attributions import attribution as attribution
from .scrutiny.audit import audit_scores as audit_scores
from .scrutiny.candidates import added_effects as added_effects
from .scrutiny.candidates import candidate_scores as candidate_scores
from .scrutiny.certificates import Certificate as Certificate
from .scrutiny.certificates import certified_depth as certified_depth
from .scrutiny.certificates import certify as certify
from .scrutiny.conditioning import Spectrum as Spectrum
from .scrutiny.conditioning import spectrum as spectrum
from .scrutiny.datamodelling import (
    DatamodellingScore as DatamodellingScore,
)
from .scrutiny.datamodelling import (
    linear_datamodelling_score as linear_datamodelling_score,
)
from .scrutiny.differences import model_differences as model_differences
from .scrutiny.impossibility import (
    ImpossibleInstance as ImpossibleInstance,
)
from .scrutiny.impossibility import (
    impossible_instance as impossible_instance,
)
from .scrutiny.impossibility import (
    impossible_scores as impossible_scores,
)
from .scrutiny.impossibility import (
    try_random_models as try_random_models,
)
from .scrutiny.leave_one_out import leave_one_out as leave_one_out
from .scrutiny.optimality import optimality as optimality
from .scrutiny.polish import check_claims as check_claims
from .scrutiny.polish import polish as polish
from .scrutiny.queries import influence_matrix as influence_matrix
from .scrutiny.queries import query_gradients as query_gradients
from .scrutiny.retraining import Retrained as Retrained
from .scrutiny.retraining import retrain_on as retrain_on
from .scrutiny.selection import selection_curve as selection_curve
from .scrutiny.sensitivity import exact_sensitivity as exact_sensitivity
from .scrutiny.sensitivity import sensitivity as sensitivity
from .speed.compare import compare_gradients as compare_gradients
from .speed.result import GradientComparison as GradientComparison
from .speed.result import Scaling as Scaling
from .speed.scaling import measure_scaling as measure_scaling

__version__: str
