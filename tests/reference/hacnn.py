"""HACNN step by step (Li et al., CVPR 2018), by torchreid's names of its weights and with torch's own sampling."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional


class PlainHacnn:
    """HACNN in eval mode, from a network's weights.

    Args:
        network: Ours.
        name_of: From a weight's name in torchreid to ours.
    """

    def __init__(self, network: nn.Module, name_of: Callable[[str], str]):
        self.state, self.name_of = network.state_dict(), name_of

    def _weight(self, name):
        return self.state[self.name_of(name)]

    def _linear(self, name, values):
        return functional.linear(values, self._weight(f"{name}.weight"), self._weight(f"{name}.bias"))

    def _norm(self, name, values):
        parts = (self._weight(f"{name}.{part}") for part in ("running_mean", "running_var", "weight", "bias"))
        return functional.batch_norm(values, *parts)

    def _block(self, name, maps, stride=1):
        weight = self._weight(f"{name}.conv.weight")
        maps = functional.conv2d(maps, weight, self._weight(f"{name}.conv.bias"), stride, weight.shape[2] // 2)
        return functional.relu(self._norm(f"{name}.bn", maps))

    def _chain(self, name, maps, last_stride, *places):
        for place in places:
            maps = self._block(f"{name}.{place}", maps, last_stride if place == places[-1] else 1)
        return maps

    def _inception_a(self, name, maps):
        streams = [self._chain(f"{name}.stream{number}", maps, 1, 0, 1) for number in (1, 2, 3)]
        return torch.cat([*streams, self._block(f"{name}.stream4.1", functional.avg_pool2d(maps, 3, 1, 1))], dim=1)

    def _inception_b(self, name, maps):
        streams = [self._chain(f"{name}.stream1", maps, 2, 0, 1), self._chain(f"{name}.stream2", maps, 2, 0, 1, 2)]
        return torch.cat([*streams, self._block(f"{name}.stream3.1", functional.max_pool2d(maps, 3, 2, 1))], dim=1)

    def _soft_attention(self, name, maps):
        spatial = self._block(f"{name}.spatial_attn.conv1", maps.mean(dim=1, keepdim=True), 2)
        spatial = functional.interpolate(spatial, scale_factor=2, mode="bilinear", align_corners=True)
        spatial = self._block(f"{name}.spatial_attn.conv2", spatial)
        channel = self._block(f"{name}.channel_attn.conv1", functional.adaptive_avg_pool2d(maps, 1))
        channel = self._block(f"{name}.channel_attn.conv2", channel)
        return torch.sigmoid(self._block(f"{name}.conv", spatial * channel))

    def _stripe(self, maps, middles, size):
        affine = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.25, 0.0]]).repeat(len(maps), 1, 1)
        affine[:, :, 2] = middles
        grid = functional.affine_grid(affine, list(maps.shape), align_corners=True)
        stripe = functional.grid_sample(maps, grid, align_corners=True)
        return functional.interpolate(stripe, size=size, mode="bilinear", align_corners=True)

    def __call__(self, rows: Tensor) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """Both branches' vectors and logits for images (B, 3, 160, 64), and the regions' middles of each stage."""
        maps, parts, middles = self._block("conv", rows, 2), [0, 0, 0, 0], []
        for stage, size in enumerate(((24, 28), (12, 14), (6, 7)), start=1):
            mixed = self._inception_b(f"inception{stage}.1", self._inception_a(f"inception{stage}.0", maps))
            pooled = functional.adaptive_avg_pool2d(mixed, 1).flatten(1)
            middles.append(torch.tanh(self._linear(f"ha{stage}.hard_attn.fc", pooled)).view(-1, 4, 2))
            for region in range(4):
                stripe = self._stripe(maps, middles[-1][:, region], size)
                parts[region] = self._inception_b(f"local_conv{stage}", stripe + parts[region])
            maps = mixed * self._soft_attention(f"ha{stage}.soft_attn", mixed)
        pooled = {"global": functional.adaptive_avg_pool2d(maps, 1).flatten(1)}
        pooled["local"] = torch.cat([functional.adaptive_avg_pool2d(part, 1).flatten(1) for part in parts], dim=1)
        vectors = [
            functional.relu(self._norm(f"fc_{branch}.1", self._linear(f"fc_{branch}.0", values)))
            for branch, values in pooled.items()
        ]
        logits = [
            self._linear(f"classifier_{branch}", vector) for branch, vector in zip(pooled, vectors, strict=True)
        ]
        return vectors, logits, middles
