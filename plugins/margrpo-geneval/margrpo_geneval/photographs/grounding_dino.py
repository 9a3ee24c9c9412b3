"""Grounding DINO at work."""

from collections.abc import Sequence

import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoTokenizer, GroundingDinoForObjectDetection

from margrpo.errors import DataError
from margrpo.weights.pretrained import loaded
from margrpo_geneval.contracts import Detection
from margrpo_geneval.photographs.searching import box_of


class GroundingDinoSearch:
    """The model with its image processor and tokenizer."""

    def __init__(self, place: str, least: float, device: str):
        self.least = least
        self.images, self.tokenizer = loaded(AutoImageProcessor, place), loaded(AutoTokenizer, place)
        self.model = loaded(GroundingDinoForObjectDetection, place).to(device).eval().requires_grad_(False)

    def search(self, pictures: Sequence[Image.Image], names: Sequence[str]) -> list[list[Detection]]:
        """The boxes of each picture, each of its likeliest name."""
        tokens, spans = self.caption(names)
        ids = torch.tensor([tokens] * len(pictures), device=self.model.device)
        seen = self.images(images=list(pictures), return_tensors="pt").to(self.model.device)
        out = self.model(**seen, input_ids=ids, attention_mask=torch.ones_like(ids))
        words = out.logits.sigmoid().cpu()  # (pictures, boxes, words)
        scores, best = torch.stack([words[..., span].amax(-1) for span in spans], dim=-1).max(-1)
        x, y, width, height = out.pred_boxes.cpu().unbind(-1)
        edges = torch.stack([x - width / 2, y - height / 2, x + width / 2, y + height / 2], dim=-1)
        return [
            [
                Detection(names[best[place, box]], float(scores[place, box]), box_of(edges[place, box] * scale))
                for box in (scores[place] >= self.least).nonzero()[:, 0].tolist()
            ]
            for place, scale in enumerate(torch.tensor([picture.size * 2 for picture in pictures]))
        ]

    def caption(self, names: Sequence[str]) -> tuple[list[int], list[slice]]:
        """[CLS] name . name . [SEP], and where each name's words stand in it."""
        tokens, spans = [self.tokenizer.cls_token_id], []
        stop = self.tokenizer.convert_tokens_to_ids(".")
        for name in names:
            words = self.tokenizer.encode(name.lower(), add_special_tokens=False)
            spans.append(slice(len(tokens), len(tokens) + len(words)))
            tokens += [*words, stop]
        most = self.model.config.max_text_len
        if len(tokens) >= most:
            raise DataError(
                f"detector grounding_dino: {len(names)} classes are {len(tokens)} words; {most} are too many"
            )
        return [*tokens, self.tokenizer.sep_token_id], spans
