"""How far two checkpoints agree, tensor by tensor: agree.py A B."""

import sys
from pathlib import Path

import torch
from safetensors import safe_open


def tensors(folder):
    """Name -> tensor, one file and one tensor at a time."""
    for path in sorted(Path(folder).glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            for name in file.keys():
                yield name, file.get_tensor(name)


def main(a, b):
    other = {}
    for path in sorted(Path(b).glob("*.safetensors")):
        file = safe_open(path, framework="pt")
        other.update({name: file for name in file.keys()})
    equal = total = 0
    largest = 0.0
    for name, x in tensors(a):
        y = other.pop(name).get_tensor(name)
        assert x.shape == y.shape and x.dtype == y.dtype, name
        equal += int(torch.count_nonzero(x == y))
        total += x.numel()
        largest = max(largest, float((x.float() - y.float()).abs().max()))
    left = [n for n in other if n != "lm_head.weight"]
    assert not left, f"only in {b}: {left}"
    print(f"{100 * equal / total:.2f} % equal, largest difference {largest:.2g}")


if __name__ == "__main__":
    main(*sys.argv[1:])
