"""Tiny models of every family, made by transformers, and what transformers computes with them.

tiny_models.py make FOLDER [SEED]   write FOLDER/<name>/, golden.safetensors and models.json
tiny_models.py compare FOLDER       compute again from the stored models, compare with the stored figures

The stored ones were made by transformers 5, whose configs hold rope_parameters; version 4 writes the
same settings as rope_theta and rope_scaling, so that both forms come to be read.

Weights are random and far from their usual starts (no norm is 1, no bias 0), so that a term left out
shows. Everything is float32 with eager attention, one sequence at a time; float64 is computed
beside it and its difference printed (by version 5). The settings are the traps: see each entry of MODELS.
"""

import json
import sys
from pathlib import Path

import torch
import transformers as tf
from safetensors.torch import load_file, save_file

VOCAB = 48
LENGTHS = (9, 17)
OLD = int(tf.__version__.split(".")[0]) < 5
AGREE = 1e-5  # versions of torch sum in different orders

SIZES = dict(vocab_size=VOCAB, hidden_size=16, num_hidden_layers=2, num_attention_heads=4,
             num_key_value_heads=2, intermediate_size=24, max_position_embeddings=64,
             pad_token_id=0, bos_token_id=1, eos_token_id=2)
ENCODER = dict(vocab_size=VOCAB, hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
               intermediate_size=24, max_position_embeddings=40)
GPT2 = dict(vocab_size=VOCAB, n_embd=16, n_layer=2, n_head=4, n_positions=40, n_inner=24,
            bos_token_id=1, eos_token_id=2)
NEOX = dict(vocab_size=VOCAB, hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
            intermediate_size=24, max_position_embeddings=64, bos_token_id=1, eos_token_id=2)
OPT = dict(vocab_size=VOCAB, hidden_size=16, num_hidden_layers=2, num_attention_heads=4, ffn_dim=24,
           max_position_embeddings=40, pad_token_id=0, bos_token_id=1, eos_token_id=2)
LLAMA3 = dict(rope_type="llama3", rope_theta=10000.0, factor=4.0, low_freq_factor=1.0,
              high_freq_factor=4.0, original_max_position_embeddings=16)
YARN = dict(rope_type="yarn", rope_theta=10000.0, factor=4.0, original_max_position_embeddings=16)
LONG = dict(rope_type="longrope", rope_theta=10000.0, original_max_position_embeddings=12,
            short_factor=[1.0, 1.1, 1.2], long_factor=[1.5, 2.5, 4.0], partial_rotary_factor=0.75)
GEMMA3_ROPE = dict(full_attention=dict(rope_type="linear", rope_theta=1000000.0, factor=8.0),
                   sliding_attention=dict(rope_type="default", rope_theta=10000.0))


def plain(theta):
    return dict(rope_type="default", rope_theta=theta)


def clip_of(end):
    tower = dict(hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2)
    return dict(text_config=dict(tower, vocab_size=VOCAB, max_position_embeddings=20, bos_token_id=1,
                                 pad_token_id=0, eos_token_id=end),
                vision_config=dict(tower, hidden_size=20, image_size=12, patch_size=4, num_channels=3),
                projection_dim=10)


