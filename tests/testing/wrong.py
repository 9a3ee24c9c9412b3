"""A component for each check of the kit that breaks just what the check is about."""

import itertools
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from typing import Any

import attrs
import torch
from jaxtyping import Float
from torch import Tensor

from margrpo import Entry, component, hookimpl, setting
from margrpo.components import advantage as advantages
from margrpo.components import (
    conditioner,
    estimator,
    guidance,
    objective,
    optimizer,
    parameterization,
    replay,
    sampler,
    selector,
    timesteps,
    trainable,
    unmasking,
    weighting,
)
from margrpo.components.attention import Sdpa
from margrpo.components.canary import Dark
from margrpo.components.codec.patch import Patch
from margrpo.components.on_failure import Raise
from margrpo.components.parallel import Single
from margrpo.components.penalty import GaussianKL, K3OfMeans
from margrpo.components.policy.mar import Mar
from margrpo.components.prompts.shapes import Shapes as Captions
from margrpo.components.reference import Frozen
from margrpo.components.reward.brightness import Brightness
from margrpo.components.suite.shapes import Shapes as ShapesSuite
from margrpo.distributed.single import SingleProcess
from margrpo.errors import RewardError
from margrpo.nets.regularizer import Regularizer
from margrpo.records import ByKnown, Case, Chains, Extent, Gaussian, PolicyFootprint, Prompt, Transitions, grouped
from margrpo.testing import small
from margrpo.testing.conformance.checks import every
from margrpo.testing.conformance.every import OF_KIND

WRONG: dict[str, tuple[Entry, Any]] = {}
"""By the name of the check that must fail: an entry of a wrong component and the instance to look at."""


def wrong(check: str, kind: str, cls: type, *, summary: str = "wrong", **settings: Any) -> None:
    """Register a component that must not stand a check."""
    cls.__name__ = cls.__qualname__ = f"{cls.__name__}_{check}"
    entry = Entry(f"{kind}.wrong_{check}", f"{__name__}:{cls.__name__}", summary)
    globals()[cls.__name__] = cls
    WRONG[check] = (entry, cls(**settings))


def like(base: type, name: str, **parts: Any) -> type:
    """A component like another but for some of its parts."""
    return component(type(name, (base,), {"__doc__": "Wrong.", "__module__": __name__, **parts}))


# of every component
wrong("says_what_it_is", "weighting", like(weighting.Std, "Silent", __doc__=""))


@component
class Meaningless(weighting.Std):
    """A setting without a meaning."""

    power: float = 1.0


wrong("settings_have_meanings", "weighting", Meaningless)


class Soft:
    """Not frozen."""

    weights = weighting.Std.weights


wrong("is_frozen", "weighting", attrs.define(slots=False)(Soft))


@component
class Forgetful(weighting.Std):
    """Does not equal itself after a round trip."""

    power: float = setting(1.0, "power")

    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = None  # type: ignore[assignment]


wrong("survives_toml", "weighting", Forgetful)


@component
class Open(weighting.Std):
    """Takes the very key that is not to be known."""

    no_such_setting_: int = setting(0, "a number")


wrong("refuses_an_unknown_key", "weighting", Open)
wrong("imports_no_torch", "weighting", like(weighting.Std, "Heavy"))  # this module imports torch
wrong("requires_in_a_sentence", "weighting", like(weighting.Std, "Wordless", require=lambda self: {}["a file"]))
calls: list[int] = []


def counted(self: Any, std: Float[Tensor, "t"]) -> Float[Tensor, "t"]:
    calls.append(0)
    return torch.full_like(std, float(len(calls)))


wrong("gives_the_same_again", "weighting", like(weighting.Std, "Counting", weights=counted))


def rolled(self: Any, std: Float[Tensor, "t"]) -> Float[Tensor, "t"]:
    return torch.rand_like(std)


wrong("leaves_global_rng_alone", "weighting", like(weighting.Std, "Rolling", weights=rolled))


def rounded(self: Any, std: Float[Tensor, "t"]) -> Float[Tensor, "t"]:
    return std.float()


wrong("keeps_precision", "weighting", like(weighting.Std, "Rounding", weights=rounded))


def brought_home(self: Any, std: Float[Tensor, "t"]) -> Float[Tensor, "t"]:
    return torch.ones(len(std))


