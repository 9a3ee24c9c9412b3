"""The cost of a masked autoencoder and of a denoiser by formula, from their sizes; imports no torch."""

import attrs

from margrpo.records import BackboneFootprint, ByKnown, HeadFootprint, PerToken


@attrs.frozen
class MaeSizes:
    """The sizes of a masked autoencoder: widths in channels, depths in blocks."""

    tokens: int
    channels: int
    prefix: int
    width: int
    encoder_depth: int
    decoder_depth: int

    @property
    def positions(self) -> int:
        """Positions that the decoder works on: the prefix and every token."""
        return self.prefix + self.tokens

    def footprint(self, prompt: int) -> BackboneFootprint:
        """The cost of the autoencoder, and of an embedding of the prompt with `prompt` parameters and a null vector."""
        # Kept by a block per position, in widths: input and output of both norms, q, k, v, attention, its copy for the
        # projection, and the MLP's two inner activations, four wide each: 4 + 3 + 2 + 8 = 17.
        # Held where nothing is kept, while the MLP works: its two inner activations, its input, the residual, and what
        # the decoder began with, among that an index of 8 bytes an entry: 8 + 1 + 1 + 3 = 13.
        c, encoder = self.width, self.encoder_depth * self.prefix
        return BackboneFootprint(
            parameters=self.parameters() + prompt + c,
            products=self.products(),
            attention=self.attention(),
            kept=ByKnown(17 * c * (encoder + self.decoder_depth * self.positions), 17 * c * self.encoder_depth),
            held=13 * c * self.positions,
        )

    def parameters(self) -> int:
        """Parameters of the autoencoder: 12 c² + 13 c in each block, the places, and the ends."""
        c, n, d = self.width, self.tokens, self.channels
        places = 2 * self.positions * c + n * c
        ends = (d + 1) * c + 2 * c + 2 * c + (c + 1) * c + c + 2 * c
        return (self.encoder_depth + self.decoder_depth) * (12 * c**2 + 13 * c) + places + ends

    def products(self) -> ByKnown:
        """Matrix products of a pass: 24 c² for each position of a block, and the ends."""
        c, blocks = self.width, self.encoder_depth * self.prefix + self.decoder_depth * self.positions
        each = 2 * self.channels * c + 2 * c**2 + 24 * c**2 * self.encoder_depth
        return ByKnown(2 * self.prefix * c**2 + 24 * c**2 * blocks, each)

    def attention(self) -> ByKnown:
        """Attention of a pass: 4 l² c for each block over l positions."""
        block, depth = 4 * self.width, self.encoder_depth
        whole = block * (depth * self.prefix**2 + self.decoder_depth * self.positions**2)
        return ByKnown(whole, 2 * block * depth * self.prefix, block * depth)


def denoiser_footprint(*, channels: int, condition: int, width: int, depth: int) -> HeadFootprint:
    """The cost of a denoiser: its modulation depends on the token and the time, the rest on the chain."""
    w = width
    embedding = (256 + 1) * w + (w + 1) * w + (condition + 1) * w + (channels + 1) * w
    ends = (w + 1) * 2 * channels + (w + 1) * 2 * w
    modulation = 2 * w * (condition + w * (3 * depth + 2))
    return HeadFootprint(
        parameters=embedding + depth * (2 * w + 5 * (w + 1) * w) + ends,
        times=2 * w * (256 + w),
        flops=PerToken(modulation, 2 * w * (2 * w * depth + 3 * channels)),
        kept=PerToken((4 * depth + 1) * w, (4 * depth + 1) * w),
        kept_trained=PerToken((4 * depth + 5) * w, (6 * depth + 3) * w),
        held=PerToken((3 * depth + 4) * w, 5 * w),
    )
