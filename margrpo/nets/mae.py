"""The masked autoencoder of MAR: an encoder over what is known, a decoder that answers for every token."""

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
        """Condition vectors; all images have equally many unknown tokens, whose values are not read."""
        known = known_positions(unknown)
        return self.decode(self.encode(tokens, known, prefix), known)

    def encode(
        self, tokens: Float[Tensor, "b n d"], known: Int[Tensor, "b q"], prefix: Float[Tensor, "b p c"]
    ) -> Float[Tensor, "b l c"]:
        """The encoder over the prefix and the known tokens only."""
        p = self.shape.prefix
        x = self.z_proj(tokens.gather(1, repeat(known, "b q -> b q d", d=tokens.shape[-1])))
        positions = self.encoder_pos_embed_learned[0, p:][known]
        x = torch.cat([prefix + self.encoder_pos_embed_learned[:, :p], x + positions], dim=1)
        x = self.z_proj_ln(x)
        for block in self.encoder_blocks:
            x = block(x)
        return self.encoder_norm(x)

    def decode(self, encoded: Float[Tensor, "b l c"], known: Int[Tensor, "b q"]) -> Float[Tensor, "b n c"]:
        """The decoder over all positions, mask tokens where nothing is known."""
        p, n = self.shape.prefix, self.shape.tokens
        x = self.decoder_embed(encoded)
        where = repeat(known, "b q -> b q c", c=x.shape[-1])
        full = repeat(self.mask_token.to(x.dtype), "1 1 c -> b n c", b=x.shape[0], n=n).scatter(1, where, x[:, p:])
        x = torch.cat([x[:, :p], full], dim=1) + self.decoder_pos_embed_learned
        for block in self.decoder_blocks:
            x = block(x)
        return self.decoder_norm(x)[:, p:] + self.diffusion_pos_embed_learned


def known_positions(unknown: Bool[Tensor, "b n"]) -> Int[Tensor, "b q"]:
    """The positions of the known tokens, ascending; every image must have equally many."""
    known = ~unknown
    return rearrange(known.nonzero()[:, 1], "(b q) -> b q", b=unknown.shape[0], q=int(known[0].sum()))