# name: (kind, configuration, model, settings)
MODELS = {
    # grouped heads wider than the hidden state allows, biases everywhere, a head of its own
    "llama": ("decoder", tf.LlamaConfig, tf.LlamaForCausalLM,
              dict(SIZES, head_dim=8, attention_bias=True, mlp_bias=True, rope_parameters=LLAMA3,
                   tie_word_embeddings=False)),
    "llama-yarn": ("decoder", tf.LlamaConfig, tf.LlamaForCausalLM,
                   dict(SIZES, rope_parameters=YARN, tie_word_embeddings=True)),
    # sequences longer than the context: the base grows with them
    "llama-dynamic": ("decoder", tf.LlamaConfig, tf.LlamaForCausalLM,
                      dict(SIZES, max_position_embeddings=12, tie_word_embeddings=True,
                           rope_parameters=dict(rope_type="dynamic", rope_theta=10000.0, factor=3.0))),
    "mistral": ("decoder", tf.MistralConfig, tf.MistralForCausalLM,
                dict(SIZES, head_dim=8, sliding_window=6, tie_word_embeddings=False)),
    # a window from the second layer on
    "qwen2": ("decoder", tf.Qwen2Config, tf.Qwen2ForCausalLM,
              dict(SIZES, num_hidden_layers=3, use_sliding_window=True, sliding_window=5,
                   max_window_layers=1, tie_word_embeddings=True)),
    "qwen3": ("decoder", tf.Qwen3Config, tf.Qwen3ForCausalLM,
              dict(SIZES, head_dim=12, tie_word_embeddings=True, rope_parameters=plain(1000000.0))),
    "gemma": ("decoder", tf.GemmaConfig, tf.GemmaForCausalLM,
              dict(SIZES, head_dim=8, num_key_value_heads=1)),
    # both soft caps within reach, windows on even layers
    "gemma2": ("decoder", tf.Gemma2Config, tf.Gemma2ForCausalLM,
               dict(SIZES, head_dim=8, num_hidden_layers=3, sliding_window=5, query_pre_attn_scalar=5,
                    attn_logit_softcapping=1.5, final_logit_softcapping=2.0)),
    # two ropes, five windows to a full layer
    "gemma3": ("decoder", tf.Gemma3TextConfig, tf.Gemma3ForCausalLM,
               dict(SIZES, num_hidden_layers=6, num_attention_heads=2, num_key_value_heads=1, head_dim=8,
                    sliding_window=5, query_pre_attn_scalar=12, rope_parameters=GEMMA3_ROPE)),
    "phi3": ("decoder", tf.Phi3Config, tf.Phi3ForCausalLM,
             dict(SIZES, sliding_window=7, tie_word_embeddings=False)),
    # one sequence within the original context, one beyond; part of each head turned
    "phi3-long": ("decoder", tf.Phi3Config, tf.Phi3ForCausalLM,
                  dict(SIZES, num_attention_heads=2, num_key_value_heads=1, sliding_window=None,
                       original_max_position_embeddings=12, rope_parameters=LONG)),
    "phi": ("decoder", tf.PhiConfig, tf.PhiForCausalLM,
            dict(SIZES, rope_parameters=dict(plain(10000.0), partial_rotary_factor=0.5))),
    "phi-qk-norm": ("decoder", tf.PhiConfig, tf.PhiForCausalLM,
                    dict(SIZES, num_key_value_heads=4, qk_layernorm=True,
                         rope_parameters=dict(plain(10000.0), partial_rotary_factor=0.5))),
    "gpt2": ("decoder", tf.GPT2Config, tf.GPT2LMHeadModel, GPT2),
    # saved without its head: names have no prefix; scores are not divided
    "gpt2-bare": ("bare", tf.GPT2Config, tf.GPT2LMHeadModel, dict(GPT2, scale_attn_weights=False)),
    "gpt-neox": ("decoder", tf.GPTNeoXConfig, tf.GPTNeoXForCausalLM,
                 dict(NEOX, rope_parameters=dict(plain(10000.0), partial_rotary_factor=0.5))),
    "gpt-neox-sequential": ("decoder", tf.GPTNeoXConfig, tf.GPTNeoXForCausalLM,
                            dict(NEOX, use_parallel_residual=False, tie_word_embeddings=True,
                                 rope_parameters=dict(plain(1000.0), partial_rotary_factor=1.0))),
    "opt": ("decoder", tf.OPTConfig, tf.OPTForCausalLM, dict(OPT, word_embed_proj_dim=16)),
    # the 350m: norms behind the blocks, embeddings narrower than the hidden state
    "opt-post": ("decoder", tf.OPTConfig, tf.OPTForCausalLM,
                 dict(OPT, word_embed_proj_dim=12, do_layer_norm_before=False)),
    "bert": ("encoder", tf.BertConfig, tf.BertModel, dict(ENCODER, type_vocab_size=2, pad_token_id=0)),
    "roberta": ("encoder", tf.RobertaConfig, tf.RobertaModel,
                dict(ENCODER, type_vocab_size=1, pad_token_id=1, layer_norm_eps=1e-5)),
    # more rows than columns
    "vit": ("vision", tf.ViTConfig, tf.ViTForImageClassification,
            dict(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24,
                 image_size=[12, 8], patch_size=4, num_channels=3, num_labels=5)),
    # the end of a text has an id of its own that is not the highest one
    "clip": ("clip", tf.CLIPConfig, tf.CLIPModel, clip_of(40)),
    # old configs: id 2 stands for the highest
    "clip-text": ("clip_text", tf.CLIPTextConfig, tf.CLIPTextModelWithProjection,
                  dict(clip_of(2)["text_config"], projection_dim=10)),
}


