"""What a packed data set holds, as the numbers that `results/dataset.json` shows."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from vireid.data.findings import findings
from vireid.data.ingest import Packed
from vireid.data.picture_findings import picture_findings, size_percentiles
from vireid.data.records import SPLITS, ImageRecord, Modality
from vireid.params import Dataset, Ingest


def describe(packed: Packed, dataset: Dataset, settings: Ingest, *, described: bool = False) -> dict[str, Any]:
    """Count images and identities per split, modality, camera and identity, and list what is suspicious.

    Args:
        packed: What went into `images.h5`.
        dataset: What it was taken from.
        settings: The packed size.
        described: Whether a list says of each image what it is, its camera too.
    """
    pictures = picture_findings(packed.records, packed.looks, settings.height / settings.width)
    return {
        "dataset": dataset.name,
        "layout": dataset.layout,
        "trial": dataset.trial,
        "source_hash": packed.source_hash,
        "images": len(packed.records),
        "skipped": packed.skipped,
        "warnings": findings(packed.records, packed.digests, described) + pictures,
        "sizes": size_percentiles(packed.records, packed.looks),
        "splits": {split: _split([r for r in packed.records if r.split == split]) for split in SPLITS},
    }


def _split(records: list[ImageRecord]) -> dict[str, Any]:
    by_modality = {m.group: [r for r in records if r.modality == m] for m in Modality}
    per_pid = {m: Counter(r.pid for r in records) for m, records in by_modality.items()}
    return {
        **_counts(records),
        "modalities": {m: _counts(records) | {"cameras": _cameras(records)} for m, records in by_modality.items()},
        "images_per_identity": {
            str(pid): {m: per_pid[m][pid] for m in by_modality} for pid in sorted({r.pid for r in records})
        },
    }


def _cameras(records: list[ImageRecord]) -> dict[str, dict[str, int]]:
    camids = sorted({record.camid for record in records})
    return {str(camid): _counts(r for r in records if r.camid == camid) for camid in camids}


def _counts(records: Iterable[ImageRecord]) -> dict[str, int]:
    pids = [record.pid for record in records]
    return {"images": len(pids), "identities": len(set(pids))}
