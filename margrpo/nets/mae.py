"""The masked autoencoder of MAR: an encoder over known tokens, a decoder over all tokens."""

import torch
from einops import rearrange, repeat
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from margrpo.declare import record
from margrpo.nets.transformer import Attend, Block


@record
class MaeShape:
    """The sizes of a masked autoencoder; widths in channels, depths in blocks."""

    tokens: int
    channels: int
    prefix: int
    width: int
    encoder_depth: int
    decoder_depth: int
    heads: int
    dropout: float
    embedding_std: float


class Mae(nn.Module):
    """Known tokens and a prefix in, one condition vector for every token out   (mar, section 3.2)."""

    def __init__(self, shape: MaeShape, attend: Attend):
        super().__init__()
        self.shape = shape
        width, length = shape.width, shape.prefix + shape.tokens

        def blocks(depth: int) -> nn.ModuleList:
            return nn.ModuleList(Block(width, shape.heads, attend, shape.dropout) for _ in range(depth))

        def positions(count: int) -> nn.Parameter:
            return nn.Parameter(torch.randn(1, count, width) * shape.embedding_std)

        self.z_proj = nn.Linear(shape.channels, width)
        self.z_proj_ln = nn.LayerNorm(width, eps=1e-6)
        self.encoder_pos_embed_learned = positions(length)
        self.encoder_blocks = blocks(shape.encoder_depth)
        self.encoder_norm = nn.LayerNorm(width, eps=1e-6)
        self.decoder_embed = nn.Linear(width, width)
        self.mask_token = nn.Parameter(torch.randn(1, 1, width) * 0.02)
        self.decoder_pos_embed_learned = positions(length)
        self.decoder_blocks = blocks(shape.decoder_depth)
        self.decoder_norm = nn.LayerNorm(width, eps=1e-6)
        self.diffusion_pos_embed_learned = nn.Parameter(torch.randn(1, shape.tokens, width) * 0.02)

    def forward(
        self, tokens: Float[Tensor, "b n d"], unknown: Bool[Tensor, "b n"], prefix: Float[Tensor, "b p c"]
    ) -> Float[Tensor, "b n c"]:
        """The condition vector of each token.

        Values of unknown tokens are not read. Images may differ in their number of unknown tokens.
        """
        seen = Seen.of(unknown, self.shape.prefix)
        return self.decode(self.encode(tokens, seen, prefix), seen)

    def encode(
        self, tokens: Float[Tensor, "b n d"], seen: "Seen", prefix: Float[Tensor, "b p c"]
    ) -> Float[Tensor, "l c"]:
        """Encoded prefixes and known tokens, packed image by image."""
        read = torch.cat([prefix.flatten(0, 1), self.z_proj(tokens.flatten(0, 1)[seen.known]).to(prefix.dtype)])
        place = seen.positions % (self.shape.prefix + self.shape.tokens)
        x = self.z_proj_ln(read[seen.order] + self.encoder_pos_embed_learned[0, place])
        for block in self.encoder_blocks:
            x = block(x, seen.lengths)
        return self.encoder_norm(x)

    def decode(self, encoded: Float[Tensor, "l c"], seen: "Seen") -> Float[Tensor, "b n c"]:
        """The decoder's output over all positions, with mask tokens in place of unknown tokens."""
        p, n, images = self.shape.prefix, self.shape.tokens, len(seen.lengths)
        x = self.decoder_embed(encoded)
        x = repeat(self.mask_token.to(x.dtype), "1 1 c -> l c", l=images * (p + n)).index_copy(0, seen.positions, x)
        x = rearrange(x, "(b l) c -> b l c", b=images) + self.decoder_pos_embed_learned
        x = rearrange(x, "b l c -> (b l) c")
        for block in self.decoder_blocks:
            x = block(x, [p + n] * images)
        x = rearrange(self.decoder_norm(x), "(b l) c -> b l c", b=images)
        return x[:, p:] + self.diffusion_pos_embed_learned


@record
class Seen:
    """The positions that the encoder reads of a batch of images.

    - `known`: places of the known tokens among all tokens.
    - `order`: permutation that puts prefixes and known tokens image by image.
    - `positions`: their places among all prefixes and tokens, in this order.
    - `lengths`: positions that are read of each image.
    """

    known: Int[Tensor, "q"]
    order: Int[Tensor, "l"]
    positions: Int[Tensor, "l"]
    lengths: list[int]

    @classmethod
    def of(cls, unknown: Bool[Tensor, "b n"], prefix: int) -> "Seen":
        """The positions of the prefix and the known tokens; the only wait for the device in a pass."""
        images, n = unknown.shape
        known = (~unknown).flatten().nonzero()[:, 0]
        first = torch.arange(images, device=unknown.device)[:, None] * (prefix + n)
        starts = (first + torch.arange(prefix, device=unknown.device)).flatten()
        tokens = known + (known // n + 1) * prefix
        positions, order = torch.cat([starts, tokens]).sort()
        lengths = (prefix + n - unknown.sum(1)).tolist()
        return cls(known, order, positions, lengths)
