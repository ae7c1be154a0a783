"""TFFN: both fusions by hand and by a slow loop, lambda, supervision and the rows of Table 3. CPU, seconds."""

import math

import pytest
import torch
from torch.nn.functional import cross_entropy, normalize

from tests.made import ROOT, read_yaml, recipe_of, small_trunk
from tests.methods.batches import embed_all, losses_of, of_one_spectrum, paired_batch, step_on
from tests.reference.identity_graph import attention
from vireid.data.records import Modality
from vireid.losses.gather import alone
from vireid.losses.triplet import batch_hard_triplet_loss
from vireid.methods.tffn.method import TFFN, Architecture, GraphFusion, LevelFusion, Objective
from vireid.params import check_section
from vireid.support.errors import UserError

PAPER = recipe_of("tffn", "paper")
BATCH = paired_batch([0, 1, 0, 1], 64, 32, seed=1)
LABELS = BATCH.labels
# How `model.fuse` is called; whether levels are fused, and whether they are compared, behind their necks.
FUSE = [("before_neck", False, False), ("behind_neck", True, False), ("fc_bn", True, True)]
TABLE_3 = read_yaml(ROOT / "conf" / "experiments" / "tffn" / "table3.yaml")["rows"]


def built(num_pids=2, loss=None, trunk=None, **changes):
    """A small TFFN of the paper's preset with changed parameters."""
    torch.manual_seed(0)
    model = small_trunk(PAPER["model"], **(trunk or {})) | {"width": 16} | changes
    return TFFN(
        num_pids, Architecture.model_validate(model), Objective.model_validate(PAPER["loss"] | (loss or {}))
    )


def moved(method):
    """The method in eval mode, with BN necks that change what passes them, which fresh ones do not."""
    for number, neck in enumerate(method.necks.values(), start=2):
        neck.norm.running_mean.fill_(number / 10)
        neck.norm.running_var.fill_(float(number))
    return method.eval()


def nodes(count=8, width=6):
    return normalize(torch.randn(count, width, generator=torch.Generator().manual_seed(2)))


def graph(width=6, heads=3):
    torch.manual_seed(3)
    return GraphFusion(width, heads)


def test_graph_attention_is_that_of_a_slow_loop_over_nodes():
    fusion, given = graph(), nodes()
    labels = torch.tensor([2, 0, 0, 1, 2, 0, 2, 0])
    with torch.inference_mode():
        expected = attention(fusion, given, labels)
        assert torch.allclose(fusion.attention(given, labels)[0], expected, atol=1e-6)
        averaged = torch.stack([sum(expected[:, i, j].mean() * given[j] for j in range(8)) for i in range(8)])
        assert torch.allclose(fusion(given, labels), averaged, atol=1e-6)


def test_attention_of_an_identity_sums_to_one_and_nothing_reaches_another():
    fusion = graph(heads=4)
    labels = torch.arange(4).repeat_interleave(8)
    with torch.inference_mode():
        found, _ = fusion.attention(nodes(32), labels)
    assert found.shape == (4, 32, 32)
    assert torch.allclose(found.sum(dim=2), torch.ones(4, 32), atol=1e-6)
    assert ((found > 0) == (labels[:, None] == labels)).all()


def test_equal_nodes_and_lone_nodes_stay_as_they_are():
    equal = nodes(2)[LABELS]
    fusion = graph()
    assert torch.allclose(fusion(equal, LABELS), equal, atol=1e-6)
    assert torch.allclose(fusion(nodes(), torch.arange(8)), nodes(), atol=1e-6)


def test_fused_node_mixes_both_modalities_of_its_identity_only():
    fusion, given = graph(), nodes().requires_grad_()
    fusion(given, LABELS)[0].sum().backward()
    reached = given.grad.abs().sum(dim=1) > 0
    assert reached.tolist() == (LABELS == 0).tolist()


def test_four_heads_at_full_size_have_the_counted_parameters():
    # 4 x (1024 x 512 + 512 + 1024)
    assert sum(p.numel() for p in GraphFusion(1024, 4).parameters()) == 2_103_296


