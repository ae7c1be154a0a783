"""Every row of the FPRnet paper's tables by parameters: each builds, embeds and trains one step. CPU, seconds."""

import pytest
import torch

from tests.made import ROOT, put, read_yaml
from vireid.backbones.eigenlayer import Eigenlayer
from vireid.methods.fprnet import FPRNet, Loss, Model

BEST = ["r5", "i5", "i4", "r4", "r5", "i5", "i2", "r2"]
LAMBDAS = [
    (1.0, 1.0, 1.0),
    (1.5, 1.5, 1.5),
    (1.2, 1.2, 1.2),
    (0.8, 0.8, 0.8),
    (1.0, 0.5, 0.5),
    (1.0, 0.3, 0.3),
    (1.5, 1.2, 1.2),
    (0.5, 0.2, 0.3),
    (0.8, 0.15, 0.05),
    (0.4, 0.35, 0.25),
]
SETS = [
    "r5 r2 r5 r2",
    "i4 i3 i4 i3",
    "r5 r3",
    "i3 r3",
    "r5 r5 i5 i5",
    "r5 r2 i5 i2",
    "r4 r3 i4 i3",
    " ".join(BEST),
]
HYBRIDS = [
    (1, [["r5", "r2"], ["r2", "r5"]]),
    (3, [["r5", "r2"], ["r5", "r2"]]),
    (1, [["i4", "i3"], ["i3", "i4"]]),
    (2, [["i4", "i4"], ["i3", "i3"]]),
    (1, [["r5", "r2"], ["i2", "i5"]]),
    (3, [["r5", "r2"], ["i5", "i2"]]),
    (1, [["r4", "r3"], ["i3", "i4"]]),
    (2, [["r4", "i4"], ["r3", "i3"]]),
]
# Row by table: what it changes in the paper's preset.
ROWS = (
    {
        f"table3-{number}": {f"loss.lambda{n}": value for n, value in enumerate(values, start=1)}
        for number, values in enumerate(LAMBDAS, start=1)
    }
    | {
        f"table4-{mode}-{names.replace(' ', '')}": {"model.fusion": {"mode": mode, "features": names.split()}}
        for mode in ("horizontal", "vertical")
        for names in SETS
    }
    | {
        f"table4-hybrid{kind}-{'-'.join(map(''.join, rows))}": {
            "model.fusion": {"mode": "hybrid", "features": rows, "type": kind}
        }
        for kind, rows in HYBRIDS
    }
    | {
        "table5-without-domains": {"model.single_domains": False},
        "table5-without-joint": {"model.joint_block": False},
        "table5-without-fusion": {"model.fusion_block": False},
        "table5-without-upsampling": {"model.upsample": False},
        "table6-single": {"model.fusion_dims": [8]},
        "table6-double": {"model.joint_dims": [12, 12]},
        "table6-leaky": {"model.fusion_activation": "leaky_relu"},
        "table6-relu": {"model.joint_activation": "relu"},
        "table8-fprnet": {},
        # Its two rivals there that are parts of it: two ResNets with a joint layer, and with an SVD layer.
        "table8-svdnet": {"model.fusion_block": False, "model.single_domains": False},
        "table8-resnet50": {
            "model.fusion_block": False,
            "model.single_domains": False,
            "model.svd.orthogonal": False,
            "model.svd.cycles": 0,
        },
        "both-blocks": {"loss.competition": "both"},
    }
)
LABELS = torch.arange(4).repeat(2)
MODALITY = torch.arange(2).repeat_interleave(4)


def built(recipe="fprnet", **changes):
    torch.manual_seed(0)
    values = read_yaml(ROOT / "conf" / "method" / f"{recipe}.yaml")["schedules"]["paper"]
    small = {"backbone": "resnet10_half", "pretrained": False, "pyramid_width": 16}
    values["model"] |= small | {"joint_dims": [12], "fusion_dims": [8, 6]}
    for key, value in changes.items():
        put(values, key, value)
    return FPRNet(4, Model.model_validate(values["model"]), Loss.model_validate(values["loss"]))


