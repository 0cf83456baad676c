"""What tests note of the passes that run."""

import pytest
import torch

from analysis.rerouting import forward_pass
from analysis.rerouting.forward_pass import PassRequest, PassResult


def pass_starts(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The first layer of each pass from now on, in a list that grows with them."""
    starts: list[int] = []
    run = forward_pass.run

    def spy(model: torch.nn.Module, request: PassRequest) -> PassResult:
        starts.append(request.start)
        return run(model, request)

    monkeypatch.setattr(forward_pass, "run", spy)
    return starts
