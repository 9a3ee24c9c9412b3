"""torch.compile for the part of the head that is evaluated most often."""

from typing import Any

import torch


def compile_head(head: Any) -> None:
    """Compile both phases of a head in place, for any number of tokens, chains and times.

    Copy the model before, not after: a copy would go on with the weights of the original.
    """
    head.prepare = torch.compile(head.prepare, dynamic=True)
    head.forward = torch.compile(head.forward, dynamic=True)
