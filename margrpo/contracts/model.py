"""The model: how it is built, what reads the prompt, the backbone, and the head."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from jaxtyping import Bool, Float, Int

from margrpo.lazy import Module, Parameter, Tensor
from margrpo.maths.path import Path
from margrpo.records import PolicyFootprint, Prediction, Prompts

if TYPE_CHECKING:
    from typing import Self
else:
    Self = Any  # the shape checker decorates methods one by one, and outside a class beartype refuses Self


@runtime_checkable
class Attention(Protocol):
    """How attention is computed."""

    def require(self) -> None:
        """Raise a `MargrpoError` where this machine cannot run it; called before weights are loaded."""
        ...

    def attention(self, q: Tensor, k: Tensor, v: Tensor, lengths: Sequence[int], dropout: float = 0.0) -> Tensor:
        """Softmax attention within each of several sequences that stand one after the other; `dropout` of its weights.

        q, k, v and the result have the shape (positions, heads, channels); the `lengths` add up to the positions.
        """
        ...


@runtime_checkable
class Conditioner(Protocol):
    """What the prompt becomes: the kind of prefix that a backbone reads."""

    prefix: int
    classes: int | None

    def parameters(self, *, width: int) -> int:
        """The number of parameters of the embedding module for a backbone of this width."""
        ...

    def build(self, *, width: int) -> "PromptEmbedder":
        """Make the embedding module for a backbone of this width."""
        ...


@runtime_checkable
class Weights(Protocol):
    """What every built part with weights shares with nn.Module."""

    def parameters(self) -> Iterator[Parameter]:
        """All parameters."""
        ...

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """All parameters with their names."""
        ...

    def modules(self) -> Iterator[Module]:
        """Every part."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Names and tensors."""
        ...

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> Any:
        """Take the tensors of another."""
        ...

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Let every parameter be trained, or none."""
        ...

    def train(self, mode: bool = True) -> Self:
        """Training mode."""
        ...

    def eval(self) -> Self:
        """Evaluation mode: dropout off."""
        ...

    def to(self, device: str) -> Self:
        """Move to a device."""
        ...


class PromptEmbedder(Weights, Protocol):
    """The built conditioner, an nn.Module."""

    def __call__(self, prompts: Prompts) -> Float[Tensor, "b p c"]:
        """One prefix per image; a prompt it cannot express raises `DataError`."""
        ...


@runtime_checkable
class Parameterization(Protocol):
    """What the head's raw output means."""

    @property
    def path(self) -> Path:
        """The forward process that the head was trained to undo."""
        ...

    def epsilon(
        self, output: Float[Tensor, "*m d"], x: Float[Tensor, "*m d"], alpha_bar: float | Tensor
    ) -> Float[Tensor, "*m d"]:
        """The noise in x, from the output."""
        ...

    def x0(
        self, output: Float[Tensor, "*m d"], x: Float[Tensor, "*m d"], alpha_bar: float | Tensor
    ) -> Float[Tensor, "*m d"] | None:
        """The clean token in x, or None where the noise determines it at every level."""
        ...

    def target(
        self, x0: Float[Tensor, "*m d"], noise: Float[Tensor, "*m d"], alpha_bar: Float[Tensor, "*m 1"]
    ) -> Float[Tensor, "*m d"]:
        """What the output should have been, for pre-training."""
        ...


@runtime_checkable
class Codec(Protocol):
    """Between images and tokens; `image` is the side of its images in pixels."""

    image: int
    checkpoint: str
    weights: str
    sha256: str

    def published(self) -> str:
        """Where weights for these settings are published, as a sentence, or nothing."""
        ...

    def require(self) -> None:
        """Raise a `MargrpoError` where a package that it needs is missing; imports no torch."""
        ...

    def build(self) -> "Autoencoder":
        """Make the module, with the weights of its checkpoint unless they are "random"."""
        ...

    def geometry(self) -> tuple[int, int]:
        """Tokens per image and channels per token."""
        ...


