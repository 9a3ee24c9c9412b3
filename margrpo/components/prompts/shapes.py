"""Captions of the world of shapes as prompts."""

from margrpo.declare import Check, component, positive, setting
from margrpo.maths.dealing import dealt
from margrpo.records import Prompt, Prompts, grouped

KINDS = ("single object", "two objects", "counting", "colour", "position", "colour attribution")
some_kinds = Check(
    lambda kinds: len(kinds) > 0 and len(set(kinds)) == len(kinds) and set(kinds) <= set(KINDS),
    "a list, without repeats, of at least one of " + ", ".join(map(repr, KINDS)),
    {"type": "array", "items": {"enum": list(KINDS)}, "minItems": 1, "uniqueItems": True},
)


@component
class Shapes:
    """Captions of coloured shapes; each kind is drawn equally often."""

    prompts: int = setting(4, "prompts per step", check=positive)
    group: int = setting(8, "images per prompt", check=positive)
    kinds: tuple[str, ...] = setting(KINDS, "kinds of caption to draw and to hold out", check=some_kinds)

    def require(self) -> None:
        """Do nothing: the captions ship with the package."""

    def draw(self, step: int, seed: int) -> Prompts:
        """The captions of a step; a kind comes again after all kinds, a caption after all captions of its kind."""
        captions = self._captions()
        draws = range(step * self.prompts, (step + 1) * self.prompts)
        chosen = []
        for draw, which in zip(draws, dealt(draws, (seed, "kinds"), len(self.kinds)), strict=True):
            kind, of_kind = self.kinds[which], captions[self.kinds[which]]
            turn = draw // len(self.kinds)
            (index,) = dealt(range(turn, turn + 1), (seed, "prompts", kind), len(of_kind))
            chosen.append(Prompt(of_kind[index], metadata={"kind": kind}))
        return grouped(chosen, self.group)

    def held_out(self) -> Prompts:
        """The held-out captions of `kinds`, one image each, in an order that balances the kinds in every prefix."""
        from margrpo.worlds.shapes import held_out_captions, parse

        kinds = ((text, parse(text).kind) for text in held_out_captions())
        return grouped([Prompt(text, metadata={"kind": kind}) for text, kind in kinds if kind in self.kinds], 1)

    def _captions(self) -> dict[str, list[str]]:
        """The training captions by kind."""
        from margrpo.worlds.shapes import parse, train_captions

        captions: dict[str, list[str]] = {kind: [] for kind in self.kinds}
        for text in train_captions():
            captions.get(parse(text).kind, []).append(text)
        return captions