wrong("keeps_device", "weighting", like(weighting.Std, "Homing", weights=brought_home))


def summed(self: Any, std: Float[Tensor, "t"]) -> Float[Tensor, "t"]:
    return std.sum()


wrong("keeps_annotated_shapes", "weighting", like(weighting.Std, "Summing", weights=summed))

# the model


def policy(name: str, change: Callable[[Any], Any]) -> type:
    def build(self: Any, *, attention: Any) -> Any:
        return change(small.policy().build(attention=attention))

    return like(Mar, name, build=build)


def settings_of_small() -> dict[str, Any]:
    made = small.policy()
    return {field.name: getattr(made, field.name) for field in attrs.fields(Mar)}


def with_condition(change: Callable[[Any, Tensor, Tensor, Tensor], Tensor]) -> Callable[[Any], Any]:
    def changed(model: Any) -> Any:
        right = model.condition
        object.__setattr__(model, "condition", lambda tokens, unknown, prefix: change(right, tokens, unknown, prefix))
        return model

    return changed


flips: list[int] = []


def flipping(right: Any, tokens: Tensor, unknown: Tensor, prefix: Tensor) -> Tensor:
    flips.append(0)
    return right(tokens, unknown, prefix) + 0.1 * len(flips)


def reading_everything(right: Any, tokens: Tensor, unknown: Tensor, prefix: Tensor) -> Tensor:
    return right(tokens, unknown, prefix) + tokens.mean(-1, keepdim=True)


def cut_short(right: Any, tokens: Tensor, unknown: Tensor, prefix: Tensor) -> Tensor:
    return right(tokens, unknown, prefix)[:, 1:]


def without_gradient(right: Any, tokens: Tensor, unknown: Tensor, prefix: Tensor) -> Tensor:
    return right(tokens, unknown, prefix).detach() + 0 * next(right.__self__.head.parameters()).sum()


secrets: list[float] = []


def with_a_secret(model: Any) -> Any:
    secrets.append(float(len(secrets)))
    mine, right = secrets[-1], model.condition
    object.__setattr__(model, "condition", lambda *words: right(*words) + mine)
    return model


POLICY = settings_of_small()
wrong("policy_is_of_its_geometry", "policy", policy("CutShort", with_condition(cut_short)), **POLICY)
wrong("policy_does_not_read_unknown_tokens", "policy", policy("Reading", with_condition(reading_everything)), **POLICY)
wrong("policy_replays_what_it_drew", "policy", policy("Flipping", with_condition(flipping)), **POLICY)
wrong("policy_learns_in_front_of_its_head", "policy", policy("Detached", with_condition(without_gradient)), **POLICY)
wrong("policy_is_its_state_dict", "policy", policy("Secretive", with_a_secret), **POLICY)
wrong(
    "policy_counts_its_parameters",
    "policy",
    like(Mar, "Modest", footprint=lambda self: told(self, lambda backbone: {"parameters": backbone.parameters - 1})),
    **POLICY,
)
wrong(
    "policy_counts_its_flops",
    "policy",
    like(Mar, "Hasty", footprint=lambda self: told(self, lambda backbone: {"products": ByKnown(backbone.held)})),
    **POLICY,
)


def told(policy: Mar, change: Callable[[Any], dict[str, Any]]) -> PolicyFootprint:
    right = Mar.footprint(policy)
    return attrs.evolve(right, backbone=attrs.evolve(right.backbone, **change(right.backbone)))


def same_for_all(self: Any, prompts: Any) -> Tensor:
    return torch.zeros(len(prompts), 3, dtype=torch.int64)


wrong("conditioner_tells_prompts_apart", "conditioner", like(conditioner.Label, "Deaf", indices=same_for_all), prefix=3)
wrong(
    "conditioner_counts_its_parameters",
    "conditioner",
    like(conditioner.Label, "Weightless", parameters=lambda self, *, width: 0),
)
wrong(
    "parameterization_finds_what_it_was_made_from",
    "parameterization",
    like(parameterization.Velocity, "Negated", target=lambda self, clean, noise, alpha_bar: -noise),
)


class Bright:
    """A codec module whose images are too bright."""

    def __init__(self, inner: Any, by: Callable[[Tensor], Tensor]):
        self.inner, self.by = inner, by

    def to(self, device: str) -> "Bright":
        return self

    def decode(self, tokens: Tensor) -> Tensor:
        return self.by(self.inner.decode(tokens))

    def encode(self, images: Tensor) -> Tensor:
        return self.inner.encode(images)


