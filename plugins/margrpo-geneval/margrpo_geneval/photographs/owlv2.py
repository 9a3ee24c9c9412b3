"""OWLv2 at work."""

from collections.abc import Sequence

from PIL import Image
from transformers import Owlv2ForObjectDetection, Owlv2Processor

from margrpo.weights.pretrained import loaded
from margrpo_geneval.contracts import Detection
from margrpo_geneval.owlv2 import Owlv2
from margrpo_geneval.photographs.searching import box_of


class Owlv2Search:
    """The model with its processor."""

    def __init__(self, settings: Owlv2, device: str):
        self.settings = settings
        self.processor = loaded(Owlv2Processor, settings.checkpoint)
        self.model = loaded(Owlv2ForObjectDetection, settings.checkpoint).to(device).eval().requires_grad_(False)

    def search(self, pictures: Sequence[Image.Image], names: Sequence[str]) -> list[list[Detection]]:
        """The boxes of each picture, each of its likeliest name."""
        queries = [[self.settings.query.replace("{name}", name) for name in names] for _ in pictures]
        inputs = self.processor(text=queries, images=list(pictures), return_tensors="pt").to(self.model.device)
        found = self.processor.post_process_grounded_object_detection(
            self.model(**inputs),
            threshold=self.settings.least,
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
