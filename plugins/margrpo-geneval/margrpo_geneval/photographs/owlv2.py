"""OWLv2 at work."""

from collections.abc import Sequence

from PIL import Image
from transformers import Owlv2ForObjectDetection, Owlv2Processor

from margrpo.weights.pretrained import loaded
from margrpo_geneval.contracts import Detection
from margrpo_geneval.photographs.searching import box_of


class Owlv2Search:
    """The model with its processor."""

    def __init__(self, place: str, query: str, *, least: float, device: str):
        self.query, self.least = query, least
        self.processor = loaded(Owlv2Processor, place)
        self.model = loaded(Owlv2ForObjectDetection, place).to(device).eval().requires_grad_(False)

    def search(self, pictures: Sequence[Image.Image], names: Sequence[str]) -> list[list[Detection]]:
        """The boxes of each picture, each of its likeliest name."""
        queries = [[self.query.replace("{name}", name) for name in names] for _ in pictures]
        inputs = self.processor(text=queries, images=list(pictures), return_tensors="pt").to(self.model.device)
        found = self.processor.post_process_grounded_object_detection(
            self.model(**inputs),
            threshold=self.least,
            target_sizes=[(picture.height, picture.width) for picture in pictures],
        )
        return [
            [
                Detection(names[label], score, box_of(box))
                for label, score, box in zip(
                    each["labels"].tolist(), each["scores"].tolist(), each["boxes"].cpu(), strict=True
                )
            ]
            for each in found
        ]
