"""The built-in kinds and components, which come in by the hooks that every plugin uses."""

from margrpo import contracts
from margrpo.plugin.hookspecs import Entry, Kind, hookimpl


def _use(name: str) -> dict[str, str]:
    return {"use": name}


def _entry(entry_id: str, target: str, summary: str) -> Entry:
    return Entry(entry_id, f"margrpo.components.{target}", summary)


_KINDS = [
    Kind("policy", contracts.Policy, "the generator that is trained"),
    Kind("conditioner", contracts.Conditioner, "turns prompts into the prefix that the backbone reads"),
    Kind("parameterization", contracts.Parameterization, "the meaning of the head's raw output"),
    Kind("codec", contracts.Codec, "an autoencoder between images and tokens"),
    Kind("attention", contracts.Attention, "an implementation of attention", _use("sdpa")),
    Kind("prompts", contracts.PromptSource, "the source of prompts"),
    Kind("unmasking", contracts.Unmasking, "the number of known tokens after each AR step", _use("cosine")),
    Kind("sampler", contracts.Sampler, "the reverse diffusion of the head", _use("ddpm")),
    Kind("guidance", contracts.Guidance, "the scale of classifier-free guidance in the rollout", _use("constant")),
    Kind("timesteps", contracts.Timesteps, "the AR steps and transitions that are trained on", _use("random")),
    Kind("reward", contracts.Reward, "a score of finished images", many=True),
    Kind("on_failure", contracts.OnFailure, "the policy for a reward that fails"),
    Kind(
        "canary",
        contracts.Canary,
        "a measure of drift that shows a gamed reward",
        (_use("edges"), _use("colours"), _use("dark"), _use("distance"), _use("duplicates")),
        many=True,
    ),
    Kind("advantage", contracts.Advantage, "turns rewards into advantages", _use("group")),
    Kind("selector", contracts.Selector, "the unknown tokens of an AR step that are trained on", _use("committed")),
    Kind("estimator", contracts.Estimator, "the transitions that stand for a token in the loss", _use("single")),
    Kind("weighting", contracts.Weighting, "the weights of trained transitions", _use("variance")),
    Kind("objective", contracts.Objective, "the surrogate whose gradient is the update", _use("on_policy")),
    Kind("replay", contracts.Replay, "the guidance under which transitions are scored", _use("guided")),
    Kind("penalty", contracts.Penalty, "a penalty that holds the policy near its reference", _use("none")),
    Kind("reference", contracts.Reference, "the earlier policy that a penalty compares with"),
    Kind("trainable", contracts.Trainable, "the parameters that the update changes", _use("backbone")),
    Kind("optimizer", contracts.Optimizer, "the optimizer and its schedule", _use("adamw")),
    Kind("parallel", contracts.Parallel, "a way to spread a run over processes", _use("single")),
    Kind(
        "tracker", contracts.Tracker, "a place that figures are written to", (_use("console"), _use("jsonl")), many=True
    ),
    Kind("suite", contracts.Suite, "a benchmark that policies are evaluated on"),
    Kind("dataset", contracts.Dataset, "images with prompts, for pre-training"),
]

_MODEL = [
    _entry("policy.mar", "policy.mar:Mar", "masked autoregressive transformer with a diffusion head"),
    _entry("conditioner.caption", "conditioner:Caption", "the words of a caption, embedded"),
    _entry("conditioner.label", "conditioner:Label", "one of a fixed number of classes"),
    _entry("parameterization.epsilon", "parameterization:Epsilon", "the head predicts the noise"),
    _entry("parameterization.velocity", "parameterization:Velocity", "the head predicts the velocity"),
    _entry("parameterization.flow", "parameterization:Flow", "the head predicts the velocity of a straight flow"),
    _entry("codec.patch", "codec.patch:Patch", "a linear map between image patches and tokens"),
    _entry("codec.kl16", "codec.kl16:Kl16", "the KL autoencoder of the published MAR models"),
    _entry("attention.sdpa", "attention:Sdpa", "torch's scaled dot-product attention"),
    _entry("attention.xformers", "attention:Xformers", "memory-efficient attention of xformers, on CUDA"),
]

_ROLLOUT = [
    _entry("prompts.shapes", "prompts.shapes:Shapes", "captions of the shapes world"),
    _entry("prompts.classes", "prompts.classes:Classes", "classes by name, by default ImageNet's"),
    _entry("prompts.lines", "prompts.lines:Lines", "a text file with one prompt per line"),
    _entry("prompts.jsonl", "prompts.jsonl:Jsonl", "a JSON Lines file of prompts with metadata"),
    _entry("unmasking.cosine", "unmasking:Cosine", "few tokens at first, many at the end"),
    _entry("sampler.ddpm", "sampler:Ddpm", "ancestral sampling with learned-range variance"),
    _entry("sampler.ddim", "sampler:Ddim", "DDIM with noise eta above 0"),
    _entry("sampler.flow_sde", "sampler:FlowSde", "the straight flow with noise, as in Flow-GRPO"),
    _entry("guidance.constant", "guidance:Constant", "a constant scale at all AR steps"),
    _entry("guidance.linear", "guidance:Linear", "a scale that grows with the known tokens"),
    _entry("timesteps.random", "timesteps:Random", "random AR steps and transitions, drawn once per rollout"),
    _entry("timesteps.every", "timesteps:Every", "every AR step and every transition"),
]

