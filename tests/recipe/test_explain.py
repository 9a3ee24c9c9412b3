import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from typing import Any

from margrpo import Entry, hookimpl
from margrpo.plugin.registry import Registry
from margrpo.recipe.explain import explain, schema
from margrpo.recipe.structure import structure, unstructure
from tests.recipe import components
from tests.recipe.broken import GOOD


def references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        yield from (schema["$ref"],) if "$ref" in schema else ()
        for value in schema.values():
            yield from references(value)
    elif isinstance(schema, list):
        for item in schema:
            yield from references(item)


def variant(kind: str, name: str, among: Registry | None = None) -> dict[str, Any]:
    (found,) = (
        each
        for each in schema(among=among)["$defs"][kind]["then"]["oneOf"]
        if each["properties"]["use"].get("const") == name
    )
    return found


def test_an_explained_recipe_says_every_value_with_its_meaning() -> None:
    recipe = structure(tomllib.loads(GOOD))
    text = explain(recipe)
    assert tomllib.loads(text) == unstructure(recipe)
    assert "[estimator.where] # tokens with K chains" in text
    assert "fraction = 0.3 # share of the image's n tokens, at least one" in text
    assert "[sampler] # the reverse diffusion of the head" in text


def test_the_schema_has_a_definition_for_every_kind_and_no_reference_to_anything_else() -> None:
    kinds = Registry().kinds
    made = schema(among=Registry())
    assert set(made["$defs"]) == set(kinds)
    assert set(references(made)) <= {f"#/$defs/{kind}" for kind in kinds}
    assert json.loads(json.dumps(made)) == made


def test_the_schema_gives_a_setting_its_type_default_meaning_and_range() -> None:
    assert variant("selector", "uncertain")["properties"]["fraction"] == {
        "type": "number",
        "default": 0.3,
        "description": "share of the image's n tokens, at least one",
        "exclusiveMinimum": 0,
        "maximum": 1,
    }


def test_the_schema_refuses_unknown_settings_and_names_nested_kinds() -> None:
    mar = variant("policy", "mar")
    assert mar["additionalProperties"] is False
    assert mar["properties"]["conditioner"]["$ref"] == "#/$defs/conditioner"


def test_the_schema_requires_kinds_without_a_default_of_a_file_that_extends_none() -> None:
    made = schema()
    assert made["else"]["else"]["if"] == {"not": {"required": ["extends"]}}
    assert made["else"]["else"]["then"]["required"] == ["policy", "codec", "prompts", "reward"]
    assert made["then"]["then"]["required"] == ["policy", "codec", "dataset", "prompts", "measure"]
    assert "extends" in made["then"]["properties"]


def test_the_schema_knows_settings_of_every_sort() -> None:
    among = Registry()
    among.register(components, "small")
    properties = variant("selector", "widest", among)["properties"]
    assert properties["mode"]["enum"] == ["soft", "hard"]
    assert properties["limit"]["type"] == "integer"
    assert properties["shares"]["additionalProperties"] == {"type": "number"}
    assert properties["among"]["items"] == {"$ref": "#/$defs/selector"}
    assert properties["box"]["prefixItems"] == [{"type": "integer"}, {"type": "integer"}]


def test_a_component_that_cannot_be_imported_is_named_in_the_schema_with_the_cause() -> None:
    class Plugin:
        @hookimpl
        def margrpo_components(self) -> list[Entry]:
            return [Entry("selector.gone", "no_such_module:Gone")]

    among = Registry()
    among.register(Plugin(), "gone")
    assert "no_such_module cannot be imported" in variant("selector", "gone", among)["description"]


def test_a_recipe_is_checked_and_explained_without_torch() -> None:
    source = (
        "import sys, tomllib\nfrom margrpo.recipe.explain import explain, schema\n"
        "from margrpo.recipe.fit import check_fit\nfrom margrpo.recipe.structure import structure\n"
        "recipe = structure(tomllib.loads(sys.stdin.read()))\ncheck_fit(recipe)\nexplain(recipe)\nschema()\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", source], input=GOOD, text=True, check=False).returncode == 0
