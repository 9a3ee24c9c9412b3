"""How many parameters a policy has and how much of its work is kept for the backward pass, without building it."""

from functools import singledispatch

import attrs

from margrpo.components import conditioner as conditioners
from margrpo.components import trainable as trainables
from margrpo.components.policy.mar import Mar

BYTES = 4
"""A float32: weights, activations and records are all kept in it."""


@attrs.frozen
class Sizes:
    """Numbers of parameters, and numbers of activations: what autograd keeps, and at `…_pass` what is held without.

    Of the backbone, `decoder` is per image of which nothing is known, `encoder` per known token; of the head, `token`
    is per token and `chain` per chain of a token, which are more where the head itself is trained.
    """

    backbone: int
    head: int
    encoder: int
    decoder: int
    block_pass: int
    token: int
    chain: int
    token_trained: int
    chain_trained: int
    token_pass: int
    chain_pass: int


@singledispatch
def sizes(policy: object) -> Sizes | None:
    """The sizes of a policy, or None for one that is not ours."""
    return None


@sizes.register
def _(policy: Mar) -> Sizes | None:
    rows = prompt_rows(policy.conditioner)
    if rows is None:
        return None
    prefix, depth, w = policy.conditioner.prefix, policy.head_depth, policy.head_width
    # Kept by a block per position, in widths: input and output of both norms, q, k, v, attention, its copy for the
    # projection, and the MLP's two inner activations, four wide each: 4 + 3 + 2 + 8 = 17.
    # Held where nothing is kept, while the MLP works: its two inner activations, its input, the residual, and what the
    # decoder began with, among that an index of 8 bytes an entry: 8 + 1 + 1 + 3 = 13.
    width = policy.width * (prefix + policy.tokens)
    return Sizes(
        backbone=backbone_parameters(policy, rows, prefix),
        head=head_parameters(policy.channels, policy.width, w, depth),
        encoder=17 * policy.encoder_depth * policy.width,
        decoder=17 * (policy.encoder_depth * policy.width * prefix + policy.decoder_depth * width),
        block_pass=13 * width,
        token=(4 * depth + 1) * w,
        chain=(4 * depth + 1) * w,
        token_trained=(4 * depth + 5) * w,
        chain_trained=(6 * depth + 3) * w,
        token_pass=(3 * depth + 4) * w,
        chain_pass=5 * w,
    )


def backbone_parameters(policy: Mar, rows: int, prefix: int) -> int:
    """Parameters of the masked autoencoder and of the embedding of the prompt."""
    c, n, d = policy.width, policy.tokens, policy.channels
    block = 12 * c**2 + 13 * c
    positions = 2 * (prefix + n) * c + n * c
    ends = (d + 1) * c + 2 * c + 2 * c + (c + 1) * c + c + 2 * c
    return (policy.encoder_depth + policy.decoder_depth) * block + positions + ends + (rows + 1) * c


def head_parameters(channels: int, condition: int, width: int, depth: int) -> int:
    """Parameters of the denoiser."""
    embedding = (256 + 1) * width + (width + 1) * width + (condition + 1) * width + (channels + 1) * width
    block = 2 * width + 5 * (width + 1) * width
    return embedding + depth * block + (width + 1) * 2 * channels + (width + 1) * 2 * width


@singledispatch
def prompt_rows(conditioner: object) -> int | None:
    """Rows of the table of prompt embeddings, or None for a conditioner that is not ours."""
    return None


@prompt_rows.register
def _(conditioner: conditioners.Caption) -> int:
    return len(conditioner.words) + 1


@prompt_rows.register
def _(conditioner: conditioners.Label) -> int:
    return conditioner.classes


@singledispatch
def trained(trainable: object, of: Sizes) -> int:
    """How many parameters are trained; all, as a bound, where the choice is not ours."""
    return of.backbone + of.head


@trained.register
def _(trainable: trainables.Backbone, of: Sizes) -> int:
    return of.backbone


@trained.register
def _(trainable: trainables.Head, of: Sizes) -> int:
    return of.head
