"""The peak memory of a run, part by part, in float32."""

from collections.abc import Sequence

import attrs

from margrpo.plan.counts import Plan, kept_of, needs_of, plan
from margrpo.recipe.schema import Recipe
from margrpo.records import PolicyFootprint, Stage

BYTES = 4
"""Bytes of a float32, the type of all weights, activations and records."""
VALIDATED_AT_ONCE = 32
"""Held-out images drawn at once, `BATCH` of `margrpo.train.watch.held_out`."""
DRAWN_AT_ONCE = 8192
"""Number of tokens × chains that are drawn at once for several chains, unless one image has more."""
GIB = 2**30
BUDGET = 2 * GIB
"""Default budget for the graphs of an update, except on a GPU,"""
SHARE_OF_GPU = 4
"""where the budget is this fraction (1 / N) of the GPU's memory."""
PIECE = 16
"""Fraction (1 / N) of the budget for the graph of a chunk of the head's work; the rest is the backbone's."""


@attrs.frozen
class MemoryItem:
    """A number of bytes and its formula."""

    name: str
    formula: str
    bytes: int


@attrs.frozen
class Memory:
    """Memory that is held throughout, and by the phases of a step, of which only one is held at a time."""

    held: tuple[MemoryItem, ...]
    phases: tuple[MemoryItem, ...]

    @property
    def peak(self) -> int:
        """The bytes held throughout and by the largest phase."""
        return sum(part.bytes for part in self.held) + max(part.bytes for part in self.phases)


def memory(recipe: Recipe) -> Memory:
    """The estimate for a recipe, without codec, rewards and torch itself."""
    of, counted = recipe.policy.footprint(), plan(recipe)
    return Memory(held(recipe, of, counted), phases(recipe, of, counted))


def trained(recipe: Recipe, of: PolicyFootprint) -> tuple[int, int]:
    """The number of trained parameters of the backbone and of the head."""
    return recipe.trainable.trained(of.backbone.parameters, of.head.parameters)


def held(recipe: Recipe, of: PolicyFootprint, counted: Plan) -> tuple[MemoryItem, ...]:
    """The memory of weights, gradients, the optimizer's state and the record for replay."""
    whole, tuned, state = of.parameters, sum(trained(recipe, of)), recipe.optimizer.state_per_parameter
    copies = 2 + (counted.reference.most > 0)
    who = "tuned, base, reference" if copies == 3 else "tuned, base"
    stored = replay_bytes(recipe, counted.stages, counted.images)
    return (
        MemoryItem("weights", f"{copies} × {whole:,} parameters × {BYTES} B ({who})", copies * whole * BYTES),
        MemoryItem("gradients", f"{tuned:,} trained × {BYTES} B", tuned * BYTES),
        MemoryItem("optimizer", f"{tuned:,} trained × {state} numbers of state × {BYTES} B", state * tuned * BYTES),
        MemoryItem("replay", "states, means and stds of the kept transitions", stored),
    )


def phases(recipe: Recipe, of: PolicyFootprint, counted: Plan) -> tuple[MemoryItem, ...]:
    """The additional memory of rollout, update and validation."""
    return (
        rollout_phase(recipe, of, counted),
        update_phase(recipe, of, counted),
        validation_phase(recipe, of, counted),
    )


