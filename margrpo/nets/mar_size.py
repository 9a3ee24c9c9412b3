"""Sizes of the published MAR models and of files of weights; imports no torch."""

import re
from collections.abc import Iterable, Mapping, Sequence

import attrs

Shapes = Mapping[str, Sequence[int]]


@attrs.frozen
class MarSize:
    """Widths in channels, depths in blocks."""

    width: int
    encoder_depth: int
    decoder_depth: int
    heads: int
    head_width: int
    head_depth: int


SIZES: Mapping[str, MarSize] = {
    "base": MarSize(768, 12, 12, 12, 1024, 6),
    "large": MarSize(1024, 16, 16, 16, 1280, 8),
    "huge": MarSize(1280, 20, 20, 16, 1536, 12),
}
"""MAR-B, MAR-L and MAR-H   (mar, appendix)."""

AROUND: Mapping[str, int] = {"tokens": 256, "channels": 16, "conditioner.classes": 1000, "conditioner.prefix": 64}
"""Settings that MAR-B, MAR-L and MAR-H share: ImageNet at 256 × 256 pixels."""


def told_by(shapes: Shapes) -> dict[str, int] | None:
    """The settings of the policy that has published tensors of these `shapes`; None if they do not decide it.

    The number of attention heads does not show in the shapes.
    """
    try:
        width, channels = shapes["z_proj.weight"]
        _, tokens, _ = shapes["diffusion_pos_embed_learned"]
        _, length, _ = shapes["encoder_pos_embed_learned"]
        classes, _ = shapes["class_emb.weight"]
        head_width, _ = shapes["diffloss.net.input_proj.weight"]
    except (KeyError, ValueError):
        return None
    return {
        "tokens": tokens,
        "channels": channels,
        "width": width,
        "encoder_depth": blocks(shapes, "encoder_blocks"),
        "decoder_depth": blocks(shapes, "decoder_blocks"),
        "head_width": head_width,
        "head_depth": blocks(shapes, "diffloss.net.res_blocks"),
        "conditioner.classes": classes,
        "conditioner.prefix": length - tokens,
    }


def blocks(names: Iterable[str], under: str) -> int:
    """The number of blocks in `names` below the name `under`."""
    return len({found[1] for name in names if (found := re.match(rf"{re.escape(under)}\.(\d+)\.", name))})


def published_size(settings: Mapping[str, int]) -> str | None:
    """The published model that has exactly these `settings`."""
    return name_of(settings) if all(settings.get(key) == value for key, value in AROUND.items()) else None


def name_of(told: Mapping[str, int]) -> str | None:
    """The published size of these settings, whatever their tokens and conditioner."""
    for name, size in SIZES.items():
        if all(told.get(key, value) == value for key, value in attrs.asdict(size).items()):
            return name
    return None


def cure(shapes: Shapes, settings: Mapping[str, int], size: str) -> str:
    """The end of a sentence that names the settings of the policy to change for a file of these `shapes`."""
    told = told_by(shapes)
    if told is None:
        return ""
    other = {key: value for key, value in told.items() if settings.get(key, value) != value}
    named, lines = name_of(told), []
    if named not in (None, size):
        lines.append(f'policy.size = "{named}"')
        other = {key: value for key, value in other.items() if not hasattr(SIZES["base"], key)}
    lines += [f"policy.{key} = {value}" for key, value in other.items()]
    return f"; {', '.join(lines)} would fit" if lines else ""
