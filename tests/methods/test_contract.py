"""What every method promises, over all presets and their schedules with a tiny model. CPU, seconds."""

from copy import deepcopy

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.methods import guards
from tests.methods.batches import embed_all, losses_of, of_one_spectrum, paired_batch, step_on, weighted_sum
from tests.methods.cases import CASES, first_of_each_network
from vireid.data.records import Modality
from vireid.methods import build_method, check_method
from vireid.support.errors import UserError

LABELS = [2, 0, 1, 3]
# Two of them every day, and one that stands on a trunk of timm.
ONNX_CASES = [
    pytest.param(case, id=name, marks=[] if name.startswith(("fprnet-", "one_stream-")) else pytest.mark.slow)
    for name, case in (first_of_each_network() | {"baseline-timm": CASES["baseline-timm"]}).items()
]
EPOCHS = 100  # more than any recipe has


def built(case, seed=0):
    torch.manual_seed(seed)
    return build_method(*deepcopy(case))


@pytest.fixture(params=CASES.values(), ids=CASES)
def method(request):
    return built(request.param)


@pytest.fixture
def batch(method):
    return paired_batch(LABELS, *(method.takes_only or (32, 16)))


def trained(method, batch, steps, lr):
    """Losses over some steps on one batch."""
    optimizer = torch.optim.AdamW(method.param_groups(lr), lr, fused=True)
    course = []
    for _ in range(steps):
        loss = weighted_sum(method, losses_of(method, batch))
        course.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return course


def embed(method, batch):
    with torch.inference_mode():
        return embed_all(method.eval(), batch)


@pytest.mark.parametrize("modality", Modality)
def test_embeddings_have_the_promised_names_and_widths(method, batch, modality):
    for mode in (True, False):
        embeddings = method.train(mode).embed(batch.images, modality)
        assert {name: tuple(values.shape) for name, values in embeddings.items()} == {
            name: (len(batch.images), width) for name, width in method.embedding_dims.items()
        }
        assert list(embeddings) == list(method.embedding_dims)
        assert all(torch.isfinite(values).all() for values in embeddings.values())


def test_losses_are_finite_scalars_with_the_keys_of_the_weights(method, batch):
    losses = losses_of(method, batch)
    assert losses.keys() == method.loss_weights.keys()
    for loss in losses.values():
        assert loss.shape == ()
        assert loss.dtype == torch.float32
        assert torch.isfinite(loss)
        assert loss.requires_grad


def test_every_trainable_parameter_gets_a_finite_gradient(method, batch):
    weighted_sum(method, losses_of(method, batch)).backward()
    parameters = {name: p for name, p in method.named_parameters() if p.requires_grad}
    without = [name for name, p in parameters.items() if p.grad is None]
    assert without == []
    assert [name for name, p in parameters.items() if not torch.isfinite(p.grad).all()] == []


def test_every_trainable_parameter_is_in_exactly_one_group(method):
    groups = method.param_groups(0.25)
    listed = [id(p) for group in groups for p in group["params"]]
    assert len(listed) == len(set(listed))
    assert set(listed) == {id(p) for p in method.parameters() if p.requires_grad}
    assert all(group["lr"] > 0 for group in groups)
    half = method.param_groups(0.125)
    assert [group["lr"] for group in half] == pytest.approx([group["lr"] / 2 for group in groups])


def test_factors_of_every_epoch_are_one_for_each_group_and_hold_only_some(method):
    groups = method.param_groups(0.25)
    for epoch in range(EPOCHS):
        factors = method.lr_factors(epoch)
        if factors is not None:
            assert len(factors) == len(groups)
            assert min(factors) >= 0
            assert max(factors) > 0


def test_measures_are_shares_without_effect_on_the_losses(method, batch):
    measures = step_on(method, batch).measures
    assert measures
    assert all(value.shape == () and 0 <= value <= 1 for value in measures.values())
    assert not any(value.requires_grad for value in measures.values())
    assert measures.keys().isdisjoint(method.loss_weights)


def test_no_curve_is_the_folder_of_another(method, batch):
    step = step_on(method, batch)
    for names in (step.losses, step.measures):
        assert [(name, other) for name in names for other in names if other.startswith(f"{name}/")] == []


def test_evaluated_embedding_does_not_depend_on_batch_mates(method, batch):
    trained(method, batch, 2, 1e-3)
    guards.embeds_each_image_by_itself(method, batch)
    together = embed(method, batch)
    assert any((values.std(dim=0) > 1e-3).any() for values in together.values())


