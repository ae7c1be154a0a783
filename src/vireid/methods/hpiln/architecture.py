"""Which of the nine networks is built, and with which settings."""

from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import AfterValidator, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from vireid.backbones.trunks import TrunkSettings, require_last_stride_of_1
from vireid.backbones.weight_files import require_hashed_file
from vireid.methods.hpiln.networks.base import ReidNetwork
from vireid.methods.hpiln.networks.bfe import Bfe
from vireid.methods.hpiln.networks.hacnn import Hacnn
from vireid.methods.hpiln.networks.mgn import Mgn
from vireid.methods.hpiln.networks.mlfn import Mlfn
from vireid.methods.hpiln.networks.mudeep import MuDeep
from vireid.methods.hpiln.networks.pcb import Pcb
from vireid.methods.hpiln.networks.plain import Plain
from vireid.methods.hpiln.networks.res_mid import ResMid
from vireid.params import Section

NETWORKS: dict[str, type[ReidNetwork]] = {
    "plain": Plain,
    "res_mid": ResMid,
    "pcb": Pcb,
    "mgn": Mgn,
    "bfe": Bfe,
    "mlfn": Mlfn,
    "hacnn": Hacnn,
    "mudeep": MuDeep,
}
WITHOUT_TRUNK = ("mlfn", "hacnn", "mudeep")
_WITHOUT_SETTINGS = ("plain",)


class Architecture(Section):
    """Architecture; settings of a network that is not chosen have no effect, nor has a trunk that none stands on.

    Attributes:
        network: `plain` is a trunk, mean pooling and a classifier: ResNet-50 and DenseNet-121, by `trunk.name`.
        trunk: What `plain`, `res_mid`, `pcb`, `mgn` and `bfe` stand on.
        weights: A file of the whole network's weights, `PATH#sha256=HASH`, to start from; null for none. With it
            the trunk's own weights are not needed.
    """

    network: Literal["plain", "res_mid", "pcb", "mgn", "bfe", "mlfn", "hacnn", "mudeep"]
    trunk: TrunkSettings
    weights: Annotated[str, AfterValidator(require_hashed_file)] | None
    res_mid: ResMid.Settings
    pcb: Pcb.Settings
    mgn: Mgn.Settings
    bfe: Bfe.Settings
    mlfn: Mlfn.Settings
    hacnn: Hacnn.Settings
    mudeep: MuDeep.Settings

    @field_validator("trunk")
    @classmethod
    def _serves_mgn(cls, trunk: TrunkSettings, info: ValidationInfo) -> TrunkSettings:
        if info.data.get("network") == "mgn":  # two of its branches keep the resolution
            try:
                require_last_stride_of_1(trunk.name)
            except PydanticCustomError as error:
                raise PydanticCustomError(
                    "trunk",
                    "another trunk for mgn than {name}, whose last stage cannot keep the resolution: {reason}",
                    error.context,
                ) from error
        return trunk


def build_network(num_pids: int, model: Architecture) -> ReidNetwork:
    """Build the chosen network, on its trunk's weights unless a file has those of the whole network.

    Raises:
        UserError: If the trunk is to be pretrained and its weights cannot be had or do not fit.
    """
    trunk = model.trunk if model.weights is None else model.trunk.model_copy(update={"pretrained": False})
    arguments: list[Section] = [] if model.network in WITHOUT_TRUNK else [trunk]
    if model.network not in _WITHOUT_SETTINGS:
        arguments.append(getattr(model, model.network))
    build: Callable[..., ReidNetwork] = NETWORKS[model.network]
    return build(num_pids, *arguments)
