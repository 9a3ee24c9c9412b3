"""From a recipe to the objects of a run."""

import copy

import torch
from torch.nn import Parameter

from margrpo.contracts import Model, Reward
from margrpo.declare import record
from margrpo.errors import RunError
from margrpo.recipe.schema import Pretraining, Recipe
from margrpo.records import Needs
from margrpo.train.parts import Method
from margrpo.train.roll_out import Pipeline, Recording


@record
class Session:
    """A recipe with everything built; the tensors in it are what training changes."""

    recipe: Recipe
    pipeline: Pipeline
    method: Method
    parameters: tuple[tuple[str, Parameter], ...]
    optimizer: torch.optim.Optimizer
    origin: Model

    @property
    def model(self) -> Model:
        """The policy being tuned."""
        return self.pipeline.model


def device_of(name: str) -> str:
    """The device that "auto" stands for here, or the one named; `RunError` where this machine lacks it."""
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return "cuda" if there["cuda"] else "cpu"
    if not there[name.partition(":")[0]]:
        raise RunError(f'run.device = "{name}": torch finds no such device here; set run.device = "auto" or "cpu"')
    return name


def pipeline_of(recipe: Recipe | Pretraining) -> Pipeline:
    """The recipe's generator on its device."""
    recipe.kernel.require()
    recipe.codec.require()
    device = device_of(recipe.run.device)
    codec = recipe.codec.build().to(device)  # the smaller of the two, so that what is wrong with it is said sooner
    return Pipeline(
        model=recipe.policy.build(kernel=recipe.kernel).to(device),
        codec=codec,
        sampler=recipe.sampler,
        unmasking=recipe.unmasking,
        guidance=recipe.guidance,
        device=device,
    )


def assemble(recipe: Recipe) -> Session:
    """Build everything; loads weights."""
    pipeline = pipeline_of(recipe)
    model = pipeline.model
    origin = copy.deepcopy(model).requires_grad_(False)
    method = Method(
        selector=recipe.selector,
        estimator=recipe.estimator,
        weighting=recipe.weighting,
        objective=recipe.objective,
        replay=recipe.replay,
        leash=recipe.penalty.build(model),
        rows=recipe.run.rows,
    )
    model.requires_grad_(False)
    parameters = tuple(recipe.trainable.parameters(model))
    for _, value in parameters:
        value.requires_grad_(True)
    optimizer = recipe.optimizer.build([value for _, value in parameters])
    return Session(recipe, pipeline, method, parameters, optimizer, origin)


def recording_of(recipe: Recipe, generator: torch.Generator) -> Recording:
    """What one rollout must keep: drawn steps and transitions, and what selector and estimator need."""
    needs = recipe.selector.needs() | recipe.estimator.needs() | recipe.penalty.needs()
    stochastic = [t for t in range(recipe.sampler.steps) if recipe.sampler.has_density(t)]
    steps, transitions = recipe.timesteps.draw(recipe.unmasking.steps, stochastic, generator)
    return Recording(steps, transitions, virtual_steps(steps, needs), needs.trajectories)


def virtual_steps(steps: tuple[int, ...], needs: Needs) -> frozenset[int]:
    """The AR steps at which unknown tokens are drawn although they are not committed."""
    if not needs.virtual:
        return frozenset()
    return frozenset(steps) | frozenset(step - 1 for step in steps if needs.earlier and step > 0)


def measure_of(recipe: Recipe | Pretraining) -> tuple[Reward, ...]:
    """What held-out images are measured by."""
    return (recipe.measure,) if recipe.measure is not None else recipe.reward
