"""What ties channels together, and why surgery leaves some alone: in a few words, for people."""

import numpy as np

from nas_surgery.network import Group, Network, Outputs


def ties(network: Network, group: Group) -> str:
    """Which layers write a group, let it pass one by one, and read it."""
    joins = [i for i in group.passers if network.layers[i].several]
    held = [place.address for place in group.holders]
    parts = [f"{group.size} channels of {_named(network, group.writers)}"]
    if joins:
        parts.append(f"joined in {_named(network, joins)}")
    if held:
        parts.append(f"each with a value in {_named(network, held)}")
    if group.step > 1:
        parts.append(f"in {group.step} equal parts")
    readers = dict.fromkeys(reader.address for reader in group.readers)
    if readers:
        parts.append(f"read by {_named(network, tuple(readers))}")
    return ", ".join(parts)


def left_alone(network: Network) -> dict[int, str]:
    """Why layers that write channels are in no group, by address; the last one's are the outputs."""
    known = {writer for group in network.groups() for writer in group.writers}
    writers = (
        i for i, layer in enumerate(network.layers) if layer.channels.outputs is Outputs.FRESH
    )
    reasons = {i: _reason(network, i) for i in writers if i not in known}
    return {address: reason for address, reason in reasons.items() if reason is not None}


def _reason(network: Network, address: int) -> str | None:
    tensors = network.atoms.tensors
    mine = tensors[address + 1]
    if np.isin(tensors[-1], mine).any():
        return None
    if np.isin(tensors[0], mine).any():
        return "they are tied to the inputs"
    for other, layer in enumerate(network.layers):
        seen = [tensors[source + 1] for source in network.sources[other]]
        if layer.channels.outputs is Outputs.FROZEN and np.isin(np.concatenate(seen), mine).any():
            return f"layer {other} ({layer.kind}) works on all of them together"
    return "layers make or read them in parts that differ"


def _named(network: Network, addresses: tuple[int, ...] | list[int]) -> str:
    shown = ", ".join(f"{i} ({network.layers[i].kind})" for i in addresses)
    return f"layer{'s' if len(addresses) > 1 else ''} {shown}"
