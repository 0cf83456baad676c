"""Tiny random decoders, tokenizers and a GGUF file: every family's own code in milliseconds.

Weights are drawn wide enough that attention is far from uniform, so that a wrong mask, position
or head shows; sliding windows are short enough that the tests' texts exceed them.
"""

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
import transformers
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import AutoModel, AutoModelForCausalLM, PreTrainedTokenizerFast
from transformers.convert_slow_tokenizer import bytes_to_unicode

from analysis.backbones import packed_linear
from analysis.backbones.backbone import Backbone, assemble
from analysis.backbones.devices import Choice
from analysis.backbones.facts import Facts

LAYERS, HIDDEN, HEADS, VOCABULARY, CONTEXT, WINDOW = 6, 48, 4, 272, 512, 8
LONG = WINDOW + 5
"""Tokens of a text that every sliding window is too short for."""

_SIZES: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "num_hidden_layers": LAYERS,
    "hidden_size": HIDDEN,
    "intermediate_size": 64,
    "num_attention_heads": HEADS,
    "max_position_embeddings": CONTEXT,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
_GROUPED: dict[str, Any] = {**_SIZES, "num_key_value_heads": 2, "pad_token_id": 0}
_SIZED: dict[str, Any] = {**_GROUPED, "head_dim": 16}
_GPT: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "n_layer": LAYERS,
    "n_embd": HIDDEN,
    "n_head": HEADS,
    "n_positions": CONTEXT,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
_MIXED = ["sliding_attention", "sliding_attention", "full_attention"] * 2

