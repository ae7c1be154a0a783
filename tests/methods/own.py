"""A method as a newcomer writes it: its section `model` has neither a backbone nor a word about pretraining."""

from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from vireid.data.records import Modality
from vireid.losses.gather import Gather
from vireid.methods.base import Batch, Method
from vireid.params import Section


class Model(Section):
    """Architecture."""

    width: int


class Loss(Section):
    """Weight of the one term."""

    identity: float


class Own(Method[Tensor]):
    """Two convolutions and a classifier."""

    Model, Loss = Model, Loss

    def __init__(self, num_pids: int, model: Model, loss: Loss):
        super().__init__()
        width = model.width
        self.maps = nn.Sequential(nn.Conv2d(3, width, 7, 4), nn.ReLU(), nn.Conv2d(width, width, 3, 2), nn.ReLU())
        self.classifier = nn.Linear(width, num_pids)
        self.embedding_dims, self.loss_weights = {"pooled": width}, {"identity": loss.identity}

    def outputs(self, batch: Batch) -> Tensor:
        """(B, width) embeddings."""
        return self.maps(batch.images).mean((2, 3))

    def losses(self, outputs: Tensor, batch: Batch, everyone: Gather) -> dict[str, Tensor]:
        """See `Method.losses`."""
        return {"identity": cross_entropy(self.classifier(outputs), batch.labels)}

    def embed(self, images: Tensor, modality: Modality) -> dict[str, Tensor]:
        """See `Embedder.embed`."""
        return {"pooled": self.maps(images).mean((2, 3))}
