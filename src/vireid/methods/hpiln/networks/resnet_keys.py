"""torchreid's names of a ResNet's weights, which three of the networks stand on."""

from vireid.methods.hpiln.networks.base import KeyMap

RESNET_KEYS: KeyMap = (
    (r"conv1\.", "trunk.stem.0."),
    (r"bn1\.", "trunk.stem.1."),
    (r"layer1\.", "trunk.stages.0."),
    (r"layer2\.", "trunk.stages.1."),
    (r"layer3\.", "trunk.stages.2."),
    (r"layer4\.", "trunk.stages.3."),
)
