"""FPRnet: fused vectors and labels, competition, correction, embedding and first loss. CPU, seconds."""

import math
from dataclasses import replace

import pytest
import torch
from torch.nn.functional import leaky_relu

from tests.methods.batches import embed_all, losses_of, of_one_spectrum, step_on
from tests.methods.fprnet.small import BATCH, BEST_SET, PAPER, RELEASE, RELEASE_SCRATCH, SCRATCH, built, losses
from vireid.data.records import Modality
from vireid.methods import check_method, check_recipe
from vireid.methods.fprnet import method as module
from vireid.methods.fprnet.method import Classifier, Outputs
from vireid.params import Params
from vireid.support.errors import UserError

LABELS = BATCH.labels
ONES = {"lambda1": 1.0, "lambda2": 1.0, "lambda3": 1.0}


def logits(*predicted, count=3, confidence=2.0):
    """Rows that predict the given labels."""
    rows = torch.zeros(len(predicted), count)
    rows[torch.arange(len(predicted)), torch.tensor(predicted)] = confidence
    return rows.requires_grad_()


def outputs(joint, fusion, single=None):
    rows = torch.arange(len(fusion)) % len(joint)
    return Outputs(joint, fusion, rows, single if single is not None else torch.zeros(len(joint), 3))


@pytest.mark.parametrize("recipe", [SCRATCH, PAPER, RELEASE_SCRATCH, RELEASE])
def test_committed_features_are_the_papers_best_set(recipe):
    assert recipe["model"]["fusion"] == {"mode": "horizontal", "features": BEST_SET}
    assert ONES.items() <= recipe["loss"].items()


@pytest.mark.parametrize("recipe", [PAPER, RELEASE])
@pytest.mark.parametrize("num_pids", [20, 395])
def test_first_loss_is_three_times_the_logarithm_plus_one(num_pids, recipe):
    method = built(num_pids, recipe=recipe)
    total = sum(losses_of(method, BATCH).values()).item()
    assert total == pytest.approx(3 * math.log(num_pids) + 1, abs=0.03)
    if num_pids == 395:
        assert total == pytest.approx(18.937, abs=0.03)


def test_best_set_fuses_eight_rows_per_pair_with_labels_in_the_papers_pattern():
    found = built().outputs(BATCH)
    assert found.fusion.shape == (8 * 3, 3)
    visible, infrared = [0, 1, 2], [3, 4, 5]
    r, i = visible, infrared
    assert found.fusion_rows.tolist() == r + i + i + r + r + i + i + r


def test_fused_rows_follow_the_modality_where_the_spectra_have_different_numbers():
    batch = replace(BATCH, images=BATCH.images[:5], labels=LABELS[:5], visible=2)
    assert built(features=["i3", "r2"]).outputs(batch).fusion_rows.tolist() == [2, 3, 4, 0, 1]


@pytest.mark.parametrize(("feature", "rows"), [("r2", [0, 1, 2]), ("i3", [3, 4, 5]), ("i5", [3, 4, 5])])
def test_fused_vectors_are_pooled_maps_of_the_modalitys_own_pyramid(feature, rows):
    method = built(features=[feature]).eval()
    modality = 0 if feature[0] == "r" else 1
    with torch.inference_mode():
        maps = method.backbone(BATCH.images, BATCH.visible)
        level = method.pyramids[modality](*(part[rows] for part in maps))[int(feature[1])]
        expected = method.fusion_classifier(method.fusion_head(level.mean(dim=(2, 3))))
        found = method.outputs(BATCH)
    assert torch.allclose(found.fusion, expected, atol=1e-5)


def test_single_branch_sees_every_pooled_value_four_times_in_a_layer_of_its_modality():
    method = built().eval()
    with torch.inference_mode():
        pooled = method.backbone(BATCH.images, BATCH.visible)[-1].mean(dim=(2, 3))
        enlarged = pooled[:, :, None, None].expand(-1, -1, 2, 2).flatten(1)
        expected = [
            method.classifier(method.single_layers[m](row[None]))[0]
            for m, row in zip([0, 0, 0, 1, 1, 1], enlarged, strict=True)
        ]
        found = method.outputs(BATCH).single
    assert torch.allclose(found, torch.stack(expected), atol=1e-5)


def test_trunks_are_separate_and_heads_are_shared():
    method = built()
    assert len(method.backbone.shared) == 0
    names = {name.split(".")[0] for name, _ in method.named_parameters()}
    heads = {"joint_head", "fusion_head", "fusion_classifier", "single_layers", "classifier"}
    assert names == {"backbone", "pyramids"} | heads


