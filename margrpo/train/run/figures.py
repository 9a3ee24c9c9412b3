"""Every figure that a run writes, with its unit: the one list that docs, trackers and the report read."""

from margrpo.declare import record

STEP, CHECKPOINT, LOOK, SIGNAL, PRETRAINING = "step", "checkpoint", "look", "signal", "pre-training"


@record
class Figure:
    """A figure by its name, in which words in capitals stand for whatever is there.

    `when` it is written: in every "step", in one with a "checkpoint", at a "look" at held-out prompts, with the
    "signal", or when "pre-training". One that is `measured` tells of the machine, and is another each time.
    """

    name: str
    unit: str
    meaning: str
    when: tuple[str, ...] = (STEP,)
    measured: bool = False


FIGURES = (
    Figure("reward", "reward", "mean over the images of the step of the weighted sum of rewards"),
    Figure(
        "dropped_groups",
        "prompts",
        "groups that a reward's [`on_failure`](components/on_failure.md) has dropped; they are in no mean",
    ),
    Figure(
        "reward/NAME",
        "reward",
        "mean of one reward, without its weight; NAME is its `use`, numbered where one occurs twice",
    ),
    Figure(
        "reward_normalised/NAME",
        "share",
        "where that mean lies in the range that the reward declares, from 0 to 1; of rewards that declare both ends",
    ),
    Figure("reward_std/NAME", "reward", "its unbiased std within a prompt, mean over the images"),
    Figure(
        "reward_pull/NAME",
        "–",
        "its correlation with the advantage within prompts: which reward the update follows",
    ),
    Figure(
        "reward_correlation/A/B",
        "–",
        "the correlation of two rewards within prompts; 0 where one of them does not vary",
    ),
    Figure("live_groups", "share", "images that have an advantage"),
    Figure(
        "gradient_norm",
        "–",
        "norm of the gradient before it is cut to `optimizer.max_norm`, at the last optimizer step; 0 where no image "
        "had an advantage",
        (STEP, PRETRAINING),
    ),
    Figure("penalty", "loss", "mean of the penalty over trained transitions and selected tokens"),
    Figure(
        "log_ratio",
        "nats",
        "mean |log ratio| of the scored transitions at the last optimizer step; 0 where a rollout gets one update",
    ),
    Figure("tokens", "tokens", "selected tokens of all kept AR steps, images of zero advantage included"),
    Figure(
        "head_evaluations",
        "evaluations",
        "scored (transition, trajectory, token) triples, summed over the optimizer steps",
    ),
    Figure("learning_rate", "–", "of this step"),
    Figure("skipped", "updates", "[skipped](#numbers-that-go-wrong), because a number was not finite"),
    Figure("seconds/collect", "s", "rollout", measured=True),
    Figure("seconds/judge", "s", "rewards", measured=True),
    Figure("seconds/learn", "s", "update", measured=True),
    Figure(
        "bytes/memory",
        "B",
        "the most that torch held on the GPU in this step; on a CPU the most that the process ever held",
        measured=True,
    ),
    Figure("bytes/checkpoint", "B", "of the tensors of a checkpoint", (CHECKPOINT,)),
    Figure(
        "seconds/snapshot",
        "s",
        "that the step took to copy it, and to wait for the one before",
        (CHECKPOINT,),
        measured=True,
    ),
    Figure(
        "seconds/checkpoint",
        "s",
        "that it took to write in the background; in the line of the step in which it was done",
        (CHECKPOINT,),
        measured=True,
    ),
    Figure(
        "held_out",
        "score",
        "mean over `run.eval_prompts` held-out prompts of the measure, with the same noise at every validation; when "
        "pre-training by the moving average of the weights",
        (LOOK, PRETRAINING),
    ),
    Figure(
        "held_out_ci95", "score", "half of the 95 % interval of that mean, by Student's t over the prompts", (LOOK,)
    ),
    Figure(
        "kl",
        "nats per token",
        "KL of a committed token's chain from the same chain under the policy before training, on the same images; the "
        "last, least noisy transitions are most of it",
        (LOOK,),
    ),
    Figure(
        "kl_median", "nats per token", "the median over the same tokens, which a few far-off ones do not move", (LOOK,)
    ),
    Figure(
        "canary/NAME",
        "–",
        "how far the images have strayed from those before training, as a [canary](components/canary.md) measures it",
        (LOOK,),
    ),
    Figure("seconds/eval", "s", "the look", (LOOK,), measured=True),
    Figure(
        "signal_to_noise/NAME",
        "–",
        "|E g|² / tr Cov of the update's gradient g over the step's prompts, both unbiased, so that it may fall below "
        "0: of the recipe's `own` estimator, and of others with so many trajectories "
        "([noise_scale](references.md#noise_scale))",
        (SIGNAL,),
    ),
    Figure("seconds/signal", "s", "the measurement", (SIGNAL,), measured=True),
    Figure("loss", "–", "mean squared error of the head's target", (PRETRAINING,)),
    Figure(
        "variance_bound",
        "nats per channel",
        "the bound that trains the learned range of σ ([improved_ddpm](references.md#improved_ddpm))",
        (PRETRAINING,),
    ),
)
_EXACT = {figure.name: figure for figure in FIGURES}
_FAMILY = {figure.name.partition("/")[0]: figure for figure in FIGURES if figure.name.partition("/")[2].isupper()}


def figure_of(name: str) -> Figure | None:
    """The entry of the list that a figure's name belongs to, or None."""
    return _EXACT.get(name) or (_FAMILY.get(name.partition("/")[0]) if "/" in name else None)


def is_measured(name: str) -> bool:
    """Whether a figure tells of the machine, so that a step that is done again gives another."""
    figure = figure_of(name)
    return figure is not None and figure.measured
