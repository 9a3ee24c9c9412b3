"""The optimizer steps of one rollout."""

from math import isfinite

import torch
from jaxtyping import Float
from torch import Tensor

from margrpo.records import Rollout
from margrpo.train.assemble import Session
from margrpo.train.learn import Tally, backward


def update(
    session: Session, rollout: Rollout, advantages: Float[Tensor, "b"], rate: float
) -> tuple[dict[str, float], Tally]:
    """Learn from this process's images; the figures of all processes, and the tally of this one.

    An update whose loss or gradient is not finite is skipped. Where nothing carries loss, neither advantage nor
    penalty, none is taken.
    """
    tally, norm, skipped = Tally(), 0.0, 0
    for group in session.optimizer.param_groups:
        group["lr"] = rate
    for _ in range(session.recipe.objective.updates):
        session.optimizer.zero_grad(set_to_none=True)
        tally.restart()
        backward(session.pipeline, session.method, rollout, advantages, tally)
        evaluations, not_finite = session.total([tally.evaluations, int(not tally.finite)])
        if evaluations:
            norm = step(session, bool(not_finite))
            skipped += bool(not_finite) or not isfinite(norm)
    sums = torch.tensor([float(tally.divergence), float(tally.moved), tally.scored], dtype=torch.float64)
    penalty, moved, scored = session.processes.total(sums).tolist()
    return {
        "gradient_norm": norm,
        "penalty": penalty,
        "log_ratio": moved / max(1, scored),
        "tokens": session.total([tally.tokens])[0],
        "head_evaluations": session.total([tally.evaluations])[0],
        "learning_rate": rate,
        "skipped": skipped,
    }, tally


def step(session: Session, spoiled: bool) -> float:
    """Sum the gradients, and let the optimizer step unless they are spoiled; their norm."""
    processes, parameters = session.processes, [value for _, value in session.parameters]
    processes.sum_gradients()
    norm = processes.clip_gradients(parameters, session.recipe.optimizer.max_norm)
    if isfinite(norm) and not spoiled:
        session.optimizer.step()
    processes.make_whole()
    return norm
