"""torch comes first, so that annotations hold the real tensors and their shapes are checked."""

import torch

torch.set_num_threads(1)
