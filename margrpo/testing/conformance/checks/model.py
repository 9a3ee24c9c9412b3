"""Promises of policies, conditioners, parameterizations, codecs and attention."""

import torch

from margrpo.testing.conformance.subject import Subject, claim
from margrpo.testing.conformance.work import done
from margrpo.testing.conformance.work.pieces import drawn_by_policy, model_of, numbers, pipeline_of_policy, require
from margrpo.train.watch import parity


def policy_is_of_its_geometry(subject: Subject) -> None:
    """Tokens, channels and conditions have the sizes of geometry()."""
    model, (n, d) = model_of(subject), subject.component.geometry()
    claim((model.tokens, model.channels) == (n, d), f"geometry() says {n, d}, the model {model.tokens, model.channels}")
    z = conditions(subject, model, numbers(subject, 4, n, d))
    claim(z.shape[:2] == (4, n), f"condition() gives {tuple(z.shape)} for 4 images of {n} tokens")
    claim(z.isfinite().all(), "its conditions are not finite at its random weights")


def policy_does_not_read_unknown_tokens(subject: Subject) -> None:
    """The values of unknown tokens do not change the conditions."""
    model, (n, d) = model_of(subject), subject.component.geometry()
    tokens = numbers(subject, 4, n, d)
    other = torch.where(unknown(subject, n)[..., None], tokens + 1, tokens)
    same = torch.equal(conditions(subject, model, tokens), conditions(subject, model, other))
    claim(same, "the values of unknown tokens change its conditions")


def policy_replays_what_it_drew(subject: Subject) -> None:
    """With unchanged weights, replayed log-probabilities equal the recorded ones."""
    rollout = drawn_by_policy(subject)
    parity.check(pipeline_of_policy(subject), rollout)


def policy_learns_in_front_of_its_head(subject: Subject) -> None:
    """Gradients of the conditions reach parameters outside the head."""
    model, (n, d) = model_of(subject), subject.component.geometry()
    conditions(subject, model, numbers(subject, 4, n, d)).square().sum().backward()
    head = {id(value) for value in model.head.parameters()}
    reached = [v for v in model.parameters() if id(v) not in head and v.grad is not None and v.grad.any()]
    claim(reached, "no parameter in front of the head gets a gradient from its conditions")


def policy_is_its_state_dict(subject: Subject) -> None:
    """A second model with the first model's state_dict gives equal conditions."""
    (n, d), first, second = subject.component.geometry(), model_of(subject), model_of(subject)
    with torch.no_grad():
        for value in first.parameters():
            value.add_(0.01)
    second.load_state_dict(first.state_dict())
    tokens = numbers(subject, 4, n, d)
    same = torch.equal(conditions(subject, first, tokens), conditions(subject, second, tokens))
    claim(same, "a model that has taken up another's state_dict gives other conditions: something is not in it")


def unknown(subject: Subject, n: int) -> torch.Tensor:
    """About half of the tokens of each of four images, at least one."""
    mask = numbers(subject, 4, n, seed=7) > 0
    mask[:, 0] = True
    return mask


def conditions(subject: Subject, model: torch.nn.Module, tokens: torch.Tensor) -> torch.Tensor:
    """The conditions of four images, about half of whose tokens are unknown."""
    prompts = subject.prompts.to(subject.device)
    found: torch.Tensor = model.condition(tokens, unknown(subject, tokens.shape[1]), model.prefix(prompts))  # type: ignore[operator]
    return found


def conditioner_tells_prompts_apart(subject: Subject) -> None:
    """Images of one prompt have equal prefixes, images of two prompts differ, and prefixes have `prefix` positions."""
    prefix = done(subject)
    claim(prefix.shape[:2] == (4, subject.component.prefix), f"the prefix is {tuple(prefix.shape)} for 4 images")
    claim(torch.equal(prefix[0], prefix[1]), "two images of one prompt have different prefixes")
    claim(not torch.equal(prefix[0], prefix[2]), "two prompts have equal prefixes")


def parameterization_finds_what_it_was_made_from(subject: Subject) -> None:
    """An output equal to target() gives back the mixed noise and clean token."""
    path, made = subject.component.path, subject.component
    times = torch.tensor([1, 100, 500, 900, 998])
    level = path.alpha_bar(times).double()
    clean, noise = (numbers(subject, 5, 3, seed=seed, dtype=torch.float64) for seed in range(2))
    x = path.noised(clean, noise, level)
    output = made.target(clean, noise, level)
    found = made.epsilon(output, x, level)
    claim(torch.allclose(found, noise, atol=1e-4), "epsilon() of its own target is not the noise that was mixed in")
    token = made.x0(output, x, level)
    right = token is None or torch.allclose(token, clean, atol=1e-4)
    claim(right, "x0() of its own target is not the token that was mixed")


def codec_is_of_its_geometry(subject: Subject) -> None:
    """Decoded images have values in [0, 1], and encoded images the numbers of tokens and channels of geometry()."""
    images, tokens = done(subject)
    claim(images.ndim == 4 and images.shape[:2] == (2, 3), f"two images are of shape {tuple(images.shape)}")
    claim(images.min() >= 0 and images.max() <= 1, "the values of its images are not in [0, 1]")
    claim(tokens.shape == (2, *subject.component.geometry()), f"its tokens have the shape {tuple(tokens.shape)}")


def codec_does_not_mind_the_batch(subject: Subject) -> None:
    """A decoded image does not depend on other images of the batch."""
    built, (n, d) = subject.component.build(), subject.component.geometry()
    tokens = numbers(subject, 3, n, d)
    alone = torch.cat([built.decode(one[None]) for one in tokens])
    claim(torch.allclose(built.decode(tokens), alone, atol=1e-4), "an image depends on other images of its batch")


def attention_is_softmax(subject: Subject) -> None:
    """Attention is softmax(q kᵀ/√e) v within each sequence, and sequences do not see each other."""
    require(subject)
    q, k, v = (numbers(subject, 7, 2, 8, seed=seed) for seed in range(3))
    found = subject.component.attention(q, k, v, (3, 4))
    for part in (slice(0, 3), slice(3, 7)):
        scores = torch.einsum("qhe,khe->hqk", q[part], k[part]) / 8**0.5
        expected = torch.einsum("hqk,khe->qhe", scores.softmax(-1), v[part])
        claim(torch.allclose(found[part], expected, atol=1e-4), "it is not softmax attention within each sequence")


CHECKS = {
    "policy": (
        policy_is_of_its_geometry,
        policy_does_not_read_unknown_tokens,
        policy_replays_what_it_drew,
        policy_learns_in_front_of_its_head,
        policy_is_its_state_dict,
    ),
    "conditioner": (conditioner_tells_prompts_apart,),
    "parameterization": (parameterization_finds_what_it_was_made_from,),
    "codec": (codec_is_of_its_geometry, codec_does_not_mind_the_batch),
    "attention": (attention_is_softmax,),
}
