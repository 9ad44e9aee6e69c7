"""Small tokenizers of every kind, made by the `tokenizers` package, and what it makes of many texts.

tokenizers_made.py make FOLDER          write FOLDER/texts.json and FOLDER/<kind>/: tokenizer.json, golden.json
tokenizers_made.py golden FOLDER DIR... write FOLDER/texts.json and golden.json for the tokenizers found in DIRs,
                                        which are copied to FOLDER/<name of the dir>/

tokenizers_made.py steps FILE           write FILE: steps of normalizers, pre-tokenizers and decoders one by one

golden.json: "ids", one list a text without special tokens; "special", the ids of the first text with them;
"decoded", by number of the text, what decoding gives where that is not the text itself. tests/data/tokenizers
was made so; tests/golden/test_tokenizers.c reads it.

steps: "texts"; "steps", a tokenizer each whose vocabulary is the pieces that it cuts the texts into, and their ids;
"ids", lists of them; "decoders", a tokenizer each with the "text" that it makes of every list. They are in
tests/data/tokenizers/steps.json; tests/golden/test_tokenizer_steps.c reads it.
"""

import json
import random
import shutil
import sys
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

TEXTS = 1000
VOCAB = 640
EVAL = Path("tests/data/zoo/eval")
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
          r"|\s*[\r\n]+|\s+(?!\S)|\s+")
CLIP = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"

ODD = [
    "naïve café, Ångström; ﬁne ﬂow — “quoted” ‘text’…", "e\u0301 a\u030a n\u0303 o\u0308\u0304 ḋ̇", "日本語のテキスト、漢字とかな。",
    "한국어 문장입니다.", "Привет, мир! Ёлка", "שלום עולם", "مرحبا بالعالم ١٢٣", "हिन्दी में वाक्य", "ภาษาไทยไม่มีช่องว่าง",
    "Ελληνικά ΣΊΣΥΦΟΣ ς", "İstanbul ışık ğ", "STRASSE straße ẞ", "👩‍👩‍👧‍👦 family 🏳️‍🌈 🇩🇪 👍🏽", "🙂🙃🤖x🧪", "x² + y³ ≠ ½ ⅷ Ⅻ",
    "1234567890 12,345.67 0xDEADBEEF 1e-9", "a" * 300, "supercalifragilisticexpialidocious" * 8, "don't I'll we've HE'S they'Re",
    "  leading, trailing   ", "\t\ttabs\tand  spaces   here", "line\nbreaks\n\n\nmany\r\nkinds\r", "\u00a0no\u2003break\u3000spaces\u2028sep",
    "zero\u200bwidth\u200djoin\ufeffbom\u00ad", "control \x01\x02\x1b[0m\x7f end", "\u0085nel", "https://example.org/a?b=c&d=%20#e",
    "def f(x):\n    return x**2  # comment\n", "{\"key\": [1, 2, null]}", "<s> not a token </s> [CLS] <|end|>", "snake_case camelCase kebab-case",
    "C:\\dir\\file.txt", "!!!???...---___", "(a)[b]{c}<d>", "…", " ", "\n", "\n\n \n", "'", "''s 's", "\ufffd replacement", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝟘𝟙",
    "ΑΙ Ά ώ", "ǅ ǆ Ǆ", "ö ö", "각 각", "▁already▁marked", "<0x41><0x0A>", "a\u0300\u0301\u0302\u0303b", "…。、！？「」",
]


def texts():
    rng = random.Random(1)
    lines = [line for name in ("english", "german", "kjv", "code") for line in
             (EVAL / f"{name}.txt").read_text().split("\n") if line.strip()]
    ranges = [(0x20, 0x7e), (0x20, 0x7e), (0xa0, 0x24f), (0x370, 0x3ff), (0x400, 0x4ff), (0x5d0, 0x5ea), (0x621, 0x64a), (0x905, 0x939),
              (0x1e00, 0x1eff), (0x2010, 0x2027), (0x2190, 0x21ff), (0x3041, 0x3096), (0x4e00, 0x9fa5), (0xac00, 0xd7a3), (0x1f300, 0x1f5ff)]
    out = list(ODD)
    while len(out) < TEXTS:
        kind = rng.randrange(4)
        if kind == 0:
            out.append(rng.choice(lines)[:160])
        elif kind == 1:
            words = rng.choice(lines).split(" ")
            rng.shuffle(words)
            out.append(rng.choice([" ", "  ", "\t", "\n", ", ", ""]).join(words)[:120])
        elif kind == 2:
            low, high = rng.choice(ranges)
            out.append("".join(chr(rng.randint(low, high)) if rng.random() < .85 else " " for _ in range(rng.randint(1, 40))))
        else:
            out.append("".join(rng.choice(ODD)[:rng.randint(1, 30)] + rng.choice(["", " ", "  ", "."]) for _ in range(3)))
    return out


