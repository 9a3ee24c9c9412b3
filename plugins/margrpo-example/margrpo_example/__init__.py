"""The example plugin of margrpo: its components, named without importing them."""

from margrpo import Entry, hookimpl

MARGRPO_HOOKS = 1
"""The version of margrpo's hooks that this plugin is written for."""


@hookimpl
def margrpo_components() -> list[Entry]:
    """One component of each kind that is often written."""
    return [
        Entry("policy.bag", "margrpo_example.bag:Bag", "a bag of tokens, without attention"),
        Entry("sampler.posterior", "margrpo_example.posterior:Posterior", "ancestral sampling with fixed variance"),
        Entry("estimator.integrated", "margrpo_example.integrated:Integrated", "the main chain, partly integrated out"),
        Entry("selector.disputed", "margrpo_example.disputed:Disputed", "the places where images of one prompt differ"),
        Entry("reward.colourfulness", "margrpo_example.colourfulness:Colourfulness", "how colourful an image looks"),
    ]
