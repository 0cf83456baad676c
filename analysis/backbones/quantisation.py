"""Quantised checkpoints: loaded where every weight comes back as a number, refused by name else.

A GGUF file is always converted (``gguf_conversion``). Of the schemes of a configuration two are
loaded, those that transformers turns back into plain weights by itself. It passes over a scheme
that it does not know with a line in its log, and would compute some on a GPU otherwise than on a
CPU.
"""

from pathlib import Path
from typing import Any

from ..errors import BackboneError
from .sources import Source

DEQUANTISED = ("fp8", "mxfp4")
"""Schemes that are loaded: transformers multiplies each block of numbers by its scale."""
TITLES = {
    "aqlm": "AQLM",
    "auto-round": "AutoRound",
    "awq": "AWQ",
    "bitnet": "BitNet",
    "bitsandbytes": "bitsandbytes",
    "compressed-tensors": "compressed-tensors",
    "eetq": "EETQ",
    "exl2": "ExLlamaV2",
    "exl3": "ExLlamaV3",
    "fbgemm_fp8": "FBGEMM FP8",
    "gptq": "GPTQ",
    "higgs": "HIGGS",
    "hqq": "HQQ",
    "modelopt": "ModelOpt",
    "quanto": "Quanto",
    "quark": "Quark",
    "spqr": "SpQR",
    "torchao": "torchao",
    "vptq": "VPTQ",
}
"""Names of schemes as their authors write them; others are named as the configuration does."""
_SETTINGS_FILES = {
    "quantize_config.json": "gptq",
    "quant_config.json": "awq",
    "hf_quant_config.json": "modelopt",
    "qmodel.pt": "hqq",
}
"""Files in which older tools named a scheme beside a configuration that does not."""


def prepare(source: Source, config: Any, folder: Path) -> None:
    """Have a configuration's weights turned back into plain numbers, or refuse their scheme.

    Args:
        source: where the backbone is from, for errors.
        config: its transformers configuration, which is changed.
        folder: the folder of its files.

    Raises:
        BackboneError: naming a scheme that is not loaded.
    """
    settings = _settings(config)
    schemes = [_scheme(setting) for setting in settings]
    if getattr(config, "quantization", None):
        schemes.append("MLX")
    if not schemes:
        schemes = [name for file, name in _SETTINGS_FILES.items() if (folder / file).is_file()]
    for name in schemes:
        if name not in DEQUANTISED:
            raise BackboneError(
                f"{source.name} is quantised with {TITLES.get(name, name)}, which is not loaded "
                "here; choose the model that it was made from, or a GGUF file of it."
            )
    for setting in settings:
        setting["dequantize"] = True


def is_quantised(config: Any) -> bool:
    """Whether a configuration that :func:`prepare` let pass is of quantised weights."""
    return bool(_settings(config))


def _settings(config: Any) -> list[Any]:
    """The ``quantization_config`` of a configuration and of its text part, where there is one."""
    sections = (config, config.get_text_config(decoder=True))
    settings = (getattr(section, "quantization_config", None) for section in sections)
    return [setting for setting in settings if setting is not None]


def _scheme(setting: Any) -> str:
    """The name of a scheme in a ``quantization_config``."""
    if not isinstance(setting, dict):
        return "a scheme that its config.json does not name"
    if setting.get("load_in_4bit") or setting.get("load_in_8bit"):
        return "bitsandbytes"
    return str(setting.get("quant_method") or "a scheme that its config.json does not name")[:60]
