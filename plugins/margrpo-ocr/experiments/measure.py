"""Measure the scores of right, nearly right and wrong strings on rendered texts, and the seconds per picture.

python experiments/measure.py
"""

from statistics import median
from time import perf_counter

import torch
from margrpo_ocr.ocr import Ocr
from margrpo_ocr.picture import picture

from margrpo.records import Prompt, grouped

TEXTS = {
    "FRESH COFFEE": ("Fresh Coffee", "Fresh Toffee", "Mind the gap"),
    "Stop": ("Stop", "Shop", "Exit"),
    "OPEN 24 HOURS": ("Open 24 hours", "Open 21 hours", "Closed today"),
    "Good Morning": ("Good Morning", "Good Evening", "See you later"),
    "3.14159": ("3.14159", "3.14169", "2.71828"),
    "Fresh\nCoffee": ("Fresh Coffee", "Flesh Coffee", "Daily News"),
}


def main() -> None:
    scorer = Ocr().build("cpu")
    print("| drawn | right | nearly right | wrong |\n|---|---|---|---|")
    for drawn, asked in TEXTS.items():
        prompts = grouped([Prompt(f'a sign that says "{text}"') for text in asked], 1)
        scores = scorer.score(picture(drawn).expand(3, -1, -1, -1), prompts).tolist()
        cells = [f"{score:.2f} ({text})" for score, text in zip(scores, asked, strict=True)]
        print("| " + " | ".join([drawn.replace("\n", " / "), *cells]) + " |")
    for side in (64, 256, 512):
        image, taken = picture("FRESH COFFEE", side=side, size=side // 9), []
        for _ in range(11):
            clock = perf_counter()
            scorer.score(image[None], grouped([Prompt('"a"')], 1))
            taken.append(1000 * (perf_counter() - clock))
        print(f"{side} × {side}: median {median(taken[1:]):.0f} ms an image, one thread")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