@pytest.mark.parametrize("heads", [1, 4])
def test_scores_start_the_same_whatever_the_number_of_heads(heads):
    # Xavier's bound of a map from 1024 values to one.
    assert graph(1024, heads).score.abs().max().item() == pytest.approx(math.sqrt(6 / 1025), rel=0.02)


def test_level_fusion_without_attention_adds_the_levels_up():
    levels = [torch.tensor([[1.0, 2.0]]), torch.tensor([[10.0, 20.0]]), torch.tensor([[100.0, 200.0]])]
    assert LevelFusion(2, False, 16)(levels).tolist() == [[111.0, 222.0]]


def test_level_fusion_weighs_channels_and_keeps_the_levels():
    # A closed gate (sigmoid(-100) = 0) leaves S, an open one doubles it; the gate opens for the last level only.
    fusion = LevelFusion(2, True, 3)
    last = fusion.mask[2]
    torch.nn.init.zeros_(last.weight)
    last.bias.data = torch.tensor([-100.0, -100.0, -100.0, -100.0, 100.0, 100.0])
    levels = [torch.tensor([[1.0, 2.0]]), torch.tensor([[10.0, 20.0]]), torch.tensor([[100.0, 200.0]])]
    assert fusion(levels).tolist() == [[211.0, 422.0]]


def test_channel_attention_is_eq_2_by_hand():
    fusion = LevelFusion(1, True, 1)
    for layer in (fusion.mask[0], fusion.mask[2]):
        layer.weight.data, layer.bias.data = torch.eye(3), torch.zeros(3)
    # A = sigmoid(relu(S)): 1/2 where S is not positive.
    levels = [torch.tensor([[-2.0]]), torch.tensor([[0.0]]), torch.tensor([[1.0]])]
    assert fusion(levels).item() == pytest.approx(-2 * 1.5 + 1 + 1 / (1 + math.exp(-1)))


def test_attention_of_levels_sees_all_of_them_through_a_sixteenth_of_the_channels():
    linear = [part for part in LevelFusion(1024, True, 16).mask if isinstance(part, torch.nn.Linear)]
    assert [(part.in_features, part.out_features) for part in linear] == [(3072, 192), (192, 3072)]


@pytest.fixture(scope="module")
def full_size():
    with torch.device("meta"):
        model = PAPER["model"] | {"trunk": PAPER["model"]["trunk"] | {"pretrained": False}}
        return TFFN(395, Architecture.model_validate(model), Objective.model_validate(PAPER["loss"]))


def test_full_size_has_the_counted_parameters(full_size):
    assert sum(p.numel() for p in full_size.backbone.parameters()) == 23_733_376
    assert sum(p.numel() for p in full_size.levels.parameters()) == 3_673_088
    assert full_size.embedding_dims == dict.fromkeys(("fused", "stage4", "stage3", "stage2"), 1024)


@pytest.mark.parametrize("share_from", [1, 2])
def test_stem_is_separate_and_the_first_stage_as_chosen(share_from):
    backbone = built(trunk={"share_from": share_from}).backbone
    assert [len(branch.stages) for branch in backbone.separate] == [share_from - 1] * 2
    assert len(backbone.shared) == 5 - share_from


def test_every_level_sees_its_own_stage():
    method = built().eval()
    with torch.inference_mode():
        before = embed_all(method, BATCH)
        for parameter in method.backbone.shared[1].parameters():
            parameter.zero_()
        after = embed_all(method, BATCH)
    equal = {name: torch.equal(before[name], after[name]) for name in before}
    assert equal == {"fused": False, "stage4": False, "stage3": False, "stage2": True}


ALL = ("fused", "stage4", "stage3", "stage2", "graph")


