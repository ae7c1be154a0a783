"""What is suspicious about a data set that its layout accepts."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence

from vireid.data.layout_checks import few_of
from vireid.data.records import SPLITS, ImageRecord, Modality

FEW = 2
"""An identity with fewer images of a modality cannot be met by a different picture of itself."""


def findings(records: Sequence[ImageRecord], digests: Sequence[Hashable], described: bool) -> list[str]:
    """Find everything that is suspicious.

    Args:
        records: What a layout has found.
        digests: A hash of each file's bytes.
        described: Whether a list says of each image what it is, its camera too.

    Returns:
        One sentence for each kind of thing that is suspicious, with its count.
    """
    cameras = shared_cameras(records) if described else []
    return suspicions(records) + duplicates(records, digests) + cameras


def suspicions(records: Sequence[ImageRecord]) -> list[str]:
    """Find empty groups, identities that lack a modality or nearly do, and cameras that one split lacks.

    Args:
        records: What a layout has found.

    Returns:
        One sentence for each kind of thing that is suspicious, with its count.
    """
    sentences = []
    for split in SPLITS:
        part = [record for record in records if record.split == split]
        pids = {record.pid for record in part}
        for modality in Modality:
            images = Counter(record.pid for record in part if record.modality is modality)
            what = f"{modality.group} {split}"
            if not images:
                sentences.append(f"no {what} image at all")
                continue
            sentences += _listed(f"{split} identities without {modality.group} images", pids - images.keys())
            few = [pid for pid, count in images.items() if count < FEW]
            sentences += _listed(f"{split} identities with fewer than {FEW} {modality.group} images", few)
    for modality in Modality:
        cameras = {s: {r.camid for r in records if (r.split, r.modality) == (s, modality)} for s in SPLITS}
        for split, other in (SPLITS, SPLITS[::-1]):
            missing = cameras[other] - cameras[split]
            if cameras[split]:
                sentences += _listed(f"{modality.group} cameras without an image in {split}", missing)
    return sentences


def shared_cameras(records: Sequence[ImageRecord]) -> list[str]:
    """Find camera numbers of both spectra, which make one place where a query ignores its own identity.

    Args:
        records: What a manifest says; with locations, cameras do not matter.

    Returns:
        One sentence, or none.
    """
    visible, infrared = (
        {r.camid for r in records if r.modality is modality and r.location is None} for modality in Modality
    )
    return _listed("cameras of both spectra (number them apart unless they share a place)", visible & infrared)


def duplicates(records: Sequence[ImageRecord], digests: Sequence[Hashable]) -> list[str]:
    """Find files of equal bytes that are in both splits, show two identities or are of both modalities.

    Args:
        records: What a layout has found.
        digests: A hash of each file's bytes.

    Returns:
        One sentence for each kind of duplicate, with its count and an example.
    """
    by_content: dict[Hashable, list[ImageRecord]] = defaultdict(list)
    for record, digest in zip(records, digests, strict=True):
        by_content[digest].append(record)
    copies = [same for same in by_content.values() if len(same) > 1]
    kinds = {
        "in both train and test": [same for same in copies if len({r.split for r in same}) > 1],
        "under more than one identity": [same for same in copies if len({r.pid for r in same}) > 1],
        "as both visible and infrared": [same for same in copies if len({r.modality for r in same}) > 1],
    }
    return [
        f"images {kind}, byte for byte: {len(sets)}; the first is "
        + " = ".join(sorted(record.name for record in sets[0])[:3])
        for kind, sets in kinds.items()
        if sets
    ]


def _listed(what: str, numbers: Sequence[int] | set[int]) -> list[str]:
    return [f"{what}: {len(numbers)} ({few_of(numbers)})"] if numbers else []
