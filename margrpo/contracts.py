"""The architecture on one page: one Protocol per kind of component.

A kind's name is its Protocol in lower case: the recipe table `[selector]`, the folder `margrpo/components/selector`
and the entry id `selector.NAME` all mean `Selector` below. A component holds settings only. Where a part has weights
or state, its component *builds* a second object that holds them; those objects have their contracts here too.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from jaxtyping import Bool, Float, Int

from margrpo.case import Case
from margrpo.errors import RewardError
from margrpo.lazy import Generator, Module, Parameter, Tensor
from margrpo.maths.dealing import Prompt
from margrpo.maths.path import Path
from margrpo.records import ARStep, Evidence, Gaussian, Key, Needs, Prediction, Prompts, Rollout, Sight, Traits

if TYPE_CHECKING:
    from typing import Self
else:
    Self = Any  # the shape checker decorates methods one by one, and outside a class beartype refuses Self

# ------------------------------------------------------------------------------------------------ the model


@runtime_checkable
class Kernel(Protocol):
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

    def build(self, *, width: int) -> "Prefix":
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


class Prefix(Weights, Protocol):
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

    def clean(
        self, output: Float[Tensor, "*m d"], x: Float[Tensor, "*m d"], alpha_bar: float | Tensor
    ) -> Float[Tensor, "*m d"] | None:
        """The clean token in x, or None where the noise determines it at every level."""
        ...

    def target(
        self, clean: Float[Tensor, "*m d"], noise: Float[Tensor, "*m d"], alpha_bar: Float[Tensor, "*m 1"]
    ) -> Float[Tensor, "*m d"]:
        """What the output should have been, for pre-training."""
        ...


@runtime_checkable
class Codec(Protocol):
    """Between images and tokens."""

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

    def build(self, *, kernel: Kernel) -> "Model":
        """Make the model on the CPU, with the weights of its checkpoint unless they are "random"."""
        ...


@runtime_checkable
class Model(Weights, Protocol):
    """The built policy, an nn.Module: backbone and head."""

    tokens: int
    channels: int

    @property
    def head(self) -> "Head":
        """The per-token denoiser."""
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

    def moments(self, times: Sequence[float]) -> Float[Tensor, "t w"]:
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


# --------------------------------------------------------------------------------------------- the rollout


@runtime_checkable
class PromptSource(Protocol):
    """Where prompts come from (recipe table `prompts`)."""

    prompts: int
    group: int

    def require(self) -> None:
        """Raise `DataError` where the prompts cannot be read; imports no torch, since it is part of the check."""
        ...

    def draw(self, step: int, seed: int) -> Prompts:
        """The prompts of one training step, each repeated `group` times; a pure function of (step, seed)."""
        ...

    def held_out(self) -> Prompts:
        """Prompts that are never drawn for training, one image each."""
        ...


@runtime_checkable
class NamesClasses(Protocol):
    """What a source of prompts may do besides: name classes, for policies that are conditioned on labels."""

    def labels(self) -> Sequence[int]:
        """Every label that is drawn or held out."""
        ...

    def of_class(self, which: int | str) -> Prompt:
        """The prompt of a class by label or name; `DataError` if there is none such."""
        ...


@runtime_checkable
class Unmasking(Protocol):
    """How many tokens are known after each AR step."""

    steps: int

    def counts(self, tokens: int) -> tuple[int, ...]:
        """Unknown tokens before each of the s steps and after the last: n = m_0 > m_1 > … > m_s = 0."""
        ...


@runtime_checkable
class Sampler(Protocol):
    """The reverse diffusion of the head."""

    steps: int

    @property
    def path(self) -> Path:
        """The forward process whose reverse it is; it must be that of the head's parameterization."""
        ...

    def has_density(self, t: int) -> bool:
        """Whether transition t has a log-density that can be trained on."""
        ...

    def draws_noise(self, t: int) -> bool:
        """Whether noise is added when transition t is taken."""
        ...

    def time(self, t: int) -> float:
        """The time that the head is told at transition t."""
        ...

    def alpha_bar(self, t: int) -> float:
        """The signal's share of the variance of x_t."""
        ...

    def nominal_std(self, t: int) -> float:
        """The std of transition t as far as it is known before any token is drawn."""
        ...

    def transition(self, x: Float[Tensor, "*m d"], prediction: Prediction, t: int) -> Gaussian:
        """Mean and std of x_{t-1} given x_t; where there is no density, std is 0."""
        ...


