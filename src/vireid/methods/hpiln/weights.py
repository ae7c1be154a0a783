"""Starting a whole network from a file: of our own names, or of those of the field's best-known library."""

import re
from collections import defaultdict
from pathlib import Path

from torch import Tensor

from vireid.backbones import pretrained
from vireid.backbones.pretrained import Origin
from vireid.backbones.trunks import Trunk
from vireid.backbones.weight_files import hashed_file, read_state
from vireid.methods.hpiln.networks.base import KeyMap, ReidNetwork
from vireid.support.errors import UserError
from vireid.support.progress import console
from vireid.support.weights import listed, load_weights, with_counters

KEY = "model.weights"

_UNTRAINED = f"set {KEY}: null to start without a file"
_IN_A_MODEL, _OF_THE_LOSS = "network.", "centres."  # what the names of a trained model's weights begin with


def load_network_weights(network: ReidNetwork, text: str) -> None:
    """Load all weights and buffers of a network, or none; its `origin` then tells of the file.

    The names are the network's own, those of a trained model of HPILN, or torchreid's, which `key_map` translates.
    The classifiers stay as initialised where the file has none, or has them for another number of identities; the
    console is told. So do counters of batches, which old files lack.

    Args:
        network: What shall start from the file.
        text: `PATH#sha256=HASH`.

    Raises:
        UserError: If there is no such file, it has another hash, or its weights do not fit.
    """
    path, digest = hashed_file(text, KEY, _UNTRAINED)
    remedy = f"name a file with the weights of this whole network, or {_UNTRAINED}"
    if any(isinstance(part, Trunk) for part in network.modules()):
        remedy += f"; weights of its trunk alone, as ImageNet's, are for {pretrained.KEY}"
    state = _by_our_names(network, read_state(path, remedy), path, remedy)
    classifiers, reason = _initialised_classifiers(network, state)
    load_weights(network, with_counters(network, state) | classifiers, path, remedy)
    if classifiers:
        console.print(f"{path}: the classifiers stay as initialised, as the file has {reason}", soft_wrap=True)
    network.origin = Origin(path.name, "file", None, digest)


def _by_our_names(network: ReidNetwork, state: dict[str, Tensor], path: Path, remedy: str) -> dict[str, Tensor]:
    """Translate torchreid's names, unless the names as they stand fit as well.

    Raises:
        UserError: If two weights have one name then.
    """
    if all(name.startswith((_IN_A_MODEL, _OF_THE_LOSS)) for name in state):
        of_the_network = [name for name in state if name.startswith(_IN_A_MODEL)]
        state = {name.removeprefix(_IN_A_MODEL): state[name] for name in of_the_network}
    known = {"", *network.state_dict()}
    translated = {name: _translated(name, network.key_map or ()) for name in state}
    if sum(name not in known for name in translated.values()) >= sum(name not in known for name in state):
        return state
    sources = defaultdict(list)
    for name, ours in translated.items():
        if ours:
            sources[ours].append(name)
    twins = [f"{' and '.join(names)} for {ours}" for ours, names in sources.items() if len(names) > 1]
    if twins:
        raise UserError(
            path,
            "several weights for one of the model",
            expected=f"one for each weight of {type(network).__name__}",
            found=listed(twins),
            remedy=remedy,
        )
    return {ours: state[names[0]] for ours, names in sources.items()}


def _translated(name: str, key_map: KeyMap) -> str:
    """Return our name for one of torchreid's, or "" for a weight that the network does not have."""
    for pattern, replacement in key_map:
        match = re.match(pattern, name)
        if match is not None:
            return match.expand(replacement) + name[match.end() :] if replacement else ""
    return name


def _initialised_classifiers(network: ReidNetwork, state: dict[str, Tensor]) -> tuple[dict[str, Tensor], str]:
    """Find the classifiers' own values, if the file has none of them, or all of them for other identities.

    Returns:
        The values by name, empty if the file's are to be loaded; and what the file has instead, in words.
    """
    names = {module: name for name, module in network.named_modules()}
    initial = {
        f"{names[classifier]}.{part}": value
        for classifier in network.classifiers
        for part, value in classifier.state_dict().items()
    }
    given = {name: state[name] for name in initial if name in state}
    if not given:
        return initial, "none"
    widths = {value.shape[:1] for value in given.values()}
    other_rows_alone = given.keys() == initial.keys() and all(
        value.shape[1:] == initial[name].shape[1:] and value.shape != initial[name].shape
        for name, value in given.items()
    )
    if len(widths) == 1 and other_rows_alone:
        return initial, f"them for {widths.pop().numel()} identities"
    return {}, ""
