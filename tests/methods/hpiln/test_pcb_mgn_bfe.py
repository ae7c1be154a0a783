"""PCB, MGN and BFE: vectors by hand. CPU, seconds."""

import pytest
import torch
from torch.nn.functional import normalize

from tests.methods.hpiln.built import small


@pytest.fixture
def images():
    return torch.randn(4, 3, 64, 32, generator=torch.Generator().manual_seed(1))


def test_pcb_ranks_strips_of_length_one(images):
    network = small("pcb").eval()
    outputs = network(images)
    maps = network.trunk(images)[-1]
    assert maps.shape[2] == 4
    bounds = [(0, 1), (0, 2), (1, 2), (2, 3), (2, 4), (3, 4)]  # 4 rows in 6 strips
    strips = [maps[:, :, top:bottom].mean(dim=(2, 3)) for top, bottom in bounds]
    torch.testing.assert_close(outputs.embedding, torch.cat([normalize(strip) for strip in strips], dim=1))
    torch.testing.assert_close(outputs.embedding.norm(dim=1), torch.full((4,), 6**0.5))
    for strip, classify, logits in zip(strips, network.classifiers, outputs.logits, strict=True):
        torch.testing.assert_close(logits, classify(network.reduction(strip[..., None, None]).flatten(1)))


def test_pcb_compares_what_dropout_leaves(images):
    network = small("pcb", dropout=0.5)
    torch.manual_seed(0)
    compared, kept = network(images).compared[0], network.eval()(images).compared[0]
    assert (compared == 0).float().mean() > (kept == 0).float().mean() + 0.3  # ReLU leaves zeros, too
    torch.testing.assert_close(compared.unflatten(1, (6, -1)).norm(dim=2), torch.ones(4, 6))


def test_pcbs_reduction_learns_from_the_classifiers_only(images):
    network = small("pcb")
    network(images).compared[0].square().sum().backward()
    assert {id(m) for m in network.only_for_identities()} == {
        id(m) for m in (network.reduction, *network.classifiers)
    }
    assert all(p.grad is None for module in network.only_for_identities() for p in module.parameters())


def test_mgn_has_eight_maxima_of_three_branches(images):
    network = small("mgn").eval()
    shared = network.shared(images)
    maps = {name: branch(shared) for name, branch in network.branches.items()}
    assert [tuple(part.shape[2:]) for part in maps.values()] == [(2, 1), (4, 2), (4, 2)]
    halves, thirds = maps["halves"], maps["thirds"]
    # Three strips of four rows: 0-1, 1-2, 2-3.
    parts = [maps["whole"], halves, halves[:, :, :2], halves[:, :, 2:]]
    parts += [thirds, thirds[:, :, :2], thirds[:, :, 1:3], thirds[:, :, 2:]]
    maxima = [part.flatten(2).max(dim=2).values for part in parts]
    vectors = [reduce(maximum) for reduce, maximum in zip(network.reductions, maxima, strict=True)]
    outputs = network(images)
    torch.testing.assert_close(outputs.embedding, torch.cat(vectors, dim=1))
    for vector, classify, logits in zip(vectors, network.classifiers, outputs.logits, strict=True):
        torch.testing.assert_close(logits, classify(vector))


def test_branches_of_mgn_start_equal_and_share_no_weight():
    network = small("mgn")
    branches = [dict(branch.named_parameters()) for branch in network.branches.values()]
    assert all(torch.equal(branches[0][name], other[name]) for other in branches[1:] for name in other)
    ids = [id(p) for branch in branches for p in branch.values()] + [id(p) for p in network.shared.parameters()]
    assert len(ids) == len(set(ids))


def test_bfe_embeds_the_erasing_branch_or_both(images):
    outputs = [small("bfe", concatenate=both).eval()(images) for both in (False, True)]
    for one in outputs:
        assert [vectors.shape[1] for vectors in one.compared] == [16, 32]
    assert torch.equal(outputs[0].embedding, outputs[0].compared[1])
    assert torch.equal(outputs[1].embedding, torch.cat(outputs[1].compared, dim=1))


def test_bfe_by_hand(images):
    network = small("bfe").eval()
    maps = network.trunk(images)[-1]
    whole = network.reduction(maps.mean(dim=(2, 3)))
    erasing = network.erasing(network.bottleneck(maps).flatten(2).max(dim=2).values)
    outputs = network(images)
    torch.testing.assert_close(outputs.compared, [whole, erasing])
    torch.testing.assert_close(
        outputs.logits, [c(v) for c, v in zip(network.classifiers, (whole, erasing), strict=True)]
    )


def test_bfes_rectangle_moves_and_keeps_its_size():
    network = small("bfe", rectangle_height=0.33, rectangle_width=0.5)
    torch.manual_seed(0)
    masks = torch.stack([network._kept(torch.zeros(2, 3, 16, 8)) for _ in range(200)])
    assert masks.shape == (200, 16, 8)
    erased = 1 - masks
    assert erased.sum(dim=(1, 2)).unique().tolist() == [5 * 4]  # of 16 and 8: 5.28 and 4
    rows, columns = erased.amax(dim=2), erased.amax(dim=1)
    assert rows.sum(dim=1).unique().tolist() == [5]
    assert {int(row.argmax()) for row in rows} == set(range(16 - 5 + 1))
    assert {int(column.argmax()) for column in columns} == set(range(8 - 4 + 1))


def test_bfe_erases_the_same_rectangle_for_the_whole_batch_in_training_only():
    network = small("bfe", rectangle_height=1.0, rectangle_width=1.0)
    images = torch.randn(2, 3, 64, 32)
    seen = []
    network.erasing.register_forward_hook(lambda _module, inputs, _result: seen.append(inputs[0]))
    network(images)
    network.eval()(images)
    assert not seen[0].any()  # everything is erased
    assert seen[1].any()
