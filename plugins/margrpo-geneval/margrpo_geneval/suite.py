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
    """Prompts of GenEval's six kinds, and the share of pictures that are right: its strict score.

    Its own 553 prompts are in the public repository, as `prompts/evaluation_metadata.jsonl`; each line of such a file
    needs its text as `prompt` or `text`. Without a file, prompts of the same kinds are drawn.
    """

    detector: Detector = setting(meaning="what finds objects")
    colour_classifier: ColourClassifier | None = setting(None, "what tells colours; as for the reward")
    relation: Relation | None = setting(None, "what tells places; published unless given")
    path: str | None = setting(None, "a file of prompts with the public metadata; prompts are drawn unless given")
    count: int = setting(120, "prompts that are drawn", check=at_least(1))
    seed: int = setting(0, "the seed by which they are drawn", check=not_negative)
    classes: tuple[str, ...] = setting((), "names of classes to draw prompts of; some of COCO's unless given")

    def problems(self) -> list[str]:
        """Those of its reward."""
        return self._reward.problems()

    def require(self) -> None:
        """What the detector and the colour classifier require; reads the file."""
        assert self._prompts
        self._reward.require()

    def prompts(self) -> list[Prompt]:
        """Those of the file, or drawn ones."""
        return list(self._prompts)

    def category(self, prompt: Prompt) -> str:
        """The kind of a prompt."""
        return str(prompt.metadata.get("tag", "other")).replace("_", " ")

    def rewards(self) -> Sequence[Reward]:
        """The strict score."""
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
    """A line of the public file, which calls the text `prompt`."""
    import json

    try:
        found = json.loads(line)
    except ValueError:
        return prompt_of_object(line, where)  # which says what is wrong
    if isinstance(found, dict) and "prompt" in found and "text" not in found:
        found["text"] = found.pop("prompt")
    return prompt_of_object(json.dumps(found), where)