def test_ranked_embedding_is_the_joint_one_and_the_domains_is_there_too():
    method = built().eval()
    assert list(method.embedding_dims) == ["joint", "single", "pool5"]
    embeddings = embed_all(method, BATCH)
    for row, modality in enumerate([0, 0, 0, 1, 1, 1]):
        enlarged = embeddings["pool5"][row].repeat_interleave(4)[None]
        expected = leaky_relu(method.single_layers[modality](enlarged), 0.1)
        assert torch.allclose(embeddings["single"][row], expected[0], atol=1e-5)


def test_shared_layer_enlarges_for_both_domains():
    method = built(single_layers="shared").eval()
    (layer,) = method.single_layers
    embeddings = embed_all(method, BATCH)
    expected = leaky_relu(layer(embeddings["pool5"].repeat_interleave(4, dim=1)), 0.1)
    assert torch.allclose(embeddings["single"], expected, atol=1e-5)
    assert "orthogonality/single_1" in step_on(method, BATCH).measures


def test_joint_embedding_is_behind_the_activation_and_pool5_before_the_block():
    method = built().eval()
    layer = method.joint_head[0]
    with torch.inference_mode():
        layer.norm.running_mean.fill_(0.5)
        pooled = method.backbone(BATCH.images, BATCH.visible)[-1].mean(dim=(2, 3))
        found = embed_all(method, BATCH)
        expected = leaky_relu(layer.norm(layer.linear(pooled)), 0.1)
    assert (expected < 0).any()
    assert torch.allclose(found["joint"], expected, atol=1e-5)
    assert torch.allclose(found["pool5"], pooled, atol=1e-6)


def test_classifier_opens_with_a_leaky_relu_of_slope_a_tenth():
    classifier = Classifier(2, 2)
    with torch.no_grad():
        classifier.linear.weight.copy_(torch.eye(2))
    assert classifier(torch.tensor([[-1.0, 2.0]]))[0].tolist() == pytest.approx([-0.1, 2.0])


def test_correction_is_one_where_all_losses_are_equal():
    terms = losses(built(), outputs(torch.zeros(6, 3), torch.zeros(12, 3)))
    assert terms["correction"].item() == pytest.approx(1, abs=1e-6)
    assert terms["joint"].item() == pytest.approx(math.log(3), rel=1e-6)


@pytest.mark.parametrize("confidence", [0.5, 1.0])
def test_correction_is_the_exponential_of_the_difference_of_losses(confidence):
    right = logits(*LABELS.tolist(), confidence=confidence)
    terms = losses(built(), outputs(right, torch.zeros(12, 3)))
    bias = (terms["visible"] + terms["infrared"]) / 2 - terms["joint"]
    assert 0.1 < bias.item() < 2
    assert terms["correction"].item() == pytest.approx(math.exp(bias.item()), rel=1e-5)


def test_correction_has_a_gradient_and_is_the_same_for_either_sign():
    right, wrong = logits(*LABELS.tolist(), confidence=0.5), logits(*LABELS.tolist(), confidence=0.5)
    zeros = torch.zeros(6, 3)
    positive = losses(built(), outputs(right, torch.zeros(12, 3), zeros))["correction"]
    negative = losses(built(), outputs(zeros, torch.zeros(12, 3), wrong))["correction"]
    assert positive.item() == pytest.approx(negative.item(), rel=1e-6)
    positive.backward()
    negative.backward()
    assert right.grad.abs().sum() > 0
    assert torch.allclose(right.grad, wrong.grad, atol=1e-7)


def test_clamped_correction_is_e_squared_without_gradient():
    single = logits(*((LABELS + 1) % 3).tolist(), confidence=50)
    terms = losses(built(), outputs(torch.zeros(6, 3), torch.zeros(12, 3), single))
    assert terms["visible"].item() == pytest.approx(50, rel=1e-3)
    assert terms["correction"].item() == pytest.approx(math.exp(2), rel=1e-6)
    terms["correction"].backward()
    assert not single.grad.any()


def test_visible_and_infrared_losses_see_their_own_rows():
    single = torch.zeros(6, 3)
    single[:3] = logits(0, 1, 2, confidence=3).detach()
    terms = losses(built(), outputs(torch.zeros(6, 3), torch.zeros(12, 3), single))
    assert terms["visible"].item() == pytest.approx(math.log(1 + 2 * math.exp(-3)), rel=1e-4)
    assert terms["infrared"].item() == pytest.approx(math.log(3), rel=1e-5)


def competition(joint_hits, fusion_hits):
    """Let the blocks compete with so many right rows out of 6 and 12; which loss won, with gradients."""
    labels = LABELS.tolist()
    joint = logits(*[y if n < joint_hits else (y + 1) % 3 for n, y in enumerate(labels)])
    fusion = logits(*[y if n < fusion_hits else (y + 1) % 3 for n, y in enumerate(labels * 2)], confidence=1.0)
    method, found = built(), outputs(joint, fusion)
    terms = losses(method, found)
    terms["joint"].backward()
    measures = method.measures(found, BATCH)
    assert measures["accuracy"].item() == pytest.approx(joint_hits / 6)
    assert measures["accuracy_fusion"].item() == pytest.approx(fusion_hits / 12)
    return bool(measures["joint_wins"]), joint.grad, fusion.grad, terms["joint"].item()