def test_embedding_depends_on_the_modality_unless_the_method_is_one_stream(method, batch):
    trained(method, batch, 2, 1e-2)
    ranked = next(iter(method.embedding_dims))
    visible, infrared = (embed(method, of_one_spectrum(batch, modality))[ranked] for modality in Modality)
    assert (
        torch.equal(visible, infrared) if method.one_stream else not torch.allclose(visible, infrared, atol=1e-3)
    )


@pytest.mark.parametrize("modality", Modality)
def test_batch_of_one_modality_works(method, batch, modality):
    lacking = of_one_spectrum(batch, modality)
    step = step_on(method, lacking)
    assert all(torch.isfinite(value) for value in (*step.losses.values(), *step.measures.values()))
    weighted_sum(method, step.losses).backward()
    gradients = [p.grad for p in method.parameters() if p.grad is not None]
    assert any(gradient.any() for gradient in gradients)
    assert all(torch.isfinite(gradient).all() for gradient in gradients)
    assert all(torch.isfinite(value).all() for value in method.state_dict().values())
    assert all(len(values) == len(batch.images) for values in embed(method, lacking).values())


def test_losses_do_not_depend_on_the_order_of_pairs(method, batch):
    guards.ignores_the_order_of_pairs(method, batch, [3, 1, 0, 2])


def test_saved_and_loaded_weights_give_the_same_embeddings(method, batch, tmp_path):
    trained(method, batch, 1, 1e-3)
    before = embed(method, batch)
    save_file(method.state_dict(), tmp_path / "weights.safetensors")
    for parameter in method.state_dict().values():
        parameter.zero_()
    method.load_state_dict(load_file(tmp_path / "weights.safetensors"), strict=True)
    after = embed(method, batch)
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_every_parameter_and_buffer_is_finite_at_the_start(method):
    assert all(torch.isfinite(value).all() for value in method.state_dict().values())


def test_thirty_steps_on_one_batch_lower_the_loss_clearly(method, batch):
    course = trained(method, batch, 30, 1e-2)
    assert course[-1] < 0.6 * course[0]


def test_epoch_hook_can_be_called_at_any_epoch(method):
    method.on_epoch(0, [])
    terms = {f"loss/{name}": 1.0 for name in method.loss_weights}
    method.on_epoch(3, [{"loss/total": 1.0} | terms] * 3)


def test_no_epoch_changes_what_requires_a_gradient(method):
    guards.keeps_what_requires_grad(method, EPOCHS)


def test_step_has_no_shape_that_depends_on_values_and_waits_for_no_device(method, batch):
    guards.runs_on_fake_cuda(method, batch)


def test_gradient_needs_no_contents_of_a_tensor(method, batch):
    guards.learns_on_meta(method, batch)


@pytest.mark.parametrize("case", ONNX_CASES)
def test_onnx_graph_gives_the_embeddings_of_any_number_of_images(case):
    method = built(case)
    guards.exports_with_a_free_batch_size(method, *(method.takes_only or (32, 16)))


@pytest.mark.parametrize("section", ["model", "loss"])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_parameter_that_is_not_the_methods_own_is_refused(case, section):
    name, _, model, loss = case
    sections = {"model": model, "loss": loss}
    check_method(name, **sections)
    with pytest.raises(UserError, match="wrong parameter") as error:
        check_method(name, **sections | {section: sections[section] | {"typo": 1}})
    assert "typo" in error.value.problem


def test_layers_to_explain_are_modules_of_the_method(method):
    modules = {id(module) for module in method.modules()}
    visible, infrared = (method.explained_layers(modality) for modality in Modality)
    assert list(visible) == list(infrared)
    assert {id(layer) for layer in (*visible.values(), *infrared.values())} <= modules


@pytest.mark.parametrize("modality", Modality)
def test_layers_to_explain_give_one_map_of_each_image(method, batch, modality):
    shapes = {}
    for name, layer in method.explained_layers(modality).items():
        layer.register_forward_hook(
            lambda _module, _inputs, result, name=name: shapes.update({name: result.shape})
        )
    method.eval().embed(batch.images, modality)
    assert shapes.keys() == method.explained_layers(modality).keys()
    assert all(len(shape) == 4 and shape[0] == len(batch.images) for shape in shapes.values())


def test_same_seed_builds_the_same_method():
    case = next(iter(CASES.values()))
    first, same, other = (built(case, seed).state_dict() for seed in (3, 3, 4))
    assert all(torch.equal(first[name], same[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)
