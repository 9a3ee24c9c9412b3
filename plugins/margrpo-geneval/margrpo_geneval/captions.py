"""Captions of the world of shapes as GenEval's metadata."""

from typing import Any

from margrpo_geneval.blobs import ANYTHING


def metadata_of(caption: str) -> dict[str, Any]:
    """The metadata of a caption: the objects that it asks for, with their colours and places."""
    from margrpo.worlds import shapes

    requirement = shapes.parse(caption)
    include: list[dict[str, Any]] = []
    for asked in requirement.objects:
        known = next(
            (each for each in include if (each["class"], each.get("color")) == (asked.shape, asked.colour)), None
        )
        if known is not None:
            known["count"] += 1
            continue
        include.append({"class": asked.shape, "count": 1, **({"color": asked.colour} if asked.colour else {})})
    if requirement.relation:
        # GenEval places an object by an earlier one: "a above b" is told of a, so b comes first.
        include = [include[1], {**include[0], "position": [requirement.relation, 0]}]
    tag = {"single object": "single_object", "two objects": "two_object", "colour": "colors"}.get(requirement.kind)
    more = {"class": ANYTHING, "count": len(requirement.objects) + 1}
    return {
        "tag": tag or requirement.kind.replace("colour attribution", "color_attr"),
        "include": include,
        "exclude": [more],
    }
