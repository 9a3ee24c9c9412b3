"""Rules for components that must work together, checked before weights are loaded."""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import attrs

from margrpo.contracts import NamesClasses, NamesKept, NamesNoise, Unmasking
from margrpo.errors import DataError, RecipeError
from margrpo.plugin.registry import Registry, registry
from margrpo.recipe.schema import Pretraining, Recipe

Rule = Callable[[Recipe], Iterator[str]]


def check_fit(
    recipe: Recipe | Pretraining, *, source: str = "recipe", among: Registry | None = None, to_draw: bool = False
) -> None:
    """Raise `RecipeError` with every sentence of every rule, built-in rules first, then rules of plugins.

    With `to_draw`, rules that concern only learning are not checked.
    """
    found = among or registry()
    problems = [sentence for rule in DRAWING for sentence in rule(recipe)]
    if not to_draw:
        problems += validations_fit_in_the_held_out(recipe)
    if isinstance(recipe, Recipe) and not to_draw:
        problems += [sentence for rule in TRAINING for sentence in rule(recipe)]
        problems += some_transition_has_a_density(recipe, found.short_name("sampler", recipe.sampler))
    problems += found.fit_problems(recipe)
    if problems:
        raise RecipeError(source, problems)


def tokens_are_those_of_the_codec(recipe: Recipe | Pretraining) -> Iterator[str]:
    """Policy and codec must agree on tokens and channels."""
    policy, codec = recipe.policy.geometry(), recipe.codec.geometry()
    for what, ours, theirs in zip(("tokens per image", "channels per token"), policy, codec, strict=True):
        if ours != theirs:
            yield f"policy has {ours} {what} and codec has {theirs}; set them so that both are equal"


def steps_do_not_outnumber_tokens(recipe: Recipe | Pretraining) -> Iterator[str]:
    """Every AR step must commit at least one token."""
    steps, tokens = recipe.unmasking.steps, recipe.policy.geometry()[0]
    if steps > tokens:
        yield f"unmasking.steps = {steps} is more than the {tokens} tokens of an image; set it to {tokens} or less"


def sampler_undoes_what_the_head_learned(recipe: Recipe | Pretraining) -> Iterator[str]:
    """The head's training and the sampler must have one forward process."""
    sampled, learned = recipe.sampler.path.name, recipe.policy.parameterization.path.name
    if sampled != learned:
        yield (
            f"sampler takes the steps of a {sampled} and policy.parameterization is that of a {learned}; "
            'flow_sde goes with "flow", ddpm and ddim with "epsilon" or "velocity", as the head was trained'
        )


def group_is_large_enough(recipe: Recipe) -> Iterator[str]:
    """The advantage compares images of one prompt, so it needs a least number of them."""
    group, smallest = recipe.prompts.group, recipe.advantage.smallest_group
    if group < smallest:
        yield f"prompts.group = {group} is less than the {smallest} images a prompt that advantage compares; raise it"


def some_transition_has_a_density(recipe: Recipe, name: str) -> Iterator[str]:
    """A deterministic sampler has no log-probability, so GRPO cannot train through it."""
    if _transitions(recipe) == 0:
        sampler = recipe.sampler
        cure = sampler.remedy() if isinstance(sampler, NamesNoise) else "choose a sampler that draws noise"
        yield f"sampler.{name} is deterministic, so its tokens have no log-probability to train on; {cure}"


def kept_steps_are_there(recipe: Recipe) -> Iterator[str]:
    """No more AR steps and transitions can be trained on than there are."""
    timesteps, offered = recipe.timesteps, (recipe.unmasking.steps, _transitions(recipe))
    kept, what = timesteps.kept(*offered), ("AR steps", "noisy transitions")
    keys = timesteps.kept_settings if isinstance(timesteps, NamesKept) else (None, None)
    for key, number, limit, name in zip(keys, kept, offered, what, strict=True):
        if number > limit > 0:
            wrong = f"timesteps.{key} = {number} is" if key else f"timesteps keeps {number} {name},"
            yield f"{wrong} more than the {limit} {name}; set it to {limit} or less"


