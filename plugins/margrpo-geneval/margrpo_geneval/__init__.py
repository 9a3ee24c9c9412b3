"""GenEval as a reward of margrpo, with the parts that it is made of."""

from typing import Any

from margrpo import Entry, Kind, hookimpl
from margrpo_geneval import contracts

MARGRPO_HOOKS = 1
"""The version of margrpo's hooks that this is written for."""


@hookimpl
def margrpo_kinds() -> list[Kind]:
    """Kinds of detectors, colour classifiers and relations between objects."""
    return [
        Kind("detector", contracts.Detector, "a detector of objects in a picture"),
        Kind("colour_classifier", contracts.ColourClassifier, "a classifier of the colour of an object"),
        Kind("relation", contracts.Relation, "a rule for the relative position of two objects"),
    ]


@hookimpl
def margrpo_components() -> list[Entry]:
    """The reward, and the components of the kinds above."""
    return [
        Entry(
            "reward.geneval", "margrpo_geneval.geneval:Geneval", "whether objects, counts, colours and places are right"
        ),
        Entry("suite.geneval", "margrpo_geneval.suite:Suite", "prompts of six kinds, and the share that is right"),
        Entry("detector.blobs", "margrpo_geneval.blobs:Blobs", "the shapes of margrpo's own world, without weights"),
        Entry("detector.owlv2", "margrpo_geneval.owlv2:Owlv2", "boxes of whatever is named, by OWLv2"),
        Entry(
            "detector.grounding_dino",
            "margrpo_geneval.grounding_dino:GroundingDino",
            "boxes of whatever is named, by Grounding DINO",
        ),
        Entry("detector.mask2former", "margrpo_geneval.mask2former:Mask2former", "masks of COCO's classes"),
        Entry("colour_classifier.told", "margrpo_geneval.colours:Told", "what the detector says"),
        Entry("colour_classifier.mean", "margrpo_geneval.colours:Mean", "the named colour nearest to an object's mean"),
        Entry("colour_classifier.clip", "margrpo_geneval.clip:Clip", "CLIP, as in GenEval's own evaluation"),
        Entry("relation.published", "margrpo_geneval.relation:Published", "as in GenEval's own evaluation"),
        Entry("relation.plain", "margrpo_geneval.relation:Plain", "more along than across, as in the shapes world"),
    ]


@hookimpl
def margrpo_commands(app: Any) -> None:
    """`margrpo geneval prompts`."""
    from margrpo_geneval.command import add

    add(app)
