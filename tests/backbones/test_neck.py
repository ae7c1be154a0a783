"""The BN neck: what is classified, and what it leaves out. CPU, instant."""

import torch

from vireid.backbones.neck import Neck


def test_classifier_sees_the_normalised_embedding():
    neck = Neck(2, 2).eval()
    neck.norm.running_mean.copy_(torch.tensor([1.0, 2.0]))
    neck.norm.running_var.copy_(torch.tensor([4.0, 9.0]))
    neck.classifier.weight.data = torch.tensor([[1.0, 0.0], [1.0, 1.0]])
    found = neck(torch.tensor([[5.0, -1.0]]))  # normalised: (2, -1)
    assert torch.allclose(found, torch.tensor([[2.0, 1.0]]), atol=1e-4)


def test_there_is_no_trainable_shift():
    trained = [name for name, parameter in Neck(3, 2).named_parameters() if parameter.requires_grad]
    assert trained == ["norm.weight", "classifier.weight"]