def codec(name: str, by: Callable[[Tensor], Tensor]) -> type:
    return like(Patch, name, build=lambda self: Bright(Patch.build(self), by))


SMALL = {"image": 4, "patch": 2, "components": 3, "weights": "random"}
wrong("codec_is_of_its_geometry", "codec", codec("Glaring", lambda images: images + 1), **SMALL)
wrong(
    "codec_makes_images_of_its_size",
    "codec",
    codec("Wide", lambda images: images.repeat_interleave(2, -1)),
    **SMALL,
)
wrong("codec_does_not_mind_the_batch", "codec", codec("Averaging", lambda images: images * images.mean(0)), **SMALL)


def seeing_all(self: Any, q: Tensor, k: Tensor, v: Tensor, lengths: Sequence[int], dropout: float = 0.0) -> Tensor:
    return Sdpa().attention(q, k, v, (sum(lengths),), dropout)


wrong("attention_is_softmax", "attention", like(Sdpa, "Boundless", attention=seeing_all))

# drawing


def prompts(name: str, **changes: Any) -> type:
    return like(Captions, name, **changes)


def one_key(self: Any, step: int, seed: int) -> Any:
    drawn = Captions.draw(self, step, seed)
    return type(drawn)(**{**vars(drawn), "keys": ((0, 0),) * len(drawn)})


wrong("prompts_come_in_groups", "prompts", prompts("OneKey", draw=one_key))
wrong(
    "prompts_change_with_step_and_seed",
    "prompts",
    prompts("Stubborn", draw=lambda self, step, seed: grouped([Prompt("a"), Prompt("b")], 2)),
)
wrong("prompts_hold_some_out", "prompts", prompts("Generous", held_out=lambda self: grouped([], 1)))
wrong(
    "unmasking_counts_down",
    "unmasking",
    like(unmasking.Cosine, "Late", counts=lambda self, n: (n,) * self.steps + (0,)),
)


def sampled(name: str, **changes: Any) -> type:
    return like(sampler.Ddpm, name, **changes)


def biased(self: Any, x: Tensor, prediction: Any, t: int) -> Gaussian:
    right = sampler.Ddpm.transition(self, x, prediction, t)
    return Gaussian(right.mean, torch.zeros_like(right.std))


wrong("sampler_explains_its_chains", "sampler", sampled("Stdless", transition=biased), steps=4)
wrong(
    "sampler_has_density_where_it_draws_noise",
    "sampler",
    sampled("Dense", has_density=lambda self, t: True),
    steps=4,
)
COUNTED = itertools.count()
drifts: list[int] = []


def drifting(self: Any, x: Tensor, prediction: Any, t: int) -> Gaussian:
    drifts.append(0)
    right = sampler.Ddpm.transition(self, x, prediction, t)
    return Gaussian(right.mean + 0.01 * len(drifts), right.std)


wrong("sampler_replays_what_it_drew", "sampler", sampled("Drifting", transition=drifting), steps=4)
wrong("sampler_ends_in_signal", "sampler", sampled("Backwards", alpha_bar=lambda self, t: t / 4), steps=4)
wrong("guidance_is_a_scale", "guidance", like(guidance.Constant, "Dividing", scale=lambda self, n, m: 1 - 1.0 * m))
wrong(
    "timesteps_are_among_those_there_are",
    "timesteps",
    like(timesteps.Every, "Inventing", draw=lambda self, steps, transitions, generator: ((0, 0), (99,))),
)


wrong(
    "timesteps_keep_no_more_than_they_say",
    "timesteps",
    like(timesteps.Every, "Modest", kept=lambda self, ar_steps, transitions: (1, transitions)),
)


@component
class Dull:
    """A dataset of one grey."""

    def images(self, index: int, count: int, seed: int) -> tuple[Float[Tensor, "b 3 h w"], Any]:
        return torch.full((count, 3, 4, 4), 0.5), grouped([Prompt("grey")] * count, 1)


wrong("dataset_shows_pictures", "dataset", Dull)

# the verdict


def scored(name: str, score: Callable[[Any, Tensor, Any], Any], **parts: Any) -> type:
    return like(Brightness, name, score=score, cases=lambda self: [], **parts)


