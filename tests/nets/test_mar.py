import inspect

from margrpo.testing import small


def test_the_head_is_seen_by_protocols_that_ask_no_getattr():
    # As isinstance() with a runtime protocol asks from Python 3.12 on.
    model = small.pipeline().model
    assert isinstance(inspect.getattr_static(model, "head"), property)
    assert model.head is dict(model.named_children())["head"]
    assert any(name.startswith("head.net.") for name in model.state_dict())
