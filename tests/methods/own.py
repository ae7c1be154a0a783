"""A method as a newcomer writes it: its section `model` has neither a backbone nor a word about pretraining."""

from torch import nn
from torch.nn.functional import cross_entropy

from vireid.methods.base import Method
from vireid.params import Section


class Model(Section):
    """Architecture."""

    width: int


class Loss(Section):
    """Weight of the one term."""

    identity: float


class Own(Method):
    """Two convolutions and a classifier."""

    Model, Loss = Model, Loss

    def __init__(self, num_pids, model, loss):
        super().__init__()
        width = model.width
        self.maps = nn.Sequential(nn.Conv2d(3, width, 7, 4), nn.ReLU(), nn.Conv2d(width, width, 3, 2), nn.ReLU())
        self.classifier = nn.Linear(width, num_pids)
        self.embedding_dims, self.loss_weights = {"pooled": width}, {"identity": loss.identity}

    def forward(self, images, modality):
        """See `Method.forward`."""
        return self.maps(images).mean((2, 3))

    def losses(self, outputs, labels, modality):
        """See `Method.losses`."""
        return {"identity": cross_entropy(self.classifier(outputs), labels)}

    def embed(self, images, modality):
        """See `Method.embed`."""
        return {"pooled": self(images, modality)}
