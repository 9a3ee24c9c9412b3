"""Promises of the components of the update, from selectors to optimizers."""

import math
from typing import Any

import torch

from margrpo.records import ARStep, Extent, Needs, Rollout
from margrpo.testing import small
from margrpo.testing.conformance.subject import Subject, claim, not_applicable
from margrpo.testing.conformance.work import done
from margrpo.testing.conformance.work.pieces import numbers, rollout
from margrpo.train.assemble import virtual_steps
from margrpo.train.rollout.roll_out import Recording, roll_out
from margrpo.train.update.backward import backward
from margrpo.train.update.statistics import UpdateStats


def selector_takes_a_subset(subject: Subject) -> None:
    """Only tokens that are unknown at the step can be selected."""
    made = rollout(subject)
    for step in made.steps:
        mask = subject.component.select(made, step)
        claim(mask.shape == step.unknown.shape and mask.dtype == torch.bool, "a selection is not a mask of the tokens")
        claim(not (mask & ~step.unknown).any(), f"at AR step {step.index} it selects tokens that are known already")


def selector_needs_what_it_says(subject: Subject) -> None:
    """The selection is equal if only the parts in needs() are recorded."""
    needs = subject.component.needs()
    more = Needs(needs.trajectories or 4, virtual=True, previous=True, everywhere=True)
    full, sparse = recorded(more), recorded(needs)
    for one, other in zip(full.steps, sparse.steps, strict=True):
        same = torch.equal(subject.component.select(full, one), subject.component.select(sparse, other))
        claim(same, "its selection depends on records that needs() does not name")


def recorded(needs: Needs) -> Rollout:
    """A small rollout with only the needed records."""
    pipeline = small.pipeline(side=3)
    whole = small.recording(pipeline)
    recording = Recording(whole.steps, whole.transitions, virtual_steps(whole.steps, needs), needs.trajectories)
    return roll_out(pipeline, small.prompts(), ("needs",), recording)


def estimator_speaks_of_selected_tokens(subject: Subject) -> None:
    """Each selected token is in at most one record of transitions, and no other token is in any."""
    made = recorded(subject.component.needs() | Needs(virtual=True))
    for step in made.steps:
        selected = step.unknown & (made.order % 2 == 0)
        found = subject.component.transitions(made, step, selected)
        seen = sum((each.where.long() for each in found), torch.zeros_like(made.order))
        claim(seen.max() <= 1, "a token is in two records of transitions")
        claim(not (seen.bool() & ~selected).any(), "its transitions are of tokens that were not selected")
        for each in found:
            state, target, std = each.part()
            claim(state.shape == target.shape == std.shape, "state, target and std of its transitions differ in shape")
            claim(state.shape[0] == len(made.diffusion_steps), "it does not return every kept transition")
            claim(state.shape[2] == int(each.where.sum()), "its transitions do not have a row for each token")
            claim((std > 0).all(), "the std of its transitions is not positive")


def estimator_gives_a_gradient(subject: Subject) -> None:
    """The gradient of an update is finite and not zero."""
    pipeline = small.pipeline(side=3)
    made, method = rollout(subject), small.method(pipeline, selector=Unknown(), estimator=subject.component)
    backward(pipeline, method, made, torch.tensor([1.0, -1.0, 0.5, -0.5]), UpdateStats())
    model: Any = pipeline.model
    gradient = small.gradients(model.backbone)
    claim(gradient.isfinite().all(), "its gradient is not finite")
    claim(gradient.any(), "its gradient is zero")


class Unknown:
    """A selector of every unknown token."""

    def needs(self) -> Needs:
        """Needs draws of the tokens that are not committed."""
        return Needs(virtual=True)

    def extent(self, tokens: int) -> Extent:
        """All unknown tokens."""
        return Extent()

    def select(self, rollout: Rollout, step: ARStep) -> torch.Tensor:
        """All unknown tokens."""
        return step.unknown


def weights_are_positive_and_of_mean_one(subject: Subject) -> None:
    """The weights are positive, and their mean is 1."""
    for std in ([1.0], [1.0, 0.5, 0.2, 0.05], [0.3, 0.3, 0.3]):
        found = subject.component.weights(torch.tensor(std))
        claim((found > 0).all() and found.isfinite().all(), f"of the stds {std} it makes weights {found.tolist()}")
        claim(abs(float(found.mean()) - 1) < 1e-5, f"its weights have the mean {float(found.mean()):g}, not 1")


def objective_is_a_policy_gradient_on_policy(subject: Subject) -> None:
    """On policy, the gradient with respect to each log-probability is its advantage."""
    logp = numbers(subject, 2, 6).requires_grad_()
    advantage = numbers(subject, 6, seed=1)
    subject.component.surrogate(logp, logp.detach().clone(), advantage).sum().backward()
    expected = advantage.expand(2, 6)
    claim(torch.allclose(logp.grad, expected, atol=1e-5), "on policy its gradient is not advantage · ∇ log-probability")  # type: ignore[arg-type]


def objective_divides_each_step(subject: Subject) -> None:
    """Each AR step has a divisor, which is not negative, and `updates` is at least 1."""
    found = subject.component.divisors([6, 0, 3])
    claim(len(found) == 3 and all(each >= 0 for each in found), f"for three AR steps its divisors are {list(found)}")
    claim(subject.component.updates >= 1, f"updates = {subject.component.updates} takes no optimizer step")