@pytest.mark.parametrize(
    ("joint_hits", "fusion_hits", "joint_wins"),
    [(4, 9, False), (4, 7, True), (3, 6, True), (0, 0, True), (6, 12, True)],
)
def test_block_with_the_higher_rate_wins_and_the_joint_one_where_equal(joint_hits, fusion_hits, joint_wins):
    won, joint_gradient, fusion_gradient, loss = competition(joint_hits, fusion_hits)
    assert won == joint_wins
    winner, loser = (joint_gradient, fusion_gradient) if won else (fusion_gradient, joint_gradient)
    assert winner.any()
    assert loser is None or not loser.any()
    confidence, hits, rows = (2.0, joint_hits, 6) if won else (1.0, fusion_hits, 12)
    right = math.log(1 + 2 * math.exp(-confidence))
    wrong = right + confidence
    assert loss == pytest.approx((hits * right + (rows - hits) * wrong) / rows, rel=1e-5)


def test_fused_rows_have_the_labels_of_the_images_they_come_from():
    rows = torch.tensor([5, 0, 4, 3])
    found = Outputs(torch.zeros(6, 3), logits(*LABELS[rows].tolist()), rows, torch.zeros(6, 3))
    measures = built().measures(found, BATCH)
    assert measures["accuracy_fusion"].item() == 1
    terms = losses(built(), found)
    assert terms["joint"].item() == pytest.approx(math.log(1 + 2 * math.exp(-2)), rel=1e-5)


@pytest.mark.parametrize("joint_wins", [True, False])
def test_only_the_loser_is_without_gradient_in_the_whole_network(monkeypatch, joint_wins):
    method = built()
    monkeypatch.setattr(module, "first_wins", lambda *_: torch.tensor(joint_wins))
    losses_of(method, BATCH)["joint"].backward()
    reached = {
        name: any(p.grad is not None and p.grad.any() for p in part.parameters())
        for name, part in (
            ("joint", method.joint_head),
            ("fusion", method.fusion_head),
            ("pyramid", method.pyramids),
        )
    }
    assert reached == {"joint": joint_wins, "fusion": not joint_wins, "pyramid": not joint_wins}


def test_every_parameter_learns_in_one_or_the_other_outcome(monkeypatch):
    method = built()
    learnt = set()
    for joint_wins in (True, False):
        monkeypatch.setattr(module, "first_wins", lambda *_, wins=joint_wins: torch.tensor(wins))
        method.zero_grad()
        sum(losses_of(method, BATCH).values()).backward()
        learnt |= {name for name, p in method.named_parameters() if p.grad.any()}
    assert {name for name, _ in method.named_parameters()} - learnt == set()


def test_lambdas_weigh_the_three_losses_and_the_correction_weighs_one():
    method = built(loss={"lambda1": 1.5, "lambda2": 0.0, "lambda3": 0.25})
    assert method.loss_weights == {"joint": 1.5, "visible": 0.0, "infrared": 0.25, "correction": 1.0}


@pytest.mark.parametrize(("features", "modality"), [(["i5", "i2"], Modality.VISIBLE), (["r4"], Modality.INFRARED)])
def test_batch_without_any_fused_vector_leaves_the_network_finite(features, modality):
    method = built(features=features)
    batch = of_one_spectrum(BATCH, modality)
    found = method.outputs(batch)
    assert found.fusion.shape == (0, 3)
    terms = losses(method, found, batch)
    sum(terms.values()).backward()
    assert all(torch.isfinite(loss) for loss in terms.values())
    assert all(torch.isfinite(value).all() for value in method.state_dict().values())


@pytest.mark.parametrize("joint_wins", [True, False])
def test_loser_has_a_loss_of_its_weight_and_the_winner_no_other(monkeypatch, joint_wins):
    method = built(loss={"loser_weight": 0.25})
    assert method.loss_weights["loser"] == 0.25
    monkeypatch.setattr(module, "first_wins", lambda *_: torch.tensor(joint_wins))
    labels = LABELS.tolist()
    joint, fusion = logits(*labels), logits(*labels * 2, confidence=1.0)
    terms = losses(method, outputs(joint, fusion))
    by_hand = {"joint": math.log(1 + 2 * math.exp(-2)), "fusion": math.log(1 + 2 * math.exp(-1))}
    loser = "fusion" if joint_wins else "joint"
    assert terms["loser"].item() == pytest.approx(by_hand[loser], rel=1e-5)
    assert terms["joint"].item() == pytest.approx(by_hand["joint" if joint_wins else "fusion"], rel=1e-5)
    terms["loser"].backward()
    reached = {"joint": joint.grad is not None and joint.grad.any(), "fusion": fusion.grad.any()}
    assert {name for name, is_reached in reached.items() if is_reached} == {loser}


