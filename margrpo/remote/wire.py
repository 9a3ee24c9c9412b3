"""Images and prompts as bytes, between a run and a server of rewards; reading them never runs code.

A body is a safetensors file with one tensor, `images` (b 3 h w, float32 in [0, 1] or bytes), whose metadata holds the
prompts as JSON: floats arrive to the last bit. Other clients may send JSON with PNGs in base64.
"""

import base64
import binascii
import io
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from margrpo.declare import record
from margrpo.errors import DataError
from margrpo.lazy import Tensor, torch
from margrpo.records import NO_LABEL, Prompts

if TYPE_CHECKING:
    from PIL import Image

BINARY, TEXT = "application/vnd.safetensors", "application/json"
"""The media types of the two kinds of body."""
LONGEST = 10_000
"""Longest text or metadata of a prompt, in characters."""


@record
class Bounds:
    """Limits of a body.

    - `images`: images in a body.
    - `side`: pixels along a side of an image.
    - `pixels`: pixels of all images together.
    """

    images: int = 256
    side: int = 2048
    pixels: int = 256 * 512 * 512

    def refuse_beyond(self, count: int, height: int, width: int) -> None:
        """Raise `DataError` if `count` images of this size exceed a limit."""
        if not 1 <= count <= self.images:
            raise DataError(f"there are {count} images; send 1 to {self.images} at once")
        if max(height, width) > self.side or min(height, width) < 1:
            raise DataError(f"the images are {height} × {width} pixels; a side may have at most {self.side}")
        if count * height * width > self.pixels:
            raise DataError(
                f"{count} images of {height} × {width} are {count * height * width} pixels; the limit is "
                f"{self.pixels}; send fewer images"
            )


def packed(images: Float[Tensor, "b 3 h w"], prompts: Prompts) -> bytes:
    """A body of float32 images with their prompts."""
    from safetensors.torch import save

    said = json.dumps(list(described(prompts)), ensure_ascii=False)
    return save({"images": images.detach().float().cpu().contiguous()}, {"prompts": said})


def described(prompts: Prompts) -> Sequence[dict[str, Any]]:
    """The prompts as JSON objects."""
    columns = zip(prompts.text, prompts.label.tolist(), prompts.metadata, prompts.group.tolist(), strict=True)
    return [
        {"text": text, "label": label, "metadata": dict(metadata), "group": group}
        for text, label, metadata, group in columns
    ]


def unpacked(body: bytes, media: str, bounds: Bounds) -> tuple[Float[Tensor, "b 3 h w"], Prompts]:
    """The images and prompts of a body, or `DataError`; images beyond `bounds` are refused before they are decoded."""
    if media == BINARY:
        images, said = from_safetensors(body, bounds)
    elif media == TEXT:
        images, said = from_json(body, bounds)
    else:
        raise DataError(f"the content type {media[:60]!r} is not known; send {BINARY} or {TEXT}")
    if not bool(images.isfinite().all()) or images.min() < 0 or images.max() > 1:
        raise DataError("an image has values that are not in [0, 1]")
    return images, prompts_of(said, len(images))