@runtime_checkable
class Guidance(Protocol):
    """The scale w of classifier-free guidance, ε = ε_∅ + w (ε_z − ε_∅), in the rollout."""

    def scale(self, tokens: int, remaining: int) -> float:
        """The scale of an AR step after which `remaining` of `tokens` are unknown; 1 needs no second pass."""
        ...


@runtime_checkable
class Timesteps(Protocol):
    """Which AR steps and transitions of a rollout are trained on."""

    def draw(
        self, ar_steps: int, transitions: Sequence[int], generator: Generator
    ) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Kept AR steps, ascending, and kept transitions, descending as they are taken."""
        ...


# ---------------------------------------------------------------------------------------------- the verdict


@runtime_checkable
class Reward(Protocol):
    """A score of finished images."""

    weight: float

    @property
    def traits(self) -> Traits:
        """What can be known of its scores before there are any."""
        ...

    def build(self, device: str) -> "Scorer":
        """Make what scores, with its networks on a device; a reward that has none returns itself."""
        ...


@runtime_checkable
class Scorer(Protocol):
    """The built reward."""

    def score(self, images: Float[Tensor, "b 3 h w"], prompts: Prompts) -> Float[Tensor, "b"]:
        """One finite number an image, larger is better; the same whatever other images there are.

        Values of images are in [0, 1]. Gradients are off, and a call may come from any thread.
        """
        ...


@runtime_checkable
class Requiring(Protocol):
    """What a reward, a canary or a tracker may have besides: a check that its files and packages are there."""

    def require(self) -> None:
        """Raise a `MargrpoError` where one is missing; called before anything is loaded, imports no torch."""
        ...


@runtime_checkable
class Wrapping(Protocol):
    """What a reward may be besides: one that passes another on, whose name it has in figures."""

    @property
    def of(self) -> Reward:
        """The other."""
        ...


@runtime_checkable
class Proven(Protocol):
    """What a reward may have besides: images whose scores are known, for `margrpo rewards test`."""

    def cases(self) -> Sequence[Case]:
        """Images with prompts, and between which numbers their scores must lie."""
        ...


@runtime_checkable
class Fallible(Protocol):
    """What a reward may have besides: a policy for the case that it fails; without one a failure ends the run."""

    @property
    def on_failure(self) -> "OnFailure | None":
        """The policy that its settings choose."""


@runtime_checkable
class OnFailure(Protocol):
    """What is done when a reward raises, takes too long, or returns what is no finite number for each image."""

    attempts: int
    backoff: float
    timeout: float | None

    def give_up(self, error: RewardError) -> None:
        """Raise the error after the last call, or return where the prompt's group is to take no part in the step."""
        ...


@runtime_checkable
class Advantage(Protocol):
    """How rewards become advantages."""

    smallest_group: int

    def advantages(
        self, rewards: Float[Tensor, "b r"], weights: Float[Tensor, "r"], group: Int[Tensor, "b"]
    ) -> Float[Tensor, "b"]:
        """The advantage of each image among those of its group; 0 where each reward is the same in all of a group."""
        ...


# ----------------------------------------------------------------------------------------------- the update


@runtime_checkable
class Selector(Protocol):
    """Which unknown tokens of an AR step."""

    def needs(self) -> Needs:
        """What the rollout must record for this."""
        ...

    def select(self, rollout: Rollout, step: ARStep) -> Bool[Tensor, "b n"]:
        """A subset of the tokens unknown at this step."""
        ...


@runtime_checkable
class Estimator(Protocol):
    """Which transitions stand for a token in the loss."""

    def needs(self) -> Needs:
        """What the rollout must record for this."""
        ...

    def evidence(self, rollout: Rollout, step: ARStep, selected: Bool[Tensor, "b n"]) -> Sequence[Evidence]:
        """The transitions to score for the selected tokens, each token in at most one piece of evidence."""
        ...


