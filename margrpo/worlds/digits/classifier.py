"""Two classifiers of digits of different kinds and training data: one for the reward, one to judge by."""

from functools import cache
from typing import Any

import numpy as np
from jaxtyping import Float

from .collection import PARTS, part

CLASSIFIERS = ("reward", "judge")
"""`reward` is a multinomial logistic regression; `judge` votes among the five nearest digits it has seen."""


def classified(images: Float[np.ndarray, "b 64"], name: str) -> Float[np.ndarray, "b 10"]:
    """The probability of every digit by one of `CLASSIFIERS`; the judge's is the share of its neighbours' votes."""
    probability: Float[np.ndarray, "b 10"] = _trained(name).predict_proba(images)
    return probability


def accuracy(name: str) -> float:
    """The share of right first guesses on the real digits of the parts that it never saw."""
    unseen = [part(other) for other in PARTS if other != name]
    images, labels = (np.concatenate([getattr(one, what) for one in unseen]) for what in ("images", "labels"))
    return float((classified(images, name).argmax(1) == labels).mean())


@cache
def _trained(name: str) -> Any:
    """Train a classifier, in well under a second and without randomness."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier

    kinds = {
        "reward": LogisticRegression(C=10.0, max_iter=2000),
        "judge": KNeighborsClassifier(n_neighbors=5, weights="distance"),
    }
    lesson = part(name)
    return kinds[name].fit(lesson.images, lesson.labels)
