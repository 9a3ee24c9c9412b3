"""Promises of components about their costs, which `margrpo plan` and `margrpo bench` use."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch.utils.flop_counter import FlopCounterMode

from margrpo.contracts import VariesChains
from margrpo.evaluate.measure import ATTENTION
from margrpo.maths.noise import generator
from margrpo.records import ARStep, Extent, Needs, Stage
from margrpo.testing import small
from margrpo.testing.conformance.checks.model import unknown
from margrpo.testing.conformance.checks.update import recorded
from margrpo.testing.conformance.subject import Subject, claim, not_applicable
from margrpo.testing.conformance.work import done
from margrpo.testing.conformance.work.pieces import model_of, numbers, rollout


def policy_counts_its_parameters(subject: Subject) -> None:
    """footprint() has the numbers of parameters of the built backbone and head."""
    model, told = model_of(subject), subject.component.footprint()
    head = sum(value.numel() for value in model.head.parameters())
    built = sum(value.numel() for value in model.parameters()) - head
    for part, number, said in (("backbone", built, told.backbone), ("head", head, told.head)):
        claim(number == said.parameters, f"footprint() gives its {part} {said.parameters} parameters, not {number}")


def policy_counts_its_flops(subject: Subject) -> None:
    """footprint() has the FLOPs of a pass and of the head, within a tenth of torch's count."""
    model, (n, d), told = model_of(subject), subject.component.geometry(), subject.component.footprint()
    model.requires_grad_(False)
    mask, moment = unknown(subject, n), model.head.embed_times([1.0])
    with counter() as passed:
        z = model.condition(numbers(subject, 4, n, d), mask, model.null_prefix(4)).flatten(0, 1)
    with counter() as denoised:
        model.head(numbers(subject, 3, 1, len(z), d), model.head.prepare(z, moment))
    known = (~mask).sum(1).tolist()
    for what, measured, said in (
        (f"a pass over images with {known} of {n} tokens known", passed, sum(map(told.backbone.flops, known))),
        (f"three chains of {len(z)} tokens in the head", denoised, len(z) * told.head.flops.of(3)),
    ):
        found = measured.get_total_flops()
        claim(abs(said - found) <= 0.1 * found, f"by footprint() {what} takes {said} FLOPs, not {found}")


@contextmanager
def counter() -> Iterator[FlopCounterMode]:
    """Torch's counter of FLOPs, attention included, without gradients."""
    with torch.no_grad(), FlopCounterMode(display=False, custom_mapping=ATTENTION) as counting:
        yield counting


def conditioner_counts_its_parameters(subject: Subject) -> None:
    """parameters() is the number of built parameters."""
    built = sum(value.numel() for value in subject.component.build(width=8).parameters())
    told = subject.component.parameters(width=8)
    claim(built == told, f"parameters() gives {told}, and {built} are built")


def codec_makes_images_of_its_size(subject: Subject) -> None:
    """Decoded images are squares with the side `image`."""
    (images, _), side = done(subject), subject.component.image
    claim(images.shape[2:] == (side, side), f"image = {side}, and its images have the shape {tuple(images.shape[2:])}")


def timesteps_keep_no_more_than_they_say(subject: Subject) -> None:
    """kept() bounds the AR steps and the transitions that draw() keeps."""
    for offered in ((1,), (1, 2, 4, 5), tuple(range(1, 100))):
        for ar_steps in (1, 6, 64):
            most = subject.component.kept(ar_steps, len(offered))
            kept = tuple(map(len, subject.component.draw(ar_steps, offered, generator((0,)))))
            sound = all(number <= bound for number, bound in zip(kept, most, strict=True))
            claim(sound, f"kept() gives {most} AR steps and transitions of {ar_steps, len(offered)}, draw() {kept}")


def selector_stays_within_its_extent(subject: Subject) -> None:
    """The number of selected tokens of an image never exceeds extent()."""
    made = rollout(subject)
    for step in made.steps:
        for image, number in enumerate(subject.component.select(made, step).sum(1).tolist()):
            stage = stage_of(step, image)
            most = subject.component.extent(stage.tokens).at(stage).most
            where = f"of {stage.unknown} unknown tokens, of which {stage.committed} are committed,"
            claim(number <= most, f"{where} it selects {number}, and extent() allows {most}")


