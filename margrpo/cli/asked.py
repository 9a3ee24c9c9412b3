"""What `margrpo sample` is asked to draw: texts, classes, or else held-out prompts; refused before weights load."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from margrpo.errors import DataError
from margrpo.recipe import Pretraining, Recipe
from margrpo.records import Prompts

if TYPE_CHECKING:
    from margrpo.maths.dealing import Prompt


def asked(recipe: Recipe | Pretraining, texts: Sequence[str], classes: Sequence[str], *, count: int) -> Prompts:
    """Each text and then each class `count` times; where neither is given, the first `count` held-out prompts."""
    from margrpo.maths.dealing import grouped

    if not texts and not classes:
        return recipe.prompts.held_out().part(slice(count))
    found = [*map(of_text, texts), *(of_class(recipe, which) for which in classes)]
    for prompt in found:
        refuse_label(recipe, prompt)
    return grouped(found, count)


def of_text(text: str) -> "Prompt":
    """A text; one that is a whole number names a class too."""
    from margrpo.maths.dealing import NO_LABEL, Prompt

    return Prompt(text, int(text) if text.isdecimal() else NO_LABEL)


def of_class(recipe: Recipe | Pretraining, which: str) -> "Prompt":
    """A class by label or name, in the words of the recipe's prompts; where they name no classes, by label only."""
    from margrpo.maths.dealing import Prompt

    conditioner = getattr(recipe.policy, "conditioner", None)
    if conditioner is not None and not hasattr(conditioner, "classes"):
        raise DataError(f"--label {which}: the policy draws texts, not classes; give --prompt")
    number = int(which) if which.isdecimal() else None
    named = getattr(recipe.prompts, "of_class", None)  # `classes` has it, and a plugin's prompts may
    if named is not None:
        prompt: Prompt = named(which if number is None else number)
        return prompt
    if number is None:
        raise DataError(f"--label {which}: the recipe's prompts know no names of classes; give the label, a number")
    return Prompt(f"class {number}", number)


def refuse_label(recipe: Recipe | Pretraining, prompt: "Prompt") -> None:
    """Raise `DataError` where the policy tells how many classes it has, and this prompt is none of them."""
    classes = getattr(getattr(recipe.policy, "conditioner", None), "classes", None)
    if classes is None or 0 <= prompt.label < classes:
        return
    what = f"--prompt {prompt.text!r} names no class" if prompt.label < 0 else f"class {prompt.label} is not there"
    raise DataError(f"{what}: the policy draws classes, 0 to {classes - 1}; give one with --label")