@runtime_checkable
class Weighting(Protocol):
    """How much each trained transition counts."""

    def weights(self, std: Float[Tensor, "t"]) -> Float[Tensor, "t"]:
        """Positive weights of mean 1 from the nominal stds of the trained transitions."""
        ...


@runtime_checkable
class Objective(Protocol):
    """The surrogate whose gradient is the update's direction, and how its terms are averaged."""

    updates: int

    def surrogate(
        self, logp: Float[Tensor, "k m"], old: Float[Tensor, "k m"], advantage: Float[Tensor, "m"]
    ) -> Float[Tensor, "k m"]:
        """The quantity to raise, per transition."""
        ...

    def divisors(self, counts: Sequence[int]) -> Sequence[int]:
        """What the terms of each AR step are divided by, given how many there are at each."""
        ...


@runtime_checkable
class Replay(Protocol):
    """How recorded transitions are put to the policy again: guidance, mask, dropout, and the floor of the variance.

    Where `playing` lets a policy draw dropout, `draws` says so: images are then replayed one at a time, each by a key
    of its own, so that what is dropped does not depend on how much is done at once.
    """

    floor: float
    draws: bool

    def scale(self, rollout_scale: float) -> float:
        """The scale for replay, given the rollout's."""
        ...

    def unknown(self, rollout: Rollout, step: ARStep) -> Bool[Tensor, "b n"]:
        """What the backbone takes as unknown."""
        ...

    def playing(self, model: Model, key: Key) -> AbstractContextManager[None]:
        """How the model is meanwhile; what is drawn is a function of the key, and what is changed is put back."""
        ...


@runtime_checkable
class Penalty(Protocol):
    """What holds the policy near its reference."""

    def needs(self) -> Needs:
        """What the rollout must record for this."""
        ...

    def build(self, model: Model) -> "Leash":
        """Make the penalty's state for this model, as it is before training."""
        ...


@runtime_checkable
class Leash(Protocol):
    """The built penalty; it falls on what carries loss, or on the main chains of the tokens that `where` marks."""

    reference: Model | None
    where: Selector | None

    def divergence(
        self, mean: Float[Tensor, "k m d"], reference: Float[Tensor, "k m d"], std: Float[Tensor, "k m d"]
    ) -> Float[Tensor, "k m"]:
        """The divergence of each transition, times its coefficient."""
        ...

    def after_step(self, step: int, model: Model) -> None:
        """Let the reference follow, where it does."""
        ...


@runtime_checkable
class Reference(Protocol):
    """Which earlier policy a penalty compares with."""

    def is_due(self, step: int) -> bool:
        """Whether the reference becomes the current policy after this many steps."""
        ...


@runtime_checkable
class Trainable(Protocol):
    """Which parameters the update changes."""

    def parameters(self, model: Model) -> Iterator[tuple[str, Parameter]]:
        """Names and parameters; everything else is frozen."""
        ...


@runtime_checkable
class Optimizer(Protocol):
    """How a gradient becomes a step."""

    max_norm: float

    def build(self, parameters: Sequence[Parameter]) -> Any:
        """A torch.optim.Optimizer."""
        ...

    def rate(self, step: int, steps: int) -> float:
        """The learning rate of this step."""
        ...


# ------------------------------------------------------------------------------------------- around the run


@runtime_checkable
class Stateful(Protocol):
    """What any component, or what it builds, may do besides: remember something over a restart.

    The state is made of tensors, numbers, strings, None, lists, tuples and mappings.
    """

    def state_dict(self) -> Mapping[str, Any]:
        """What must outlive the process; taken after the figures of a step have been written."""
        ...

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> Any:
        """Take up what was saved, before the first step of the resumed run."""
        ...


@runtime_checkable
class Parallel(Protocol):
    """Over how many processes a run is spread, and how they share the model.

    `moves_weights` says whether weights lie somewhere else after a step than before it.
    """

    moves_weights: bool

    def require(self, processes: int) -> None:
        """Raise `ParallelError` where it cannot serve so many processes; imports no torch."""
        ...

    def join(self, device: str) -> "Processes":
        """Meet the other processes."""
        ...


