import argparse
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from margrpo.errors import WeightsError
from margrpo.weights.file import opened

ONE, TWO = {"a.weight": torch.arange(6.0).view(2, 3)}, {"a.weight": torch.ones(2, 3)}
PUBLISHED = {
    "model": ONE,
    "model_ema": TWO,
    "optimizer": {"state": {0: {"step": torch.tensor(1.0)}}, "param_groups": [{"lr": 1e-4, "params": [0]}]},
    "epoch": 399,
    "scaler": {"scale": 65536.0},
    "args": argparse.Namespace(model="mar_base", ema_rate=0.9999),
}


class Malice:
    """Runs a command when it is unpickled."""

    def __init__(self, trace: Path):
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.trace}",)


def saved(path: Path, content: Any, *, old: bool = False) -> str:
    torch.save(content, path, _use_new_zipfile_serialization=not old)
    return str(path)


@pytest.mark.parametrize("old", [False, True])
def test_a_published_checkpoint_gives_its_average_or_its_model_and_tells_what_else_is_in_it(old: bool, tmp_path: Path):
    file = opened(saved(tmp_path / "checkpoint-last.pth", PUBLISHED, old=old))
    assert not file.is_ours
    assert set(file.sets) == {"model", "model_ema"}
    assert set(file.rest) == {"optimizer", "epoch", "scaler", "args"}
    assert file.format == ("torch.save, of old" if old else "torch.save, in a zip archive")
    for which, tensors in (("ema", TWO), ("model", ONE)):
        assert torch.equal(file.chosen("policy", which)["a.weight"], tensors["a.weight"])


@pytest.mark.parametrize(
    ("content", "which", "tensors"),
    [
        ({"model": ONE}, "ema", ONE),
        ({"state_dict": ONE, "epoch": 3}, "ema", ONE),
        (ONE, "model", ONE),
    ],
)
def test_a_file_without_the_set_that_is_asked_for_gives_the_next_best(
    content: Any, which: str, tensors: dict[str, torch.Tensor], tmp_path: Path
):
    found = opened(saved(tmp_path / "x.pth", content)).chosen("policy", which)
    assert torch.equal(found["a.weight"], tensors["a.weight"])


def test_a_safetensors_file_is_one_set_or_the_parts_that_margrpo_wrote(tmp_path: Path):
    save_file(ONE, tmp_path / "published.bin")
    published = opened(str(tmp_path / "published.bin"))
    assert (published.format, set(published.sets), published.is_ours) == ("safetensors", {"model"}, False)
    save_file({"policy.x": torch.ones(1), "codec.y": torch.zeros(1)}, tmp_path / "ours.bin")
    ours = opened(str(tmp_path / "ours.bin"))
    assert ours.is_ours
    assert (set(ours.chosen("policy", "ema")), set(ours.chosen("codec", "model"))) == ({"x"}, {"y"})


@pytest.mark.parametrize("old", [False, True])
def test_a_file_with_anything_but_tensors_is_refused_and_nothing_in_it_runs(old: bool, tmp_path: Path):
    file = saved(tmp_path / "x.pth", {"model": ONE, "more": Malice(tmp_path / "it_ran")}, old=old)
    with pytest.raises(WeightsError) as caught:
        opened(file)
    assert str(caught.value) == (
        f"{file}: holds more than tensors: posix.system; such a file can run code when it is read, so it is refused; "
        "save its tensors alone, best as safetensors"
    )
    assert [each.name for each in tmp_path.iterdir()] == ["x.pth"]


@pytest.mark.parametrize("content", [{"model": ONE, "more": Malice(Path("it_ran"))}, {"model": ONE}])
def test_a_pickle_that_torch_does_not_follow_is_refused_without_the_advice_to_trust_it(content: Any, tmp_path: Path):
    torch.save(content, tmp_path / "x.pth", pickle_protocol=4)
    with pytest.raises(WeightsError) as caught:
        opened(str(tmp_path / "x.pth"))
    assert str(caught.value) == (
        f"{tmp_path / 'x.pth'}: is torn, or holds more than tensors (Unsupported operand 149); fetch it again, or save "
        "its tensors alone, best as safetensors"
    )