@pytest.mark.parametrize(
    ("row", "supervised"),
    [
        ("b", ALL[1:2]),
        ("deep", ALL[1:4]),
        ("mlfm", ALL[:4]),
        ("glfm", ALL[1:]),
        ("full", ALL),
        ("mlfm_without_attention", ALL[:4]),
        ("glfm_without_heads", ALL[1:]),
    ],
)
def test_rows_of_table_3_leave_out_modules_and_losses(row, supervised):
    changes = {key.removeprefix("model."): value for key, value in TABLE_3[row]["set"].items()}
    method = built(**changes)
    kinds = ("identity", "triplet")
    assert list(method.loss_weights) == [f"{kind}/{name}" for kind in kinds for name in supervised]
    assert list(method.embedding_dims) == [name for name in supervised if name != "graph"]
    assert len(method.levels) == (1 if row == "b" else 3)
    assert hasattr(method, "level_fusion") == ("fused" in supervised)
    assert hasattr(method, "graph_fusion") == ("graph" in supervised)
    if "fused" in supervised:
        assert (method.level_fusion.mask is None) == (row == "mlfm_without_attention")
    if "graph" in supervised:
        assert method.graph_fusion.heads == (1 if row == "glfm_without_heads" else 4)
    losses = losses_of(method, BATCH)
    assert list(losses) == list(method.loss_weights)


def test_every_row_of_table_3_is_tested():
    rows = test_rows_of_table_3_leave_out_modules_and_losses.pytestmark[0].args[1]
    assert [row for row, _ in rows] == list(TABLE_3)


@pytest.mark.parametrize(("fuse", "behind", "compared_behind"), FUSE)
def test_levels_are_fused_and_compared_before_or_behind_their_necks(fuse, behind, compared_behind):
    method = moved(built(channel_attention=False, fuse=fuse))
    with torch.inference_mode():
        maps = method.backbone(BATCH.images, BATCH.visible)[1:]
        before = [layer(level.mean(dim=(2, 3))) for layer, level in zip(method.levels.values(), maps, strict=True)]
        normed = [method.necks[name].norm(part) for name, part in zip(method.levels, before, strict=True)]
        outputs, embeddings = method.outputs(BATCH), embed_all(method, BATCH)
    expected = sum(normed if behind else before)
    assert torch.allclose(outputs.embeddings["fused"], expected, atol=1e-5)
    assert torch.allclose(embeddings["fused"], expected, atol=1e-5)
    for name, plain, passed in zip(method.levels, before, normed, strict=True):
        assert torch.allclose(outputs.embeddings[name], passed if compared_behind else plain, atol=1e-5)
        assert torch.allclose(embeddings[name], passed, atol=1e-5)


@pytest.mark.parametrize(("changes", "source"), [({}, "fused"), ({"level_fusion": False}, "stage4")])
def test_graph_without_a_neck_is_classified_as_what_it_is_made_of(changes, source):
    method = built(graph_classifier="ranked", **changes)
    assert "graph" not in method.necks
    torch.nn.init.normal_(method.necks[source].classifier.weight)
    outputs = method.outputs(BATCH)
    losses = method.losses(outputs, BATCH, alone)
    assert set(losses) == set(method.loss_weights)
    nodes_after = method.graph_fusion(normalize(outputs.ranked), LABELS)
    expected = cross_entropy(nodes_after @ method.necks[source].classifier.weight.T, LABELS)
    assert losses["identity/graph"].item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("last_stride", [1, 2])
