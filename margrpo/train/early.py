"""Rewards that another process computes, asked about some images of a step while the next ones are drawn."""

from concurrent.futures import Future, ThreadPoolExecutor

from margrpo.records import Rollout
from margrpo.train.judge import Scores, scores_of
from margrpo.train.jury import Jury


class Early:
    """What rewards that are elsewhere say of the portions of a step, each in a thread of its own that waits for it."""

    def __init__(self, jury: Jury):
        self.jury = tuple(juror for juror in jury if juror.traits.elsewhere)
        self.threads = ThreadPoolExecutor(max_workers=max(1, len(self.jury)))
        self.asked: dict[str, list[Future[Scores]]] = {juror.name: [] for juror in self.jury}

    def ask(self, part: Rollout) -> None:
        """Ask about a portion; images that are not finite are shown to nobody."""
        if not self.jury or not part.images.isfinite().all():
            return
        images, prompts = part.images.cpu(), part.prompts.to("cpu")  # here: a thread may not wait for a device
        for juror in self.jury:
            self.asked[juror.name].append(self.threads.submit(scores_of, juror, images, prompts))

    def answers(self) -> dict[str, Scores]:
        """The scores of all portions by reward, or the first error."""
        return {name: Scores.of_images([each.result() for each in asked]) for name, asked in self.asked.items()}

    def close(self) -> None:
        """Ask nothing that has not been asked yet."""
        self.threads.shutdown(wait=False, cancel_futures=True)
