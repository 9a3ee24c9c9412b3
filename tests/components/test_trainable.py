from margrpo.components.trainable import Backbone, Everything, Head
from margrpo.testing import small


def test_backbone_and_head_are_the_two_parts_of_everything():
    model = small.pipeline().model
    backbone, head, everything = (dict(kind.parameters(model)) for kind in (Backbone(), Head(), Everything()))
    assert backbone.keys() | head.keys() == everything.keys()
    assert not backbone.keys() & head.keys()
    assert {id(value) for value in everything.values()} == {id(value) for value in model.parameters()}
    assert {id(value) for value in head.values()} == {id(value) for value in model.head.parameters()}


def test_the_prompts_embedding_and_the_null_prompt_belong_to_the_backbone():
    names = dict(Backbone().parameters(small.pipeline().model))
    assert {"backbone.embedding.class_emb.weight", "backbone.fake_latent"} <= names.keys()
