"""A small world of coloured shapes: scenes, images, captions and an exact score."""

from .caption import VOCABULARY, UnknownCaption, caption, parse, words
from .colour import BACKGROUND, COLOURS
from .detection import Found, find
from .prompt_list import TooFewCaptions, held_out_captions, train_captions
from .renderer import SIDE, render
from .repertoire import repertoire
from .requirement import KINDS, RELATIONS, Asked, Requirement, meaning
from .scene import Placed, Scene, place
from .scorer import Score, score, scores
from .silhouette import SHAPES

__all__ = [
    "BACKGROUND",
    "COLOURS",
    "KINDS",
    "RELATIONS",
    "SHAPES",
    "SIDE",
    "VOCABULARY",
    "Asked",
    "Found",
    "Placed",
    "Requirement",
    "Scene",
    "Score",
    "TooFewCaptions",
    "UnknownCaption",
    "caption",
    "find",
    "held_out_captions",
    "meaning",
    "parse",
    "place",
    "render",
    "repertoire",
    "score",
    "scores",
    "train_captions",
    "words",
]