def corpus():
    return [path.read_text() for path in sorted(EVAL.glob("*.txt"))] + ODD


def bpe(normalizer, cutter, decoder, alphabet=(), special=(), post=None, unk=None, **model):
    t = Tokenizer(models.BPE(unk_token=unk, **model))
    if normalizer is not None:
        t.normalizer = normalizer
    if cutter is not None:
        t.pre_tokenizer = cutter
    trainer = trainers.BpeTrainer(vocab_size=VOCAB, show_progress=False, initial_alphabet=list(alphabet),
                                  special_tokens=list(special),
                                  **{key: value for key, value in model.items() if key == "end_of_word_suffix"})
    t.train_from_iterator(corpus(), trainer)
    t.decoder = decoder
    if post is not None:
        t.post_processor = post(t)
    return t


def byte_level(pattern=None, normalizer=None, prefix=False, **how):
    if pattern is None:
        cutter = pre_tokenizers.ByteLevel(add_prefix_space=prefix)
    else:
        cutter = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"),
                                          pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    return bpe(normalizer, cutter, decoders.ByteLevel(), pre_tokenizers.ByteLevel.alphabet(), **how)


def fallback_of(t):
    """The vocabulary of t with all byte tokens, as sentencepiece exports have it."""
    made = json.loads(t.to_str())
    vocab = made["model"]["vocab"]
    for byte in range(256):
        vocab.setdefault(f"<0x{byte:02X}>", len(vocab))
    made["model"].update(byte_fallback=True, fuse_unk=True, unk_token="<unk>")
    return Tokenizer.from_str(json.dumps(made))


def pieces(normalizer, cutter, decoder, post=None):
    t = bpe(normalizer, cutter, decoder, special=["<unk>", "<s>", "</s>"], unk="<unk>")
    t = fallback_of(t)
    t.add_special_tokens([AddedToken("<|end|>", rstrip=True, normalized=False)])
    t.add_tokens([AddedToken("straße", single_word=True, normalized=True), AddedToken("lead", lstrip=True, normalized=False)])
    if post is not None:
        t.post_processor = post(t)
    return t


def around(first, last=None):
    def post(t):
        names = [first] + ([last] if last else [])
        return processors.TemplateProcessing(single=" ".join([first, "$A"] + ([last] if last else [])),
                                             special_tokens=[(name, t.token_to_id(name)) for name in names])
    return post


def spaces(*more):
    return decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), *more])


def bert(lowercase):
    t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    t.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    t.train_from_iterator(corpus(), trainers.WordPieceTrainer(vocab_size=VOCAB, show_progress=False, special_tokens=special))
    t.decoder = decoders.WordPiece()
    t.post_processor = around("[CLS]", "[SEP]")(t)
    return t


def metaspace():
    cutter = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    return pieces(None, cutter, decoders.Sequence([decoders.Metaspace(prepend_scheme="first")]), around("<s>"))


