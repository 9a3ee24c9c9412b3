"""Whether a picture shows the objects that its prompt asks for, in the right number, colour and place."""

from margrpo import at_least, between, component, setting
from margrpo.contracts import OnFailure, Scorer
from margrpo.records import Case, Traits
from margrpo_geneval.contracts import ColourClassifier, Detector, Relation


@component
class Geneval:
    """GenEval's rules over a detector   (Ghosh et al. 2023, arXiv 2310.11513), strict or with credit for parts.

    Metadata say what is to be seen, in the public format. The thresholds are those of the public evaluation.
    """

    detector: Detector = setting(meaning="what finds objects")
    colour_classifier: ColourClassifier | None = setting(
        None, "what tells colours; needed where the detector tells none itself"
    )
    relation: Relation | None = setting(None, "what tells places; published unless given")
    strictness: float = setting(
        0.0, "share of the strict score, 0 or 1, in the reward; the rest is the soft score", check=between(0, 1)
    )
    threshold: float = setting(0.3, "score above which a detection is an object", check=between(0, 1))
    counting_threshold: float = setting(0.9, "the same where the prompt's tag is counting", check=between(0, 1))
    most: int = setting(16, "objects of a class that are looked at, the surest", check=at_least(1))
    overlap: float = setting(
        1.0, "intersection over union at which the less sure of two is left out", check=between(0, 1)
    )
    batch: int = setting(16, "images that the detector is shown at once", check=at_least(1))
    weight: float = setting(1.0, "factor of this reward in the sum")
    on_failure: OnFailure | None = setting(None, "policy for failures of the reward; default: the run ends")

    @property
    def traits(self) -> Traits:
        """From 0 to 1; the networks are those of its parts."""
        parameters = self.detector.parameters + (self.colour_classifier.parameters if self.colour_classifier else 0)
        return Traits(low=0.0, high=1.0, reads=("metadata",), parameters=parameters)

    def problems(self) -> list[str]:
        """A sentence where nobody tells colours, so that every picture of a coloured object would be wrong."""
        if self.detector.tells_colours or self.colour_classifier is not None:
            return []
        return ['colour_classifier is missing, and the detector tells no colours; give it use = "clip" or use = "mean"']

    def require(self) -> None:
        """What the detector and the colour classifier require."""
        self.detector.require()
        if self.colour_classifier:
            self.colour_classifier.require()

    def build(self, device: str) -> Scorer:
        """The detector and the colour classifier, loaded."""
        from margrpo_geneval.colours import Told
        from margrpo_geneval.judging import Judging, Thresholds
        from margrpo_geneval.relation import Published

        namer = (self.colour_classifier or Told()).build(device)
        numbers = Thresholds(
            self.strictness, self.threshold, self.counting_threshold, self.most, self.overlap, self.batch
        )
        return Judging(numbers, self.detector.build(device), namer, (self.relation or Published()).holds)

    def cases(self) -> list[Case]:
        """Pictures of the world of shapes, where that is what the detector knows."""
        from margrpo_geneval.blobs import Blobs
        from margrpo_geneval.rendered import shown

        return shown() if isinstance(self.detector, Blobs) and self.strictness == 0 else []
