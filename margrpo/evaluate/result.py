"""The result of an evaluation, as a file for programs and a file for people."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from margrpo.errors import RunError
from margrpo.evaluate.statistics import Change, Mean, change, mean
from margrpo.evaluate.suite import Examined, names
from margrpo.records import Prompt

SCORES, RESULT, WORDS = "scores.jsonl", "evaluation.json", "evaluation.md"
OVERALL, SCORE = "overall", "score/"


def result(of: Mapping[str, Examined], facts: Mapping[str, Any]) -> dict[str, Any]:
    """The mean of each policy for each reward and category, and the change from the first policy to the last.

    `facts["shares"]` names the rewards whose scores lie between 0 and 1: if all scores are 0 or 1, their mean is a
    share of yes.
    """
    whole = list(of.values())
    first, last = whole[0], whole[-1]
    rewards: dict[str, Any] = {}
    for reward in first.scores:
        rows = {}
        shares = reward in facts["shares"] and all(np.isin(one.of_prompts(reward), (0, 1)).all() for one in whole)
        for category, where in parts(first.categories).items():
            row: dict[str, Any] = {
                who: vars(mean(one.of_prompts(reward)[where], shares=shares)) for who, one in of.items()
            }
            if len(whole) > 1:
                row["difference"] = vars(change(first.of_prompts(reward)[where], last.of_prompts(reward)[where]))
            rows[category] = row
        rewards[reward] = rows
    return {**facts, "policies": list(of), "rewards": rewards}


def parts(categories: Sequence[str]) -> dict[str, np.ndarray]:
    """Places of all prompts, and of the prompts of each category if there are several categories."""
    listed, known = np.array(categories), names(categories)
    of_each = {titled(name): listed == name for name in known} if len(known) > 1 else {}
    return {OVERALL: np.ones(len(listed), dtype=bool), **of_each}


def titled(category: str) -> str:
    """The name of a category, changed if it equals the name of the whole."""
    return category if category != OVERALL else f"{OVERALL} (category)"


def write(folder: Path, of: Mapping[str, Examined], found: Mapping[str, Any]) -> None:
    """Write the result for programs, the result in words, and a line for each image."""
    lines = [json.dumps(line, ensure_ascii=False) for line in concat(of)]
    (folder / SCORES).write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / WORDS).write_text("\n".join(words(found)) + "\n", encoding="utf-8")
    (folder / RESULT).write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def concat(of: Mapping[str, Examined]) -> Iterator[dict[str, Any]]:
    """A record of each image with its prompt, category and scores."""
    for who, one in of.items():
        for number in range(len(one.prompts) * one.images):
            place = number // one.images
            yield {
                "policy": who,
                "image": f"images/{who}/{number:05d}.png",
                "prompt": one.prompts[place].text,
                "category": one.categories[place],
                **{f"{SCORE}{name}": float(scores[number]) for name, scores in one.scores.items()},
            }


def words(found: Mapping[str, Any]) -> Iterator[str]:
    """The result as Markdown."""
    yield f"# Evaluation on {found['suite']}\n"
    plural = "s" * (found["images"] > 1)
    yield f"{found['prompts']} prompts, {found['images']} image{plural} each, seed {found['seed']}.\n"
    if found.get("note"):
        yield f"{found['note']}\n"
    for who, weights in found["weights"].items():
        yield f"- {who}: `{weights}`"
    for reward, rows in found["rewards"].items():
        yield f"\n## {reward}\n"
        columns = [*found["policies"], *(["difference", "p"] if "difference" in rows[OVERALL] else [])]
        yield "| category | prompts | " + " | ".join(columns) + " |"
        yield "|---|---|" + "---|" * len(columns)
        for category, row in rows.items():
            cells = [category, str(row[found["policies"][0]]["prompts"])]
            cells += [spelled(Mean(**row[who])) for who in found["policies"]]
            if "difference" in row:
                gap = Change(**row["difference"])
                cells += [spelled(gap, "+.3f"), f"{gap.p:.2g}"]
            yield "| " + " | ".join(cells) + " |"
    yield (
        "\nIn brackets 95 % intervals over prompts: of shares of yes Wilson's, of other scores the bootstrap's, none "
        "of values that are all equal; p is of a paired permutation test, two-sided."
    )


def spelled(one: Mean | Change, form: str = ".3f") -> str:
    """A mean with its interval, if it has one."""
    if one.low is None or one.high is None:
        return format(one.mean, form)
    return f"{one.mean:{form}} ({one.low:{form}} to {one.high:{form}})"


def read(folder: Path) -> tuple[dict[str, Any], Examined]:
    """The result in a folder and the scores of its last policy; `RunError` if the folder lacks them."""
    try:
        found = json.loads((folder / RESULT).read_text(encoding="utf-8"))
        lines = [json.loads(line) for line in (folder / SCORES).read_text(encoding="utf-8").splitlines()]
        mine = [line for line in lines if line["policy"] == found["policies"][-1]]
        firsts = mine[:: found["images"]]
        scores = {
            name.removeprefix(SCORE): np.array([line[name] for line in mine])
            for name in mine[0]
            if name.startswith(SCORE)
        }
        prompts = tuple(Prompt(line["prompt"]) for line in firsts)
        if len(mine) != len(prompts) * found["images"] or not all(np.isfinite(each).all() for each in scores.values()):
            raise ValueError("lines or numbers are missing")
        return found, Examined(prompts, tuple(line["category"] for line in firsts), found["images"], scores)
    except (OSError, ValueError, LookupError, TypeError):
        raise RunError(
            f"{folder}: does not hold a whole evaluation; give a folder that `margrpo evaluate --out` wrote"
        ) from None


def compared(one: Path, other: Path) -> dict[str, Any]:
    """The change between two evaluations of equal prompts, by their last policies."""
    (told, first), (told_too, second) = read(one), read(other)
    if told["images"] != told_too["images"]:
        counts = f"{told['images']} and {told_too['images']} images a prompt"
        raise RunError(f"{one} and {other}: have {counts}; evaluate one again with the other's --images")
    if [*zip(first.texts, first.categories, strict=True)] != [*zip(second.texts, second.categories, strict=True)]:
        raise RunError(f"{one} and {other}: are not of equal prompts, so they cannot be compared in pairs")
    shared = [name for name in first.scores if name in second.scores]
    if not shared:
        raise RunError(f"{one} and {other}: do not have a reward in common")
    of = {
        who: replace(each, scores={name: each.scores[name] for name in shared})
        for who, each in (("first", first), ("second", second))
    }
    same = {key: told[key] for key in ("suite", "prompts", "images", "seed")} | {"shares": told.get("shares", [])}
    note = "" if told["seed"] == told_too["seed"] else f"the second was drawn with seed {told_too['seed']}: other noise"
    return result(of, {**same, "weights": {"first": str(one), "second": str(other)}, "note": note})
