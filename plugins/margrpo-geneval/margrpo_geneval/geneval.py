"""GenEval as a reward: objects in the number, colour and place that the prompt asks for."""

from margrpo import at_least, between, component, setting
from margrpo.contracts import OnFailure, Scorer
from margrpo.records import Case, Traits
from margrpo_geneval.contracts import ColourClassifier, Detector, Relation


@component
class Geneval:
    """GenEval's rules over a detector   (Ghosh et al. 2023, arXiv 2310.11513), strict or with credit for parts.

    Metadata list the required objects, in the public format. The thresholds are those of the public evaluation.
    """

    detector: Detector = setting(meaning="detector of objects")
    colour_classifier: ColourClassifier | None = setting(
        None, "classifier of colours; required if the detector does not name colours"
    )
    relation: Relation | None = setting(None, "rule for relative positions; default: published")
    strictness: float = setting(
        0.0, "share of the strict score, 0 or 1, in the reward; the rest is the soft score", check=between(0, 1)
    )
    threshold: float = setting(0.3, "score above which a detection is an object", check=between(0, 1))
    counting_threshold: float = setting(
        0.9, "score above which a detection is an object, if the prompt's tag is counting", check=between(0, 1)
    )
    most: int = setting(16, "number of surest objects of a class that count", check=at_least(1))
    overlap: float = setting(
        1.0, "intersection over union above which the less sure of two objects is dropped", check=between(0, 1)
    )
    batch: int = setting(16, "images per call of the detector", check=at_least(1))
    weight: float = setting(1.0, "factor of this reward in the sum")
    on_failure: OnFailure | None = setting(None, "policy for failures of the reward; default: the run ends")

    @property
    def traits(self) -> Traits:
        """Traits: scores from 0 to 1, and the parameters of the detector and the classifier."""
        parameters = self.detector.parameters + (self.colour_classifier.parameters if self.colour_classifier else 0)
        return Traits(low=0.0, high=1.0, reads=("metadata",), parameters=parameters)

    def problems(self) -> list[str]:
        """A sentence if no part names colours, so that every prompt with a colour would fail."""
        if self.detector.tells_colours or self.colour_classifier is not None:
            return []
        return [
            'colour_classifier is missing, and the detector does not name colours; set use = "clip" or use = "mean"'
        ]

    def require(self) -> None:
        """Check what the detector and the colour classifier require."""
        self.detector.require()
        if self.colour_classifier:
            self.colour_classifier.require()

    def build(self, device: str) -> Scorer:
        """Load the detector and the colour classifier."""
        from margrpo_geneval.colours import Told
        from margrpo_geneval.judging import Judging, Thresholds
        from margrpo_geneval.relation import Published

        namer = (self.colour_classifier or Told()).build(device)
        numbers = Thresholds(
            self.strictness, self.threshold, self.counting_threshold, self.most, self.overlap, self.batch
        )
        return Judging(numbers, self.detector.build(device), namer, (self.relation or Published()).holds)

    def cases(self) -> list[Case]:
        """Cases of the world of shapes, if the detector knows it."""
        from margrpo_geneval.blobs import Blobs
        from margrpo_geneval.rendered import shown

        return shown() if isinstance(self.detector, Blobs) and self.strictness == 0 else []
