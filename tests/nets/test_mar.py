from margrpo.testing import small


def test_the_head_is_an_ordinary_submodule_under_its_published_name():
    model = small.pipeline().model
    assert model.head is dict(model.named_children())["head"]
    assert any(name.startswith("head.net.") for name in model.state_dict())
