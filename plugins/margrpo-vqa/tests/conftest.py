"""torch comes first, so that annotations hold the real tensors and their shapes are checked; no test minds its time."""

import torch
from hypothesis import settings

torch.set_num_threads(1)
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
