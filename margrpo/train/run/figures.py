"""The list of all figures that a run writes, with their units, which docs, trackers and the report read."""

from margrpo.declare import record

STEP, CHECKPOINT, VALIDATION, SIGNAL, PRETRAINING = "step", "checkpoint", "validation", "signal", "pre-training"


@record
class Figure:
    """A figure that a run writes.

    - `name`: key of the figure; words in capitals are placeholders.
    - `unit`, `meaning`: as the docs show them.
    - `when`: the occasions: every "step", a "checkpoint", a "validation", a measurement of the "signal", or
      "pre-training".
    - `measured`: whether the figure measures the machine, so that a repeated step gives another value.
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
        "groups that a reward's [`on_failure`](components/on_failure.md) has dropped; no mean contains them",
    ),
    Figure(
        "reward/NAME",
        "reward",
        "mean of one reward, without its weight; NAME is its `use`, numbered if it occurs twice",
    ),
    Figure(
        "reward_normalised/NAME",
        "share",
        "place of a reward's mean in its declared range, from 0 to 1; for rewards that declare both ends",
    ),
    Figure("reward_std/NAME", "reward", "unbiased std of a reward within a prompt, mean over the images"),
    Figure(
        "reward_pull/NAME",
        "–",
        "correlation of a reward with the advantage within prompts: which reward the update follows",
    ),
    Figure(
        "reward_correlation/A/B",
        "–",
        "correlation of two rewards within prompts; 0 if either does not vary",
    ),
    Figure("live_groups", "share", "share of images that have an advantage"),
    Figure(
        "gradient_norm",
        "–",
        "norm of the gradient before it is clipped to `optimizer.max_norm`, at the last optimizer step; 0 if no image "
        "had an advantage",
        (STEP, PRETRAINING),
    ),
    Figure("penalty", "loss", "mean of the penalty over trained transitions and selected tokens"),
    Figure(
        "log_ratio",
        "nats",
        "mean |log ratio| of the scored transitions at the last optimizer step; 0 if `objective.updates` is 1",
    ),
    Figure("tokens", "tokens", "selected tokens of all kept AR steps, images of zero advantage included"),
    Figure(
        "head_evaluations",
        "evaluations",
        "scored (transition, trajectory, token) triples, summed over the optimizer steps",
    ),
    Figure("learning_rate", "–", "learning rate of the step"),
    Figure("skipped", "updates", "updates [skipped](#numbers-that-go-wrong) because a number was not finite"),
    Figure("seconds/collect", "s", "time of the rollout", measured=True),
    Figure("seconds/judge", "s", "time of the rewards", measured=True),
    Figure("seconds/learn", "s", "time of the update", measured=True),
    Figure(
        "bytes/memory",
        "B",
        "peak memory that torch held on the GPU in the step; on a CPU the peak of the process so far",
        measured=True,
    ),
    Figure("bytes/checkpoint", "B", "size of a checkpoint's tensors", (CHECKPOINT,)),
    Figure(
        "seconds/snapshot",
        "s",
        "time to copy a checkpoint's tensors, and to wait for the checkpoint before",
        (CHECKPOINT,),
        measured=True,
    ),
    Figure(
        "seconds/checkpoint",
        "s",
        "time to write a checkpoint in the background; logged in the step in which it was finished",
        (CHECKPOINT,),
        measured=True,
    ),
    Figure(
        "held_out",
        "score",
        "mean score by the measure over `run.eval_prompts` held-out prompts, with equal noise at every validation; in "
        "pre-training by the moving average of the weights",
        (VALIDATION, PRETRAINING),
    ),
    Figure(
        "held_out_ci95",
        "score",
        "half of the 95 % interval of `held_out`, by Student's t over the prompts",
        (VALIDATION,),
    ),
    Figure(
        "kl",
        "nats per token",
        "KL of a committed token's chain from the chain under the untrained policy, on equal states; the last, least "
        "noisy transitions make up most of it",
        (VALIDATION,),
    ),
    Figure(
        "kl_median",
        "nats per token",
        "median of the KL over tokens, which a few outliers do not move",
        (VALIDATION,),
    ),
    Figure(
        "canary/NAME",
        "–",
        "drift of the images from images of the untrained policy, measured by a [canary](components/canary.md)",
        (VALIDATION,),
    ),
    Figure("seconds/eval", "s", "time of the validation", (VALIDATION,), measured=True),
    Figure(
        "signal_to_noise/NAME",
        "–",
        "signal-to-noise ratio |E g|² / tr Cov of the update's gradient g over the step's prompts, for the recipe's "
        "`own` estimator and for others, with K trajectories in the name ([noise_scale](references.md#noise_scale)); "
        "higher is better, and small negative values are noise, because both parts are unbiased",
        (SIGNAL,),
    ),
    Figure("seconds/signal", "s", "time of the measurement of the signal", (SIGNAL,), measured=True),
    Figure("loss", "–", "mean squared error of the head's target", (PRETRAINING,)),
    Figure(
        "variance_bound",
        "nats per channel",
        "variational bound that trains the learned range of σ ([improved_ddpm](references.md#improved_ddpm))",
        (PRETRAINING,),
    ),
)
_EXACT = {figure.name: figure for figure in FIGURES}
_FAMILY = {figure.name.partition("/")[0]: figure for figure in FIGURES if figure.name.partition("/")[2].isupper()}


def figure_of(name: str) -> Figure | None:
    """The entry of the list for a figure's `name`, or None."""
    return _EXACT.get(name) or (_FAMILY.get(name.partition("/")[0]) if "/" in name else None)


def is_measured(name: str) -> bool:
    """Whether a figure measures the machine, so that a repeated step gives another value."""
    figure = figure_of(name)
    return figure is not None and figure.measured
