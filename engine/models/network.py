"""Use a `torch.nn.Module` as a model: a function of one flat parameter vector θ, kept in float64.

The module is a template: it says what is computed, θ with which numbers. It is used as in `eval()`,
so that dropout is off and running statistics are constants, and differentiated twice (an attack's
gradient: three times) in θ. ReLU will do, but its second derivatives miss the kinks; tanh and GELU
are smooth. So is softplus, but on digits every start of an attack (radius 0.3, damping 0.25) on two
convolutions with it met negative curvature, and none with tanh.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn
from torch.func import functional_call, grad, jvp, vmap

from engine.checks import check_array
from engine.errors import InvalidInput
from engine.models.model import Classifier, check_dataset

if TYPE_CHECKING:
    from engine.data.dataset import Dataset

Loss = Callable[[Tensor, Tensor], Tensor]  # logits (n, K), labels (n,) → losses (n,)
ROWS_AT_ONCE = 4096  # predicted together

cross_entropy: Loss = partial(nn.functional.cross_entropy, reduction="none")


def free(module: nn.Module) -> dict[str, nn.Parameter]:
    """Return the parameters that θ stands for, by name: those that are not frozen
    (requires_grad)."""
    return {name: p for name, p in module.named_parameters() if p.requires_grad}


def count_free(module: nn.Module) -> int:
    """P, the length of θ."""
    return sum(p.numel() for p in free(module).values())


def flat(module: nn.Module) -> Tensor:
    """Return the module's own free parameters as one vector (P,)."""
    return torch.cat([p.detach().flatten() for p in free(module).values()])


def logits(module: nn.Module, theta: Tensor, X: Tensor) -> Tensor:
    """Return what the module says with θ (P,) in place of its free parameters: X (n, d) → (n,
    K)."""
    own = free(module)
    parts = theta.split([p.numel() for p in own.values()])
    named = {name: part.view(p.shape) for (name, p), part in zip(own.items(), parts, strict=True)}
    return functional_call(module, named, (X,))


def logits_each(module: nn.Module, theta: Tensor, X: Tensor) -> Tensor:
    """Return the same for each of θ (B, P): (B, n, K)."""
    return vmap(lambda one: logits(module, one, X))(theta)


def losses_each(module: nn.Module, loss: Loss, theta: Tensor, X: Tensor, y: Tensor) -> Tensor:
    """Return every sample's loss under each of θ (B, P): (B, n)."""
    return vmap(lambda one: loss(logits(module, one, X), y))(theta)


def template(module: nn.Module, dtype: torch.dtype, device: torch.device | str) -> nn.Module:
    """Return a copy of the module to be called with parameters from outside; frozen ones stay
    frozen."""
    return copy.deepcopy(module).to(device=device, dtype=dtype).eval()


def loss_on(loss: Loss, dtype: torch.dtype, device: torch.device | str) -> Loss:
    """Return a loss whose own tensors, as the weights of classes, have that type and device: of a
    loss that is a module a copy, any other as it is."""
    if not isinstance(loss, nn.Module):
        return loss
    return copy.deepcopy(loss).to(device=device, dtype=dtype)


def floats_kept(module: nn.Module, n_features: int) -> int:
    """Return how many floats reverse mode keeps of one sample's forward pass: what the memory of a
    derivative grows with."""
    own = template(module, dtype=torch.float64, device="cpu")

    def kept(rows: int) -> int:
        sizes = [0]

        def pack(saved: Tensor) -> Tensor:
            sizes.append(saved.numel())
            return saved

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda saved: saved):
            own(torch.zeros(rows, n_features, dtype=torch.float64))
        return sum(sizes)

    return kept(2) - kept(1)  # what is kept once for all samples falls out


class Mlp(nn.Module):
    """One hidden layer of 32 tanh units."""

    def __init__(self, shape: tuple[int, ...], n_classes: int, width: int = 32) -> None:
        super().__init__()
        self.hidden = nn.Linear(int(np.prod(shape)), width)
        self.out = nn.Linear(width, n_classes)

    def forward(self, X: Tensor) -> Tensor:
        return self.out(torch.tanh(self.hidden(X)))