mean = Brightness.score
wrong(
    "reward_scores_each_image",
    "reward",
    scored("Boundless", lambda self, images, prompts: mean(self, images, prompts) + 9),
)
wrong(
    "reward_does_not_mind_the_order",
    "reward",
    scored("Counting", lambda self, images, prompts: torch.arange(len(images)).float() / 10),
)
wrong(
    "reward_does_not_mind_the_batch",
    "reward",
    scored("Comparing", lambda self, images, prompts: mean(self, images, prompts) - mean(self, images, prompts).mean()),
)
wrong(
    "reward_leaves_images_alone",
    "reward",
    scored("Painting", lambda self, images, prompts: mean(self, images.mul_(0.5), prompts)),
)
wrong(
    "reward_reads_what_it_declares",
    "reward",
    scored("Secretly", lambda self, images, prompts: torch.tensor([len(text) / 100 for text in prompts.text])),
)
wrong(
    "reward_stands_its_own_cases",
    "reward",
    like(Brightness, "Boasting", cases=lambda self: [Case("black", torch.zeros(3, 8, 8), Prompt("black"), 0.9, 1.0)]),
)


class Forgetting:
    """A scorer that remembers more than it says."""

    def __init__(self) -> None:
        self.calls = 0

    def score(self, images: Tensor, prompts: Any) -> Tensor:
        self.calls += 1
        return torch.full((len(images),), self.calls / 100)

    def run_state(self) -> dict[str, Any]:
        return {}

    def load_run_state(self, state: Any) -> None: ...


wrong(
    "run_state_survives_a_restart",
    "reward",
    like(Brightness, "Forgetting", build=lambda self, device: Forgetting(), cases=lambda self: []),
)


def another(self: Any, error: RewardError) -> None:
    raise RewardError("something is wrong")


wrong("on_failure_ends_or_lets_go", "on_failure", like(Raise, "Vague", give_up=another))


def advantage(name: str, change: Callable[[Tensor, Tensor], Tensor]) -> type:
    def changed(self: Any, rewards: Tensor, weights: Tensor, group: Tensor) -> Tensor:
        return change(advantages.Unscaled.advantages(self, rewards, weights, group), rewards @ weights)

    return like(advantages.Unscaled, name, advantages=changed)


wrong("advantages_sum_to_zero", "advantage", advantage("Raised", lambda found, reward: found + 1))
wrong("advantages_follow_the_reward", "advantage", advantage("Opposite", lambda found, reward: -found))
wrong(
    "advantages_are_zero_where_rewards_are_equal", "advantage", advantage("Noisy", lambda found, reward: found + 1e-9)
)
wrong("advantages_keep_to_their_group", "advantage", advantage("Wide", lambda found, reward: found / reward.std()))

# the update
wrong(
    "selector_takes_a_subset",
    "selector",
    like(selector.Every, "Greedy", select=lambda self, rollout, step: torch.ones_like(step.unknown)),
)


def looking(self: Any, rollout: Any, step: Any) -> Tensor:
    return step.unknown if rollout.trajectories is not None else step.committed


wrong("selector_needs_what_it_says", "selector", like(selector.Every, "Looking", select=looking))


wrong(
    "selector_stays_within_its_extent", "selector", like(selector.Every, "Shy", extent=lambda self, n: Extent(left=0.0))
)


def twice(self: Any, rollout: Any, step: Any, selected: Tensor) -> list[Transitions]:
    return [Transitions.drawn(step.chain, selected)] * 2


wrong("estimator_speaks_of_selected_tokens", "estimator", like(estimator.Single, "Twice", transitions=twice))


def nothing(self: Any, rollout: Any, step: Any, selected: Tensor) -> list[Transitions]:
    return []


wrong("estimator_gives_a_gradient", "estimator", like(estimator.Single, "Mute", transitions=nothing))
wrong(
    "estimator_scores_no_more_chains_than_it_says",
    "estimator",
    like(estimator.MultiTrajectory, "Cheap", chains=lambda self, tokens: Chains()),
)
wrong(
    "estimator_varies_its_chains",
    "estimator",
    like(estimator.MultiTrajectory, "Stuck", with_chains=lambda self, chains: self),
)
wrong("weights_are_positive_and_of_mean_one", "weighting", like(weighting.Std, "Raw", weights=lambda self, std: std))
wrong(
    "objective_is_a_policy_gradient_on_policy",
    "objective",
    like(objective.OnPolicy, "Halved", surrogate=lambda self, logp, old, advantage: 0.5 * logp * advantage),
)
wrong("objective_divides_each_step", "objective", like(objective.OnPolicy, "Short", divisors=lambda self, counts: [1]))