KINDS = {
    "gpt2": lambda: byte_level(special=["<|endoftext|>"]),
    "roberta": lambda: byte_level(prefix=True, special=["<s>", "</s>"],
                                  post=lambda t: processors.RobertaProcessing(("</s>", 1), ("<s>", 0))),
    "llama3": lambda: byte_level(LLAMA3, special=["<|begin|>", "<|end|>"], ignore_merges=True, post=around("<|begin|>")),
    "qwen2": lambda: byte_level(LLAMA3.replace("{1,3}", ""), normalizers.NFC(), special=["<|end|>"]),
    "llama2": lambda: pieces(normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]), None,
                             spaces(decoders.Strip(" ", 1, 0)), around("<s>")),
    "llama2-metaspace": metaspace,
    "gemma": lambda: pieces(normalizers.Replace(" ", "▁"), pre_tokenizers.Split(" ", "merged_with_previous"), spaces(), around("<s>")),
    "clip": lambda: bpe(normalizers.Sequence([normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]),
                        pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(CLIP), "removed", invert=True),
                                                 pre_tokenizers.ByteLevel(add_prefix_space=False)]),
                        decoders.BPEDecoder(), pre_tokenizers.ByteLevel.alphabet(), special=["<s>", "</s>"],
                        continuing_subword_prefix="", end_of_word_suffix="</w>",
                        post=lambda t: processors.RobertaProcessing(("</s>", 1), ("<s>", 0))),
    "bert": lambda: bert(True),
    "bert-cased": lambda: bert(False),
}


def write_golden(t, out, all_texts):
    t.no_padding()
    t.no_truncation()
    ids = [t.encode(text, add_special_tokens=False).ids for text in all_texts]
    decoded = {}
    for i, (text, tokens) in enumerate(zip(all_texts, ids)):
        again = t.decode(tokens, skip_special_tokens=False)
        if again != text:
            decoded[i] = again
    golden = {"ids": ids, "special": t.encode(all_texts[0]).ids, "decoded": decoded}
    (out / "golden.json").write_text(json.dumps(golden, ensure_ascii=False, separators=(",", ":")).replace("],[", "],\n["))


STEP_TEXTS = [
    "Hello, world! It's 2024.", "  two  spaces ", "tab\tnew\nline\r\nend\n", "a-b_c d.e", "x² ½ Ⅻ ٣4", "naïve Å e\u0301", "İSTANBUL Σίσυφος",
    "日本語 text、一", "ⓐⓑ 🙂 a\u200db", "a\u180eb\u00a0c\u3000d", "▁mark▁ed ▁", "don't WE'LL", "12345 6", "\u0001\u0085\ufffd!", "ﬁ ﬂ ①", "aaa", "$5 <s>", "…",
]
PATTERNS = [
    r"\s+", r"\w+", r"[\w-]+", r"[^\s\p{L}\p{N}]+", r"\p{N}{1,2}+", r"\p{N}{1,2}", r"(?i:'s|'t|'ll)| ?\p{L}+|\d", r"^.", r".$", r"(?m:n.)", r"\b", r"\B",
    r"(?=\p{Lu})", r"\h+", r"\p{Han}", r"[\p{Han}\p{P}]+", r"a{,2}", r"[[:punct:]]+", r"\W", r"[^\S\n]+", r"(ab|a)++", r"\u0061|\x{62}", r"[]a]", r"a*",
]
BEHAVIOURS = ["removed", "isolated", "merged_with_previous", "merged_with_next", "contiguous"]
DECODED = [
    ["▁a", "b", "▁", "▁c"], ["a", "##b", "##", "c", "."], ["do", "n't", "!"], ["<0xE2>", "<0x82>", "<0xAC>", "x"], ["<0xE2>", "<0x82>", "x", "<0xff>"],
    ["Ġa", "Ċ", "Ã", "©", "Ã"], ["a</w>", "b", "c</w>"], [" x", "  a  ", "b "], ["日", "Ġ"],
]