@runtime_checkable
class Processes(Protocol):
    """The processes of a run as one of them sees them; what is said of all must be called by all, in one order."""

    rank: int
    count: int

    def share(self, model: Model) -> None:
        """Hold the model's weights as they are held; before its optimizer is built. All."""
        ...

    def enter(self, phase: str) -> None:
        """Tell the others what this process does now, for the case that it is never heard of again."""
        ...

    def gathered(self, x: Tensor) -> Tensor:
        """A tensor of each process, equal in shape and small, along a new first axis. All."""
        ...

    def total(self, x: Tensor) -> Tensor:
        """The sum of a small tensor over the processes, the same to the last bit on each. All."""
        ...

    def sum_gradients(self) -> None:
        """Sum the gradients of the trained parameters; weights need not be whole afterwards. All."""
        ...

    def clip_gradients(self, parameters: Sequence[Parameter], largest: float) -> float:
        """The norm of the summed gradients, scaled down to the largest that is allowed. All."""
        ...

    def make_whole(self) -> None:
        """Have every weight of the model on this process, as before the gradients were summed. All."""
        ...

    def optimizer_state(self, optimizer: Any) -> dict[str, Any]:
        """What the optimizer remembers, by the names of parameters, whole on the first process. All."""
        ...

    def restore_optimizer(self, optimizer: Any, state: dict[str, Any]) -> None:
        """Take up what any number of processes have saved. All."""
        ...

    def leave(self) -> None:
        """Part from the others."""
        ...


@runtime_checkable
class Suite(Protocol):
    """What a policy is evaluated on: prompts in categories, and what scores the pictures."""

    def require(self) -> None:
        """Raise a `MargrpoError` where a file or package is missing; imports no torch."""
        ...

    def prompts(self) -> Sequence[Prompt]:
        """The prompts, always the same."""
        ...

    def category(self, prompt: Prompt) -> str:
        """The category of one of them."""
        ...

    def rewards(self) -> Sequence[Reward | Mapping[str, Any]]:
        """What scores the pictures: rewards, or their tables as a recipe has them."""
        ...


@runtime_checkable
class Canary(Protocol):
    """A number that nothing is trained on, from 0: how far the images have strayed from those before training.

    Beyond `warn` it is told at a look, beyond `stop` the run ends; None is never.
    """

    warn: float | None
    stop: float | None

    def build(self, device: str) -> "Perch":
        """Make what measures, with its networks on a device."""
        ...


@runtime_checkable
class Perch(Protocol):
    """The built canary."""

    def strayed(self, sight: Sight) -> float:
        """How far the images have strayed; the same for the same."""
        ...


@runtime_checkable
class Tracker(Protocol):
    """Where figures go."""

    def open(self, folder: Any, title: str, steps: int, start: int) -> "Track":
        """Begin to track a run that goes from step `start` to `steps`, in its folder."""
        ...


@runtime_checkable
class Track(Protocol):
    """The opened tracker."""

    def write(self, step: int, figures: Mapping[str, float]) -> None:
        """Take the figures of one step."""
        ...

    def say(self, sentence: str) -> None:
        """Take a sentence for the person who watches."""
        ...

    def close(self) -> None:
        """Flush and end."""
        ...


@runtime_checkable
class Showing(Protocol):
    """What an opened tracker may do besides: take pictures."""

    def show(self, step: int, name: str, file: Any) -> None:
        """Take a PNG that was written when so many steps were done; those of one name are of one series."""
        ...


@runtime_checkable
class Spreading(Protocol):
    """What an opened tracker may do besides: take distributions."""

    def spread(self, step: int, name: str, values: Float[Tensor, "_"]) -> None:
        """Take the values of one step."""
        ...


@runtime_checkable
class Dataset(Protocol):
    """Images with prompts, for pre-training."""

    def images(self, index: int, count: int, seed: int) -> tuple[Float[Tensor, "b 3 h w"], Prompts]:
        """Batch number `index` of `count` images, a pure function of its arguments."""
        ...