def before_five(name, settings):
    """The settings as version 4 of the library takes them."""
    old = dict(settings)
    rope = dict(old.pop("rope_parameters", plain(10000.0)))
    if "full_attention" in rope:
        old["rope_local_base_freq"] = rope["sliding_attention"]["rope_theta"]
        rope = dict(rope["full_attention"])
    theta, share = rope.pop("rope_theta"), rope.pop("partial_rotary_factor", None)
    old["rotary_emb_base" if name.startswith("gpt-neox") else "rope_theta"] = theta
    if share is not None:
        old["rotary_pct" if name.startswith("gpt-neox") else "partial_rotary_factor"] = share
    if rope["rope_type"] == "longrope":  # its original context stands beside it
        old["rope_scaling"] = {"type": "longrope", "short_factor": rope["short_factor"],
                               "long_factor": rope["long_factor"]}
    elif rope["rope_type"] != "default":
        old["rope_scaling"] = rope
    if name == "qwen2":  # eager attention gave the window to every layer
        old["max_window_layers"] = 0
    return old


def perturb(model, seed, plus_one):
    """Every parameter at random; plus_one: norms are stored as the difference from 1."""
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in model.named_parameters():
            noise = torch.randn(p.shape, generator=draw)
            if p.ndim == 0:
                continue
            if p.ndim >= 2:
                wide = "embed" in name or "wte" in name or "wpe" in name or "token" in name
                p.copy_(noise * (0.7 if wide else p[0].numel() ** -0.5))
            elif name.endswith("bias") or p.shape[0] == 0:
                p.copy_(0.2 * noise)
            else:
                p.copy_(0.25 * noise + (0.0 if plus_one else 1.0))


def built(name, seed):
    kind, config, model, settings = MODELS[name]
    if OLD and kind in ("decoder", "bare"):
        settings = before_five(name, settings)
    torch.manual_seed(seed)
    made = model._from_config(config(**settings), attn_implementation="eager").eval()
    perturb(made, seed, name.startswith("gemma"))
    return made


def sequences(name):
    """Two sequences of ids; 0, 1 and 2 (padding, begin, end) stand in none of them."""
    draw = torch.Generator().manual_seed(len(name))
    ids = [torch.randint(3, VOCAB, (n,), generator=draw) for n in LENGTHS]
    if name == "clip":
        for row in ids:
            row[5] = 40
    return ids


def images(name, shape):
    draw = torch.Generator().manual_seed(100 + len(name))
    return torch.rand(2, *shape, generator=draw) * 2 - 1


def run_text(model, name):
    """Sequence by sequence. The last of hidden<i> is the final state, behind the final norm."""
    found = {}
    for i, row in enumerate(sequences(name)):
        out = model(input_ids=row[None], output_hidden_states=True, output_attentions=True)
        found[f"ids{i}"] = row.to(torch.int32)
        found[f"hidden{i}"] = torch.stack([h[0] for h in out.hidden_states[:-1]])
        if "logits" in out:
            found[f"logits{i}"] = out.logits[0]
        if "last_hidden_state" in out:
            found[f"last{i}"] = out.last_hidden_state[0]
            found[f"embed{i}"] = torch.nn.functional.normalize(out.last_hidden_state[0].mean(0), dim=0)
        if i == 0:
            found["attention0"] = torch.stack([a[0] for a in out.attentions])
    return found


def run_vision(model, name):
    shape = model.config.image_size
    pixels = images(name, (model.config.num_channels, *shape)).to(model.dtype)
    out = model(pixel_values=pixels, output_hidden_states=True)
    return {"images": pixels, "logits": out.logits, "hidden": torch.stack(out.hidden_states[:-1])}


