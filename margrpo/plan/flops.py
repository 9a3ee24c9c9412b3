"""The floating-point operations of a training step by formula, from the sizes of the policy; imports no torch.

A product and a sum are two operations. Matrix products and attention are counted, as torch's own counter does;
norms, activations and the rest are not.
"""

from functools import singledispatch

import attrs

from margrpo.components.policy.mar import Mar


@attrs.frozen
class Work:
    """FLOPs of the parts of a policy, in functions of how many tokens there are."""

    width: int
    prefix: int
    tokens: int
    channels: int
    encoder_depth: int
    decoder_depth: int
    head_width: int
    head_depth: int

    def products(self, known: int) -> int:
        """The matrix products of a pass over one image: 24 c² for each position of a block, and the ends."""
        seen, everything = self.prefix + known, self.prefix + self.tokens
        ends = 2 * known * self.channels * self.width + 2 * seen * self.width**2
        return ends + 24 * self.width**2 * (self.encoder_depth * seen + self.decoder_depth * everything)

    def attention(self, known: int) -> int:
        """Attention in a pass over one image: 4 l² c for each block over l positions."""
        seen, everything = self.prefix + known, self.prefix + self.tokens
        return 4 * self.width * (self.encoder_depth * seen**2 + self.decoder_depth * everything**2)

    def backbone(self, known: int) -> int:
        """One pass over one image: the encoder over prefix and known tokens, the decoder over all."""
        return self.products(known) + self.attention(known)

    def trained(self, known: int) -> float:
        """The same with its backward pass: twice the products, and 2.5 times attention, a part of which is redone."""
        return 3 * self.products(known) + 3.5 * self.attention(known)

    @property
    def modulation(self) -> int:
        """What a token costs at one diffusion step, whatever the number of its chains: 2 w (c + w (3 blocks + 2))."""
        return 2 * self.head_width * (self.width + self.head_width * (3 * self.head_depth + 2))

    @property
    def chain(self) -> int:
        """What each of its chains costs there: 2 w (2 w blocks + 3 d)."""
        return 2 * self.head_width * (2 * self.head_width * self.head_depth + 3 * self.channels)

    def head(self, tokens: int, chains: int = 1) -> int:
        """The head on so many tokens × diffusion steps, with so many chains each."""
        return tokens * (self.modulation + chains * self.chain)

    def moments(self, steps: int) -> int:
        """The embedding of so many times."""
        return 2 * steps * self.head_width * (256 + self.head_width)


@singledispatch
def work(policy: object) -> Work | None:
    """The work of a policy, or None for one that is not ours."""
    return None


@work.register
def _(policy: Mar) -> Work:
    return Work(
        width=policy.width,
        prefix=policy.conditioner.prefix,
        tokens=policy.tokens,
        channels=policy.channels,
        encoder_depth=policy.encoder_depth,
        decoder_depth=policy.decoder_depth,
        head_width=policy.head_width,
        head_depth=policy.head_depth,
    )
