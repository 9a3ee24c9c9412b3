"""Whether the components of a sound recipe can work together: one small rule each, all before weights are loaded."""

from collections.abc import Callable, Iterator

from margrpo.contracts import NamesClasses
from margrpo.errors import DataError, RecipeError
from margrpo.plugin.registry import Registry, registry
from margrpo.recipe.schema import Pretraining, Recipe

Rule = Callable[[Recipe], Iterator[str]]


def check_fit(
    recipe: Recipe | Pretraining, *, source: str = "recipe", among: Registry | None = None, to_draw: bool = False
) -> None:
    """Raise a `RecipeError` with every sentence of every rule, ours and those of plugins.

    Where a recipe is only to draw with, what is for learning may misfit.
    """
    problems = [sentence for rule in DRAWING for sentence in rule(recipe)]
    if not to_draw:
        problems += looks_fit_in_the_held_out(recipe)
    if isinstance(recipe, Recipe) and not to_draw:
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


def some_transition_has_a_density(recipe: Recipe) -> Iterator[str]:
    """A deterministic sampler has no log-probability, so GRPO cannot train through it."""
    if _transitions(recipe) == 0:
        off = [key for key in ("eta", "noise") if hasattr(recipe.sampler, key)]
        cure = f"set sampler.{off[0]} above 0" if off else "choose one that draws noise"
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
    for table, part in (("selector", recipe.selector), ("estimator", recipe.estimator), ("penalty", recipe.penalty)):
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


def classes_are_those_of_the_policy(recipe: Recipe | Pretraining) -> Iterator[str]:
    """Prompts that tell their labels must keep to the classes that the policy tells."""
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
    """A CUDA graph has the weights' addresses in it."""
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
    some_transition_has_a_density,
    kept_steps_are_there,
    earlier_steps_are_there,
    graphs_find_the_weights_where_they_were,
)


def _transitions(recipe: Recipe) -> int:
    return sum(recipe.sampler.has_density(t) for t in range(recipe.sampler.steps))
