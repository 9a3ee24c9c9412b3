import torch

from margrpo.maths.consistency import progress


def test_progress_by_hand():
    final = torch.tensor([[1.0, 0.0]])
    # from 90° to 0°: 1 − 0; from 45° to 90°: 0 − √½
    towards = progress(torch.tensor([[3.0, 0.0]]), torch.tensor([[0.0, 1.0]]), final)
    away = progress(torch.tensor([[0.0, 2.0]]), torch.tensor([[1.0, 1.0]]), final)
    assert torch.allclose(torch.cat([towards, away]), torch.tensor([1.0, -(0.5**0.5)]))
