"""Errors of margrpo, each with a sentence for a person."""

from collections.abc import Sequence


class MargrpoError(Exception):
    """An expected error; its sentence says what was wrong, where, and what to do."""


class RecipeError(MargrpoError):
    """A recipe that cannot be run; carries every problem that was found, not only the first."""

    def __init__(self, source: str, problems: Sequence[str]):
        self.source = source
        self.problems = tuple(problems)
        super().__init__("\n".join(f"{source}: {problem}" for problem in self.problems))


class PluginError(MargrpoError):
    """A plugin that broke a rule of the registry, named with its distribution."""


class WeightsError(MargrpoError):
    """A weights file that is missing, damaged or made for another model."""


class ParityError(MargrpoError):
    """Replayed log-probabilities that differ from the recorded ones, with the cause if it was found."""


class DataError(MargrpoError):
    """A prompt file, an image or a caption that cannot be used."""


class RewardError(MargrpoError):
    """A reward that failed or did not return a score for each image."""


class RunError(MargrpoError):
    """A run folder or checkpoint that cannot be used."""


class ParallelError(MargrpoError):
    """Processes that cannot work together, or a process that died or is late."""
