"""Load outputs of weightbench with safetensors and transformers; every tensor must arrive bit for bit.

load_outputs.py FOLDER...  The bytes of each file are read once more with nothing but json and numpy,
so that a fault of a library would show too.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
import transformers
from safetensors import safe_open

DTYPES = {"BF16": (np.uint16, torch.bfloat16), "F16": (np.uint16, torch.float16),
          "F32": (np.uint32, torch.float32), "F64": (np.uint64, torch.float64),
          "F8_E4M3": (np.uint8, torch.float8_e4m3fn), "F8_E5M2": (np.uint8, torch.float8_e5m2),
          "I64": (np.uint64, torch.int64)}
BITS = {np.uint8: torch.uint8, np.uint16: torch.int16, np.uint32: torch.int32, np.uint64: torch.int64}

APPLIED_TOLERANCE = 1e-6  # float32 products summed in another order


def read_plain(path):
    """Name -> (dtype name, shape, raw bits), from the bytes of the file alone."""
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8:8 + length])
    header.pop("__metadata__", None)
    found = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        bits = np.frombuffer(data, dtype=DTYPES[entry["dtype"]][0],
                             offset=8 + length + begin, count=(end - begin) // DTYPES[entry["dtype"]][0]().itemsize)
        found[name] = (entry["dtype"], entry["shape"], bits.reshape(entry["shape"]))
    return found


def bits_of(tensor):
    """The bits of a torch tensor as an unsigned numpy array."""
    for bits, dtype in DTYPES.values():
        if tensor.dtype == dtype:
            return tensor.detach().contiguous().view(BITS[bits]).numpy().view(bits)
    raise AssertionError(f"no bits for {tensor.dtype}")


def check_safetensors(folder):
    """All tensors of the folder, read plainly and compared with what safetensors reads."""
    everything = {}
    for path in sorted(folder.glob("*.safetensors")):
        plain = read_plain(path)
        with safe_open(path, framework="pt") as file:
            assert set(file.keys()) == set(plain), path
            for name in file.keys():
                tensor = file.get_tensor(name)
                dtype, shape, bits = plain[name]
                assert tensor.dtype == DTYPES[dtype][1] and list(tensor.shape) == shape, name
                assert np.array_equal(bits_of(tensor), bits), f"{path}: {name}"
        everything.update(plain)
    index = folder / "model.safetensors.index.json"
    if index.exists():
        assert set(json.loads(index.read_text())["weight_map"]) == set(everything), index
    return everything


def model_class(config):
    name = config["architectures"][0]
    return getattr(transformers, name)


def check_transformers(folder, everything):
    """The model as transformers loads it: no key missing, none left over, all bits as in the file."""
    config = json.loads((folder / "config.json").read_text())
    model, info = model_class(config).from_pretrained(folder, torch_dtype="auto", output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"] and not info["mismatched_keys"], info
    state = model.state_dict()
    for name, (_, _, bits) in everything.items():
        assert np.array_equal(bits_of(state[name]), bits), name
    return model


def check_adapter(folder):
    """A LoRA adapter: its config parses, each A has its B, ranks agree."""
    config = json.loads((folder / "adapter_config.json").read_text())
    tensors = check_safetensors(folder)
    lower = [n for n in tensors if ".lora_A." in n]
    assert lower, "no lora_A"
    for name in lower:
        a, b = tensors[name], tensors[name.replace(".lora_A.", ".lora_B.")]
        assert a[1][0] == b[1][1], name
    return len(tensors), config


def load_adapter(base, folder):
    """The same adapter through peft, on its base."""
    from peft import PeftModel

    model = transformers.AutoModelForCausalLM.from_pretrained(base, torch_dtype=torch.float32)
    model = PeftModel.from_pretrained(model, folder)
    assert any("lora_" in n for n in model.state_dict()), "peft loaded nothing"
    return model.merge_and_unload().state_dict()


def check_applied(folder, merged):
    """What weightbench wrote as base + adapter equals what peft makes of them, up to rounding."""
    for name, (_, _, bits) in check_safetensors(folder).items():
        ours, theirs = bits.view(np.float32), merged[name].numpy()
        assert np.abs(ours - theirs).max() <= APPLIED_TOLERANCE * np.abs(theirs).max(), name


def main(folders):
    for folder in map(Path, folders):
        if (folder / "adapter_config.json").exists():
            count, config = check_adapter(folder)
            merged = load_adapter(config["base_model_name_or_path"], folder)
            check_applied(folder.with_name(folder.name + "-applied"), merged)
            print(f"ok - {folder.name}: adapter of {count} tensors")
            continue
        everything = check_safetensors(folder)
        model = check_transformers(folder, everything)
        print(f"ok - {folder.name}: {len(everything)} tensors, {type(model).__name__}")


if __name__ == "__main__":
    main(sys.argv[1:])