@runtime_checkable
class Autoencoder(Weights, Protocol):
    """The built codec, an nn.Module."""

    def fit(self, images: Float[Tensor, "b 3 h w"]) -> None:
        """Learn from images what can be learned without gradients, unless there is nothing or it is known already."""
        ...

    def encode(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b n d"]:
        """Tokens of images whose values are in [0, 1]."""
        ...

    def decode(self, tokens: Float[Tensor, "b n d"]) -> Float[Tensor, "b 3 h w"]:
        """Images with values clamped to [0, 1]."""
        ...


@runtime_checkable
class Policy(Protocol):
    """The generator that is tuned."""

    checkpoint: str
    weights: str
    sha256: str
    parameterization: Parameterization

    def published(self) -> str:
        """Where weights for these settings are published, as a sentence, or nothing."""
        ...

    def geometry(self) -> tuple[int, int]:
        """Tokens per image and channels per token."""
        ...

    def classes(self) -> int | None:
        """How many classes a prompt's label chooses among; None where the policy reads texts."""
        ...

    def footprint(self) -> PolicyFootprint:
        """Parameters, FLOPs and memory of the model, from which `margrpo plan` and `margrpo bench` reckon."""
        ...

    def build(self, *, attention: Attention) -> "Model":
        """Make the model on the CPU, with the weights of its checkpoint unless they are "random"."""
        ...


class Model(Weights, Protocol):
    """The built policy: an nn.Module with a backbone and a head.

    `isinstance` is not for it: from Python 3.12 on it would not see a submodule, which is not in the instance's
    dictionary.
    """

    tokens: int
    channels: int

    @property
    def head(self) -> "Head":
        """The per-token denoiser; an ordinary attribute will do."""
        ...

    def prefix(self, prompts: Prompts) -> Float[Tensor, "b p c"]:
        """What the backbone reads of the prompts."""
        ...

    def null_prefix(self, images: int) -> Float[Tensor, "b p c"]:
        """What it reads where there is no prompt, for classifier-free guidance."""
        ...

    def condition(
        self, tokens: Float[Tensor, "b n d"], unknown: Bool[Tensor, "b n"], prefix: Float[Tensor, "b p c"]
    ) -> Float[Tensor, "b n c"]:
        """One condition per token; images may differ in how many are unknown, whose values in `tokens` are not read."""
        ...


@runtime_checkable
class Head(Protocol):
    """The per-token denoiser, an nn.Module in phases: what depends on t only, on (z, t), and on x."""

    def parameters(self) -> Iterator[Parameter]:
        """All parameters of the head, by which the rest of the model is told from it."""
        ...

    def embed_times(self, times: Sequence[float]) -> Float[Tensor, "t w"]:
        """What the head makes of model times, of any width; computed once and shared by all tokens."""
        ...

    def prepare(self, z: Float[Tensor, "m c"], moments: Float[Tensor, "*t w"]) -> Any:
        """The modulation of every block for these conditions at one moment, or at each of t."""
        ...

    def raw(
        self, x: Float[Tensor, "m d"], z: Float[Tensor, "m c"], time: Int[Tensor, "m"]
    ) -> tuple[Float[Tensor, "m d"], Float[Tensor, "m d"]]:
        """What the parameterization interprets, and the variance; each token at a time of its own, for pre-training."""
        ...

    def __call__(self, x: Float[Tensor, "*k m d"], modulation: Any) -> tuple[Tensor, Tensor]:
        """The raw output and the variance for x, both of its shape, whose leading axes share one modulation.

        Where `prepare` was given t moments, x is of shape k t m d.
        """
        ...

    def meaning(self, raw: tuple[Tensor, Tensor], x: Float[Tensor, "*k m d"], alpha_bar: float) -> Prediction:
        """What the raw output says about x."""
        ...