def test_triplet_sees_joint_embeddings_of_length_one():
    method = built(loss={"triplet": 2.0, "margin": 0.5})
    assert method.loss_weights["triplet"] == 2.0
    found = method.outputs(BATCH)
    embeddings = torch.nn.functional.normalize(found.embedding)
    distances = torch.cdist(embeddings, embeddings)
    same = LABELS[:, None] == LABELS
    hardest = [
        max(0.0, (row[same[i]].max() - row[~same[i]].min() + 0.5).item()) for i, row in enumerate(distances)
    ]
    assert losses(method, found)["triplet"].item() == pytest.approx(sum(hardest) / 6, abs=1e-3)


def test_terms_of_ours_are_off_in_the_presets():
    for recipe in (SCRATCH, PAPER, RELEASE_SCRATCH, RELEASE):
        assert (recipe["loss"]["loser_weight"], recipe["loss"]["triplet"]) == (0.0, 0.0)
        assert {"loser", "triplet"}.isdisjoint(built(recipe=recipe).loss_weights)


@pytest.mark.parametrize(
    ("loss", "left_out"),
    [
        ({"loser_weight": 0.1}, {"fusion_block": False}),
        ({"loser_weight": 0.1}, {"joint_block": False}),
        ({"triplet": 1.0}, {"joint_block": False}),
    ],
)
def test_term_whose_block_is_left_out_is_refused(loss, left_out):
    params = Params.model_validate(
        PAPER | {"model": PAPER["model"] | left_out, "loss": PAPER["loss"] | loss},
    )
    with pytest.raises(UserError, match="its block is left out"):
        check_recipe(params)


def test_both_blocks_supply_the_mean_of_their_losses():
    labels = LABELS.tolist()
    joint, fusion = logits(*labels), logits(*labels * 2, confidence=1.0)
    terms = losses(built(loss={"competition": "both"}), outputs(joint, fusion))
    expected = [math.log(1 + 2 * math.exp(-confidence)) for confidence in (2.0, 1.0)]
    assert terms["joint"].item() == pytest.approx(sum(expected) / 2, rel=1e-5)
    terms["joint"].backward()
    assert joint.grad.any()
    assert fusion.grad.any()


def test_nobody_wins_where_both_blocks_supply_the_loss():
    measures = step_on(built(loss={"competition": "both"}), BATCH).measures
    assert "joint_wins" not in measures
    assert {"accuracy", "accuracy_fusion"} <= measures.keys()


@pytest.mark.parametrize(("joint_hits", "fusion_hits", "joint_wins"), [(6, 7, False), (6, 6, True), (0, 0, True)])
def test_released_rule_compares_raw_hits(joint_hits, fusion_hits, joint_wins):
    labels = LABELS.tolist()
    joint = logits(*[y if n < joint_hits else (y + 1) % 3 for n, y in enumerate(labels)])
    fusion = logits(*[y if n < fusion_hits else (y + 1) % 3 for n, y in enumerate(labels * 2)])
    measures = built(recipe=RELEASE).measures(outputs(joint, fusion), BATCH)
    assert bool(measures["joint_wins"]) == joint_wins


def test_released_correction_has_its_value_but_no_gradient():
    right = logits(*LABELS.tolist(), confidence=4.0)
    single = logits(*((LABELS + 1) % 3).tolist(), confidence=4.0)
    terms = losses(built(recipe=RELEASE), outputs(right, torch.zeros(12, 3), single))
    assert terms["correction"].item() == pytest.approx(math.exp(4), rel=1e-4)  # not clamped either
    terms["correction"].backward()
    assert not right.grad.any()
    assert not single.grad.any()


@pytest.mark.parametrize(
    ("changes", "key", "expected"),
    [
        ({"joint_block": False, "fusion_block": False}, "fusion_block", "one block must supply the joint loss"),
        ({"single_layers": "joint"}, "single_layers", "own or shared, as upsample"),
        ({"svd": PAPER["model"]["svd"] | {"orthogonal": False}}, "svd.orthogonal", "true, as svd.cycles is not 0"),
        ({"joint_dims": []}, "joint_dims", "at least 1 item"),
        ({"fusion_activation": "gelu"}, "fusion_activation", "'relu' or 'leaky_relu'"),
    ],
)
def test_switches_that_contradict_each_other_are_named(changes, key, expected):
    with pytest.raises(UserError) as error:
        check_method("fprnet", PAPER["model"] | changes, PAPER["loss"])
    assert error.value.problem == f"wrong parameter: {key}"
    assert expected in error.value.expected
