"""What `margrpo sample` is asked to draw: texts, classes, or else held-out prompts; refused before weights load."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from margrpo.contracts import NamesClasses
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
    found = [*(of_text(recipe, text) for text in texts), *(of_class(recipe, which) for which in classes)]
    for prompt in found:
        refuse_label(recipe, prompt)
    return grouped(found, count)


def of_text(recipe: Recipe | Pretraining, text: str) -> "Prompt":
    """A text; for a policy that draws classes, one that is a whole number is a label."""
    from margrpo.maths.dealing import Prompt

    return of_class(recipe, text) if recipe.policy.classes() is not None and text.isdecimal() else Prompt(text)


def of_class(recipe: Recipe | Pretraining, which: str) -> "Prompt":
    """A class by label or name, in the words of the recipe's prompts; where they name no classes, by label only."""
    from margrpo.maths.dealing import Prompt

    if recipe.policy.classes() is None:
        raise DataError(f"--label {which}: the policy draws texts, not classes; give --prompt")
    number = int(which) if which.isdecimal() else None
    if isinstance(recipe.prompts, NamesClasses):
        return recipe.prompts.of_class(which if number is None else number)
    if number is None:
        raise DataError(f"--label {which}: the recipe's prompts know no names of classes; give the label, a number")
    return Prompt(f"class {number}", number)


def refuse_label(recipe: Recipe | Pretraining, prompt: "Prompt") -> None:
    """Raise `DataError` where the policy draws classes, and this prompt is none of them."""
    classes = recipe.policy.classes()
    if classes is None or 0 <= prompt.label < classes:
        return
    what = f"--prompt {prompt.text!r} names no class" if prompt.label < 0 else f"class {prompt.label} is not there"
    raise DataError(f"{what}: the policy draws classes, 0 to {classes - 1}; give one with --label")
