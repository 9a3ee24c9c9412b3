"""GenEval as a suite."""

from collections.abc import Sequence
from functools import cached_property

from margrpo import at_least, component, not_negative, setting
from margrpo.contracts import Reward
from margrpo.prompt_file import prompt_of_object, read_prompts
from margrpo.records import Prompt
from margrpo_geneval.contracts import ColourClassifier, Detector, Relation
from margrpo_geneval.geneval import Geneval


@component
class Suite:
    """Prompts of GenEval's six kinds, scored by the share of right pictures, the strict score.

    GenEval's own 553 prompts are in the public repository, as `prompts/evaluation_metadata.jsonl`. Each line of a file
    needs its text as `prompt` or `text`. Without a file, prompts of the six kinds are drawn.
    """

    detector: Detector = setting(meaning="detector of objects")
    colour_classifier: ColourClassifier | None = setting(
        None, "classifier of colours; required if the detector does not name colours"
    )
    relation: Relation | None = setting(None, "rule for relative positions; default: published")
    path: str | None = setting(None, "file of prompts with the public metadata; default: prompts are drawn")
    count: int = setting(120, "number of drawn prompts", check=at_least(1))
    seed: int = setting(0, "seed of the drawn prompts", check=not_negative)
    classes: tuple[str, ...] = setting((), "names of classes for drawn prompts; default: some of COCO's")

    def problems(self) -> list[str]:
        """The problems of its reward."""
        return self._reward.problems()

    def require(self) -> None:
        """Check what the detector and the colour classifier require, and read the file."""
        assert self._prompts
        self._reward.require()

    def prompts(self) -> list[Prompt]:
        """The prompts of the file, or drawn prompts."""
        return list(self._prompts)

    def category(self, prompt: Prompt) -> str:
        """The kind of a prompt."""
        return str(prompt.metadata.get("tag", "other")).replace("_", " ")

    def rewards(self) -> Sequence[Reward]:
        """The reward with the strict score."""
        return [self._reward]

    @cached_property
    def _reward(self) -> Geneval:
        return Geneval(
            detector=self.detector,
            colour_classifier=self.colour_classifier,
            relation=self.relation,
            strictness=1.0,
        )

    @cached_property
    def _prompts(self) -> tuple[Prompt, ...]:
        from margrpo_geneval.prompt_list import CLASSES, prompts

        if self.path is not None:
            return read_prompts(self.path, of_line)
        drawn = prompts(self.count, self.seed, list(self.classes) or list(CLASSES))
        return tuple(Prompt(each.pop("text"), metadata=each) for each in drawn)


def of_line(line: str, where: str) -> Prompt:
    """The prompt of a line of the public file, which calls the text `prompt`."""
    import json

    try:
        found = json.loads(line)
    except ValueError:
        return prompt_of_object(line, where)  # which says what is wrong
    if isinstance(found, dict) and "prompt" in found and "text" not in found:
        found["text"] = found.pop("prompt")
    return prompt_of_object(json.dumps(found), where)