def stage_of(step: ARStep, image: int) -> Stage:
    """The planned AR step of one image."""
    unknown, committed = int(step.unknown[image].sum()), int(step.committed[image].sum())
    return Stage(step.unknown.shape[1], unknown, committed, 1.0)


def estimator_scores_no_more_chains_than_it_says(subject: Subject) -> None:
    """The number of scored chains of an image never exceeds chains(), with every unknown token selected."""
    made = recorded(subject.component.needs() | Needs(virtual=True))
    for step in made.steps:
        found = subject.component.transitions(made, step, step.unknown)
        for image in range(len(made.order)):
            scored = sum(each.chains * int(each.where[image].sum()) for each in found)
            stage = stage_of(step, image)
            most = subject.component.chains(stage.tokens).scored(Extent(), stage).most
            claim(scored <= most, f"for {stage.unknown} tokens it scores {scored} chains, and chains() allows {most}")


def estimator_varies_its_chains(subject: Subject) -> None:
    """with_chains() makes an estimator whose chains() has the number of chains."""
    if not isinstance(subject.component, VariesChains):
        not_applicable("its number of chains does not vary")
    for chains in (1, 3):
        told = subject.component.with_chains(chains).chains(9).per_token
        claim(told == chains, f"with_chains({chains}) has {told} chains per token")


def penalty_names_its_reference_and_tokens(subject: Subject) -> None:
    """The built regularizer has a reference if `reference` names one, and penalises the tokens of `where`."""
    component = subject.component
    regularizer = component.build(small.model(small.policy()))
    kept, named = regularizer.reference is not None, component.reference is not None
    claim(kept == named, f"reference = {component.reference}, and it keeps {'a' if kept else 'no'} reference")
    claim(regularizer.where == component.where, f"where = {component.where}, and it falls on {regularizer.where}")


def trainable_trains_no_more_than_it_says(subject: Subject) -> None:
    """trained() bounds the parameters of the backbone and of the head that are trained."""
    model = small.model(small.policy())
    head = {id(value) for value in model.head.parameters()}
    counts = [0, 0]
    for value in model.parameters():
        counts[id(value) in head] += value.numel()
    found = [0, 0]
    for _, value in subject.component.parameters(model):
        found[id(value) in head] += value.numel()
    told = subject.component.trained(*counts)
    sound = all(number <= most for number, most in zip(found, told, strict=True))
    claim(sound, f"of {counts} parameters of backbone and head trained() gives {list(told)}, and it trains {found}")


def optimizer_counts_its_state(subject: Subject) -> None:
    """The optimizer's state is `state_per_parameter` numbers per parameter, rounded up; single numbers do not count."""
    value = torch.nn.Parameter(torch.ones(8, 8))
    optimizer = subject.component.build([value])
    value.square().sum().backward()
    optimizer.step()
    kept = [each for each in optimizer.state[value].values() if isinstance(each, torch.Tensor) and each.ndim]
    found, told = sum(each.numel() for each in kept) / value.numel(), subject.component.state_per_parameter
    claim(math.ceil(found) == told, f"state_per_parameter = {told}, and it keeps {found:g} numbers of each parameter")


CHECKS = {
    "policy": (policy_counts_its_parameters, policy_counts_its_flops),
    "conditioner": (conditioner_counts_its_parameters,),
    "codec": (codec_makes_images_of_its_size,),
    "timesteps": (timesteps_keep_no_more_than_they_say,),
    "selector": (selector_stays_within_its_extent,),
    "estimator": (estimator_scores_no_more_chains_than_it_says, estimator_varies_its_chains),
    "penalty": (penalty_names_its_reference_and_tokens,),
    "trainable": (trainable_trains_no_more_than_it_says,),
    "optimizer": (optimizer_counts_its_state,),
}
