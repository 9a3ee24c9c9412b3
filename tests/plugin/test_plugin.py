import pytest

from margrpo.plugin.plugin import remedy


@pytest.mark.parametrize(
    ("error", "what_to_do"),
    [
        (
            ModuleNotFoundError("", name="open_clip.model"),
            "pip install open_clip, or what brings it, or reinstall p-of",
        ),
        (
            ModuleNotFoundError("", name="margrpo.old"),
            "written for another margrpo: pip install --upgrade p-of, or pip",
        ),
        (ImportError("", name="margrpo.records"), "written for another margrpo: pip install --upgrade p-of"),
        (ValueError("boom"), "tell its authors; `margrpo plugins check p` shows where it happened"),
    ],
)
def test_what_to_do_follows_from_what_was_raised(error: Exception, what_to_do: str) -> None:
    assert what_to_do in remedy(error, "p", "p-of")