def test_levels_are_pooled_by_the_mean_of_the_last_map(last_stride):
    method = built(trunk={"last_stride": last_stride}).eval()
    with torch.inference_mode():
        last = method.backbone(BATCH.images, BATCH.visible)[-1]
        assert tuple(last.shape[-2:]) == (4 // last_stride, 2 // last_stride)
        expected = method.levels["stage4"](last.mean(dim=(2, 3)))
        assert torch.allclose(method.outputs(BATCH).embeddings["stage4"], expected, atol=1e-6)


def test_graph_losses_are_those_of_the_fused_nodes_behind_their_own_neck():
    method = built(loss={"label_smoothing": 0.1})
    for name in ("graph", "stage4"):
        torch.nn.init.normal_(method.necks[name].classifier.weight)
    outputs = method.outputs(BATCH)
    losses = method.losses(outputs, BATCH, alone)
    fused = method.graph_fusion(normalize(outputs.embeddings["fused"]), LABELS)
    expected = cross_entropy(method.necks["graph"](fused), LABELS, label_smoothing=0.1)
    assert losses["identity/graph"].item() == pytest.approx(expected.item(), rel=1e-5)
    expected = batch_hard_triplet_loss(fused, LABELS, 0.3, alone)
    assert losses["triplet/graph"].item() == pytest.approx(expected.item(), rel=1e-5)
    expected = cross_entropy(outputs.logits["stage4"], LABELS, label_smoothing=0.1)
    assert losses["identity/stage4"].item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("kind", ["identity", "triplet"])
def test_graph_losses_teach_the_trunk(kind):
    method = built(loss={"margin": 2.0})
    torch.nn.init.normal_(method.necks["graph"].classifier.weight)
    losses_of(method, BATCH)[f"{kind}/graph"].backward()
    assert all(p.grad is not None and p.grad.any() for p in method.backbone.parameters())


def test_accuracies_are_those_of_the_logits():
    method = built()
    outputs = method.outputs(BATCH)
    outputs.logits["fused"] = torch.tensor([[1.0, 0.0]] * 8)
    outputs.logits["stage3"] = torch.eye(2)[LABELS]
    found = method.measures(outputs, BATCH)
    assert (found["accuracy/fused"].item(), found["accuracy/stage3"].item()) == (0.5, 1.0)


def test_identity_losses_start_at_the_logarithm_of_the_number_of_identities():
    method = built(395)
    losses = losses_of(method, BATCH)
    found = [value.item() for name, value in losses.items() if name.startswith("identity")]
    assert found == pytest.approx([math.log(395)] * 5, abs=0.05)


def test_triplet_sees_levels_as_they_are_and_fused_vectors_of_length_one():
    method = built(loss={"margin": 0.0}, graph_fusion=False)
    expected = {"stage2": 3, "stage3": 3, "stage4": 3, "fused": 1}
    outputs = method.outputs(BATCH)
    first = method.losses(outputs, BATCH, alone)
    outputs.embeddings = {name: 3 * value for name, value in outputs.embeddings.items()}
    second = method.losses(outputs, BATCH, alone)
    ratio = {name: second[f"triplet/{name}"] / first[f"triplet/{name}"] for name in expected}
    assert {name: value.item() for name, value in ratio.items()} == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("normalised", [False, True])
def test_fused_embedding_is_classified_as_chosen(normalised):
    method = moved(built(classify_normalised=normalised))
    with torch.inference_mode():
        outputs = method.outputs(BATCH)
        fused = outputs.embeddings["fused"]
        expected = method.necks["fused"](normalize(fused) if normalised else fused)
        assert torch.allclose(outputs.logits["fused"], expected, atol=1e-6)
        for name in method.levels:
            assert torch.allclose(outputs.logits[name], method.necks[name](outputs.embeddings[name]), atol=1e-6)


@pytest.mark.parametrize(("changes", "source"), [({}, "fused"), ({"level_fusion": False}, "stage4")])
def test_graph_fuses_the_ranked_embedding_normalised(changes, source):
    method = moved(built(**changes))
    seen = []
    method.graph_fusion.register_forward_hook(lambda module, given, result: seen.append(given[0]))
    with torch.inference_mode():
        losses_of(method, BATCH)
        assert torch.allclose(seen[0], normalize(embed_all(method, BATCH)[source]), atol=1e-5)


def test_ranked_is_what_leaves_the_level_fusion_and_stages_come_after_their_necks():
    method = built().eval()
    with torch.inference_mode():
        method.necks["stage4"].norm.running_mean.fill_(3.0)
        found, outputs = embed_all(method, BATCH), method.outputs(BATCH)
        assert torch.allclose(found["fused"], outputs.embeddings["fused"], atol=1e-5)
        expected = (outputs.embeddings["stage4"] - 3) / math.sqrt(1 + 1e-5)
        assert torch.allclose(found["stage4"], expected, atol=1e-5)


def test_lambda_is_zero_and_then_follows_the_last_epochs_other_losses():
    method = built()
    graphs = ("identity/graph", "triplet/graph")

    def weights():
        return [method.loss_weights[name] for name in graphs]

    assert weights() == [0, 0]
    earlier = {f"loss/{name}": 100.0 for name in method.loss_weights}
    others = [name for name in method.loss_weights if name not in graphs]
    last = {f"loss/{name}": 0.5 for name in others} | {f"loss/{name}": 7.0 for name in graphs}
    method.on_epoch(2, [earlier, last])
    assert weights() == pytest.approx([1 / (1 + 8 * 0.5)] * 2)
    assert all(method.loss_weights[name] == 1 for name in others)
    outputs = method.outputs(BATCH)
    assert method.measures(outputs, BATCH)["graph_weight"].item() == pytest.approx(0.2)
    method.on_epoch(0, [])
    assert weights() == [0, 0]


def test_lambda_from_the_mean_of_the_losses_is_larger():
    method = built(loss={"lambda_from": "mean"})
    others = [name for name in method.loss_weights if not name.endswith("/graph")]
    assert len(others) == 8
    method.on_epoch(1, [{f"loss/{name}": float(number) for number, name in enumerate(others)}])
    assert method.loss_weights["triplet/graph"] == pytest.approx(1 / (1 + 3.5))


def test_without_graph_fusion_there_is_no_lambda():
    method = built(graph_fusion=False)
    method.on_epoch(1, [{}])
    assert set(method.loss_weights.values()) == {1.0}
    assert "graph_weight" not in step_on(method, BATCH).measures


def test_new_layers_can_learn_faster_than_the_trunk():
    trunk, new = built(trunk={"lr_factor": 0.1}).param_groups(0.1)
    assert (trunk["lr"], new["lr"]) == pytest.approx((0.01, 0.1))
    method = built()
    assert {group["lr"] for group in method.param_groups(0.01)} == {0.01}


@pytest.mark.parametrize("modality", Modality)
def test_losses_of_one_modality_fuse_what_there_is(modality):
    method = built()
    losses = losses_of(method, of_one_spectrum(BATCH, modality))
    assert all(torch.isfinite(loss) for loss in losses.values())


@pytest.mark.parametrize(
    "changes", [{"width": 15}, {"width": 0}, {"heads": 0}, {"share_from": 3}, {"attention_reduction": 3073}]
)
def test_sizes_that_cannot_be_are_refused(changes):
    with pytest.raises(UserError, match=next(iter(changes))):
        check_section(Architecture, PAPER["model"] | changes, "model", "correct it")


def test_levels_that_are_not_supervised_are_not_fused():
    with pytest.raises(UserError, match="level_fusion"):
        check_section(Architecture, PAPER["model"] | {"deep_supervision": False}, "model", "correct it")


def test_papers_recipe_is_that_of_sections_2_1_2_3_and_3_1():
    train, model = PAPER["train"], PAPER["model"]
    assert train == {
        "num_pids": 4,
        "num_instances": 4,
        "epochs": 70,
        "steps_per_epoch": "full",
        "optimizer": "sgd",
        "lr": 0.01,
        "momentum": 0.9,
        "nesterov": True,
        "weight_decay": 0.0005,
        "clip_norm": 0.0,
        "warmup_epochs": 10,
        "schedule": "step",
        "milestones": [30, 50],
        "gamma": 0.1,
        "holdout_pids": 0,
        "validate_every": 10,
        "augmentation": {
            "pad": 10,
            "flip": 0.5,
            "erase": 0.5,
            "channel_mix": 0,
            "signed_mix": False,
            "zoom": 0,
            "channel_exchange": 0,
        },
    }
    trunk = {"name": "resnet50", "pretrained": True, "last_stride": 1, "share_from": 2, "lr_factor": 1.0}
    modules = {"deep_supervision", "level_fusion", "channel_attention", "graph_fusion"}
    assert {name for name, value in model.items() if value is True} == modules
    assert model == dict.fromkeys(modules, True) | {
        "trunk": trunk,
        "width": 1024,
        "attention_reduction": 16,
        "classify_normalised": False,
        "fuse": "before_neck",
        "graph_classifier": "own",
        "heads": 4,
    }
    assert PAPER["loss"] == {"margin": 0.3, "label_smoothing": 0.0, "lambda_from": "sum"}
