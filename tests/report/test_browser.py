"""The report in a browser: `nox -s browser`, where there is one."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from margrpo.report.page import page
from margrpo.report.past import Past
from tests.report import evaluations, made

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: nox -s browser")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on the path")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    runs = [Past.of(made.run(folder, name)) for name in ("one", "other")]
    for count in (1, 2):
        text = page(runs[:count], dict.fromkeys(("one", "other"), "what it costs"))
        (folder / f"{count}.html").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as tool:
        opened = tool.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def opened(browser: Any, report: Path, request: pytest.FixtureRequest) -> Iterator[Any]:
    """A page, whose console must stay empty."""
    file, width, scheme = getattr(request, "param", ("1.html", 1280, "light"))
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    tab, troubles = context.new_page(), []
    tab.on("console", lambda message: troubles.append(message.text))
    tab.on("pageerror", lambda error: troubles.append(str(error)))
    tab.on(
        "request", lambda asked: troubles.append(asked.url) if not asked.url.startswith(("file:", "data:")) else None
    )
    tab.goto((report / file).as_uri())
    yield tab
    assert troubles == []
    context.close()


def pixels(tab: Any) -> str:
    return tab.evaluate("document.getElementById('frame').toDataURL()")


def test_a_slider_goes_through_training_by_keyboard(opened: Any) -> None:
    slider = opened.locator("[data-viewer] input")
    assert opened.locator("[data-viewer] img:visible").get_attribute("data-step") == "4"
    slider.focus()
    opened.keyboard.press("ArrowLeft")
    assert opened.locator("[data-viewer] img:visible").get_attribute("data-step") == "2"
    assert opened.locator("[data-viewer] output").inner_text() == "2"
    assert slider.get_attribute("aria-valuetext") == "after 2 steps"


def test_a_slider_goes_through_the_steps_of_an_image_and_maps_are_laid_over_it(opened: Any) -> None:
    opened.wait_for_function("document.getElementById('meaning').textContent.startsWith('std of its chains')")
    before = pixels(opened)
    opened.locator("#step").focus()
    opened.keyboard.press("Home")
    assert opened.locator("#ar").inner_text() == "1"
    first = pixels(opened)
    assert first != before
    seen = {first}
    for layer in ("the image alone", "committed", "selected", "kl"):
        opened.locator("#layer").select_option(layer)
        seen.add(pixels(opened))
    assert len(seen) >= 4
    opened.locator("#layer").select_option("kl")
    opened.locator("#frame").hover()
    assert "kl" in opened.locator("#under").inner_text()


@pytest.mark.parametrize(
    "opened", [("1.html", 390, "light"), ("2.html", 390, "dark"), ("2.html", 1280, "dark")], indirect=True
)
def test_nothing_is_wider_than_the_window_and_text_stands_out(opened: Any) -> None:
    assert opened.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
    luminance = """(name) => {
        const rgb = getComputedStyle(document.body)[name].match(/\\d+/g).map(Number);
        const [r, g, b] = rgb.map((v) => (v / 255 <= 0.03928 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    }"""
    light, dark = sorted((opened.evaluate(luminance, name) for name in ("color", "backgroundColor")), reverse=True)
    assert (light + 0.05) / (dark + 0.05) > 7


def test_every_picture_and_curve_has_words(opened: Any) -> None:
    assert opened.evaluate("[...document.images].every((image) => image.alt)")
    assert opened.evaluate(
        "[...document.querySelectorAll('.chart svg')].every((svg) => svg.getAttribute('aria-label'))"
    )
    assert opened.evaluate("[...document.querySelectorAll('input, select')].every((one) => one.labels.length)")


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_the_page_of_an_evaluation_fits_and_says_nothing_to_the_console(
    browser: Any, tmp_path: Path, width: int, scheme: str
) -> None:
    (tmp_path / "evaluation.html").write_text(evaluations.page_of(tmp_path), encoding="utf-8")
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    tab, troubles = context.new_page(), []
    tab.on("console", lambda message: troubles.append(message.text))
    tab.goto((tmp_path / "evaluation.html").as_uri())
    assert tab.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
    assert tab.evaluate("[...document.images].every((image) => image.alt && image.naturalWidth)")
    lanes = tab.evaluate("[...document.querySelectorAll('.track i')].map((bar) => bar.getBoundingClientRect().width)")
    assert len(lanes) == 6
    assert min(lanes) >= 0
    assert troubles == []
    context.close()
