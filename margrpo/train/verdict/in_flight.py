"""Scores of remote rewards, computed while the next images of a step are drawn."""

from concurrent.futures import Future, ThreadPoolExecutor

from margrpo.records import Rollout
from margrpo.train.verdict.judge import Scores, scores_of
from margrpo.train.verdict.scorers import Scorers


class ScoresInFlight:
    """Scores that remote rewards compute while images are still drawn; one thread per reward waits for them."""

    def __init__(self, scorers: Scorers):
        self.scorers = tuple(reward for reward in scorers if reward.traits.remote)
        self.threads = ThreadPoolExecutor(max_workers=max(1, len(self.scorers)))
        self.asked: dict[str, list[Future[Scores]]] = {reward.name: [] for reward in self.scorers}

    def send(self, part: Rollout) -> None:
        """Send the images of a microbatch to the remote rewards; images that are not finite are not sent."""
        if not self.scorers or not part.images.isfinite().all():
            return
        images, prompts = part.images.cpu(), part.prompts.to("cpu")  # here: a thread may not wait for a device
        for reward in self.scorers:
            self.asked[reward.name].append(self.threads.submit(scores_of, reward, images, prompts))

    def results(self) -> dict[str, Scores]:
        """The scores of all microbatches by reward; raises the first error."""
        return {name: Scores.concat([each.result() for each in asked]) for name, asked in self.asked.items()}

    def close(self) -> None:
        """Cancel what has not been sent yet."""
        self.threads.shutdown(wait=False, cancel_futures=True)
