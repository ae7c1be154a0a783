"""What rows of the FPRnet paper's tables, from `conf/experiments`, build: blocks, widths, labels. CPU, seconds."""

from functools import cache

import pytest
import torch

from tests.made import ROOT, small_trunk
from tests.methods.batches import embed_all, losses_of, of_one_spectrum, paired_batch, step_on
from vireid.backbones.eigenlayer import Eigenlayer
from vireid.data.records import Modality
from vireid.experiments.grid import load_grid
from vireid.experiments.plan import make_plan
from vireid.methods import build_method

BATCH = paired_batch([0, 1, 2, 3], 64, 32)


@cache
def settings(table):
    conf, name = ROOT / "conf", f"fprnet/{table}"
    grid = load_grid(conf, name)
    return make_plan(grid, name, ROOT / "params.yaml", conf, {"schedule": "paper"}, grid.rows).settings


def built(row, **changes):
    """Build a row by the paper's schedule, with its widths divided by 16, and with changes to its model."""
    table, _, name = row.partition("/")
    values = settings(table)[name]
    model = small_trunk(values["model"])
    small = {"pyramid_width": model["pyramid_width"] // 16}
    small |= {key: [width // 16 for width in model[key]] for key in ("joint_dims", "fusion_dims")}
    torch.manual_seed(0)
    return build_method("fprnet", 4, model | small | changes, values["loss"])


@pytest.mark.parametrize(
    ("row", "changes", "ranked", "terms"),
    [
        ("table5/without_domains", {}, "joint", {"joint"}),
        ("table5/without_joint_block", {}, "single", {"joint", "visible", "infrared", "correction"}),
        ("table5/without_fusion_block", {}, "joint", {"joint", "visible", "infrared", "correction"}),
        ("table5/without_domains", {"fusion_block": False}, "joint", {"joint"}),
    ],
)
def test_ablation_leaves_out_modules_terms_and_curves(row, changes, ranked, terms):
    method = built(row, **changes)
    names = {name.split(".")[0] for name, _ in method.named_parameters()}
    assert next(iter(method.embedding_dims)) == ranked
    assert set(method.loss_weights) == terms
    assert ("pyramids" in names) == ("fusion_head" in names) == method.model.fusion_block
    assert ("single_layers" in names) == method.model.single_domains
    assert ("joint_head" in names) == method.model.joint_block
    curves = step_on(method, BATCH).measures
    assert ("joint_wins" in curves) == (method.model.joint_block and method.model.fusion_block)


def test_only_the_fusion_block_left_ranks_the_pooled_map():
    method = built("table8/fprnet", joint_block=False, single_domains=False)
    assert list(embed_all(method.eval(), BATCH)) == ["pool5"]


def test_single_embedding_goes_through_the_layer_of_the_images_own_domain():
    method = built("table5/without_joint_block").eval()
    found = embed_all(method, BATCH)
    for row, modality in enumerate([0, 0, 0, 0, 1, 1, 1, 1]):
        enlarged = found["pool5"][row].repeat_interleave(4)[None]
        expected = torch.nn.functional.leaky_relu(method.single_layers[modality](enlarged), 0.1)
        assert torch.allclose(found["single"][row], expected[0], atol=1e-5)


@pytest.mark.parametrize(
    ("row", "joint", "fusion", "single"),
    [
        ("table8/fprnet", [(256, 32)], [(16, 8), (8, 4)], [(1024, 32)] * 2),
        ("table5/without_upsampling", [(256, 32)], [(16, 8), (8, 4)], [(256, 32)] * 2),
        ("table6/single_svd", [(256, 32)], [(16, 8)], [(1024, 32)] * 2),
        ("table6/double_svd", [(256, 32), (32, 32)], [(16, 8), (8, 4)], [(1024, 32)] * 2),
        ("table4/vertical_r5r3", [(256, 32)], [(32, 8), (8, 4)], [(1024, 32)] * 2),
        ("table4/vertical_best", [(256, 32)], [(128, 8), (8, 4)], [(1024, 32)] * 2),
        ("table4/hybrid1_r5r2_r5r2", [(256, 32)], [(32, 8), (8, 4)], [(1024, 32)] * 2),
    ],
)
def test_svd_layers_have_the_widths_of_the_row(row, joint, fusion, single):
    method = built(row)
    for head, sizes in (
        (method.joint_head, joint),
        (method.fusion_head, fusion),
        (method.single_layers, single),
    ):
        layers = [part.linear for part in head if isinstance(part, Eigenlayer)]
        assert [(layer.in_features, layer.out_features) for layer in layers] == sizes


def test_activations_are_those_of_the_row():
    def kinds(row):
        method = built(row)
        return type(method.joint_head[1]).__name__, type(method.fusion_head[1]).__name__

    assert kinds("table8/fprnet") == ("LeakyReLU", "ReLU")
    assert kinds("table6/leaky_relu") == ("LeakyReLU", "LeakyReLU")
    assert kinds("table6/relu") == ("ReLU", "ReLU")


def test_vertical_fusion_makes_one_row_per_pair_with_its_label():
    method = built("table4/vertical_best")
    found = method.outputs(BATCH)
    assert found.fusion.shape == (4, 4)
    assert method._blocks(found, BATCH.labels)[1][1].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("modality", Modality)
@pytest.mark.parametrize("row", ["table4/vertical_i3r3", "table4/hybrid1_r5r2_i5i2", "table5/without_joint_block"])
def test_batch_of_one_modality_works_in_every_arrangement(row, modality):
    method = built(row)
    losses = losses_of(method, of_one_spectrum(BATCH, modality))
    sum(losses.values()).backward()
    assert all(torch.isfinite(loss) for loss in losses.values())
    gradients = [p.grad for p in method.parameters() if p.grad is not None]
    assert all(torch.isfinite(gradient).all() for gradient in gradients)
    assert all(torch.isfinite(value).all() for value in method.state_dict().values())
