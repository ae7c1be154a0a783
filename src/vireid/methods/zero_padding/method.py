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
from torch import Tensor, nn

from vireid.backbones.trunks import Trunk, TunedTrunkSettings, build_trunk
from vireid.data.augmentation import MEAN, STD
from vireid.data.records import Modality
from vireid.methods.base import Batch
from vireid.methods.classified import Classified, ClassifiedLoss
from vireid.params import Section

LUMINANCE = (0.299, 0.587, 0.114)  # of red, green and blue (ITU-R BT.601)


class Architecture(Section):
    """Architecture."""

    trunk: TunedTrunkSettings


class ZeroPadding(Classified):
    """One trunk, and a channel of the input for each spectrum."""

    Model = Architecture
    backbone: Trunk

    def __init__(self, num_pids: int, model: Architecture, loss: ClassifiedLoss):
        trunk = build_trunk(model.trunk)
        super().__init__(num_pids, trunk, trunk.channels[-1], model.trunk.lr_factor, loss)

    def batch_map(self, batch: Batch) -> Tensor:
        """See `Classified.batch_map`."""
        parts = [zero_padded(batch.images[batch.rows(modality)], modality) for modality in Modality]
        return self.backbone(torch.cat(parts))[-1]

    def feature_map(self, images: Tensor, modality: Modality) -> Tensor:
        """See `Classified.feature_map`."""
        return self.backbone(zero_padded(images, modality))[-1]

    def explained_layers(self, modality: Modality) -> dict[str, nn.Module]:
        """See `Embedder.explained_layers`."""
        return self.backbone.named_stages()


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
