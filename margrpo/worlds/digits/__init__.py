"""A small real world: scikit-learn's handwritten digits in three parts, and classifiers trained on two of the parts."""

from .classifier import CLASSIFIERS, accuracy, classified
from .collection import NAMES, PARTS, SIDE, Split, part, problems

__all__ = [
    "CLASSIFIERS",
    "NAMES",
    "PARTS",
    "SIDE",
    "Split",
    "accuracy",
    "classified",
    "part",
    "problems",
]