def run_clip(model, name):
    vision = model.config.vision_config
    pixels = images(name, (vision.num_channels, vision.image_size, vision.image_size)).to(model.dtype)
    found = {"images": pixels}
    text = []
    for i, row in enumerate(sequences(name)):
        out = model(input_ids=row[None], pixel_values=pixels)
        found[f"ids{i}"] = row.to(torch.int32)
        found[f"last{i}"] = out.text_model_output.last_hidden_state[0]
        text.append(out.text_embeds[0])
    found["text_embeds"] = torch.stack(text)
    found["image_embeds"] = out.image_embeds
    found["logits_per_image"] = model.logit_scale.exp() * out.image_embeds @ torch.stack(text).T
    return found


def run_clip_text(model, name):
    found = {}
    text = []
    for i, row in enumerate(sequences(name)):
        out = model(input_ids=row[None])
        found[f"ids{i}"] = row.to(torch.int32)
        found[f"last{i}"] = out.last_hidden_state[0]
        text.append(torch.nn.functional.normalize(out.text_embeds[0], dim=0))
    found["text_embeds"] = torch.stack(text)
    return found


def figures(model, name):
    kind = MODELS[name][0]
    run = {"vision": run_vision, "clip": run_clip, "clip_text": run_clip_text}.get(kind, run_text)
    with torch.no_grad():
        return {key: value.contiguous() for key, value in run(model, name).items()}


def apart(a, b):
    """Largest difference by the largest magnitude, over all figures."""
    return max(float((a[k].double() - b[k].double()).abs().max() / b[k].double().abs().max()) for k in b)


def save(model, name, folder):
    # A bare model is the trunk alone; its head is the embedding.
    (model.transformer if MODELS[name][0] == "bare" else model).save_pretrained(folder)
    for extra in folder.glob("generation_config.json"):
        extra.unlink()


def make(root, first_seed):
    root.mkdir(parents=True, exist_ok=True)
    golden, listed = {}, []
    for seed, name in enumerate(MODELS, first_seed):
        model = built(name, seed)
        save(model, name, root / name)
        single = figures(model, name)
        size = (root / name / "model.safetensors").stat().st_size
        line = f"{name:22} {size:6} bytes"
        if not OLD:  # whose masks are float32's alone
            double = figures(built(name, seed).double(), name)
            line += f", float32 from float64 {apart(single, double):.1e}"
        print(line)
        golden.update({f"{name}.{key}": value for key, value in single.items()})
        listed.append({"name": name, "kind": "decoder" if MODELS[name][0] == "bare" else MODELS[name][0]})
    save_file({k: v.clone() for k, v in golden.items()}, root / "golden.safetensors",
              metadata={"transformers": tf.__version__, "torch": torch.__version__})
    (root / "models.json").write_text(json.dumps(listed, indent=1) + "\n")


def stored(name, folder):
    model = MODELS[name][2]
    if MODELS[name][0] != "bare":
        return model.from_pretrained(folder, attn_implementation="eager").eval()
    config = tf.AutoConfig.from_pretrained(folder)
    made = model._from_config(config, attn_implementation="eager").eval()
    made.transformer.load_state_dict(load_file(folder / "model.safetensors"), strict=False)
    made.tie_weights()
    return made


def compare(root):
    if OLD:
        print("transformers 4 does not read the stored configs: nothing compared")
        return 0
    golden = load_file(root / "golden.safetensors")
    failed = 0
    for name in MODELS:
        want = {k[len(name) + 1:]: v for k, v in golden.items() if k.startswith(name + ".")}
        difference = apart(figures(stored(name, root / name), name), want)
        failed += difference > AGREE
        print(f"{name:22} {difference:.1e}{' FAILED' if difference > AGREE else ''}")
    return failed


if __name__ == "__main__":
    torch.set_num_threads(1)
    tf.logging.set_verbosity_error()
    if len(sys.argv) not in (3, 4) or sys.argv[1] not in ("make", "compare"):
        sys.exit(__doc__)
    if sys.argv[1] == "make":
        make(Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) == 4 else 0)
    else:
        sys.exit(1 if compare(Path(sys.argv[2])) else 0)
