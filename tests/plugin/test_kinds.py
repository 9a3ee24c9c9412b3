import inspect
import re

from margrpo import contracts
from margrpo.contracts import Selector, codec, model, rollout, run, update, verdict
from margrpo.plugin.registry import Registry

KINDS = Registry().kinds
ROOMS = (model, codec, rollout, verdict, update, run)


def test_a_kind_is_its_contract_in_lower_case() -> None:
    for name, kind in KINDS.items():
        assert name == kind.name
        assert kind.protocol.__name__.lower() == {"prompts": "promptsource"}.get(name, name.replace("_", ""))
        assert getattr(contracts, kind.protocol.__name__) is kind.protocol


def test_every_contract_of_settings_is_a_kind() -> None:
    besides = {
        "NamesClasses",
        "TakesImages",
        "TakesHistograms",
        "HandlesFailure",
        "HasRequirements",
        "ShipsCases",
        "WrapsReward",
        "HasRunState",
        "NamesKept",
        "NamesNoise",
        "VariesChains",
    }
    built = {
        "Weights",
        "PromptEmbedder",
        "Autoencoder",
        "Model",
        "Head",
        "Regularizer",
        "Processes",
        "Scorer",
        "Monitor",
        "OpenTracker",
    }
    declared = set(
        re.findall(r"^class (\w+)\(Protocol\)", "".join(inspect.getsource(room) for room in ROOMS), re.MULTILINE)
    )
    assert declared - built - besides == {kind.protocol.__name__ for kind in KINDS.values()}


def test_a_contract_finds_its_kind_and_nothing_else_does() -> None:
    assert KINDS.of(Selector) is KINDS["selector"]
    assert KINDS.of(int) is None
    assert KINDS.of(["no", "annotation"]) is None


def test_every_default_is_registered() -> None:
    among = Registry()
    for kind in KINDS.values():
        tables = kind.default if kind.many else (kind.default,)
        for table in tables or ():
            assert table is None or among.find(kind.name, table["use"])


def test_only_a_single_default_stands_for_a_use_left_out() -> None:
    assert KINDS["sampler"].default_use == "ddpm"
    assert KINDS["tracker"].default_use is None
    assert KINDS["policy"].default_use is None