@pytest.fixture(scope="module")
def images():
    return torch.randn(8, 3, 64, 32, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("row", ROWS)
def test_row_trains_one_step(row, images):
    method = built(**ROWS[row])
    trained = {name: p for name, p in method.named_parameters() if p.requires_grad}
    before = {name: p.detach().clone() for name, p in trained.items()}
    optimizer = torch.optim.SGD(method.param_groups(0.01), 0.01, momentum=0.9, nesterov=True, weight_decay=5e-4)
    method.on_epoch(0, [])
    outputs = method(images, MODALITY)
    losses = method.losses(outputs, LABELS, MODALITY)
    assert losses.keys() == method.loss_weights.keys()
    total = sum(method.loss_weights[name] * loss for name, loss in losses.items())
    total.backward()
    optimizer.step()
    assert torch.isfinite(total)
    assert [name for name, p in trained.items() if p.grad is None] == []
    # A loser's biases start at zero and stay there; its weights decay.
    assert [name for name, p in trained.items() if p.ndim > 1 and torch.equal(p, before[name])] == []
    assert all(torch.isfinite(p).all() for p in method.parameters())
    assert all(0 <= value <= 1 for value in method.measures(outputs, LABELS, MODALITY).values())
    embeddings = method.eval().embed(images, MODALITY)
    assert {name: part.shape[1] for name, part in embeddings.items()} == method.embedding_dims


def test_every_table_is_there():
    counts = {
        table: sum(row.startswith(table) for row in ROWS) for table in ("table3", "table4", "table5", "table6")
    }
    assert counts == {"table3": 10, "table4": 8 + 8 + 8, "table5": 4, "table6": 4}


@pytest.mark.parametrize(
    ("row", "ranked", "terms"),
    [
        ("table5-without-domains", "joint", {"joint"}),
        ("table5-without-joint", "single", {"joint", "visible", "infrared", "correction"}),
        ("table5-without-fusion", "joint", {"joint", "visible", "infrared", "correction"}),
        ("table8-svdnet", "joint", {"joint"}),
    ],
)
def test_ablation_leaves_out_modules_terms_and_curves(row, ranked, terms, images):
    method = built(**ROWS[row])
    names = {name.split(".")[0] for name, _ in method.named_parameters()}
    assert next(iter(method.embedding_dims)) == ranked
    assert set(method.loss_weights) == terms
    assert ("pyramids" in names) == ("fusion_head" in names) == method.model.fusion_block
    assert ("single_layers" in names) == method.model.single_domains
    assert ("joint_head" in names) == method.model.joint_block
    curves = method.measures(method(images, MODALITY), LABELS, MODALITY)
    assert ("joint_wins" in curves) == (method.model.joint_block and method.model.fusion_block)


def test_only_the_fusion_block_left_ranks_the_pooled_map(images):
    method = built(**{"model.joint_block": False, "model.single_domains": False})
    assert list(method.eval().embed(images, MODALITY)) == ["pool5"]


def test_single_embedding_goes_through_the_layer_of_the_images_own_domain(images):
    method = built(**ROWS["table5-without-joint"]).eval()
    found = method.embed(images, MODALITY)
    for row, modality in enumerate(MODALITY):
        enlarged = found["pool5"][row].repeat_interleave(4)[None]
        expected = torch.nn.functional.leaky_relu(method.single_layers[modality](enlarged), 0.1)
        assert torch.allclose(found["single"][row], expected[0], atol=1e-5)


@pytest.mark.parametrize(
    ("row", "joint", "fusion", "single"),
    [
        ("table8-fprnet", [(256, 12)], [(16, 8), (8, 6)], [(1024, 12)] * 2),
        ("table5-without-upsampling", [(256, 12)], [(16, 8), (8, 6)], [(256, 12)] * 2),
        ("table6-single", [(256, 12)], [(16, 8)], [(1024, 12)] * 2),
        ("table6-double", [(256, 12), (12, 12)], [(16, 8), (8, 6)], [(1024, 12)] * 2),
        ("table4-vertical-r5r3", [(256, 12)], [(32, 8), (8, 6)], [(1024, 12)] * 2),
        (f"table4-vertical-{''.join(BEST)}", [(256, 12)], [(128, 8), (8, 6)], [(1024, 12)] * 2),
        ("table4-hybrid1-r5r2-r2r5", [(256, 12)], [(32, 8), (8, 6)], [(1024, 12)] * 2),
    ],
)
def test_svd_layers_have_the_widths_of_the_row(row, joint, fusion, single):
    method = built(**ROWS[row])
    for head, sizes in (
        (method.joint_head, joint),
        (method.fusion_head, fusion),
        (method.single_layers, single),
    ):
        layers = [part.linear for part in head if isinstance(part, Eigenlayer)]
        assert [(layer.in_features, layer.out_features) for layer in layers] == sizes


def test_activations_are_those_of_the_row():
    def kinds(row):
        method = built(**ROWS[row])
        return type(method.joint_head[1]).__name__, type(method.fusion_head[1]).__name__

    assert kinds("table8-fprnet") == ("LeakyReLU", "ReLU")
    assert kinds("table6-leaky") == ("LeakyReLU", "LeakyReLU")
    assert kinds("table6-relu") == ("ReLU", "ReLU")


def test_vertical_fusion_makes_one_row_per_pair_with_its_label(images):
    method = built(**ROWS[f"table4-vertical-{''.join(BEST)}"])
    found = method(images, MODALITY)
    assert found.fusion.shape == (4, 4)
    assert method._blocks(found, LABELS)[1][1].tolist() == [0, 1, 2, 3]


def test_fused_vectors_of_two_identities_are_an_error(images):
    method = built(**ROWS["table4-vertical-i3r3"])
    with pytest.raises(ValueError, match="mixes identities"):
        method.losses(method(images, MODALITY), torch.tensor([0, 1, 2, 3, 1, 0, 2, 3]), MODALITY)


@pytest.mark.parametrize("modality", [0, 1])
@pytest.mark.parametrize("row", ["table4-vertical-i3r3", "table4-hybrid1-r5r2-i2i5", "table5-without-joint"])
def test_batch_of_one_modality_works_in_every_arrangement(row, modality, images):
    method = built(**ROWS[row])
    modalities = torch.full_like(MODALITY, modality)
    losses = method.losses(method(images, modalities), LABELS, modalities)
    sum(losses.values()).backward()
    assert all(torch.isfinite(loss) for loss in losses.values())
    gradients = [p.grad for p in method.parameters() if p.grad is not None]
    assert all(torch.isfinite(gradient).all() for gradient in gradients)
    assert all(torch.isfinite(value).all() for value in method.state_dict().values())
