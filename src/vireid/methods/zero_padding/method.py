"""Deep zero-padding: one network whose input has a channel for each spectrum, the other one's left empty.

Wu et al., "RGB-infrared cross-modality person re-identification" (ICCV 2017). A grey visible image stands in the
first channel and an infrared one in the second, so nodes that serve one spectrum only can emerge by themselves.

Recipe: the plain baseline's, as for the one-stream network.

Deviations:
- The paper's input has two channels. Here the trunk keeps its three, so that any pretrained one can be used; the
  third is always empty, and what comes from it is a constant.
- An empty channel has the value of ImageNet's mean grey, which is zero where the trunk sees it; the paper's is
  black.
"""

import torch
from torch import Tensor

from vireid.backbones.trunks import TunedTrunkSettings
from vireid.data.augmentation import LUMINANCE, MEAN, STD
from vireid.data.records import Modality
from vireid.methods.base import Batch
from vireid.methods.classified import ClassifiedLoss, OneTrunk
from vireid.params import Section


class Architecture(Section):
    """Architecture."""

    trunk: TunedTrunkSettings


class ZeroPadding(OneTrunk):
    """One trunk, and a channel of the input for each spectrum."""

    Model, Loss = Architecture, ClassifiedLoss

    def __init__(self, num_pids: int, model: Architecture, loss: ClassifiedLoss):
        super().__init__(num_pids, model.trunk, label_smoothing=loss.label_smoothing)

    def batch_map(self, batch: Batch) -> Tensor:
        """See `Classified.batch_map`."""
        parts = [zero_padded(batch.images[batch.rows(modality)], modality) for modality in Modality]
        return self.backbone(torch.cat(parts))[-1]

    def feature_map(self, images: Tensor, modality: Modality) -> Tensor:
        """See `Classified.feature_map`."""
        return self.backbone(zero_padded(images, modality))[-1]


def zero_padded(images: Tensor, modality: Modality) -> Tensor:
    """Put each image's luminance into the channel of its spectrum, and zeros into the other channels.

    Args:
        images: (B, 3, H, W) float, normalised, of one spectrum.
        modality: Their spectrum.

    Returns:
        (B, 3, H, W), normalised as the channel is that the luminance stands in.
    """
    luminance, mean, std = (images.new_tensor(values) for values in (LUMINANCE, MEAN, STD))
    grey = torch.einsum("bchw,c->bhw", images, luminance * std) + (luminance * mean).sum()
    padded = torch.zeros_like(images)
    padded[:, modality] = (grey - MEAN[modality]) / STD[modality]
    return padded