def test_a_model_that_was_pickled_whole_is_refused_by_the_name_of_its_class(tmp_path: Path):
    with pytest.raises(WeightsError, match=r"holds more than tensors: torch\.nn\.modules\.linear\.Linear;"):
        opened(saved(tmp_path / "x.pth", torch.nn.Linear(1, 1)))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty; write or fetch it again"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "is a pointer of Git LFS, not the file itself; run `git"),
        (b"<!DOCTYPE html><html>", "is a web page, not the file itself; download the file again"),
        (b"<html>", "is a web page, not the file itself; download the file again"),
        (b"title = 'a recipe'\n" * 3, "is not a file of weights of safetensors or torch.save; give another file"),
        (bytes(64), "is not a file of weights"),
    ],
)
def test_what_is_no_file_of_weights_is_told_by_its_first_bytes(content: bytes, says: str, tmp_path: Path):
    (tmp_path / "x.pth").write_bytes(content)
    with pytest.raises(WeightsError) as caught:
        opened(str(tmp_path / "x.pth"))
    assert str(caught.value).startswith(f"{tmp_path / 'x.pth'}: {says}")


def test_a_zip_archive_and_a_program_are_told_apart_from_weights(tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("checkpoint-last.pth", b"1")
    with pytest.raises(
        WeightsError, match=r"is a zip archive, but not one of torch\.save; unpack it and give the file"
    ):
        opened(str(tmp_path / "x.zip"))
    with zipfile.ZipFile(tmp_path / "x.pt", "w") as archive:
        archive.writestr("x/data.pkl", b"1")
        archive.writestr("x/constants.pkl", b"1")
    with pytest.raises(WeightsError, match="is a TorchScript program, not a file of weights; save its state_dict"):
        opened(str(tmp_path / "x.pt"))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"epoch": 3, "args": argparse.Namespace()}, "holds no set of named tensors, only epoch, args"),
        ([torch.ones(1)], "holds no set of named tensors"),
        ({}, "holds no set of named tensors"),
        ({"generator": ONE}, "holds the sets generator, and none is named model_ema or model or state_dict"),
    ],
)
def test_a_file_without_tensors_that_serve_says_what_it_holds(content: Any, says: str, tmp_path: Path):
    file = saved(tmp_path / "x.pth", content)
    with pytest.raises(WeightsError) as caught:
        opened(file).chosen("policy", "ema")
    assert str(caught.value) == f"{file}: {says}"


@pytest.mark.parametrize(
    "broken",
    [
        {**TWO, "updates": 3},
        {},
        {"a.weight": torch.ones(2, 3).to_sparse()},
        {"a.weight": torch.ones(2, 3, device="meta")},
    ],
    ids=["a number in it", "empty", "sparse", "without values"],
)
def test_a_set_that_is_none_is_named_instead_of_taking_another(broken: Any, tmp_path: Path):
    file = saved(tmp_path / "x.pth", {"model": ONE, "model_ema": broken})
    with pytest.raises(WeightsError) as caught:
        opened(file)
    assert str(caught.value) == (
        f"{file}: model_ema is not a set of named dense tensors; save it again, as a state_dict"
    )


def test_an_average_is_not_given_for_the_model(tmp_path: Path):
    with pytest.raises(WeightsError, match="holds the sets model_ema, and none is named model or state_dict"):
        opened(saved(tmp_path / "x.pth", {"model_ema": TWO})).chosen("policy", "model")


def test_a_file_of_margrpos_without_the_part_says_what_it_holds(tmp_path: Path):
    save_file({"codec.y": torch.zeros(1)}, tmp_path / "ours.bin")
    with pytest.raises(
        WeightsError, match=r"holds no tensor named policy\.\*, only codec\.\*; it was made for another"
    ):
        opened(str(tmp_path / "ours.bin")).chosen("policy", "ema")


def test_a_file_with_another_digest_is_not_even_looked_into(tmp_path: Path):
    (tmp_path / "x.pth").write_bytes(b"")
    with pytest.raises(WeightsError, match="its SHA-256 is e3b0c44"):
        opened(str(tmp_path / "x.pth"), "0" * 64)


FORMS = ("zip", "old", "safetensors")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("whole")
    saved(folder / "zip", PUBLISHED)
    saved(folder / "old", PUBLISHED, old=True)
    save_file(ONE, folder / "safetensors")
    return {form: (folder / form).read_bytes() for form in FORMS}


@settings(derandomize=True, deadline=None, max_examples=150)
@given(form=st.sampled_from(FORMS), share=st.floats(0, 1, exclude_max=True))
def test_a_file_that_was_cut_anywhere_is_refused_in_a_sentence(
    form: str, share: float, whole: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory
):
    path = tmp_path_factory.mktemp("cut") / "x.pth"
    path.write_bytes(whole[form][: int(share * len(whole[form]))])
    # A pickle that ends within the name of a function asks for another one.
    with pytest.raises(WeightsError, match=r"(write or fetch it again|give another file|best as safetensors)$"):
        opened(str(path))


@settings(derandomize=True, deadline=None, max_examples=300)
@given(form=st.sampled_from(FORMS), share=st.floats(0, 1, exclude_max=True), mask=st.integers(1, 255))
def test_a_file_with_a_wrong_byte_is_read_or_refused_but_never_raises_anything_else(
    form: str, share: float, mask: int, whole: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory
):
    content = bytearray(whole[form])
    content[int(share * len(content))] ^= mask
    path = tmp_path_factory.mktemp("wrong") / "x.pth"
    path.write_bytes(content)
    said = ""
    try:
        opened(str(path))
    except WeightsError as error:
        said = str(error)
    assert not said or said.startswith(f"{path}: ")
    assert "\n" not in said
