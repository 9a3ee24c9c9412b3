from pathlib import Path
from types import SimpleNamespace

import pytest

from margrpo import Entry, hookimpl
from margrpo.errors import PluginError
from margrpo.plugin.registry import Failure, Registry, registry

from .distribution import install, offering, points

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
        "margrpo_components returned 'selector.mine', which is no margrpo.Entry",
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
    with pytest.raises(PluginError) as caught:
        Registry().discover(points(folder))
    assert str(caught.value) == (
        "two distributions offer selector.theirs: alpha and beta; rename it in one, or uninstall one"
    )


def test_a_clash_with_a_built_in_component_is_an_error_too(folder: Path) -> None:
    install(folder, "gamma", offering("selector.every"))
    with pytest.raises(PluginError, match=r"two distributions offer selector\.every: margrpo and gamma"):
        Registry().discover(points(folder))


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
    with pytest.raises(PluginError, match="Uncertain is registered as no reward; return an Entry for it"):
        among.name_of("reward", component)


def test_the_registry_is_made_once() -> None:
    assert registry() is registry()


def test_a_failure_reads_as_a_sentence() -> None:
    assert str(Failure("p", "d", "boom")) == "plugin p of d failed to load: boom"
