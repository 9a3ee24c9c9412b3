"""The component that the tensors of a file fit, and the recipe lines that load them."""

import math
from collections.abc import Mapping
from typing import Any

import attrs

from margrpo.components.attention import Sdpa
from margrpo.components.codec.patch import Patch
from margrpo.components.conditioner import Label
from margrpo.components.parameterization import Epsilon
from margrpo.components.policy.mar import Mar
from margrpo.lazy import Tensor, torch
from margrpo.nets import mar_size
from margrpo.recipe.messages import shown
from margrpo.weights.published_names import kind_of_names, published_name, without_loss

Tensors = Mapping[str, Tensor]


@attrs.frozen
class Recognised:
    """The component that tensors are for.

    - `part`, `use`: its kind and its name
    - `what`: what it is, in words
    - `settings`: lines of TOML that fit the tensors
    - `problems`: what keeps the tensors from fitting
    """

    part: str
    use: str
    what: str
    settings: tuple[str, ...]
    problems: tuple[str, ...] = ()


def recognised(name: str, tensors: Tensors) -> Recognised | None:
    """The component of a set of tensors, by their names and shapes; a set that margrpo wrote is named by its kind."""
    if name == "policy":
        return policy({published_name(each): tensor for each, tensor in tensors.items()}, is_published=False)
    kind, tensors = kind_of_names(tensors), without_loss(tensors)
    if kind == "policy":
        return policy(tensors, is_published=True)
    if kind == "codec":
        return autoencoder(tensors)
    return patches(tensors) if set(tensors) == {"mean", "basis", "scale"} else None


def policy(tensors: Tensors, *, is_published: bool) -> Recognised | None:
    """A MAR, with the name of its size where the size is a published one."""
    told = mar_size.told_by({name: tensor.shape for name, tensor in tensors.items()})
    if told is None:
        return None
    size = mar_size.name_of(told)
    own: dict[str, Any] = {key: value for key, value in told.items() if "." not in key}
    lines = [f"{key} = {value}" for key, value in own.items() if mar_size.AROUND.get(key) != value]
    if size:
        lines = [f'size = "{size}"', *(line for line in lines if line.split()[0] in mar_size.AROUND)]
    else:
        lines.append("heads = …  # not in the file; width / heads is 64 or 80 in the published models")
    classes, prefix = told["conditioner.classes"], told["conditioner.prefix"]
    inner: dict[str, Any] = {"conditioner": Label(classes=classes, prefix=prefix), "parameterization": Epsilon()}
    with torch.device("meta"):
        expected = Mar(weights="random", heads=1, **inner, **own).assemble(Sdpa()).state_dict()
    problems = differences({published_name(name): tensor for name, tensor in expected.items()}, tensors)
    what = f"MAR, {'size ' + size if size else 'of an unpublished size'}"
    return Recognised("policy", "mar", what, (*lines, *around(classes, prefix, is_published=is_published)), problems)


def around(classes: int, prefix: int, *, is_published: bool) -> tuple[str, ...]:
    """The nested tables of a policy: as in the published models, or a comment with the facts in the file."""
    if not is_published:
        rows = f"{classes} rows, which are the classes of a label, or one more than the words of a caption"
        return (f"# its conditioner has prefix = {prefix} and {rows}",)
    label = ("", "[policy.conditioner]", 'use = "label"', f"classes = {classes}", f"prefix = {prefix}")
    return (*label, "", "[policy.parameterization]", 'use = "epsilon"')


def autoencoder(tensors: Tensors) -> Recognised:
    """A KL autoencoder of latent diffusion; with 16 channels it is the codec `kl16`."""
    from margrpo.nets.kl16 import told_by

    told = told_by({name: tensor.shape for name, tensor in tensors.items()})
    lines = tuple(f"{key} = {shown(value)}" for key, value in told.items())
    channels = tensors["post_quant_conv.weight"].shape[0] if "post_quant_conv.weight" in tensors else None
    wrong = () if channels == 16 else (f"it has {channels or 'an unknown number of'} channels where kl16 has 16",)
    return Recognised("codec", "kl16", "KL autoencoder of latent diffusion", lines, wrong)


def patches(tensors: Tensors) -> Recognised:
    """The principal components of square patches."""
    pixels, kept = tensors["basis"].shape
    settings: dict[str, Any] = {"patch": math.isqrt(pixels // 3), "components": kept if kept < pixels else 0}
    Patch(**settings)  # raises where no patch has such a size
    lines = tuple(f"{key} = {value}" for key, value in settings.items())
    return Recognised("codec", "patch", "principal components of patches", lines)


def differences(own: Tensors, given: Tensors) -> tuple[str, ...]:
    """The differences that keep tensors from fitting a model."""
    from margrpo.weights.modules import differences as found

    return tuple(found(own, given))
