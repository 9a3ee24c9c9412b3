"""Records that flow from prompts to the optimizer step, by stage: prompts, rollout, verdict, update.

The axis letters, used in every shape of this library:

    b  images (= prompts x group)      k  trajectories
    n  tokens per image                s  autoregressive (AR) steps
    d  channels of a token             t  diffusion steps (transitions)
    c  width of a condition vector     r  rewards
    m  packed tokens: the (image, token) pairs that are drawn or scored, image-major
    p  positions of the prompt prefix  h, w  pixels

Diffusion steps are numbered as the sampler takes them backwards: t = T - 1 comes first, t = 0 makes the token.
"""

from margrpo.records.extent import Chains, Count, Extent, Stage, fixed
from margrpo.records.footprint import BackboneFootprint, ByKnown, HeadFootprint, PerToken, PolicyFootprint
from margrpo.records.prompts import NO_LABEL, Key, Prompt, Prompts, grouped
from margrpo.records.rollout import ARStep, Chain, Gaussian, Prediction, Rollout
from margrpo.records.update import Needs, Transitions
from margrpo.records.verdict import PROMPT_FIELDS, CanaryInputs, Case, PromptField, Traits, Verdict

__all__ = [
    "NO_LABEL",
    "PROMPT_FIELDS",
    "ARStep",
    "BackboneFootprint",
    "ByKnown",
    "CanaryInputs",
    "Case",
    "Chain",
    "Chains",
    "Count",
    "Extent",
    "Gaussian",
    "HeadFootprint",
    "Key",
    "Needs",
    "PerToken",
    "PolicyFootprint",
    "Prediction",
    "Prompt",
    "PromptField",
    "Prompts",
    "Rollout",
    "Stage",
    "Traits",
    "Transitions",
    "Verdict",
    "fixed",
    "grouped",
]
