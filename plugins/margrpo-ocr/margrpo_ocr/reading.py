"""From pictures to their text by RapidOCR, and from text to scores."""

from functools import partial

import numpy as np
import torch
from jaxtyping import Float
from rapidocr import RapidOCR
from torch import Tensor

from margrpo.records import Prompts
from margrpo_ocr.wanted import normal, read_share, wanted


class Reader:
    """The detector and the recogniser of the wheel, without the classifier of upside-down lines."""

    def __init__(self, *, side: int, threads: int):
        self.engine = RapidOCR(
            params={
                "Global.log_level": "critical",
                "Global.use_cls": False,
                "Det.limit_side_len": side,
                "Det.limit_type": "max",
                "EngineConfig.onnxruntime.intra_op_num_threads": threads,
                "EngineConfig.onnxruntime.inter_op_num_threads": 1,
            }
        )

    def text(self, image: Float[Tensor, "3 h w"]) -> str:
        """All lines of text in a picture with values in [0, 1], from top to bottom; "" if it has none."""
        pixels = (image.detach().float().clamp(0, 1) * 255).round().to(torch.uint8)
        blue_first = pixels.permute(1, 2, 0).cpu().numpy()[:, :, ::-1]  # as OpenCV has it
        return " ".join(self.engine(np.ascontiguousarray(blue_first)).txts or ())


class Reading:
    """The object that the reward builds."""

    def __init__(self, reader: Reader, *, ignore_case: bool, ignore_spaces: bool, extra_is_free: bool):
        self.reader, self.extra_is_free = reader, extra_is_free
        self.normal = partial(normal, ignore_case=ignore_case, ignore_spaces=ignore_spaces)

    def score(self, images: Float[Tensor, "b 3 h w"], prompts: Prompts) -> Float[Tensor, "b"]:
        """The share of each target that was read."""
        targets = [wanted(text, metadata) for text, metadata in zip(prompts.text, prompts.metadata, strict=True)]
        scores = [self.share(self.reader.text(image), target) for image, target in zip(images, targets, strict=True)]
        return torch.tensor(scores, dtype=torch.float32, device=images.device)

    def share(self, found: str, target: str) -> float:
        """The share of `target` in the text that was read."""
        return read_share(self.normal(found), self.normal(target), extra_is_free=self.extra_is_free)