_VERDICT = [
    _entry("reward.shapes", "reward.shapes:Shapes", "exact score of a picture of shapes against its caption"),
    _entry("reward.digits", "reward.digits:Digits", "the score of a classifier of handwritten digits"),
    _entry(
        "reward.jpeg_compressibility", "reward.jpeg_compressibility:JpegCompressibility", "minus the size as a JPEG"
    ),
    _entry("reward.brightness", "reward.brightness:Brightness", "the mean brightness of an image"),
    _entry("reward.http", "reward.http:Http", "the scores of a server of rewards"),
    _entry("reward.cached", "reward.cached:Cached", "a cache around another reward"),
    _entry("on_failure.raise", "on_failure:Raise", "end the run"),
    _entry("on_failure.retry", "on_failure:Retry", "call again, then end the run"),
    _entry("on_failure.drop_group", "on_failure:DropGroup", "drop the prompt from the step"),
    _entry("advantage.group", "advantage:Group", "reward against its group, in standard deviations"),
    _entry("advantage.leave_one_out", "advantage:LeaveOneOut", "reward against the mean of the group's other images"),
    _entry("advantage.decoupled", "advantage:Decoupled", "each reward against its group, then their weighted sum"),
    _entry("advantage.unscaled", "advantage:Unscaled", "reward against the mean of its group"),
]

_UPDATE = [
    _entry("selector.every", "selector:Every", "every unknown token"),
    _entry("selector.committed", "selector:Committed", "the tokens committed at the step"),
    _entry("selector.uncommitted", "selector:Uncommitted", "the tokens that stay unknown at the step"),
    _entry("selector.uncertain", "selector:Uncertain", "the tokens whose trajectories differ most"),
    _entry("selector.consistent", "selector:Consistent", "the tokens that move towards the finished image"),
    _entry("selector.random", "selector:Random", "tokens drawn at random"),
    _entry("estimator.single", "estimator:Single", "the main chain"),
    _entry("estimator.multi_trajectory", "estimator:MultiTrajectory", "the mean over several chains (MTE)"),
    _entry("estimator.rao_blackwell", "estimator:RaoBlackwell", "MTE with the last noise integrated out"),
    _entry("weighting.density", "weighting:Density", "the plain log-density"),
    _entry("weighting.std", "weighting:Std", "in proportion to the noise's standard deviation"),
    _entry("weighting.variance", "weighting:Variance", "in proportion to the noise's variance"),
    _entry("objective.on_policy", "objective:OnPolicy", "the plain policy gradient, one update a rollout"),
    _entry("objective.step_sum", "objective:StepSum", "the plain policy gradient, with a mean for each AR step"),
    _entry("objective.clipped", "objective:Clipped", "the clipped ratio, several updates a rollout"),
    _entry("replay.guided", "replay:Guided", "the guidance of the rollout: the exact density"),
    _entry("replay.conditional", "replay:Conditional", "no guidance: cheaper, and off the behaviour density"),
    _entry("replay.released", "replay:Released", "the replay of the paper's release, each quirk a setting"),
    _entry("penalty.none", "penalty:NoPenalty", "no penalty"),
    _entry("penalty.gaussian", "penalty:GaussianKL", "exact KL of each transition to the reference"),
    _entry("penalty.k3_of_means", "penalty:K3OfMeans", "the release's k3 of means"),
    _entry("reference.frozen", "reference:Frozen", "the untrained policy"),
    _entry("reference.periodic", "reference:Periodic", "the policy of some steps ago"),
    _entry("trainable.backbone", "trainable:Backbone", "the backbone; the head is frozen"),
    _entry("trainable.head", "trainable:Head", "the diffusion head only"),
    _entry("trainable.everything", "trainable:Everything", "backbone and head"),
    _entry("optimizer.adamw", "optimizer:AdamW", "AdamW with warm-up"),
]

_AROUND = [
    _entry("canary.edges", "canary:Edges", "drift of the share of edges"),
    _entry("canary.colours", "canary:Colours", "drift of the entropy of colours"),
    _entry("canary.dark", "canary:Dark", "drift of the share of dark pixels"),
    _entry("canary.distance", "canary:Distance", "distance of images from the untrained policy's"),
    _entry("canary.duplicates", "canary:Duplicates", "share of nearly equal images of a prompt"),
    _entry("canary.reward", "canary:HeldOutReward", "fall of a reward that is not part of the loss"),
    _entry("parallel.single", "parallel:Single", "one process"),
    _entry("parallel.ddp", "parallel:Ddp", "processes that each hold the whole model"),
    _entry("parallel.fsdp", "parallel:Fsdp", "processes that shard weights and the optimizer's state"),
    _entry("tracker.console", "tracker.console:Console", "progress on the terminal"),
    _entry("tracker.jsonl", "tracker.jsonl:Jsonl", "JSON lines in the run folder"),
    _entry("tracker.tensorboard", "tracker.tensorboard:Tensorboard", "event files in the run folder"),
    _entry("tracker.wandb", "tracker.wandb:Wandb", "Weights & Biases, online or kept for later"),
    _entry("tracker.trackio", "tracker.trackio:Trackio", "Trackio's database on this machine"),
    _entry("suite.shapes", "suite.shapes:Shapes", "the held-out captions of the world of shapes"),
    _entry("suite.preference", "suite.preference:Preference", "any rewards over a file of prompts"),
    _entry("dataset.digits", "dataset.digits:Digits", "handwritten digits of scikit-learn with their labels"),
    _entry("dataset.shapes", "dataset.shapes:Shapes", "pictures of the shapes world with captions"),
]


@hookimpl
def margrpo_kinds() -> list[Kind]:
    """The built-in kinds, in the order in which a recipe is read."""
    return list(_KINDS)


@hookimpl
def margrpo_components() -> list[Entry]:
    """The built-in components, by stage."""
    return [*_MODEL, *_ROLLOUT, *_VERDICT, *_UPDATE, *_AROUND]
