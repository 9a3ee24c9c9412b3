"""A small real world: scikit-learn's handwritten digits in three parts, and a classifier of two of them."""

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
