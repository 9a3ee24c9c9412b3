"""The compressibility of an image as a reward."""

import io
from typing import Any

from jaxtyping import Float

from margrpo.contracts import OnFailure, Scorer
from margrpo.declare import between, component, setting
from margrpo.errors import RewardError
from margrpo.lazy import Tensor, torch
from margrpo.records import Case, Prompt, Prompts, Traits


@component
class JpegCompressibility:
    """Minus the size of the image as a JPEG, in kB of 1000 bytes   (ddpo, section 5.1)."""

    quality: int = setting(95, "JPEG quality", check=between(1, 100))
    weight: float = setting(1.0, "factor of this reward in the sum, per kB")
    on_failure: OnFailure | None = setting(None, "policy for failures of the reward; default: the run ends")

    traits = Traits(high=0.0)

    def build(self, device: str) -> Scorer:
        """The reward itself, since it has no networks to load."""
        return self

    def cases(self) -> list[Case]:
        """Cases: an image of one colour, which takes 0.7 kB at any quality, and an image of noise, which takes more."""
        plain = torch.full((3, 64, 64), 0.5)
        noise = torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(0))
        return [
            Case("one colour", plain, Prompt("anything"), -0.75, -0.5),
            Case("noise", noise, Prompt("anything"), -30.0, -0.75),
        ]

    def score(self, images: Float[Tensor, "b 3 h w"], prompts: Prompts) -> Float[Tensor, "b"]:
        """Minus the kB of each image; a value that is not finite raises `RewardError`, because a JPEG would hide it."""
        finite = torch.isfinite(images).flatten(1).all(1)
        if not finite.all():
            first = int(finite.int().argmin())
            raise RewardError(
                f"jpeg_compressibility cannot score image {first} ({prompts.text[first]!r}): "
                "it has values that are not finite; check the policy that drew it."
            )
        pixels = (images.detach().clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
        return torch.tensor([-self._kilobytes(image) for image in pixels], dtype=torch.float32, device=images.device)

    def _kilobytes(self, pixels: Any) -> float:
        """The size of one (h, w, 3) image of bytes."""
        from PIL import Image

        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, format="JPEG", quality=self.quality)
        return buffer.tell() / 1000
