from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import pytest

from margrpo import Entry, component
from margrpo.errors import PluginError
from margrpo.plugin.contract import check_contract, misfit


class Chooser(Protocol):
    limit: int

    @property
    def share(self) -> float: ...

    def select(self, rollout: Any, step: Any) -> Any: ...

    def attend(self, q: Any, dropout: float = 0.0) -> Any: ...

    def build(self, *, width: int) -> Any: ...


class Finer(Chooser, Protocol):
    def refine(self, step: Any) -> Any: ...


def whole(cls: Any, contract: Any = Chooser) -> None:
    check_contract(Entry("chooser.mine", "mine.parts:Mine"), component(type("Mine", (cls,), {})), contract)


class Good:
    limit: int = 3
    share = 0.5

    def select(self, rollout, step): ...
    def attend(self, q, dropout=0.0): ...
    def build(self, *, width): ...


def test_a_class_with_every_member_keeps_its_contract() -> None:
    whole(Good)


def test_what_a_contract_extends_is_asked_for_too() -> None:
    with pytest.raises(PluginError, match=r"mine\.parts:Mine lacks refine, which the contract Finer asks for"):
        whole(Good, Finer)


def test_a_class_that_lacks_a_member_is_refused() -> None:
    class Bare:
        def select(self, rollout, step): ...

    with pytest.raises(PluginError) as caught:
        whole(Bare)
    assert str(caught.value) == (
        "chooser.mine: mine.parts:Mine lacks share, attend, build, limit, which the contract Chooser asks for"
    )


def test_the_sentence_names_the_component_the_method_and_both_lists_of_arguments() -> None:
    class Short(Good):
        def select(self, rollout): ...

    with pytest.raises(PluginError) as caught:
        whole(Short)
    assert str(caught.value) == (
        "chooser.mine: mine.parts:Mine.select(self, rollout) must take (rollout, step); add 'step'"
    )


FITTING: dict[str, tuple[str, Any]] = {
    "an argument more with a default": ("select", lambda self, rollout, step, more=1: None),
    "an argument more with a default, by name": ("select", lambda self, rollout, step, *, more=1: None),
    "everything passed on": ("select", lambda self, *args, **kwargs: None),
    "the rest passed on": ("select", lambda self, rollout, *args, **kwargs: None),
    "a static method": ("select", staticmethod(lambda rollout, step: None)),
    "a class method": ("select", classmethod(lambda cls, rollout, step: None)),
    "any name of self": ("select", lambda this, rollout, step: None),
    "an argument by name that may come by position": ("build", lambda self, width: None),
    "any argument by name": ("build", lambda self, **settings: None),
    "something callable that shows no arguments": ("select", partial(print)),
    "a property that gives something callable": ("select", property(lambda self: print)),
    "a value where a value is asked for": ("share", 0.5),
    "a property where a value is asked for": ("share", property(lambda self: 0.5)),
}


@pytest.mark.parametrize("how", FITTING)
def test_a_member_that_can_be_used_as_the_contract_says_fits(how: str) -> None:
    name, own = FITTING[how]
    assert misfit(own, vars(Chooser)[name]) is None


WRONG: dict[str, tuple[str, Any, str]] = {
    "none of the arguments": (
        "select",
        lambda self: None,
        "(self) must take (rollout, step); add 'rollout', 'step'",
    ),
    "an argument of another name": (
        "select",
        lambda self, rollout, at: None,
        "(self, rollout, at) must take (rollout, step); rename 'at' to 'step'",
    ),
    "an argument of another name with a default": (
        "select",
        lambda self, rollout, at=0: None,
        "(self, rollout, at=0) must take (rollout, step); add 'step'",
    ),
    "an argument more": (
        "select",
        lambda self, rollout, step, scale: None,
        "(self, rollout, step, scale) must take (rollout, step); "
        "give 'scale' a default, because nothing is passed for it",
    ),
    "another order": (
        "select",
        lambda self, step, rollout: None,
        "(self, step, rollout) must take (rollout, step); "
        "begin with 'rollout', 'step', which may be passed by position",
    ),
    "something before": (
        "select",
        lambda self, more=1, rollout=None, step=None: None,
        "(self, more=1, rollout=None, step=None) must take (rollout, step); "
        "begin with 'rollout', 'step', which may be passed by position",
    ),
    "by name only": (
        "select",
        lambda self, rollout, *, step: None,
        "(self, rollout, *, step) must take (rollout, step); "
        "begin with 'rollout', 'step', which may be passed by position",
    ),
    "by name only, the rest passed on": (
        "select",
        lambda self, rollout, *args, step, **kwargs: None,
        "(self, rollout, *args, step, **kwargs) must take (rollout, step); "
        "begin with 'rollout', 'step', which may be passed by position",
    ),
    "by position only": (
        "select",
        lambda self, rollout, step, /: None,
        "(self, rollout, step, /) must take (rollout, step); remove the / behind 'step', which may be passed by name",
    ),
    "positions passed on, names not": (
        "select",
        lambda self, *args: None,
        "(self, *args) must take (rollout, step); add 'rollout', 'step'",
    ),
    "no default where the contract has one": (
        "attend",
        lambda self, q, dropout: None,
        "(self, q, dropout) must take (q, dropout=0.0); give 'dropout' a default, because it may be left out",
    ),
    "no argument by name": ("build", lambda self: None, "(self) must take (*, width); add 'width'"),
    "a static method with self": (
        "select",
        staticmethod(lambda self, rollout, step: None),
        "(self, rollout, step) must take (rollout, step); give 'self' a default, because nothing is passed for it",
    ),
    "a value for a method": ("select", 3, " = 3 must be a method that takes (rollout, step)"),
    "a method for a value": (
        "share",
        lambda self: 0.5,
        " must be a value, not a method; put @property above it",
    ),
}


@pytest.mark.parametrize("how", WRONG)
def test_a_member_that_cannot_stand_for_the_contract_s_is_refused_with_what_to_do(how: str) -> None:
    name, own, sentence = WRONG[how]
    assert misfit(own, vars(Chooser)[name]) == sentence


def decorated(function: Callable[..., Any]) -> Callable[..., Any]:
    import torch

    return torch.no_grad()(function)


def test_a_decorated_method_is_looked_at_through_its_decorator() -> None:
    select = vars(Chooser)["select"]
    assert misfit(decorated(lambda self, rollout, step: None), select) is None
    assert misfit(decorated(lambda self, rollout: None), select) is not None


def test_a_setting_of_an_unknown_type_is_refused() -> None:
    class Unknown(Good):
        other: "Nowhere"

    with pytest.raises(PluginError, match=r"a setting of mine\.parts:Mine has an unknown type: name 'Nowhere'"):
        whole(Unknown)
