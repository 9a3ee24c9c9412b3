"""Mask2Former at work."""

from collections.abc import Sequence

from jaxtyping import Bool, Float
from PIL import Image
from torch import Tensor
from torch.nn import functional
from transformers import AutoImageProcessor, Mask2FormerForUniversalSegmentation

from margrpo.errors import DataError
from margrpo.weights.pretrained import loaded
from margrpo_geneval.contracts import Detection

OTHERWISE = {
    "airplane": "aeroplane",
    "motorcycle": "motorbike",
    "couch": "sofa",
    "tv": "tvmonitor",
    "potted plant": "pottedplant",
    "dining table": "diningtable",
    "computer mouse": "mouse",
    "computer keyboard": "keyboard",
    "tv remote": "remote",
}
"""What models may call classes that GenEval calls by the names on the left."""


class Mask2formerSearch:
    """The model with its image processor."""

    def __init__(self, place: str, least: float, device: str):
        self.place, self.least = place, least
        self.processor = loaded(AutoImageProcessor, self.place)
        self.model = loaded(Mask2FormerForUniversalSegmentation, self.place).to(device).eval().requires_grad_(False)
        self.labels = {name: int(label) for label, name in self.model.config.id2label.items()}

    def search(self, pictures: Sequence[Image.Image], names: Sequence[str]) -> list[list[Detection]]:
        """The objects of each picture with their masks."""
        wanted = {self.label(name): name for name in names}
        inputs = self.processor(images=list(pictures), return_tensors="pt").to(self.model.device)
        out = self.model(**inputs)
        # The processor resized each picture into the upper left of what the model saw, and filled up the rest.
        seen = inputs["pixel_mask"].amax((1,)).sum(1), inputs["pixel_mask"].amax((2,)).sum(1)
        masks = functional.interpolate(out.masks_queries_logits, inputs["pixel_values"].shape[-2:], mode="bilinear")
        return [
            self.objects(classes, mask[:, :height, :width], picture, wanted)
            for classes, mask, width, height, picture in zip(
                out.class_queries_logits, masks, *(x.tolist() for x in seen), pictures, strict=True
            )
        ]

    def objects(
        self, classes: Float[Tensor, "q l"], masks: Float[Tensor, "q h w"], picture: Image.Image, wanted: dict[int, str]
    ) -> list[Detection]:
        """The objects of one picture: the likeliest pairs of query and class, as many as there are queries."""
        scores = classes.softmax(-1)[:, :-1]
        score, pair = scores.flatten().topk(min(len(scores), scores.numel()))
        query, label = pair // scores.shape[1], pair % scores.shape[1]
        found = []
        for at in range(len(pair)):
            name = wanted.get(int(label[at]))
            if name is None or float(score[at]) < self.least:
                continue
            size = (picture.height, picture.width)
            mask = functional.interpolate(masks[query[at]][None, None], size, mode="bilinear")[0, 0]
            inside = mask > 0
            sure = float(score[at]) * float((mask.sigmoid() * inside).sum() / (inside.sum() + 1e-6))
            if sure >= self.least and bool(inside.any()):
                found.append(Detection(name, sure, box_around(inside), inside.cpu()))
        return found

    def label(self, name: str) -> int:
        """The number of a class, by any of its names."""
        for known in (name, OTHERWISE.get(name, name)):
            if known in self.labels:
                return self.labels[known]
        raise DataError(
            f"detector mask2former: {self.place} knows no {name!r}; it knows {', '.join(self.labels)}; detectors that "
            "find whatever is named are owlv2 and grounding_dino"
        )


def box_around(mask: Bool[Tensor, "h w"]) -> tuple[float, float, float, float]:
    """The smallest box that a mask lies in."""
    rows, columns = (mask.any(axis).nonzero()[:, 0] for axis in (1, 0))
    return float(columns[0]), float(rows[0]), float(columns[-1]) + 1, float(rows[-1]) + 1
