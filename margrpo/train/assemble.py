"""Assembly of a run's objects from its recipe."""

import copy
from collections.abc import Callable
from dataclasses import replace

import torch
from jaxtyping import Bool, Shaped
from torch import Tensor
from torch.nn import Parameter

from margrpo.contracts import Model, Processes, Regularizer, Selector
from margrpo.declare import record
from margrpo.distributed import torchrun
from margrpo.distributed.counts import all_reduce_counts
from margrpo.distributed.single import SingleProcess
from margrpo.errors import RunError
from margrpo.nets import compiled
from margrpo.plan.counts import needs_of
from margrpo.recipe.requirements import require_all
from margrpo.recipe.schema import Pretraining, Recipe
from margrpo.records import Needs, Rollout
from margrpo.train.rollout import microbatches
from margrpo.train.rollout.cuda_graphs import Graphs
from margrpo.train.rollout.roll_out import Pipeline, Recording
from margrpo.train.update import budget
from margrpo.train.update.budget import Budget
from margrpo.train.update.method import Method
from margrpo.train.verdict.monitors import BuiltCanary, build_canaries
from margrpo.train.verdict.scorers import Scorers, build_rewards


@record
class Session:
    """A recipe with everything built; training changes the tensors in it."""

    recipe: Recipe
    pipeline: Pipeline
    method: Method
    parameters: tuple[tuple[str, Parameter], ...]
    optimizer: torch.optim.Optimizer
    base: Model
    processes: Processes
    microbatches: list[range]
    scorers: Scorers
    measure: Scorers
    canaries: tuple[BuiltCanary, ...]

    @property
    def model(self) -> Model:
        """The policy that is trained."""
        return self.pipeline.model

    @property
    def own_images(self) -> slice:
        """The slice of a step's images that this process draws."""
        group = self.recipe.prompts.group
        return slice(self.microbatches[0].start * group, self.microbatches[-1].stop * group)

    def of_all(self, rows: Shaped[Tensor, "b ..."]) -> Shaped[Tensor, "all ..."]:
        """Rows for all images of the step, from this process's `rows`. *Collective*."""
        whole = rows.new_zeros(self.recipe.prompts.prompts * self.recipe.prompts.group, *rows.shape[1:])
        whole[self.own_images] = rows
        return self.processes.all_reduce(whole)

    def all_reduce(self, *counts: int) -> list[int]:
        """The sum of each count over all processes. *Collective*: every rank passes equally many counts."""
        return all_reduce_counts(self.processes, *counts)


def device_of(name: str) -> str:
    """The device of this name, or the best one for "auto"; `RunError` if this machine lacks it."""
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        name = "cuda" if there["cuda"] else "cpu"
    if not there[name.partition(":")[0]]:
        raise RunError(f'run.device = "{name}": torch does not find this device; set run.device = "auto" or "cpu"')
    return f"cuda:{torchrun.local_rank()}" if name == "cuda" and torchrun.count() > 1 else name


def dtype_of(precision: str, device: str) -> torch.dtype:
    """The type of the backbone's matrix products that a precision stands for on a device.

    "auto" is bfloat16 on a GPU that computes in it, and float32 elsewhere: a CPU without units for bfloat16 was
    measured ten times slower in it.
    """
    if precision != "auto":
        return {"float32": torch.float32, "bfloat16": torch.bfloat16}[precision]
    there = torch.device(device).type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.bfloat16 if there else torch.float32


def pipeline_of(recipe: Recipe | Pretraining) -> Pipeline:
    """The recipe's generator on its device."""
    require_all(recipe)
    device = device_of(recipe.run.device)
    here = torch.device(device)
    if here.type == "cuda" and here.index is not None:
        torch.cuda.set_device(here)  # streams, graphs and the bench's clock ask for the current one
    if here.type == "cuda":
        torch.set_float32_matmul_precision("high" if recipe.run.tf32 else "highest")
    codec = recipe.codec.build().to(device)  # the smaller of the two, so that what is wrong with it is said sooner
    return Pipeline(
        model=recipe.policy.build(attention=recipe.attention).to(device),
        codec=codec,
        sampler=recipe.sampler,
        unmasking=recipe.unmasking,
        guidance=recipe.guidance,
        device=device,
        dtype=dtype_of(recipe.run.precision, device),
    )


