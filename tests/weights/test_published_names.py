import pytest

from margrpo.components.attention import Sdpa
from margrpo.testing import small
from margrpo.weights.published_names import kind_of_names, our_name, published_name, without_loss
from tests.golden.reading import layouts


def test_every_name_of_our_model_has_a_published_one_and_comes_back():
    ours = list(small.policy().build(attention=Sdpa()).state_dict())
    assert [our_name(published_name(name)) for name in ours] == ours
    assert not any(published_name(name).startswith(("backbone.", "head.")) for name in ours)


@pytest.mark.parametrize("model", ["mar_base", "mar_large", "mar_huge"])
def test_every_published_name_has_one_of_ours_and_comes_back(model: str):
    theirs = list(layouts()[model]["state_dict"])
    assert [published_name(our_name(name)) for name in theirs] == theirs


def test_the_names_of_a_mar_and_of_an_autoencoder_are_told_apart():
    assert kind_of_names(layouts()["mar_base"]["state_dict"]) == "policy"
    assert kind_of_names(layouts()["vae_kl16"]["state_dict"]) == "codec"
    assert kind_of_names(["layer1.0.conv1.weight"]) is None


def test_the_loss_that_an_autoencoder_was_trained_with_is_left_out():
    assert without_loss({"loss.logvar": 1, "encoder.loss.x": 2, "decoder.y": 3}) == {
        "encoder.loss.x": 2,
        "decoder.y": 3,
    }
