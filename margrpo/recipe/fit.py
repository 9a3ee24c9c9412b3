"""Whether the components of a sound recipe can work together: one small rule each, all before weights are loaded."""

import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path

from margrpo.errors import DataError, RecipeError
from margrpo.plugin.registry import Registry, registry
from margrpo.recipe.problem import shown
from margrpo.recipe.schema import Pretraining, Recipe

Rule = Callable[[Recipe], Iterator[str]]
_PACKAGE = "package://"


def check_fit(recipe: Recipe | Pretraining, *, source: str = "recipe", among: Registry | None = None) -> None:
    """Raise a `RecipeError` with every sentence of every rule, ours and those of plugins."""
    problems = [sentence for rule in SHARED for sentence in rule(recipe)]
    if isinstance(recipe, Recipe):
        problems += [sentence for rule in TRAINING for sentence in rule(recipe)]
    problems += (among or registry()).misfits(recipe)
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


def weights_are_there(recipe: Recipe | Pretraining) -> Iterator[str]:
    """Files of weights must exist."""
    for table, part in (("policy", recipe.policy), ("codec", recipe.codec)):
        weights = getattr(part, "weights", "random")
        if weights != "random" and not _exists(weights):
            yield f'{table}.weights = {shown(weights)} names no file; give the path of a file, or "random"'


def group_is_large_enough(recipe: Recipe) -> Iterator[str]:
    """The advantage compares images of one prompt, so it needs a least number of them."""
    group, smallest = recipe.prompts.group, recipe.advantage.smallest_group
    if group < smallest:
        yield f"prompts.group = {group} is less than the {smallest} images a prompt that advantage compares; raise it"


def some_transition_has_a_density(recipe: Recipe) -> Iterator[str]:
    """A deterministic sampler has no log-probability, so GRPO cannot train through it."""
    if _transitions(recipe) == 0:
        cure = "set sampler.eta above 0" if hasattr(recipe.sampler, "eta") else "choose one that draws noise"
        yield f"sampler is deterministic, so its tokens have no log-probability to train on; {cure}"


def kept_steps_are_there(recipe: Recipe) -> Iterator[str]:
    """No more AR steps and transitions can be trained on than there are."""
    transitions = _transitions(recipe)
    limits = {"ar_steps": (recipe.unmasking.steps, "AR steps"), "transitions": (transitions, "noisy transitions")}
    for key, (limit, what) in limits.items():
        kept = getattr(recipe.timesteps, key, None)
        if kept is not None and 0 < limit < kept:
            yield f"timesteps.{key} = {kept} is more than the {limit} {what}; set it to {limit} or less"


def earlier_steps_are_there(recipe: Recipe) -> Iterator[str]:
    """What compares an AR step with the one before needs at least two."""
    for table, part in (("selector", recipe.selector), ("estimator", recipe.estimator)):
        if part.needs().earlier and recipe.unmasking.steps < 2:
            yield f"{table} compares an AR step with the one before, and unmasking.steps = 1; set it to 2 or more"


def looks_fit_in_the_held_out(recipe: Recipe | Pretraining) -> Iterator[str]:
    """A look during training is a part of the score before or after it."""
    run = recipe.run
    if run.watch > run.held_out:
        yield f"run.watch = {run.watch} is more than run.held_out = {run.held_out}; set it to {run.held_out} or less"


def prompts_can_be_read(recipe: Recipe | Pretraining) -> Iterator[str]:
    """Prompt files are read before anything else is."""
    try:
        recipe.prompts.require()
    except DataError as error:
        yield f"prompts: {error}"


SHARED = (
    tokens_are_those_of_the_codec,
    steps_do_not_outnumber_tokens,
    weights_are_there,
    looks_fit_in_the_held_out,
    prompts_can_be_read,
)
TRAINING: tuple[Rule, ...] = (
    group_is_large_enough,
    some_transition_has_a_density,
    kept_steps_are_there,
    earlier_steps_are_there,
)


def _transitions(recipe: Recipe) -> int:
    return sum(recipe.sampler.has_density(t) for t in range(recipe.sampler.steps))


def _exists(weights: str) -> bool:
    if not weights.startswith(_PACKAGE):
        return Path(weights).is_file()
    package, _, name = weights.removeprefix(_PACKAGE).partition("/")
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        return False
    folders = (spec.submodule_search_locations or ()) if spec else ()
    return any((Path(folder) / name).is_file() for folder in folders)
