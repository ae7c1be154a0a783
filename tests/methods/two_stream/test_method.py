"""The oldest baselines side by side: what each knows of the spectra, and what is ranked. CPU, seconds."""

import pytest
import torch

from tests.made import recipe_of, tiny_model
from tests.methods.batches import embed_all, losses_of, paired_batch
from vireid.data.records import Modality
from vireid.losses.identity import identity_loss
from vireid.methods import build_method

BATCH = paired_batch([0, 1, 2], 64, 32)


def built(preset, **model):
    torch.manual_seed(0)
    recipe = recipe_of(preset, "paper")
    name = recipe["method"]
    return build_method(name, 3, tiny_model(name, recipe["model"]) | model, recipe["loss"])


@pytest.mark.parametrize("preset", ["one_stream", "two_stream", "zero_padding"])
def test_ranked_is_the_pooled_map_that_is_classified(preset):
    method = built(preset)
    embedding = embed_all(method.eval(), BATCH)["embedding"]
    assert embedding.shape == (6, 256)
    logits = embedding @ method.classifier.weight.T + method.classifier.bias
    assert losses_of(method, BATCH)["identity"].item() == pytest.approx(
        identity_loss(logits, BATCH.labels).item(), rel=1e-4
    )


def test_resnet50_identity_has_two_whole_trunks_and_a_layer_of_512():
    recipe = recipe_of("resnet50_identity", "paper")["model"]
    assert (recipe["width"], recipe["trunk"]["share_from"]) == (512, 5)
    method = built("resnet50_identity", width=24)
    assert len(method.backbone.shared) == 0
    assert method.embedding_dims == {"embedding": 24}
    embeddings = [method.eval().embed(BATCH.images, modality)["embedding"] for modality in Modality]
    assert torch.equal(*embeddings)  # both trunks start from the same weights
    with torch.no_grad():
        for parameter in method.backbone.separate[Modality.INFRARED].parameters():
            parameter.mul_(1.5)
    again = [method.embed(BATCH.images, modality)["embedding"] for modality in Modality]
    assert torch.equal(embeddings[0], again[0])
    assert not torch.allclose(embeddings[1], again[1])
