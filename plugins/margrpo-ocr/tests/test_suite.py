from margrpo_ocr.suite import Suite
from margrpo_ocr.wanted import wanted


def test_every_prompt_quotes_its_text_and_has_a_category() -> None:
    suite = Suite()
    prompts = suite.prompts()
    assert len(prompts) == 96
    assert wanted(prompts[0].text, {}) == "OPEN"
    counts = [suite.category(each) for each in prompts]
    assert {kind: counts.count(kind) for kind in counts} == {"word": 32, "phrase": 32, "line": 32}