CONFIGS: dict[str, Callable[[], Any]] = {
    "llama": lambda: transformers.LlamaConfig(**_SIZED),
    "mistral": lambda: transformers.MistralConfig(**_SIZED, sliding_window=WINDOW),
    "qwen2": lambda: transformers.Qwen2Config(**_GROUPED),
    "qwen3": lambda: transformers.Qwen3Config(**_SIZED),
    "gemma3": lambda: transformers.Gemma3TextConfig(
        **_SIZED, sliding_window=WINDOW, layer_types=_MIXED, query_pre_attn_scalar=16
    ),
    "gemma2": lambda: transformers.Gemma2Config(
        **_SIZED, sliding_window=WINDOW, query_pre_attn_scalar=16, attn_logit_softcapping=2.0
    ),
    "gpt2": lambda: transformers.GPT2Config(**_GPT),
    "phi3": lambda: transformers.Phi3Config(**_GROUPED, sliding_window=WINDOW),
    "gpt_oss": lambda: transformers.GptOssConfig(
        **_SIZED,
        sliding_window=WINDOW,
        # Every token visits every expert: they run batched by expert, so that otherwise the
        # rounding of one token would depend on which experts the others visit.
        num_local_experts=2,
        num_experts_per_tok=2,
        rope_parameters={"rope_type": "default", "rope_theta": 10_000.0},
    ),
    "mixtral": lambda: transformers.MixtralConfig(
        **_SIZED, sliding_window=WINDOW, num_local_experts=2, num_experts_per_tok=2
    ),
    "qwen2_moe": lambda: transformers.Qwen2MoeConfig(
        **_GROUPED,
        moe_intermediate_size=32,
        shared_expert_intermediate_size=32,
        num_experts=2,
        num_experts_per_tok=2,
    ),
    "qwen3_moe": lambda: transformers.Qwen3MoeConfig(
        **_SIZED, moe_intermediate_size=32, num_experts=2, num_experts_per_tok=2
    ),
    "gemma": lambda: transformers.GemmaConfig(**_SIZED),
    "olmo2": lambda: transformers.Olmo2Config(**_GROUPED),
    "smollm3": lambda: transformers.SmolLM3Config(**_GROUPED, no_rope_layer_interval=3),
    "granite": lambda: transformers.GraniteConfig(**_GROUPED),
    "cohere2": lambda: transformers.Cohere2Config(
        **_GROUPED, sliding_window=WINDOW, layer_types=_MIXED
    ),
    "gpt_neox": lambda: transformers.GPTNeoXConfig(**_SIZES | {"rotary_pct": 0.5}),
    "opt": lambda: transformers.OPTConfig(
        vocab_size=VOCABULARY,
        hidden_size=HIDDEN,
        num_hidden_layers=LAYERS,
        ffn_dim=64,
        num_attention_heads=HEADS,
        max_position_embeddings=CONTEXT,
        word_embed_proj_dim=HIDDEN,
    ),
    "stablelm": lambda: transformers.StableLmConfig(**_GROUPED | {"partial_rotary_factor": 0.5}),
    "nemotron": lambda: transformers.NemotronConfig(**_GROUPED),
    "deepseek_v3": lambda: transformers.DeepseekV3Config(
        **_SIZES,
        num_key_value_heads=HEADS,
        moe_intermediate_size=32,
        n_routed_experts=2,
        num_experts_per_tok=2,
        n_group=1,
        topk_group=1,
        kv_lora_rank=16,
        q_lora_rank=24,
        qk_rope_head_dim=8,
        qk_nope_head_dim=8,
        v_head_dim=12,
        first_k_dense_replace=2,
    ),
    # Layers of linear attention between layers of the usual one: partly reachable.
    "qwen3_next": lambda: transformers.Qwen3NextConfig(
        **_SIZED,
        num_experts=2,
        num_experts_per_tok=2,
        moe_intermediate_size=32,
        shared_expert_intermediate_size=32,
        linear_num_key_heads=2,
        linear_num_value_heads=4,
        linear_key_head_dim=8,
        linear_value_head_dim=8,
        layer_types=["linear_attention", "linear_attention", "full_attention"] * 2,
    ),
    "qwen3_5_text": lambda: transformers.Qwen3_5TextConfig(
        **_SIZED,
        linear_num_key_heads=2,
        linear_num_value_heads=4,
        linear_key_head_dim=8,
        linear_value_head_dim=8,
        layer_types=["linear_attention", "linear_attention", "full_attention"] * 2,
    ),
    # Families that ignore transformers' attention interface, or mask it in their own way.
    "falcon": lambda: transformers.FalconConfig(**_SIZES),
    "gptj": lambda: transformers.GPTJConfig(**_GPT, rotary_dim=8),
    "bloom": lambda: transformers.BloomConfig(
        **{**_SIZES, "n_layer": LAYERS, "n_head": HEADS, "num_hidden_layers": LAYERS}
    ),
    # A model that also sees, as many layers in its eye as in its decoder.
    "gemma3_seeing": lambda: transformers.Gemma3Config(
        text_config=CONFIGS["gemma3"](),
        vision_config=transformers.SiglipVisionConfig(
            hidden_size=32,
            intermediate_size=32,
            num_hidden_layers=LAYERS,
            num_attention_heads=2,
            image_size=32,
            patch_size=16,
        ),
        mm_tokens_per_image=4,
    ),
    # No causal decoders.
    "bert": lambda: transformers.BertConfig(**{**_SIZES, "pad_token_id": 0}),
    "embeddinggemma": lambda: transformers.Gemma3TextConfig(
        **_SIZED, sliding_window=WINDOW, query_pre_attn_scalar=16, use_bidirectional_attention=True
    ),
}
_ANY = {
    **dict.fromkeys(("num_hidden_layers", "n_layer", "n_layers", "num_layers"), LAYERS),
    **dict.fromkeys(("hidden_size", "n_embd", "d_model", "word_embed_proj_dim"), HIDDEN),
    **dict.fromkeys(("num_attention_heads", "n_head", "n_heads"), HEADS),
    **dict.fromkeys(("intermediate_size", "ffn_dim", "ffn_hidden_size", "d_ff", "n_inner"), 64),
    **dict.fromkeys(("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len"), CONTEXT),
    **dict.fromkeys(("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts"), 2),
    **dict.fromkeys(("num_experts_per_tok", "moe_topk", "moe_k"), 2),
    **dict.fromkeys(("n_shared_experts", "num_shared_experts", "n_group", "topk_group"), 1),
    **dict.fromkeys(("moe_intermediate_size", "shared_expert_intermediate_size"), 32),
    **{"vocab_size": VOCABULARY, "num_key_value_heads": 2, "head_dim": 16, "rotary_dim": 8},
    **{"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0, "sliding_window": WINDOW},
    **{"kv_lora_rank": 16, "q_lora_rank": 24, "v_head_dim": 12, "first_k_dense_replace": 2},
    **{"qk_rope_head_dim": 8, "qk_nope_head_dim": 8, "conv_L_cache": 3},
}
"""Small sizes by every name that a family may give them."""


def _any(family: str) -> Any:
    """A family's own configuration with its sizes made small, whatever it calls them."""
    kind: Any = transformers.CONFIG_MAPPING[family]
    usual = kind()
    latent = hasattr(usual, "qk_rope_head_dim")  # its head size follows from its parts
    small = {
        name: HEADS if latent and name == "num_key_value_heads" else value
        for name, value in _ANY.items()
        if getattr(usual, name, None) is not None or name == "pad_token_id"
        if not (latent and name == "head_dim")
    }
    return kind(**{name: value for name, value in small.items() if hasattr(usual, name)})


ANY = (
    *("afmoe", "apertus", "arcee", "aria_text", "axk1", "biogpt", "bitnet", "cohere"),
    *("cohere2_moe", "ctrl", "cwm", "diffllama", "ernie4_5", "ernie4_5_moe", "exaone4"),
    *("exaone_moe", "flex_olmo", "flint", "glm", "glm4", "glm4_moe", "glm4_moe_lite"),
    *("gpt_bigcode", "granite_swa", "granitemoe", "granitemoeshared", "hy_v3", "hyperclovax"),
    *("internlm3", "iquestcoder", "jais2", "jamba", "jetmoe", "kolibri1", "laguna", "lfm2"),
    *("lfm3", "llama4_text", "mellum", "mimo_v2_flash", "minicpm3", "minimax", "minimax_m2"),
    *("minimax_m3_vl_text", "ministral3", "modernbert-decoder", "nanochat", "olmo", "olmo3"),
    *("olmo_hybrid", "olmoe", "persimmon", "phi", "phimoe", "seed_oss", "solar_open"),
    *("starcoder2", "vaultgemma", "youtu"),
)
"""Families by their own default configuration made small."""
OTHERS = tuple(family for family in ANY if family in transformers.CONFIG_MAPPING)
"""Those of them that this transformers has; the oldest admitted lacks some."""
BENT = ("gemma2", "gpt_oss")
"""Families that cap their logits or add sinks: their own eager function, concatenated form."""
IGNORING = ("falcon", "gptj", "bloom", "codegen", "doge", "gpt_neox_japanese", "mpt", "xglm")
"""Families that cannot be re-routed."""
FAMILIES = ("llama", "mistral", "qwen2", "qwen3", "gemma3", "gpt2", "phi3", *BENT)
"""Families that every property is tested on."""
MORE = (
    *("mixtral", "qwen2_moe", "qwen3_moe", "gemma", "olmo2", "smollm3", "granite", "cohere2"),
    *("gpt_neox", "opt", "stablelm", "nemotron", "deepseek_v3"),
)
"""Families that can be re-routed as well."""
PARTLY = ("qwen3_next", "qwen3_5_text")
"""Families that re-routing reaches at some layers only."""


for _family in (*OTHERS, *IGNORING):
    CONFIGS.setdefault(_family, partial(_any, _family))


def window_of(family: str, layer: int) -> int | None:
    """How many tokens, itself included, a token of this layer sees; None for all."""
    config = CONFIGS[family]()
    if kinds := getattr(config, "layer_types", None):
        return WINDOW if kinds[layer] == "sliding_attention" else None
    return getattr(config, "sliding_window", None) if family not in ("qwen2", "qwen2_moe") else None


def plain(family: str, seed: int = 0) -> Any:
    """A fresh model of the family as transformers makes it, with its own attention.

    Its linear layers are packed as a backbone's are, so that equal numbers are equal to the bit.
    """
    torch.manual_seed(seed)
    model: Any = AutoModel.from_config(CONFIGS[family]())  # type: ignore[no-untyped-call]
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            # Biases, norms and sinks start as ones and zeros, which would hide mistakes.
            scale = 0.2 if parameter.ndim > 1 or "norm" in name else 0.5
            parameter.add_(torch.randn_like(parameter), alpha=scale)
    model = model.eval().requires_grad_(False)
    packed_linear.pack(model)
    return model


def backbone_of(model: Any, tokenizer: Any = None, name: str = "tiny") -> Backbone:
    """Assemble a model in memory with facts made by hand."""
    config = model.config
    facts = Facts(
        name=name,
        kind="folder",
        family=config.model_type,
        parameters=sum(p.numel() for p in model.parameters()),
        layers=config.num_hidden_layers,
        hidden=config.hidden_size,
        heads=config.num_attention_heads,
        kv_heads=getattr(config, "num_key_value_heads", config.num_attention_heads),
        head_size=getattr(config, "head_dim", config.hidden_size // config.num_attention_heads),
        context=getattr(config, "max_position_embeddings", CONTEXT),
        vocabulary=config.vocab_size,
        licence=None,
    )
    dtype = str(model.dtype).removeprefix("torch.")
    return assemble(facts, model, tokenizer, Choice("cpu", "a test"), Choice(dtype, "a test"), "0")


@cache
def tiny(family: str) -> Backbone:
    """The family's tiny backbone with the byte-level tokenizer; made once, models are frozen."""
    return backbone_of(plain(family), byte_tokenizer(), f"tiny {family}")


def byte_tokenizer(
    *, bos: bool = False, eos: bool = False, trim_offsets: bool = False
) -> PreTrainedTokenizerFast:
    """A byte-level tokenizer as GPT-2, Llama 3 and Qwen have it, with a handful of merges.

    One merge, of a full stop and a line break, joins a text's end to the prompt around it, as
    the tokenizers of Llama 3 and Qwen do. ``trim_offsets``, as in Llama 3, leaves white space out
    of the tokens' offsets.
    """
    letters = bytes_to_unicode()  # type: ignore[no-untyped-call]
    space, newline = letters[ord(" ")], letters[ord("\n")]
    merges = [("t", "h"), ("th", "e"), (space, "a"), (space, "the"), (".", newline), ("o", "n")]
    words = ["<s>", "</s>", "<pad>", *letters.values(), *("".join(pair) for pair in merges)]
    tokenizer = Tokenizer(models.BPE({word: i for i, word in enumerate(words)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r" ?\w+|[^\w\s]+\n*|\s+(?!\S)|\s+"), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    return _wrapped(tokenizer, bos=bos, eos=eos, trim_offsets=trim_offsets)


def sentencepiece_tokenizer(*, bos: bool = True, eos: bool = False) -> PreTrainedTokenizerFast:
    """A tokenizer as Llama 2, Mistral and Gemma have it: spaces as marks, bytes as a way out."""
    ascii_letters = [chr(code) for code in range(33, 127)]
    bytes_ = [f"<0x{byte:02X}>" for byte in range(256)]
    merges = [("t", "h"), ("th", "e"), ("▁", "the"), ("▁", "a"), ("o", "n")]
    words = ["<s>", "</s>", "<pad>", "<unk>", *bytes_, "▁", *ascii_letters]
    words += ["".join(pair) for pair in merges]
    tokenizer = Tokenizer(
        models.BPE(
            {word: i for i, word in enumerate(words)},
            merges,
            unk_token="<unk>",
            fuse_unk=True,
            byte_fallback=True,
        )
    )
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    return _wrapped(tokenizer, bos=bos, eos=eos)


def word_tokenizer() -> PreTrainedTokenizerFast:
    """A tokenizer that loses characters: letters only, everything else is normalised away."""
    words = ["<s>", "</s>", "<pad>", *"abcdefghijklmnopqrstuvwxyz"]
    tokenizer = Tokenizer(models.BPE({word: i for i, word in enumerate(words)}, []))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Lowercase(), normalizers.Replace(Regex("[^a-z ]"), "")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return _wrapped(tokenizer, bos=True, eos=False)


def _wrapped(
    tokenizer: Tokenizer, *, bos: bool, eos: bool, trim_offsets: bool = False
) -> PreTrainedTokenizerFast:
    special = [(word, tokenizer.token_to_id(word)) for word in ("<s>", "</s>")]
    steps: list[Any] = [processors.ByteLevel(trim_offsets=True)] if trim_offsets else []
    steps.append(
        processors.TemplateProcessing(
            single=" ".join(["<s>"] * bos + ["$A"] + ["</s>"] * eos), special_tokens=special
        )
    )
    tokenizer.post_processor = processors.Sequence(steps)
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        clean_up_tokenization_spaces=False,
    )


def save_folder(folder: Path, family: str = "llama", seed: int = 0) -> Path:
    """A local backbone in Hugging Face format."""
    plain(family, seed).save_pretrained(folder)
    byte_tokenizer().save_pretrained(folder)
    return folder


def save_headed(folder: Path, family: str = "llama", seed: int = 0) -> Path:
    """The same decoder with an unembedding, as models that write are published."""
    decoder = plain(family, seed)
    model: Any = AutoModelForCausalLM.from_config(CONFIGS[family]())  # type: ignore[no-untyped-call]
    (place,) = (part for part in model.children() if isinstance(part, type(decoder)))
    place.load_state_dict(decoder.state_dict())
    own = {id(parameter) for parameter in place.parameters()}
    with torch.no_grad():
        for parameter in model.parameters():
            if id(parameter) not in own:
                parameter.add_(torch.randn_like(parameter), alpha=0.2)
    model.save_pretrained(folder)
    byte_tokenizer().save_pretrained(folder)
    return folder


GGUF_SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
}


def write_gguf(
    path: Path,
    *,
    seed: int = 0,
    architecture: str = "llama",
    without: str | None = None,
    head: bool | gguf.GGMLQuantizationType = False,
) -> dict[str, np.ndarray]:
    """Write a two-layer decoder and its tokenizer as GGUF; return the tensors by their names.

    ``qwen2`` has biases where the architecture has them. The tensor named ``without`` is left out.
    With a ``head`` there is an unembedding, which may be quantised.
    """
    hidden, heads, kv_heads, inner, layers = GGUF_SIZES.values()
    words = ["<s>", "</s>", *bytes_to_unicode().values(), "th", "the"]  # type: ignore[no-untyped-call]
    narrow = hidden * kv_heads // heads
    shapes: dict[str, tuple[int, ...]] = {"token_embd.weight": (len(words), hidden)}
    for layer in range(layers):
        for name, shape in {
            "attn_norm": (hidden,),
            "attn_q": (hidden, hidden),
            "attn_k": (narrow, hidden),
            "attn_v": (narrow, hidden),
            "attn_output": (hidden, hidden),
            "ffn_norm": (hidden,),
            "ffn_gate": (inner, hidden),
            "ffn_up": (inner, hidden),
            "ffn_down": (hidden, inner),
        }.items():
            shapes[f"blk.{layer}.{name}.weight"] = shape
        if architecture == "qwen2":
            for name, width in {"attn_q": hidden, "attn_k": narrow, "attn_v": narrow}.items():
                shapes[f"blk.{layer}.{name}.bias"] = (width,)
    shapes["output_norm.weight"] = (hidden,)
    if head:
        shapes["output.weight"] = (len(words), hidden)
    draw = np.random.default_rng(seed)
    tensors = {
        name: (0.2 * draw.standard_normal(shape)).astype(np.float32)
        for name, shape in shapes.items()
        if name != without
    }

    writer = gguf.GGUFWriter(path, architecture)
    writer.add_context_length(64)
    writer.add_embedding_length(hidden)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(inner)
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads)
    writer.add_rope_dimension_count(hidden // heads)
    writer.add_rope_freq_base(10_000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(words))
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(words)
    control, normal = gguf.TokenType.CONTROL, gguf.TokenType.NORMAL
    writer.add_token_types([control] * 2 + [normal] * (len(words) - 2))
    writer.add_token_merges(["t h", "th e"])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    writer.add_unk_token_id(1)
    for name, tensor in tensors.items():
        if name == "output.weight" and not isinstance(head, bool):
            writer.add_tensor(name, gguf.quants.quantize(tensor, head), raw_dtype=head)
        else:
            writer.add_tensor(name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return tensors


def model_of_gguf(tensors: dict[str, np.ndarray], architecture: str) -> Any:
    """The model whose GGUF holds ``tensors``, built without reading the file."""
    settings = {
        **GGUF_SIZES,
        "vocab_size": len(tensors["token_embd.weight"]),
        "max_position_embeddings": 64,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10_000.0,
    }
    model: Any = AutoModel.from_config(transformers.AutoConfig.for_model(architecture, **settings))  # type: ignore[no-untyped-call]
    parts = {
        "attn_norm": "input_layernorm",
        "attn_q": "self_attn.q_proj",
        "attn_k": "self_attn.k_proj",
        "attn_v": "self_attn.v_proj",
        "attn_output": "self_attn.o_proj",
        "ffn_norm": "post_attention_layernorm",
        "ffn_gate": "mlp.gate_proj",
        "ffn_up": "mlp.up_proj",
        "ffn_down": "mlp.down_proj",
    }
    state = {
        "embed_tokens.weight": tensors["token_embd.weight"],
        "norm.weight": tensors["output_norm.weight"],
    }
    for name, tensor in tensors.items():
        if name.startswith("blk."):
            _, layer, part, kind = name.split(".")
            if architecture == "llama" and part in ("attn_q", "attn_k"):
                tensor = _halves(tensor, 4 if part == "attn_q" else 2)
            state[f"layers.{layer}.{parts[part]}.{kind}"] = tensor
    model.load_state_dict({name: torch.from_numpy(tensor) for name, tensor in state.items()})
    return model.eval()


def _halves(weight: np.ndarray, heads: int) -> np.ndarray:
    """llama.cpp keeps a head's rotated pairs side by side; transformers keeps them in halves."""
    pairs = weight.reshape(heads, -1, 2, weight.shape[1])
    return np.ascontiguousarray(pairs.swapaxes(1, 2).reshape(weight.shape))
