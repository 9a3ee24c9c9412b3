"""The head's chains, whole sampling runs and log-probabilities, as published."""

from functools import cache

import pytest
import torch
from torch import Tensor

from margrpo.components.codec.patch import Patch
from margrpo.components.guidance import Constant, Linear
from margrpo.components.sampler import Ddpm
from margrpo.components.unmasking import Cosine
from margrpo.contracts import Guidance
from margrpo.maths import gaussian, noise
from margrpo.maths.diffusion import predicted_clean
from margrpo.nets.mar import Mar
from margrpo.records import Key
from margrpo.train.rollout.condition import Condition, PromptPrefix, conditions
from margrpo.train.rollout.reverse_process import ReverseProcess, step_gaussian
from margrpo.train.rollout.roll_out import Pipeline, roll_out
from tests.golden.reading import MANIFEST, allowed, largest_difference, recorded
from tests.weights.published import labelled, published

RUNS = [name.removesuffix(".safetensors") for name in MANIFEST if name.startswith("mar_sampling")]
LOGP = "logp_ddpm"
CHAINS = sorted(key.removesuffix(".xt") for key in recorded(LOGP) if key.endswith(".xt"))
SCORED = sorted(key.removesuffix(".logp") for key in recorded(LOGP) if key.endswith(".logp") and "train" in key)


@pytest.fixture(scope="module")
def model() -> Mar:
    return published()


def clean_of(model: Mar, sampler: Ddpm, condition: Condition, x: Tensor, t: int) -> Tensor:
    """x̂_0 at one transition."""
    (said,) = ReverseProcess.of(model.head, sampler, (t,)).predictions(condition, x[None])
    return predicted_clean(x, said.epsilon, sampler.alpha_bar(t))


@pytest.mark.golden("ddpm")
@pytest.mark.parametrize(("case", "temperature"), [("loop10", 1.0), ("loop25", 1.0), ("loop25", 0.9), ("loop100", 1.0)])
def test_a_chain_is_the_published_loop(model: Mar, case: str, temperature: float):
    name = f"{case}_temp{temperature}"
    theirs = recorded("ddpm", f"{name}.")
    steps = len(theirs["noise"])
    sampler, where = Ddpm(steps=steps, temperature=temperature), torch.ones(4, 1, dtype=torch.bool)
    condition, told = Condition.unguided(theirs["c"]), torch.cat([theirs["x_T"][None], theirs["noise"]])[:, None]
    chain = ReverseProcess.of(model.head, sampler).draw(condition, told, keep=range(steps), drawn=where)
    assert largest_difference(chain.next[:, 0], theirs["states"]) <= allowed("ddpm", f"{name}.states")
    assert torch.equal(chain.sample, chain.next[-1])
    assert torch.equal(chain.state[1:], chain.next[:-1])
    clean = [
        clean_of(model, sampler, condition, x, t) for x, t in zip(chain.state, reversed(range(steps)), strict=True)
    ]
    limit = allowed("ddpm", f"{name}.pred_xstart")
    assert largest_difference(torch.cat(clean), theirs["pred_xstart"]) <= limit


def of_step(theirs: dict[str, Tensor], index: int) -> dict[str, Tensor]:
    return {key.removeprefix(f"step{index:02d}."): value for key, value in theirs.items()}


def guidance_of(run: str) -> Guidance:
    hyper = MANIFEST[f"{run}.safetensors"]["hyper"]
    return {"linear": Linear, "constant": Constant}[hyper["cfg_schedule"]](weight=hyper["cfg"])


def sampled(model: Mar, run: str, index: int, tokens: Tensor) -> tuple[Condition, Tensor]:
    """The condition and the tokens of one AR step that starts from the tokens of those before."""
    theirs, guidance, hyper = recorded(run), guidance_of(run), MANIFEST[f"{run}.safetensors"]["hyper"]
    case, left = of_step(theirs, index), Cosine(steps=4).counts(16)[index + 1]
    unknown, committed = case["mask_in"].bool(), case["mask_to_pred"].bool()
    scale = guidance.scale(16, left)
    assert scale == pytest.approx(hyper["cfg_iter_per_step"][index])
    prompts = labelled(theirs["in.labels"])
    prefix = PromptPrefix.of(model, prompts, guided=scale != 1)
    known = conditions(model, tokens, unknown, prefix, scales=[scale] * len(prompts)).of(committed)
    told = torch.cat([case["init_noise"][None], case["step_noise"]])[:, None]
    return known, ReverseProcess.of(model.head, Ddpm(steps=25)).draw(known, told, keep=(), drawn=committed).sample[0]


@pytest.mark.parametrize("run", [pytest.param(run, marks=pytest.mark.golden(run)) for run in RUNS])
def test_a_rollout_with_the_published_noise_and_order_is_the_published_one(
    model: Mar, run: str, monkeypatch: pytest.MonkeyPatch
):
    theirs = recorded(run)

    def noises(keys: list[Key], shape: tuple[int, ...], device: str) -> Tensor:
        case = of_step(theirs, keys[0][-1])
        told = torch.cat([case["init_noise"][None], case["step_noise"]])
        everywhere = torch.zeros(len(keys), shape[1], shape[0], shape[2])
        everywhere[case["mask_to_pred"].bool()] = told.transpose(0, 1)
        return everywhere.transpose(1, 2)

    monkeypatch.setattr(noise, "normal", noises)
    monkeypatch.setattr(noise, "ranks", lambda keys, tokens: theirs["in.orders"].argsort(1))
    codec = Patch(image=16, patch=4, components=16).build()
    codec.fit(torch.rand(9, 3, 16, 16))
    pipeline = Pipeline(model, codec, Ddpm(steps=25), Cosine(steps=4), guidance_of(run))
    tokens = roll_out(pipeline, labelled(theirs["in.labels"]), ()).tokens
    assert largest_difference(tokens, theirs["out.tokens"]) <= allowed(run, "out.tokens")
    picture = tokens.transpose(1, 2).unflatten(2, (4, 4))
    limit = allowed(run, "out.tokens_unpatchified")
    assert largest_difference(picture, theirs["out.tokens_unpatchified"]) <= limit