def step_kinds():
    """Name -> normalizer, pre-tokenizer."""
    whole = pre_tokenizers.Split("\ue000", "isolated")
    kinds = {type(n).__name__ + (f" {i}" if i else ""): (n, whole) for i, n in enumerate([
        normalizers.NFC(), normalizers.NFD(), normalizers.NFKC(), normalizers.NFKD(), normalizers.Lowercase(), normalizers.StripAccents(),
        normalizers.Strip(), normalizers.Strip(False, True), normalizers.Prepend("▁"), normalizers.Replace(" ", "▁"),
        normalizers.Replace(Regex(r"\s+"), "_"), normalizers.ByteLevel(), normalizers.BertNormalizer(), normalizers.BertNormalizer(lowercase=False),
        normalizers.BertNormalizer(False, False, True, False), normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents(), normalizers.Lowercase()])])}
    cutters = {
        "Whitespace": pre_tokenizers.Whitespace(), "WhitespaceSplit": pre_tokenizers.WhitespaceSplit(), "Bert": pre_tokenizers.BertPreTokenizer(),
        "Digits": pre_tokenizers.Digits(False), "Digits one by one": pre_tokenizers.Digits(True), "delimiter": pre_tokenizers.CharDelimiterSplit("a"),
        "ByteLevel": pre_tokenizers.ByteLevel(add_prefix_space=True), "ByteLevel alone": pre_tokenizers.ByteLevel(False, use_regex=False),
        "words, then marks": pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(prepend_scheme="first")]),
    }
    for how in BEHAVIOURS:
        cutters[f"Punctuation {how}"] = pre_tokenizers.Punctuation(how)
        for pattern in (r"\s+", r"a|\d", r"(?=a)"):
            cutters[f"{pattern} {how}"] = pre_tokenizers.Split(Regex(pattern), how)
            cutters[f"not {pattern} {how}"] = pre_tokenizers.Split(Regex(pattern), how, invert=True)
    for scheme in ("always", "first", "never"):
        cutters[f"Metaspace {scheme}"] = pre_tokenizers.Metaspace(prepend_scheme=scheme)
        cutters[f"Metaspace {scheme} whole"] = pre_tokenizers.Metaspace(prepend_scheme=scheme, split=False)
    cutters.update({f"pattern {pattern}": pre_tokenizers.Split(Regex(pattern), "isolated") for pattern in PATTERNS})
    kinds.update({name: (None, cutter) for name, cutter in cutters.items()})
    return kinds


def step_of(normalizer, cutter):
    """A tokenizer that knows every piece of STEP_TEXTS, and their ids."""
    vocab = {"?": 0}
    for text in STEP_TEXTS:
        for piece, _ in cutter.pre_tokenize_str(normalizer.normalize_str(text) if normalizer else text):
            vocab.setdefault(piece, len(vocab))
    t = Tokenizer(models.WordLevel(vocab, unk_token="?"))
    t.pre_tokenizer = cutter
    if normalizer is not None:
        t.normalizer = normalizer
    return {"tokenizer": json.loads(t.to_str()), "ids": [t.encode(text).ids for text in STEP_TEXTS]}


def write_steps(path):
    kinds = {"ByteLevel": decoders.ByteLevel(), "ByteFallback": decoders.ByteFallback(), "Fuse": decoders.Fuse(), "Replace": decoders.Replace("▁", " "),
             "Replace a pattern": decoders.Replace(Regex("[ab]+"), "*"), "Strip": decoders.Strip(" ", 1, 1), "Metaspace": decoders.Metaspace(),
             "Metaspace never": decoders.Metaspace(prepend_scheme="never"), "WordPiece": decoders.WordPiece(), "WordPiece as it is": decoders.WordPiece(cleanup=False),
             "BPEDecoder": decoders.BPEDecoder(),
             "Sequence": decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])}
    vocab = {"?": 0}
    ids = [[vocab.setdefault(piece, len(vocab)) for piece in pieces] for pieces in DECODED]
    out = {"texts": STEP_TEXTS, "steps": {name: step_of(*kind) for name, kind in step_kinds().items()}, "ids": ids, "decoders": {}}
    for name, decoder in kinds.items():
        t = Tokenizer(models.WordLevel(vocab, unk_token="?"))
        t.decoder = decoder
        out["decoders"][name] = {"tokenizer": json.loads(t.to_str()), "text": [t.decode(some) for some in ids]}
    Path(path).write_text(json.dumps(out, ensure_ascii=False, separators=(",", ":")).replace('"tokenizer":', '\n"tokenizer":') + "\n")


def main(what, folder, *dirs):
    folder = Path(folder)
    all_texts = texts()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "texts.json").write_text(json.dumps(all_texts, ensure_ascii=False, indent=0))
    for name in KINDS if what == "make" else dirs:
        out = folder / Path(name).name
        out.mkdir(exist_ok=True)
        if what == "make":
            t = KINDS[name]()
            (out / "tokenizer.json").write_text(t.to_str(pretty=False))
        else:
            shutil.copy(Path(name) / "tokenizer.json", out)
            t = Tokenizer.from_file(str(out / "tokenizer.json"))
        write_golden(t, out, all_texts)


if sys.argv[1] == "steps":
    write_steps(sys.argv[2])
else:
    main(*sys.argv[1:])
