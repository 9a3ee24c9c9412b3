from pathlib import Path
from types import SimpleNamespace
from typing import Protocol

import attrs
import pytest

from margrpo import Entry, Kind, hookimpl
from margrpo.errors import PluginError, RecipeError
from margrpo.plugin.registry import Failure, Registry, registry
from margrpo.recipe.explain import schema
from margrpo.recipe.structure import component_of, table_of_component
from tests.plugin.distribution import install, offering, points

HOOK = "from margrpo import Entry, hookimpl\n\n@hookimpl\n"

BROKEN = {
    "an import error": ("import no_such_package\n", "ModuleNotFoundError: No module named 'no_such_package'"),
    "a syntax error": ("def f(:\n", "SyntaxError: invalid syntax"),
    "an exit at import": ("raise SystemExit(3)\n", "SystemExit: 3"),
    "a hook that raises": (HOOK + "def margrpo_components():\n    raise RuntimeError('boom')\n", "RuntimeError: boom"),
    "an unknown hook": (HOOK + "def margrpo_componets():\n    return []\n", "unknown hook 'margrpo_componets'"),
    "a wrong signature": (
        HOOK + "def margrpo_components(kind):\n    return []\n",
        "{'kind'} are declared in the hookimpl but can not be found in the hookspec",
    ),
    "no entries": (
        HOOK + "def margrpo_components():\n    return None\n",
        "TypeError: 'NoneType' object is not iterable",
    ),
    "no Entry": (
        HOOK + "def margrpo_components():\n    return ['selector.mine']\n",
        "margrpo_components returned 'selector.mine', which is not a margrpo.Entry",
    ),
    "a bad id": (offering("Mine"), "the id 'Mine' must be KIND.NAME in lower case, as in 'selector.uncertain'"),
    "an unknown kind": (offering("selectr.mine"), "the id 'selectr.mine' names no kind; did you mean 'selector'?"),
    "a bad target": (
        offering("selector.mine", target="here"),
        "the target 'here' of selector.mine must be 'package.module:Class'",
    ),
    "an id twice": (offering("selector.mine", "selector.mine"), "it returns selector.mine more than once"),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_plugin_is_listed_with_its_cause_and_takes_nothing_down(how: str, folder: Path) -> None:
    source, cause = BROKEN[how]
    name = how.replace(" ", "_")
    install(folder, name, source)
    install(folder, f"z{name}", offering("selector.good"))
    among = Registry()
    among.discover(points(folder))
    (failure,) = among.failures
    assert (failure.plugin, failure.distribution) == (name, name)
    assert cause in failure.cause
    assert "\n" not in failure.cause
    assert among.find("selector", "good").id == "selector.good"
    assert among.find("selector", "committed").id == "selector.committed"
    assert [entry.id for entry in among.entries("selector") if entry.name == "mine"] == []


def test_a_clash_of_ids_names_both_distributions(folder: Path) -> None:
    install(folder, "alpha", offering("selector.theirs"))
    install(folder, "beta", offering("selector.theirs"))
    install(folder, "zeta", offering("selector.fine"))
    among = Registry()
    among.discover(points(folder))
    said = "two distributions offer selector.theirs: alpha and beta; rename it in one, or uninstall one"
    assert [(each.plugin, each.cause) for each in among.failures] == [("beta", said)]
    with pytest.raises(PluginError) as caught:  # neither can be preferred
        among.find("selector", "theirs")
    assert str(caught.value) == said
    assert among.find("selector", "fine").name == "fine"


def test_three_distributions_of_one_id_are_all_named(folder: Path) -> None:
    for name in ("alpha", "beta", "gamma"):
        install(folder, name, offering("selector.theirs"))
    among = Registry()
    among.discover(points(folder))
    with pytest.raises(PluginError, match=r"3 distributions offer selector\.theirs: alpha and beta and gamma"):
        among.find("selector", "theirs")


def test_a_plugin_that_takes_a_name_of_ours_fails_and_ours_stays(folder: Path) -> None:
    install(folder, "gamma", offering("selector.every", "selector.other", target="elsewhere:Every"))
    among = Registry()
    among.discover(points(folder))
    assert [each.cause for each in among.failures] == [
        "two distributions offer selector.every: margrpo and gamma; rename it in one, or uninstall one"
    ]
    assert among.distribution(among.find("selector", "every")) == "margrpo"
    with pytest.raises(PluginError, match="no selector named 'other'"):  # it is taken in whole or not at all
        among.find("selector", "other")


@pytest.mark.parametrize(
    ("stated", "cause", "remedy"),
    [
        (
            "2",
            "it is too new: it wants version 2 of the hooks, and this margrpo has 1",
            "pip install --upgrade margrpo",
        ),
        ("0", "it is too old: it wants version 0 of the hooks, and this margrpo serves 1 to 1", "--upgrade other"),
        ("'one'", "its MARGRPO_HOOKS = 'one' must be a whole number; the present version is 1", "tell its authors"),
    ],
)
def test_a_plugin_for_other_hooks_is_listed_with_what_to_do(stated: str, cause: str, remedy: str, folder: Path) -> None:
    install(folder, "other", f"MARGRPO_HOOKS = {stated}\n" + offering("selector.mine"))
    among = Registry()
    among.discover(points(folder))
    (failure,) = among.failures
    assert failure.cause == cause
    assert remedy in failure.remedy
    install(folder, f"same_{len(stated)}", "MARGRPO_HOOKS = 1\n" + offering("selector.same"))
    among.discover(points(folder))
    assert among.find("selector", "same").name == "same"


def test_only_the_chosen_plugins_are_loaded_and_none_in_safe_mode(folder: Path) -> None:
    for name in ("alpha", "beta"):
        install(folder, name, offering(f"selector.of_{name}"))
    found = {}
    for wanted in (None, "", "beta", " alpha, beta", "betta"):
        among = Registry()
        among.discover(points(folder), wanted)
        found[wanted] = [plugin.name for plugin in among.plugins[1:]]
    assert found == {None: ["alpha", "beta"], "": [], "beta": ["beta"], " alpha, beta": ["alpha", "beta"], "betta": []}
    assert [(each.plugin, each.cause) for each in among.failures] == [
        ("betta", "MARGRPO_PLUGINS names it, and no plugin of this name is installed; there are alpha, beta")
    ]
    with pytest.raises(PluginError, match="MARGRPO_PLUGINS leaves out alpha, beta"):
        among.find("selector", "of_alpha")


class Taster(Protocol):
    def taste(self) -> float: ...


KINDS_PLUGIN = """
from typing import Protocol
from margrpo import Entry, Kind, component, hookimpl

class Taster(Protocol):
    def taste(self) -> float: ...

@component
class Sweet:
    def taste(self): return 1.0

@component
class Kitchen:
    taster: Taster
    attempts = 1
    backoff = 0.0
    timeout = None
    def give_up(self, error): ...

@hookimpl
def margrpo_kinds():
    return [Kind("taster", Taster, "who tastes")]

@hookimpl
def margrpo_components():
    return [Entry("taster.sweet", f"{__name__}:Sweet"), Entry("on_failure.kitchen", f"{__name__}:Kitchen")]
"""


def test_a_plugin_can_bring_a_kind_of_its_own(folder: Path) -> None:
    install(folder, "eta", KINDS_PLUGIN)
    among = Registry()
    among.discover(points(folder))
    assert not among.failures
    assert [kind.name for kind in among.plugins[-1].kinds] == ["taster"]
    kitchen = among.load(among.find("on_failure", "kitchen"))
    assert among.kinds.of(attrs.fields(kitchen).taster.type) is among.kinds["taster"]


def test_a_kind_is_known_to_the_registry_of_its_plugin_only(folder: Path) -> None:
    """A recipe's nested table, its schema and an entry of the kind are read with one registry and not the other."""
    install(folder, "eta", KINDS_PLUGIN)
    one, other = Registry(), Registry()
    one.discover(points(folder))
    assert set(one.kinds) - set(other.kinds) == {"taster"}
    table = {"use": "kitchen", "taster": "sweet"}
    made = component_of(table, "on_failure", among=one)
    assert table_of_component(made, "on_failure", among=one) == {"use": "kitchen", "taster": {"use": "sweet"}}
    assert "taster" in schema(among=one)["$defs"]
    assert other.kinds.of(one.kinds["taster"].protocol) is None
    assert "taster" not in schema(among=other)["$defs"]
    other.register(SimpleNamespace(margrpo_components=hookimpl(lambda: [Entry("taster.sour", "a:B")])), "sour")
    assert "the id 'taster.sour' names no kind" in other.failures[0].cause


def test_two_plugins_may_bring_one_kind_so_that_their_order_does_not_matter() -> None:
    def bringing(name: str) -> SimpleNamespace:
        entries = hookimpl(lambda: [Entry(f"taster.{name}", "a:B")])
        kinds = hookimpl(lambda: [Kind("taster", Taster, f"of {name}")])
        return SimpleNamespace(margrpo_kinds=kinds, margrpo_components=entries)

    among = Registry()
    for name in ("first", "second"):
        among.register(bringing(name), name)
    assert [entry.name for entry in among.entries("taster")] == ["first", "second"]
    assert among.kinds["taster"].meaning == "of first"


@pytest.mark.parametrize(
    ("kind", "cause"),
    [
        (
            "Kind('selector', int, '')",
            "its kind 'selector' is already that of margrpo.contracts.update.Selector; give",
        ),
        ("Kind('My kind', int, '')", "the kind 'My kind' must be one word in lower case, as in 'selector'"),
        ("'selector'", "margrpo_kinds returned 'selector', which is not a margrpo.Kind"),
        (
            "Kind('scorer', __import__('margrpo').contracts.Reward, 'x')",
            "the contract of its kind 'scorer' is already that of 'reward'; give it its own",
        ),
        (
            "Kind('one', print, 'x'), Kind('other', print, 'y')",
            "the contract of its kind 'other' is already that of 'one'; give it its own",
        ),
        ("Kind('one', print, 'x')", "the id 'selectr.mine' names no kind; did you mean 'selector'?"),
    ],
)
def test_a_bad_kind_is_refused_and_nothing_of_the_plugin_stays(kind: str, cause: str, folder: Path) -> None:
    source = f"from margrpo import Kind, hookimpl\n@hookimpl\ndef margrpo_kinds():\n    return [{kind}]\n"
    install(folder, "theta", source + offering("selectr.mine" if "selectr" in cause else "selector.mine"))
    among = Registry()
    among.discover(points(folder))
    assert cause in among.failures[0].cause
    assert [plugin.name for plugin in among.plugins] == ["builtin"]
    assert set(among.kinds) == set(Registry().kinds)


def test_a_component_whose_method_lacks_an_argument_is_refused_where_a_recipe_uses_it(folder: Path) -> None:
    mine = "@component\nclass Mine:\n    def needs(self): ...\n    def extent(self, tokens): ...\n"
    mine += "    def select(self, rollout): ...\n"
    hook = offering("selector.mine", target="iota_plugin:Mine")
    install(folder, "iota", f"{hook}\nfrom margrpo import component\n\n{mine}")
    among = Registry()
    among.discover(points(folder))
    with pytest.raises(RecipeError) as caught:
        component_of({"use": "mine"}, "selector", among=among)
    assert caught.value.problems == (
        "use = \"mine\": selector.mine: iota_plugin:Mine.select(self, rollout) must take (rollout, step); add 'step'",
    )


def test_an_entry_knows_its_distribution(folder: Path) -> None:
    install(folder, "delta", offering("selector.deltas"))
    among = Registry()
    among.discover(points(folder))
    assert among.distribution(among.find("selector", "deltas")) == "delta"
    assert among.distribution(among.find("selector", "every")) == "margrpo"


def test_what_is_not_there_is_told_with_what_was_perhaps_meant() -> None:
    with pytest.raises(PluginError) as caught:
        Registry().find("selector", "uncertian")
    assert str(caught.value) == "there is no selector named 'uncertian'; did you mean 'uncertain'?"


def test_what_resembles_nothing_is_told_with_what_there_is() -> None:
    with pytest.raises(PluginError) as caught:
        Registry().find("replay", "xyz")
    assert str(caught.value) == "there is no replay named 'xyz'; there are conditional, guided, released"


def test_what_is_not_there_is_told_with_the_plugins_that_failed(folder: Path) -> None:
    install(folder, "epsilon", "import no_such_package\n")
    among = Registry()
    among.discover(points(folder))
    with pytest.raises(PluginError) as caught:
        among.find("replay", "xyz")
    assert str(caught.value) == (
        "there is no replay named 'xyz'; there are conditional, guided, released; "
        "plugin epsilon of epsilon failed to load: ModuleNotFoundError: No module named 'no_such_package'"
    )


def test_one_plugin_registered_twice_is_listed_as_failed_the_second_time() -> None:
    plugin = SimpleNamespace(margrpo_components=hookimpl(lambda: [Entry("selector.once", "a:B")]))
    among = Registry()
    among.register(plugin, "once")
    among.register(plugin, "once")
    assert [failure.plugin for failure in among.failures] == ["once"]
    assert among.find("selector", "once").target == "a:B"


def test_entries_come_sorted_and_of_one_kind_where_asked() -> None:
    among = Registry()
    ids = [entry.id for entry in among.entries()]
    assert ids == sorted(ids)
    assert {entry.kind for entry in among.entries("replay")} == {"replay"}


def test_the_name_of_a_component_is_the_use_it_is_registered_under() -> None:
    among = Registry()
    component = among.load(among.find("selector", "uncertain"))()
    assert among.name_of("selector", component) == "uncertain"
    with pytest.raises(
        PluginError, match="Uncertain is not registered as a component of kind reward; return an Entry for it"
    ):
        among.name_of("reward", component)


def test_the_registry_is_made_once() -> None:
    assert registry() is registry()


def test_a_failure_reads_as_a_sentence() -> None:
    assert str(Failure("p", "d", "boom")) == "plugin p of d failed to load: boom"