def replay_puts_the_model_back(subject: Subject) -> None:
    """After a replay the model has its mode and its weights of before."""
    model = small.model(small.policy())
    before = {name: value.clone() for name, value in model.state_dict().items()}
    modes = [part.training for part in model.modules()]
    with subject.component.mode(model, ("replay",)):
        pass
    claim(modes == [part.training for part in model.modules()], "after a replay the model is in another mode")
    same = all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    claim(same, "after a replay the model has other weights")


def replay_masks_tokens(subject: Subject) -> None:
    """The mask has an unknown token in every image, and scale and `min_variance` are finite and not negative."""
    made = rollout(subject)
    for step in made.steps:
        mask = subject.component.mask(made, step)
        claim(mask.shape == step.unknown.shape and mask.any(1).all(), "an image has no unknown token in replay")
    scale = subject.component.scale(2.0)
    claim(math.isfinite(scale) and scale >= 0, f"its scale for a rollout's 2 is {scale}")
    claim(subject.component.min_variance >= 0, f"its min_variance = {subject.component.min_variance} is negative")


def penalty_is_zero_at_equality(subject: Subject) -> None:
    """The penalty is 0 if the policy equals its reference, and not negative elsewhere."""
    regularizer = subject.component.build(small.model(small.policy()))
    mean, std = numbers(subject, 2, 6, 3), torch.full((2, 6, 3), 0.5)
    equal = regularizer.divergence(mean, mean, std)
    claim((equal == 0).all(), f"at equality the penalty is up to {float(equal.abs().max()):g}")
    away = regularizer.divergence(mean + 0.1, mean, std)
    claim((away >= 0).all() and away.isfinite().all(), "away from equality the penalty is negative or not finite")


def penalty_keeps_its_reference(subject: Subject) -> None:
    """The reference is a frozen model of its own, which does not move with the policy."""
    model = small.model(small.policy())
    regularizer = subject.component.build(model)
    if regularizer.reference is None:
        not_applicable("it does not keep a reference")
    before = [value.clone() for value in regularizer.reference.parameters()]
    with torch.no_grad():
        for value in model.parameters():
            value.add_(1.0)
    same = all(map(torch.equal, before, regularizer.reference.parameters()))
    claim(same, "its reference moves with the policy")
    claim(not any(v.requires_grad for v in regularizer.reference.parameters()), "its reference would be trained")


def reference_says_yes_or_no(subject: Subject) -> None:
    """The answer of is_due() is true or false, and depends on the step alone."""
    said = done(subject)
    claim(all(isinstance(each, bool) for each in said), "is_due returns neither True nor False")
    claim([subject.component.is_due(step) for step in reversed(range(1, 120))] == said[::-1], "is_due remembers")


def trainable_is_what_changes(subject: Subject) -> None:
    """The named parameters are parts of the model, and training changes them and no others."""
    pipeline = small.pipeline(side=3)
    model = pipeline.model
    named = dict(model.named_parameters())
    trained = dict(subject.component.parameters(model))
    claim(trained, "it trains nothing")
    claim(all(named.get(name) is value for name, value in trained.items()), "it names what the model does not have")
    before = {name: value.detach().clone() for name, value in named.items()}
    model.requires_grad_(False)
    for value in trained.values():
        value.requires_grad_(True)
    backward(pipeline, small.method(pipeline), rollout(subject), torch.tensor([1.0, -1.0, 0.5, -0.5]), UpdateStats())
    torch.optim.SGD(list(trained.values()), lr=0.1).step()
    changed = {name for name, value in named.items() if not torch.equal(before[name], value)}
    claim(changed <= set(trained), f"it does not name what changes: {', '.join(sorted(changed - set(trained)))}")
    claim(changed, "a step changes nothing that it names")


def optimizer_goes_downhill(subject: Subject) -> None:
    """Optimizer steps lower a parabola, at finite rates of 0 or more, even if some parameters have no gradient."""
    component = subject.component
    value, unused = (torch.nn.Parameter(torch.tensor([3.0, -2.0])) for _ in range(2))
    optimizer = component.build([value, unused])
    before = value.detach().square().sum()
    for step in range(5):
        for group in optimizer.param_groups:
            group["lr"] = component.rate(step, 5)
        optimizer.zero_grad()
        value.square().sum().backward()
        optimizer.step()
    claim(value.detach().square().sum() < before, "five steps do not lower a parabola")
    rates = [component.rate(step, 10) for step in range(10)]
    claim(all(math.isfinite(rate) and rate >= 0 for rate in rates), f"its rates are {rates}")
    claim(component.max_norm > 0, f"max_norm = {component.max_norm} would undo every step")


CHECKS = {
    "selector": (selector_takes_a_subset, selector_needs_what_it_says),
    "estimator": (estimator_speaks_of_selected_tokens, estimator_gives_a_gradient),
    "weighting": (weights_are_positive_and_of_mean_one,),
    "objective": (objective_is_a_policy_gradient_on_policy, objective_divides_each_step),
    "replay": (replay_puts_the_model_back, replay_masks_tokens),
    "penalty": (penalty_is_zero_at_equality, penalty_keeps_its_reference),
    "reference": (reference_says_yes_or_no,),
    "trainable": (trainable_is_what_changes,),
    "optimizer": (optimizer_goes_downhill,),
}
