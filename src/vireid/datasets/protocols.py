"""Protocols by name: those of every data set."""

from dataclasses import replace

from vireid.datasets import data_sets
from vireid.datasets.protocol import Protocol
from vireid.support.errors import UserError


def all_protocols() -> dict[str, Protocol]:
    """Every data set's protocols by name."""
    return {
        protocol.name: protocol
        for data_set in data_sets().values()
        for name in data_set.names
        for protocol in data_set.protocols(name)
    }


def protocols_of(dataset: str) -> list[str]:
    """List the names of a data set's protocols.

    Raises:
        UserError: If there is none.
    """
    known = all_protocols().values()
    names = [protocol.name for protocol in known if protocol.dataset == dataset]
    if not names:
        raise UserError(
            "dataset",
            "no protocol is defined for this data set",
            expected=f"one of {', '.join(dict.fromkeys(protocol.dataset for protocol in known))}",
            found=dataset,
            remedy="write one of these names into the features file; `manifest` is for one's own images",
        )
    return names


def protocol_named(name: str, gallery_draw: str = "seeded", dataset: str | None = None) -> Protocol:
    """Look a protocol up.

    Args:
        name: `<dataset>/...`.
        gallery_draw: How it draws its galleries, if it draws any: `seeded` or `official`.
        dataset: The data set that it must be defined for; any without it.

    Raises:
        UserError: If there is none of this name for the data set; the message lists those there are.
    """
    known = all_protocols()
    chosen = known.get(name)
    if chosen is None or dataset not in (None, chosen.dataset):
        data_set = dataset or name.partition("/")[0]
        names = [key for key, value in known.items() if value.dataset == data_set] or list(known)
        raise UserError(
            "evaluate.protocols",
            "unknown protocol" if chosen is None else "the protocol is for another data set",
            expected=f"one of {', '.join(names)}",
            found=name,
            remedy="correct it (evaluate.protocols, or --protocol); `vireid preset dataset=NAME` sets NAME's own",
        )
    return replace(chosen, gallery_draw=gallery_draw) if chosen.gallery_draw == "seeded" else chosen