def from_safetensors(body: bytes, bounds: Bounds) -> tuple[Tensor, Any]:
    """The images of a safetensors file, and the prompts in its metadata as JSON."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        tensors = load(body)
        length = int.from_bytes(body[:8], "little")
        said = read_json(body[8 : 8 + length])["__metadata__"]["prompts"]
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"the body is not safetensors with `images` and the metadata `prompts` ({error})") from None
    images = tensors.get("images")
    if len(tensors) != 1 or images is None or images.ndim != 4 or images.shape[1] != 3:
        raise DataError("the body must hold one tensor, `images`, of the shape b 3 h w")
    bounds.refuse_beyond(len(images), *images.shape[-2:])
    if images.dtype == torch.uint8:
        return images.float().div_(255), read_json(said)
    if images.dtype != torch.float32:
        raise DataError(f"images are {images.dtype}, and must be float32 or uint8")
    return images, read_json(said)


def from_json(body: bytes, bounds: Bounds) -> tuple[Tensor, Any]:
    """The images, PNGs in base64, and the prompts of a JSON object."""
    said = read_json(body)
    if not isinstance(said, dict) or not isinstance(said.get("images"), list):
        raise DataError('the body must be a JSON object with "images", PNGs in base64, and "prompts"')
    encoded, prompts = said["images"], said.get("prompts")
    bounds.refuse_beyond(len(encoded), 1, 1)
    refuse_other_count(prompts, len(encoded))
    pictures = [picture_of(each) for each in encoded]
    for width, height in dict.fromkeys(picture.size for picture in pictures):
        bounds.refuse_beyond(len(pictures), height, width)
    if len({picture.size for picture in pictures}) > 1:
        raise DataError("the images differ in size")
    stacked = np.stack([pixels_of(picture) for picture in pictures])
    return torch.from_numpy(stacked).permute(0, 3, 1, 2).float().div_(255), prompts


UNREADABLE = (binascii.Error, TypeError, ValueError, OSError, SyntaxError)
"""Errors that Pillow and base64 raise for bytes that are not a PNG in base64."""


def picture_of(encoded: Any) -> "Image.Image":
    """A PNG in base64 of which only the header has been read."""
    from PIL import Image

    try:
        return Image.open(io.BytesIO(base64.b64decode(encoded, validate=True)), formats=("PNG",))
    except (*UNREADABLE, Image.DecompressionBombError) as error:
        raise DataError(f"an image is not a PNG in base64 ({type(error).__name__})") from None


def pixels_of(picture: "Image.Image") -> np.ndarray:
    """The (h, w, 3) bytes of a PNG."""
    try:
        with picture:
            return np.array(picture.convert("RGB"))
    except UNREADABLE as error:
        raise DataError(f"an image is not a PNG in base64 ({type(error).__name__})") from None


def read_json(text: Any) -> Any:
    """The value of a JSON text, or `DataError`."""
    try:
        return json.loads(text, parse_constant=refuse_constant)
    except (ValueError, TypeError, RecursionError) as error:
        raise DataError(f"the body is not JSON ({str(error)[:80]})") from None


def refuse_constant(word: str) -> Any:
    """Raise `DataError` for NaN and infinities, which JSON lacks."""
    raise DataError(f"{word} is not a number of JSON")


def refuse_other_count(prompts: Any, images: int) -> None:
    """Raise `DataError` unless there is a prompt for each image."""
    if not isinstance(prompts, list) or len(prompts) != images:
        count = len(prompts) if isinstance(prompts, list) else "no"
        raise DataError(f"there are {images} images and {count} prompts; send a list with one for each image")


def prompts_of(said: Any, images: int) -> Prompts:
    """The prompts that a list of JSON objects describes, one for each image."""
    refuse_other_count(said, images)
    read = [prompt_of(each) for each in said]
    return Prompts(
        text=tuple(text for text, *_ in read),
        label=torch.tensor([label for _, label, *_ in read], dtype=torch.int64),
        metadata=tuple(metadata for *_, metadata, _ in read),
        group=torch.tensor([group if group is not None else place for place, (*_, group) in enumerate(read)]),
        keys=tuple((place, 0) for place in range(len(read))),
    )


def prompt_of(said: Any) -> tuple[str, int, Mapping[str, Any], int | None]:
    """Text, label, metadata and group of one prompt."""
    if not isinstance(said, dict) or not isinstance(said.get("text"), str):
        raise DataError('a prompt must be an object with a "text"')
    label, metadata, group = said.get("label", NO_LABEL), said.get("metadata", {}), said.get("group")
    if not is_whole(label) or not (group is None or is_whole(group)):
        raise DataError('"label" and "group" of a prompt must be whole numbers of 63 bits')
    if not isinstance(metadata, dict):
        raise DataError('"metadata" of a prompt must be an object')
    if len(said["text"]) > LONGEST or len(json.dumps(metadata)) > LONGEST:
        raise DataError(f"text or metadata of a prompt are longer than {LONGEST} characters")
    return said["text"], label, metadata, group


def is_whole(value: Any) -> bool:
    """Whether `value` is a whole number that fits into a tensor."""
    return type(value) is int and abs(value) < 2**63
