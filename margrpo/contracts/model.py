"""Contracts of the model: attention, conditioner, parameterization, codec, policy, and what they build."""

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
    """An implementation of attention."""

    def require(self) -> None:
        """Raise a `MargrpoError` if this machine cannot run the implementation; called before weights are loaded."""
        ...

    def attention(self, q: Tensor, k: Tensor, v: Tensor, lengths: Sequence[int], dropout: float = 0.0) -> Tensor:
        """Softmax attention within each of several packed sequences.

        `q`, `k`, `v` and the result have the shape (positions, heads, channels). The sequences stand one after the
        other; their `lengths` add up to the positions. `dropout` is the share of attention weights set to 0.
        """
        ...


@runtime_checkable
class Conditioner(Protocol):
    """A way to turn prompts into the prefix that a backbone reads.

    - `prefix`: positions of the prefix.
    - `classes`: number of classes that a label chooses among; None if the conditioner reads texts.
    """

    prefix: int
    classes: int | None

    def parameters(self, *, width: int) -> int:
        """The number of parameters of the embedding module for a backbone of `width` channels."""
        ...

    def build(self, *, width: int) -> "PromptEmbedder":
        """Make the embedding module for a backbone of `width` channels."""
        ...


@runtime_checkable
class Weights(Protocol):
    """The methods of nn.Module that every built part with weights has."""

    def parameters(self) -> Iterator[Parameter]:
        """Iterate over all parameters."""
        ...

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Iterate over all parameters with their names."""
        ...

    def modules(self) -> Iterator[Module]:
        """Iterate over all modules, the part itself included."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Tensors by their names."""
        ...

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> Any:
        """Copy tensors into the parameters and buffers of these names."""
        ...

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Make all parameters trainable, or freeze them."""
        ...

    def train(self, mode: bool = True) -> Self:
        """Switch to training mode."""
        ...

    def eval(self) -> Self:
        """Switch to evaluation mode: dropout off."""
        ...

    def to(self, device: str) -> Self:
        """Move parameters and buffers to `device`."""
        ...


class PromptEmbedder(Weights, Protocol):
    """The nn.Module that a conditioner builds."""

    def __call__(self, prompts: Prompts) -> Float[Tensor, "b p c"]:
        """The prefix of each image; a prompt that the module cannot express raises `DataError`."""
        ...


@runtime_checkable
class Parameterization(Protocol):
    """The meaning of the head's raw output: noise, clean token or velocity."""

    @property
    def path(self) -> Path:
        """The forward process that the head was trained to undo."""
        ...

    def epsilon(
        self, output: Float[Tensor, "*m d"], x: Float[Tensor, "*m d"], alpha_bar: float | Tensor
    ) -> Float[Tensor, "*m d"]:
        """The noise in `x`, computed from the head's `output`."""
        ...

    def x0(
        self, output: Float[Tensor, "*m d"], x: Float[Tensor, "*m d"], alpha_bar: float | Tensor
    ) -> Float[Tensor, "*m d"] | None:
        """The clean token in `x`; None if the noise determines the clean token at every `alpha_bar`."""
        ...

    def target(
        self, x0: Float[Tensor, "*m d"], noise: Float[Tensor, "*m d"], alpha_bar: Float[Tensor, "*m 1"]
    ) -> Float[Tensor, "*m d"]:
        """The output that pre-training regresses on, for a clean token `x0` and its `noise`."""
        ...


@runtime_checkable
class Policy(Protocol):
    """The generator that is trained.

    - `checkpoint`: the file of weights, or where it is published.
    - `weights`: "model" for the weights of the file, or "random".
    - `sha256`: SHA-256 of the file; "" is not checked.
    - `parameterization`: the meaning of the head's raw output.
    """

    checkpoint: str
    weights: str
    sha256: str
    parameterization: Parameterization

    def published(self) -> str:
        """A sentence that says where weights for these settings are published, or ""."""
        ...

    def geometry(self) -> tuple[int, int]:
        """The number of tokens per image and of channels per token."""
        ...

    def classes(self) -> int | None:
        """The number of classes that a prompt's label chooses among; None if the policy reads texts."""
        ...

    def footprint(self) -> PolicyFootprint:
        """Parameters, FLOPs and memory of the model, for `margrpo plan` and `margrpo bench`."""
        ...

    def build(self, *, attention: Attention) -> "Model":
        """Make the model on the CPU with the weights of the policy's checkpoint, or with random ones."""
        ...


class Model(Weights, Protocol):
    """The nn.Module that a policy builds: backbone and head.

    - `tokens`: tokens per image.
    - `channels`: channels per token.

    The protocol does not support `isinstance`: from Python 3.12 on it does not see a submodule, which is not in the
    instance's dictionary.
    """

    tokens: int
    channels: int

    @property
    def head(self) -> "Head":
        """The denoiser of single tokens; an ordinary attribute is enough."""
        ...

    def prefix(self, prompts: Prompts) -> Float[Tensor, "b p c"]:
        """The prefix that the backbone reads for `prompts`."""
        ...

    def null_prefix(self, images: int) -> Float[Tensor, "b p c"]:
        """The prefix that the backbone reads for `images` without a prompt, for classifier-free guidance."""
        ...

    def condition(
        self, tokens: Float[Tensor, "b n d"], unknown: Bool[Tensor, "b n"], prefix: Float[Tensor, "b p c"]
    ) -> Float[Tensor, "b n c"]:
        """The condition of each token, computed from the known tokens and the prefix.

        Values of unknown tokens are not read. Images of a batch may differ in their number of unknown tokens.
        """
        ...


@runtime_checkable
class Head(Protocol):
    """The denoiser of single tokens, an nn.Module in three phases: terms of t only, of (z, t), and of x."""

    def parameters(self) -> Iterator[Parameter]:
        """All parameters of the head, which distinguish the head from the rest of the model."""
        ...

    def embed_times(self, times: Sequence[float]) -> Float[Tensor, "t w"]:
        """Embeddings of model `times`, of any width w; computed once and shared by all tokens."""
        ...

    def prepare(self, z: Float[Tensor, "m c"], times: Float[Tensor, "*t w"]) -> Any:
        """The modulation of every block for conditions `z` at one embedded time, or at each of t."""
        ...

    def raw(
        self, x: Float[Tensor, "m d"], z: Float[Tensor, "m c"], time: Int[Tensor, "m"]
    ) -> tuple[Float[Tensor, "m d"], Float[Tensor, "m d"]]:
        """The raw output and the variance, with each token at a `time` of its own, for pre-training."""
        ...

    def __call__(self, x: Float[Tensor, "*k m d"], modulation: Any) -> tuple[Tensor, Tensor]:
        """The raw output and the variance for `x`, both of the shape of `x`.

        The leading axes of `x` share one modulation. If `prepare` was given t times, `x` has the shape k t m d.
        """
        ...

    def meaning(self, raw: tuple[Tensor, Tensor], x: Float[Tensor, "*k m d"], alpha_bar: float) -> Prediction:
        """The prediction about `x` that the raw output stands for."""
        ...
