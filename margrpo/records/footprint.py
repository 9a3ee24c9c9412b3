"""The footprint of a policy in parameters, FLOPs and memory, computed from its settings.

A product and a sum are two FLOPs. Matrix products and attention are counted, as torch's own counter does; norms and
activations are not. Memory is counted in numbers, which take 4 bytes each in float32.
"""

import attrs


@attrs.frozen
class ByKnown:
    """A cost of one image as a polynomial in the number of its known tokens.

    - `fixed`: the cost if no token is known
    - `each`: the added cost of a known token
    - `squared`: the factor of the square of the number of known tokens
    """

    fixed: int
    each: int = 0
    squared: int = 0

    def at(self, known: int) -> int:
        """The cost if `known` tokens are known."""
        return self.fixed + self.each * known + self.squared * known**2


@attrs.frozen
class PerToken:
    """A cost of the head at one diffusion step.

    - `token`: the cost of a token, whatever the number of its chains
    - `chain`: the added cost of each of its chains
    """

    token: int
    chain: int

    def of(self, chains: int) -> int:
        """The cost of a token with `chains` chains."""
        return self.token + chains * self.chain


@attrs.frozen
class BackboneFootprint:
    """The footprint of the part of a policy in front of its head.

    - `parameters`: all parameters outside the head, the prompt's embedding included
    - `products`: FLOPs of the matrix products of a pass over one image
    - `attention`: FLOPs of attention in a pass over one image
    - `kept`: numbers that autograd keeps of a pass over one image
    - `held`: most numbers that a pass without gradient holds at once, per image
    """

    parameters: int
    products: ByKnown
    attention: ByKnown
    kept: ByKnown
    held: int

    def flops(self, known: int) -> int:
        """FLOPs of a pass over one image."""
        return self.products.at(known) + self.attention.at(known)

    def trained_flops(self, known: int) -> float:
        """FLOPs of a pass with its backward pass: 2 times the products, and 2.5 times attention, partly redone."""
        return 3 * self.products.at(known) + 3.5 * self.attention.at(known)


@attrs.frozen
class HeadFootprint:
    """The footprint of the head.

    - `parameters`: all parameters of the head
    - `times`: FLOPs of the embedding of one time
    - `flops`: FLOPs of a token and of each of its chains at one diffusion step
    - `kept`: numbers that autograd keeps if the head is frozen
    - `kept_trained`: numbers that autograd keeps if the head is trained
    - `held`: most numbers that a pass without gradient holds at once
    """

    parameters: int
    times: int
    flops: PerToken
    kept: PerToken
    kept_trained: PerToken
    held: PerToken


@attrs.frozen
class PolicyFootprint:
    """The footprint of a policy, by backbone and head."""

    backbone: BackboneFootprint
    head: HeadFootprint

    @property
    def parameters(self) -> int:
        """The number of all parameters."""
        return self.backbone.parameters + self.head.parameters