def assemble(
    recipe: Recipe,
    processes: Processes | None = None,
    resumed: Callable[[Model, Regularizer], None] = lambda model, regularizer: None,
) -> Session:
    """Build everything that a recipe names, by default for a single process.

    Weights are loaded, and replaced by `resumed` with a checkpoint's, before the processes share them.
    """
    device, processes = device_of(recipe.run.device), processes or SingleProcess()
    mine = microbatches.dealt(recipe.prompts.prompts, recipe.run.rollout_batch, device=device, processes=processes)
    pipeline = pipeline_of(recipe)
    scorers = build_rewards(recipe.reward, pipeline.device)
    measure = scorers if recipe.measure is None else build_rewards((recipe.measure,), pipeline.device)
    model = pipeline.model
    base = copy.deepcopy(model).requires_grad_(False)
    regularizer = recipe.penalty.build(model)
    resumed(model, regularizer)
    model.requires_grad_(False)
    for _, value in recipe.trainable.parameters(model):
        value.requires_grad_(True)
    processes.wrap(model)
    parameters = tuple((name, value) for name, value in model.named_parameters() if value.requires_grad)
    optimizer = recipe.optimizer.build([value for _, value in parameters])
    processes.unshard()

    method = Method(
        selector=recipe.selector,
        estimator=recipe.estimator,
        weighting=recipe.weighting,
        objective=recipe.objective,
        replay=recipe.replay,
        regularizer=regularizer,
        budget=Budget(
            budget.bytes_of(recipe.run.budget, pipeline.device),
            budget.measure_footprint(model, pipeline.sampler, dtype=pipeline.dtype),
        ),
        processes=processes,
    )
    if recipe.run.compile:
        for each in (model, base, regularizer.reference):
            if each is not None:
                compiled.compile_head(each.head)
        pipeline = replace(pipeline, graphs=Graphs(model.head, pipeline.sampler))
    canaries = build_canaries(recipe.canary, pipeline.device)
    return Session(recipe, pipeline, method, parameters, optimizer, base, processes, mine, scorers, measure, canaries)


def recording_of(session: Session, generator: torch.Generator) -> Recording:
    """The parts of a rollout to record: AR steps and transitions drawn by `generator`, and the method's needs."""
    pipeline, method = session.pipeline, session.method
    stochastic = [t for t in range(pipeline.sampler.steps) if pipeline.sampler.has_density(t)]
    steps, transitions = session.recipe.timesteps.draw(pipeline.unmasking.steps, stochastic, generator)
    needs = needs_of(session.recipe)
    return Recording(
        steps, transitions, virtual_steps(steps, needs), needs.trajectories, usable(method.selector, needs)
    )


def usable(selector: Selector, needs: Needs) -> Callable[[Rollout], Bool[Tensor, "b n"]] | None:
    """The tokens that may need K chains: those selected at any kept AR step; None if selection needs the chains."""
    if needs.everywhere or selector.needs().trajectories:
        return None

    def selected(rollout: Rollout) -> Bool[Tensor, "b n"]:
        return torch.stack([selector.select(rollout, step) for step in rollout.steps]).any(0)

    return selected


def virtual_steps(steps: tuple[int, ...], needs: Needs) -> frozenset[int]:
    """The AR steps at which unknown tokens are drawn although they are not committed."""
    if not needs.virtual:
        return frozenset()
    return frozenset(steps) | frozenset(step - 1 for step in steps if needs.previous and step > 0)