@pytest.mark.parametrize("run", [pytest.param(run, marks=pytest.mark.golden(run)) for run in RUNS])
def test_each_step_of_a_run_from_the_recorded_tokens_is_the_published_one(model: Mar, run: str):
    theirs, tokens = recorded(run), torch.zeros(2, 16, 16)
    for index in range(4):
        known, found = sampled(model, run, index, tokens)
        case = of_step(theirs, index)
        assert largest_difference(found, case["sampled"]) <= allowed(run, f"step{index:02d}.sampled")
        for half, z in (("cond", known.z), ("null", known.null)):
            key = f"z_pred_{half}"
            if key in case:
                assert largest_difference(z, case[key]) <= allowed(run, f"step{index:02d}.{key}")
        tokens = tokens.masked_scatter(case["mask_to_pred"].bool()[..., None], case["sampled"])


@pytest.mark.parametrize("run", [pytest.param(run, marks=pytest.mark.golden(run)) for run in RUNS])
def test_the_tokens_of_each_step_are_those_of_the_published_order(run: str):
    theirs, counts = recorded(run), Cosine(steps=4).counts(16)
    rank = theirs["in.orders"].argsort(1)
    for index in range(4):
        case = of_step(theirs, index)
        unknown, after = rank < counts[index], rank < counts[index + 1]
        assert torch.equal(case["mask_in"], unknown.byte())
        assert torch.equal(case["mask_to_pred"], (unknown & ~after).byte())


def elementwise(x: Tensor, mean: Tensor, std: Tensor, **settings: float) -> Tensor:
    """The log-density of each channel on its own."""
    return gaussian.log_density(x[..., None], mean[..., None], std[..., None], **settings)


@cache
def situation(case: str) -> tuple[Ddpm, Condition, dict[str, Tensor]]:
    """The sampler, the condition and the recorded tensors of sample_T{T}_cfg{w}_temp{τ}."""
    _, steps, scale, temperature = case.split("_")
    z, null = (recorded(LOGP)[f"{steps}.z_{half}"] for half in ("cond", "null"))
    w = float(scale.removeprefix("cfg"))
    sampler = Ddpm(steps=int(steps[1:]), temperature=float(temperature.removeprefix("temp")), score_last=True)
    known = Condition.unguided(z) if w == 1 else Condition(z, null, torch.full((len(z), 1), w))
    return sampler, known, recorded(LOGP, f"{case}.")


@pytest.mark.golden(LOGP)
@pytest.mark.parametrize("case", CHAINS)
def test_a_chain_and_its_log_probabilities_are_the_releases(model: Mar, case: str):
    sampler, condition, theirs = situation(case)
    noise, count = torch.cat([theirs["init_noise"][None], theirs["step_noise"]])[:, None], len(condition.z)
    everywhere = torch.ones(count, 1, dtype=torch.bool)
    chain = ReverseProcess.of(model.head, sampler).draw(condition, noise, keep=range(sampler.steps), drawn=everywhere)
    found = {"xt": chain.state, "xt_prev": chain.next, "mean": chain.mean, "std_dev_t": chain.std}
    found["log_prob"] = elementwise(chain.next, chain.mean, chain.std)
    for key, ours in found.items():
        assert largest_difference(ours[:, 0], theirs[key]) <= allowed(LOGP, f"{case}.{key}"), key


@pytest.mark.golden(LOGP)
@pytest.mark.parametrize("case", CHAINS)
def test_the_token_predicted_on_the_way_is_the_releases(model: Mar, case: str):
    sampler, condition, theirs = situation(case)
    clean = [
        clean_of(model, sampler, condition, x[None], t)
        for x, t in zip(theirs["xt"], reversed(range(sampler.steps)), strict=True)
    ]
    assert largest_difference(torch.cat(clean), theirs["pred_xstart"]) <= allowed(LOGP, f"{case}.pred_xstart")


@pytest.mark.golden(LOGP)
@pytest.mark.parametrize("case", SCORED)
def test_replayed_log_probabilities_and_their_gradients_are_the_releases(model: Mar, case: str):
    # Conditional replay: the chain may have been drawn under guidance, it is scored without.
    sampler, known, chain = situation(case.replace("train", "sample").replace("from_", "") + "_temp1")
    leaves = known.z.expand(sampler.steps, -1, -1).clone().requires_grad_()
    means = [
        step_gaussian(model.head, sampler, Condition.unguided(z), x[None], t).mean
        for z, x, t in zip(leaves, chain["xt"], reversed(range(sampler.steps)), strict=True)
    ]
    logp = elementwise(chain["xt_prev"], torch.cat(means), chain["std_dev_t"])
    (logp * torch.linspace(-1, 1, logp.numel()).view_as(logp)).sum().backward()
    theirs = recorded(LOGP, f"{case}.")
    for key, ours in {"logp": logp, "mean": torch.cat(means), "grad_z": leaves.grad}.items():
        assert largest_difference(ours, theirs[key]) <= allowed(LOGP, f"{case}.{key}"), key