class Cnn(nn.Module):
    """A 3×3 convolution of 8 channels that halves the image, tanh, and a linear layer.

    Many models at once make a grouped convolution, which is slow: one product of all patches of the
    images with all kernels takes half the time.
    """

    def __init__(self, shape: tuple[int, ...], n_classes: int, channels: int = 8) -> None:
        super().__init__()
        self.shape = shape if len(shape) == 3 else (*shape, 1)  # height, width, colours
        height, width, colours = self.shape
        self.hidden = nn.Conv2d(colours, channels, 3, stride=2, padding=1)
        self.out = nn.Linear(channels * ((height + 1) // 2) * ((width + 1) // 2), n_classes)

    def forward(self, X: Tensor) -> Tensor:
        images = X.unflatten(-1, self.shape).movedim(-1, 1)
        kernels = self.hidden.weight.flatten(1)
        patches = nn.functional.unfold(images, 3, padding=1, stride=2).transpose(1, 2)  # n, at, 9
        seen = nn.functional.linear(patches.flatten(0, 1), kernels, self.hidden.bias)
        return self.out(torch.tanh(seen).view(len(X), -1))


ARCHITECTURES_VERSION = 1  # raised when a name below means another module: kept models then go
MODULES: dict[str, Callable[[tuple[int, ...], int], nn.Module]] = {"mlp": Mlp, "cnn": Cnn}


@dataclass(frozen=True)
class Architecture:
    """A network that is known by name, for inputs of that shape, flattened: what a stored result
    needs to build its module again."""

    name: str
    shape: tuple[int, ...]
    n_classes: int

    @property
    def n_parameters(self) -> int:
        with torch.device("meta"):  # nothing is allocated
            module = MODULES[self.name](self.shape, self.n_classes)
        return sum(p.numel() for p in module.parameters())

    def build(self, seed: int = 0) -> nn.Module:
        """Build the module with PyTorch's initial parameters, drawn by the seed alone."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return MODULES[self.name](self.shape, self.n_classes).double()


def architecture(name: str, dataset: "Dataset") -> Architecture:
    """Return the network of that name for a data set. Raises InvalidInput for an unknown name, and
    for 'cnn' where the features are not the pixels of images of one size."""
    if name not in MODULES:
        raise InvalidInput("model", name, "one of " + ", ".join(f"'{m}'" for m in MODULES))
    shape: tuple[int, ...] = (dataset.n_features,)
    if name == "cnn":
        pixels = dataset.pixel_shape
        if pixels is None:
            raise InvalidInput(
                "model",
                name,
                f"'linear' or 'mlp' for data set '{dataset.name}', whose {dataset.n_features} "
                "features are not the pixels of its samples",
            )
        shape = pixels
    return Architecture(name, shape, dataset.n_classes)


@dataclass(frozen=True, eq=False)
class Network(Classifier):
    """The module with θ = `parameters` (P,), float64, in the order of `module.named_parameters()`.

    loss: of logits (n, K) and labels (n,), one a sample. architecture: None for a module of one's
    own. The rest as in `LinearModel`. The module is copied.
    """

    module: nn.Module
    parameters: NDArray[np.float64]
    l2: float
    gradient_norm: float = float("nan")
    iterations: int = 0
    loss: Loss = cross_entropy
    architecture: Architecture | None = None

    def __post_init__(self) -> None:
        theta = np.array(check_array("parameters", self.parameters))
        wanted = count_free(self.module)
        if theta.shape != (wanted,) or not wanted:
            raise InvalidInput(
                "parameters",
                theta.shape,
                f"of shape ({wanted},), at least one, as the module has free",
            )
        object.__setattr__(self, "parameters", theta)
        object.__setattr__(self, "module", template(self.module, dtype=torch.float64, device="cpu"))

    @property
    def norm(self) -> float:
        """Return ‖θ‖₂."""
        return float(np.linalg.norm(self.parameters))

    def with_parameters(self, parameters: NDArray) -> Self:
        """Return the same network at another θ, not trained."""
        return replace(self, parameters=parameters, gradient_norm=float("nan"), iterations=0)

    def check_fits(self, dataset: "Dataset") -> None:
        """Raise InvalidInput unless the module takes the data set's features, gives a number a
        class, and θ is finite."""
        check_dataset(dataset)
        if not np.isfinite(self.parameters).all():
            raise InvalidInput("model.parameters", "NaN or infinity", "finite")
        check_module(self.module, dataset)
        if self.architecture is None:
            check_derivatives(self.module, self.loss, dataset)

    def logits(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the logits (samples, K). Raises InvalidInput."""
        theta, values = torch.as_tensor(self.parameters), np.array(check_array("X", X))
        expected = "of shape (samples, features), as the module takes them"
        if values.ndim != 2:
            raise InvalidInput("X", values.shape, expected)
        rows = torch.from_numpy(values).split(ROWS_AT_ONCE)
        try:
            with torch.no_grad():
                return torch.cat([logits(self.module, theta, some) for some in rows]).numpy()
        except RuntimeError as error:  # of the module's layers
            shown = f"{values.shape}: {error}"
            raise InvalidInput("X", shown, expected) from error


def check_module(module: object, dataset: "Dataset") -> nn.Module:
    """Return the module. Raises InvalidInput unless it maps features (n, d) to logits (n, K), and
    the features are in memory."""
    if dataset.on_disk:
        raise InvalidInput(
            "dataset", dataset.name, "one whose features are in memory, or the model 'linear'"
        )
    if not isinstance(module, nn.Module):
        raise InvalidInput("module", module, "a name in engine.vocabulary or a torch.nn.Module")
    if not count_free(module):
        raise InvalidInput(
            "module", type(module).__name__, "one with a parameter that is not frozen"
        )
    X = two_rows(dataset)[0]
    expected = (len(X), dataset.n_classes)
    try:
        with torch.no_grad():
            said = template(module, dtype=torch.float64, device="cpu")(X)
        found: object = tuple(said.shape) if isinstance(said, Tensor) else type(said).__name__
    except Exception as error:  # somebody else's module raises anything
        found = first_line(error)
    if found != expected:
        raise InvalidInput(
            "module",
            found,
            f"one that maps features of shape {tuple(X.shape)} to logits of shape {expected} for "
            f"data set '{dataset.name}'",
        )
    return module


def two_rows(dataset: "Dataset", dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """Return the first two training samples, one where there are no more: (2, d), (2,)."""
    X, y = dataset.X_train[:2], dataset.y_train[:2]
    return torch.tensor(X, dtype=dtype), torch.tensor(y)


def slope(losses: Callable[[Tensor], Tensor], theta: Tensor) -> Tensor:
    """Return the sum of the losses' derivatives at θ along θ itself."""
    return jvp(losses, (theta,), (theta,))[1].sum()


def first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]


def check_derivatives(module: nn.Module, loss: Loss, dataset: "Dataset") -> None:
    """Raise InvalidInput unless the loss gives one number a sample, and all that influence and an
    attack take of module and loss can be taken: for several θ at once, in float32 and float64, two
    derivatives forwards and one back. PyTorch has none of some fused layers (LSTM, GRU, attention).
    """
    for dtype in (torch.float64, torch.float32):
        own, losses_of = template(module, dtype, "cpu"), loss_on(loss, dtype, "cpu")
        X, y = two_rows(dataset, dtype)
        theta = flat(own).expand(2, -1).clone()
        try:
            with torch.no_grad():
                each = losses_of(logits(own, theta[0], X), y)
        except Exception as error:  # somebody else's loss raises anything
            raise InvalidInput(
                "loss",
                first_line(error),
                f"one that takes logits ({len(y)}, {dataset.n_classes}) in {dtype} and labels; "
                "weights of classes belong into a module: nn.CrossEntropyLoss(weight=…, "
                "reduction='none')",
            ) from None
        shape = tuple(each.shape) if isinstance(each, Tensor) else type(each).__name__
        if shape != (len(y),):
            raise InvalidInput(
                "loss",
                f"a loss of shape {shape}" if isinstance(each, Tensor) else shape,
                f"one that gives a loss a sample, shape ({len(y)},): reduction='none', not a mean "
                "or a sum",
            )

        each_of = partial(losses_each, own, losses_of, X=X, y=y)
        try:
            jvp(grad(partial(slope, each_of)), (theta,), (theta,))
        except Exception as error:  # as above
            raise InvalidInput(
                "module",
                first_line(error),
                "one whose layers PyTorch differentiates forwards and backwards, for several "
                "parameters at once; write such a layer with plain tensor operations",
            ) from None
