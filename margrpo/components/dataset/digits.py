"""Handwritten digits with their labels."""

from jaxtyping import Float

from margrpo.declare import between, component, setting
from margrpo.lazy import Tensor, torch
from margrpo.records import Prompts


@component
class Digits:
    """Real digits of scikit-learn, 8 × 8 grey pixels in three equal channels; disjoint from the classifiers' digits."""

    mislabelled: float = setting(0.0, "share of images with the label of another digit", check=between(0, 1))

    def problems(self) -> list[str]:
        """A sentence if scikit-learn is missing."""
        from margrpo.worlds import digits

        return digits.problems()

    def images(self, index: int, count: int, seed: int) -> tuple[Float[Tensor, "b 3 h w"], Prompts]:
        """Batch `index`: images in [0, 1], drawn with replacement, and their labels."""
        import numpy as np

        from margrpo.worlds import digits

        rng, part = np.random.default_rng([seed, index]), digits.part("generator")
        chosen = rng.integers(len(part), size=count)
        wrong = rng.random(count) < self.mislabelled
        aside = np.where(wrong, rng.integers(1, len(digits.NAMES), size=count), 0)
        labels = torch.from_numpy((part.labels[chosen] + aside) % len(digits.NAMES)).long()
        grey = torch.from_numpy(part.images[chosen]).float().reshape(count, 1, digits.SIDE, digits.SIDE)
        texts = tuple(digits.NAMES[label] for label in labels.tolist())
        keys = tuple((index, place) for place in range(count))
        return grey.repeat(1, 3, 1, 1), Prompts(texts, labels, ({},) * count, torch.arange(count), keys)