def rollout_phase(recipe: Recipe, of: PolicyFootprint, counted: Plan) -> MemoryItem:
    """The largest pass of backbone or head, and the noise of all tokens, from which drawn tokens are packed."""
    needs, tokens = needs_of(recipe), counted.images * counted.stages[0].tokens
    drawn = counted.images * max(stage.unknown if needs.virtual else stage.committed for stage in counted.stages)
    halves, chains = 2 if counted.guided_rollout else 1, needs.trajectories
    backbone = halves * counted.images * of.backbone.held * BYTES
    main = max(backbone, head_pass(of, drawn, 1, halves)) + noise_bytes(recipe, tokens, 1)
    at_once = min(
        tokens, max(1, DRAWN_AT_ONCE // (counted.stages[0].tokens * max(1, chains))) * counted.stages[0].tokens
    )
    again = (head_pass(of, at_once, chains, halves) + noise_bytes(recipe, at_once, chains)) * bool(chains)
    if again > main:
        return MemoryItem("rollout", f"the head over {at_once:,} tokens × {chains} chains, and their noise", again)
    return MemoryItem("rollout", f"one pass over {counted.images} images, and the noise of {tokens:,} tokens", main)


def update_phase(recipe: Recipe, of: PolicyFootprint, counted: Plan) -> MemoryItem:
    """The graphs of a pass of the backbone and of a chunk of the head's work, as large as the budget allows."""
    halves, tokens = 2 if counted.guided_update else 1, counted.stages[0].tokens
    budget = BUDGET if recipe.run.budget is None else int(recipe.run.budget * GIB)
    known = sorted((tokens - stage.unknown for stage in counted.stages), reverse=True)[: counted.kept_stages]
    units = [halves * BYTES * of.backbone.kept.at(each) for each in known]
    graph = max(units[0], min(budget - budget // PIECE, counted.images * sum(units)))
    _, of_head = trained(recipe, of)
    graph_of = of.head.kept_trained if of_head else of.head.kept
    pair = halves * graph_of.of(recipe.estimator.chains(tokens).per_token) * BYTES
    selected = recipe.selector.extent(tokens)
    pairs = sum(selected.at(stage).most for stage in counted.stages) * counted.images
    head = max(pair, min(budget // PIECE, pairs * counted.transitions * pair))
    share = graph / (graph + head)
    whose = "within run.budget" if recipe.run.budget else "on a GPU within a quarter of its memory instead"
    formula = f"graphs of a backbone pass, {share:.0%}, and of a chunk of the head's work; {whose}"
    return MemoryItem("update", formula, graph + head)


def validation_phase(recipe: Recipe, of: PolicyFootprint, counted: Plan) -> MemoryItem:
    """The chains of validation prompts at every AR step, which the KL needs, and the largest pass."""
    watched, tokens = min(recipe.run.eval_prompts, VALIDATED_AT_ONCE), [stage.committed for stage in counted.stages]
    noisy = sum(map(recipe.sampler.has_density, range(recipe.sampler.steps)))
    images, halves = max(watched, min(recipe.run.held_out, VALIDATED_AT_ONCE)), 2 if counted.guided_rollout else 1
    work = max(halves * images * of.backbone.held * BYTES, head_pass(of, images * max(tokens), 1, halves))
    noise = noise_bytes(recipe, images * sum(tokens), 1)
    formula = f"the chains of {watched} validation images at all {len(tokens)} AR steps, and one pass over {images}"
    return MemoryItem("validation", formula, watched * chain_bytes(recipe, tokens, noisy) + work + noise)


def head_pass(of: PolicyFootprint, tokens: int, chains: int, halves: int) -> int:
    """Bytes of one pass of the head without a graph."""
    return halves * tokens * of.head.held.of(chains) * BYTES


def noise_bytes(recipe: Recipe, tokens: int, chains: int) -> int:
    """The noise of whole chains, twice: drawn for each image, and stacked."""
    return 2 * tokens * chains * (recipe.sampler.steps + 1) * recipe.policy.geometry()[1] * BYTES


def replay_bytes(recipe: Recipe, stages: Sequence[Stage], images: int) -> int:
    """The largest record that a rollout stores."""
    (kept, transitions), needs = kept_of(recipe), needs_of(recipe)
    tokens, channels = recipe.policy.geometry()
    frame = tokens * channels * BYTES
    drawn = [stage.unknown if needs.virtual else stage.committed for stage in stages]
    largest = sorted(drawn, reverse=True)[:kept]
    masks = 2 * tokens * kept + 8 * tokens  # and the order of unmasking
    before = min(kept, len(stages) - 1) if needs.previous else kept - 1  # steps whose predecessor draws everything too
    previous = before * frame if needs.virtual else 0
    picture = 3 * recipe.codec.image**2 * BYTES
    again = needs.trajectories * chain_bytes(recipe, [tokens], transitions) + (tokens if needs.trajectories else 0)
    each = chain_bytes(recipe, largest, transitions) + kept * frame + masks + previous + frame + picture + again
    return images * each


def chain_bytes(recipe: Recipe, tokens: Sequence[int], transitions: int) -> int:
    """The bytes of state, next state, mean and std of each transition, and of the final token."""
    return sum(tokens) * (4 * transitions + 1) * recipe.policy.geometry()[1] * BYTES