def compared_steps_exist(recipe: Recipe) -> Iterator[str]:
    """A component that compares an AR step with the step before needs at least two AR steps."""
    for table, part in (("selector", recipe.selector), ("estimator", recipe.estimator), ("penalty", recipe.penalty)):
        if part.needs().previous and recipe.unmasking.steps < 2:
            yield f"{table} compares an AR step with the one before, and unmasking.steps = 1; set it to 2 or more"


def validations_fit_in_the_held_out(recipe: Recipe | Pretraining) -> Iterator[str]:
    """The prompts of a validation must be among the held-out prompts."""
    run = recipe.run
    if run.eval_prompts > run.held_out:
        yield (
            f"run.eval_prompts = {run.eval_prompts} is more than run.held_out = {run.held_out}; set it to "
            f"{run.held_out} or less"
        )


def prompts_can_be_read(recipe: Recipe | Pretraining) -> Iterator[str]:
    """Prompt files must be readable."""
    try:
        recipe.prompts.require()
    except DataError as error:
        yield f"prompts: {error}"


def classes_are_those_of_the_policy(recipe: Recipe | Pretraining) -> Iterator[str]:
    """The labels of prompts must be classes of the policy."""
    known, prompts = recipe.policy.classes(), recipe.prompts
    if known is None or not isinstance(prompts, NamesClasses):
        return
    try:
        beyond = [label for label in prompts.labels() if label >= known]
    except DataError:
        return  # said by prompts_can_be_read
    if beyond:
        yield f"prompts draw class {beyond[-1]}, and policy.conditioner.classes = {known}; draw 0 to {known - 1} only"


def graphs_find_the_weights_where_they_were(recipe: Recipe) -> Iterator[str]:
    """CUDA graphs need fixed addresses of weights."""
    if recipe.run.compile and recipe.parallel.moves_weights:
        yield "run.compile = true records where the weights lie, and parallel moves them; set run.compile = false"


DRAWING = (
    tokens_are_those_of_the_codec,
    steps_do_not_outnumber_tokens,
    sampler_undoes_what_the_head_learned,
    prompts_can_be_read,
    classes_are_those_of_the_policy,
)
TRAINING: tuple[Rule, ...] = (
    group_is_large_enough,
    kept_steps_are_there,
    compared_steps_exist,
    graphs_find_the_weights_where_they_were,
)


def _transitions(recipe: Recipe) -> int:
    return sum(recipe.sampler.has_density(t) for t in range(recipe.sampler.steps))


def check_geometry(recipe: Recipe | Pretraining, *, source: str = "recipe") -> None:
    """Raise a `RecipeError` unless every AR step commits a token, with the nearest numbers of steps that do."""
    tokens, unmasking = recipe.policy.geometry()[0], recipe.unmasking
    fault = fault_of(unmasking.counts(tokens), unmasking.steps, tokens)
    if fault is None:
        return
    near = nearest_steps(unmasking, tokens)
    cure = f"the nearest that works: {' or '.join(map(str, near))}" if near else "choose another unmasking"
    raise RecipeError(source, [f"unmasking.steps = {unmasking.steps} {fault}; {cure}"])


def fault_of(counts: Sequence[int], steps: int, tokens: int) -> str | None:
    """The reason why n = m_0 > m_1 > … > m_s = 0 does not hold, or None."""
    if len(counts) != steps + 1 or counts[0] != tokens or counts[-1] != 0:
        return f"does not lead from {tokens} unknown tokens to 0: its counts are {', '.join(map(str, counts))}"
    for index, (now, after) in enumerate(pairwise(counts)):
        if after >= now:
            return f"has an AR step that commits nothing: {now} tokens are unknown before step {index}, {after} after"
    return None


def nearest_steps(unmasking: Unmasking, tokens: int) -> list[int]:
    """The nearest lower and the nearest higher number of steps that work."""

    def works(steps: int) -> bool:
        other = attrs.evolve(unmasking, steps=steps)  # type: ignore[misc]  # a component is an attrs class
        return fault_of(other.counts(tokens), steps, tokens) is None

    lower = next(filter(works, range(min(unmasking.steps - 1, tokens), 0, -1)), None)
    higher = next(filter(works, range(unmasking.steps + 1, tokens + 1)), None)
    return [steps for steps in (lower, higher) if steps is not None]
