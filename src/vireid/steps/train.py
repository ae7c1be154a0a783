"""The step `train`: one method, on the training identities."""

from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import cast

import torch
from dvclive import Live
from lightning_fabric import Fabric
from torch import Tensor

from vireid.backbones.pretrained import origins_of
from vireid.compute import choose_training_device
from vireid.data.records import Modality
from vireid.methods import build_method, check_recipe
from vireid.methods.base import Fitted, Method
from vireid.params import Params
from vireid.support.errors import UserError
from vireid.training.data import load_training_images
from vireid.training.fit import fit
from vireid.training.loader import Loader
from vireid.training.loop import Best, Curves, Trainer
from vireid.training.model_folder import ModelDescription, save_model
from vireid.training.resume import ResumePoint


def train(params: Params, images: Path, overlay: Path, model: Path, curves: Path) -> ModelDescription:
    """Train the method that the parameters name.

    Args:
        params: Reads `seed`, `method`, `model`, `loss`, `train` and `compute`.
        images: The packed images.
        overlay: The super-resolved ones.
        model: Folder to write.
        curves: Folder for dvclive to write.

    Raises:
        UserError: If a parameter is not the method's, the method's sections contradict the recipe, the images do
            not fit, or the loss is not finite.
    """
    check_recipe(params)
    device = choose_training_device(params.compute)
    fabric = device.fabric(together=True)
    data = load_training_images(images, overlay, params.train, params.seed, params.compute.image_memory)
    torch.manual_seed(params.seed)
    method = build_method(params.method, len(data.pids), params.model, params.loss)
    origins = origins_of(method)
    decisive = params.model_dump(include={"seed", "method", "model", "loss", "train"}) | asdict(device)
    del decisive["devices"]  # so that as many as there are then can go on
    with (
        ResumePoint(decisive, [images, overlay], owner=fabric.is_global_zero) as resume,
        Live(str(curves), dvcyaml=None, save_dvc_exp=False) if fabric.is_global_zero else nullcontext() as live,
    ):
        require_the_same_everywhere(resume.key, fabric)
        if isinstance(method, Fitted):
            best = fit(method, data, 2 * params.train.num_pids * params.train.num_instances, fabric)
            images_fitted = {f"fit/{m.group}_images": len(data.fitted[m]) for m in Modality}
            _log(live, best.epoch, images_fitted | best.scores)  # so that there is a curve in any case
        else:
            assert isinstance(method, Method)
            place = fabric.global_rank, fabric.world_size
            loader = Loader(data, params.train, params.seed, fabric.device, params.compute.workers, *place)
            trainer = Trainer(method, data, params.train, loader, fabric, resume, params.compute.save_every)
            best = trainer.run(lambda epoch, values: _log(live, epoch, values))
        description = ModelDescription(
            method=params.method,
            model=params.model,
            loss=params.loss,
            pretrained_weights=[asdict(origin) for origin in origins],
            images=asdict(data.info),
            train_pids=data.pids.tolist(),
            holdout_pids=sorted(set(data.holdout[0].pid.tolist())),
            selected_epoch=best.epoch,
            selected_by=best.scores,
            compute=asdict(replace(device, devices=fabric.world_size)),
        )
        if live is not None:
            save_model(model, best.weights, description)
            _summarise(live, best)
        resume.clear()
    return description


def require_the_same_everywhere(key: str, fabric: Fabric) -> None:
    """Refuse processes that would train something else than the first one, as those of another machine may."""
    same = torch.tensor(float(key == fabric.broadcast(key)), device=fabric.device)
    if cast(Tensor, fabric.all_reduce(same)).item() < 1:
        raise UserError(
            "train",
            "processes that train together do not have the same parameters, images, code and libraries",
            expected="the same on every machine",
            found="others on some",
            remedy="bring the machines to one commit, and copy the images files and params.yaml to all",
        )


def _log(live: Live | None, epoch: int, curves: Curves) -> None:
    """Write an epoch's curves, counted from 1, to six digits; of several processes one writes."""
    if live is None:
        return
    live.step = epoch + 1
    for name, value in curves.items():
        live.log_metric(name, float(f"{value:.6g}"))
    live.make_summary()


def _summarise(live: Live, best: Best) -> None:
    """Put the epoch that is kept, counted from 1, and its held-out scores (percent) beside the last epoch's."""
    scores = {name.removeprefix("holdout/"): float(f"{value:.6g}") for name, value in best.scores.items()}
    live.summary["best"] = {"epoch": best.epoch + 1} | scores
    live.make_summary()