@contextmanager
def leaving_training(self: Any, model: Any, key: Any) -> Any:
    model.train()
    yield


wrong("replay_puts_the_model_back", "replay", like(replay.Guided, "Leaving", mode=leaving_training))
wrong(
    "replay_masks_tokens",
    "replay",
    like(replay.Guided, "Blind", mask=lambda self, rollout, step: torch.zeros_like(step.unknown)),
)
wrong(
    "penalty_is_zero_at_equality",
    "penalty",
    like(GaussianKL, "Tolled", divergence=lambda self, mean, reference, std: (mean - reference + 1).sum(-1)),
    reference=Frozen(),
)


class Following(Regularizer):
    """A regularizer whose reference is the model itself."""

    def __init__(self, model: Any):
        super().__init__(model, lambda mean, reference, std: mean.sum(-1) * 0)
        self.reference = model


wrong(
    "penalty_keeps_its_reference",
    "penalty",
    like(K3OfMeans, "Followed", build=lambda self, model: Following(model)),
    reference=Frozen(),
)
wrong(
    "penalty_names_its_reference_and_tokens",
    "penalty",
    like(K3OfMeans, "Nameless", build=lambda self, model: Regularizer(None, self.divergence)),
    reference=Frozen(),
)
wrong("reference_says_yes_or_no", "reference", like(Frozen, "Unsure", is_due=lambda self, step: None))


def detached(self: Any, model: Any) -> Any:
    return ((name, torch.nn.Parameter(value.detach().clone())) for name, value in model.named_parameters())


wrong("trainable_is_what_changes", "trainable", like(trainable.Everything, "Copied", parameters=detached))


wrong(
    "trainable_trains_no_more_than_it_says",
    "trainable",
    like(trainable.Everything, "Headless", trained=lambda self, backbone, head: (backbone, 0)),
)


def climbing(self: Any, parameters: Any) -> Any:
    return torch.optim.SGD(parameters, lr=0.1, maximize=True)


wrong("optimizer_counts_its_state", "optimizer", like(optimizer.AdamW, "Frugal", state_per_parameter=1))
wrong("optimizer_goes_downhill", "optimizer", like(optimizer.AdamW, "Climbing", build=climbing))

# around the run


@component
class Strict:
    """A tracker that does not bear a figure that is not finite."""

    def open(self, folder: Any, title: str, steps: int, start: int) -> "Strict":
        return self

    def write(self, step: int, figures: Any) -> None:
        assert all(value == value for value in figures.values())

    def say(self, sentence: str) -> None: ...

    def close(self) -> None: ...


wrong("tracker_takes_a_run", "tracker", Strict)


wrong("canary_is_still_where_nothing_changed", "canary", like(Dark, "Restless", drift=lambda self, sight: 0.5))
wrong(
    "canary_tells_from_zero_how_far",
    "canary",
    like(Dark, "Signed", drift=lambda self, sight: float((sight.images - sight.before).mean())),
)


wrong(
    "suite_asks_the_same_each_time",
    "suite",
    like(ShapesSuite, "Fickle", prompts=lambda self: [Prompt(f"a circle {next(COUNTED)}")]),
)
wrong(
    "suite_names_rewards_that_read_its_prompts",
    "suite",
    like(ShapesSuite, "Unlabelled", rewards=lambda self: [{"use": "digits"}]),
)


class Doubling(SingleProcess):
    """Sums twice."""

    def all_reduce(self, x: Tensor) -> Tensor:
        return 2 * x


wrong("parallel_alone_is_one_process", "parallel", like(Single, "Doubled", join=lambda self, device: Doubling()))

EVERY = {check.__name__ for checks in OF_KIND.values() for check in checks}
EVERY |= {check.__name__ for check in (*every.CHECKS, *every.OF_RESULTS)}


@hookimpl
def margrpo_components() -> list[Entry]:
    return [entry for entry, _ in WRONG.values()]
