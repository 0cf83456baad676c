"""The fingerprint of a backbone: a digest of whatever decides its numbers besides dtype and device.

Weights, configuration and tokenizer decide; a generation configuration, a chat template, a model
card and an adapter beside the model do not, because nothing here reads them. Versions of the
packages that compute are part of where results are stored (``storage.result_store``).
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from . import gguf_conversion
from .checkpoint_files import TOKENIZER_SETTINGS, weight_files
from .gguf_conversion import sha256
from .other_formats import CONFIG
from .sources import Source

LENGTH = 16
"""Hexadecimal digits of a fingerprint."""


def fingerprint(source: Source, folder: Path, tokenizer: Any) -> str:
    """The fingerprint of a loaded backbone.

    A GGUF file holds everything, so its checksum is enough; its conversion is verified whenever it
    is loaded. Elsewhere the weights count by their checksums, those of a snapshot of the hub by its
    commit; the configuration and the tokenizer's settings by their bytes; and the tokenizer itself
    by its state, whichever of its files that came from.

    Args:
        source: where the backbone is from.
        folder: the folder that it was loaded from.
        tokenizer: its fast tokenizer, as it was loaded.

    Returns:
        :data:`LENGTH` hexadecimal digits.
    """
    if source.kind in ("packaged", "gguf"):
        provenance = json.loads((folder / gguf_conversion.PROVENANCE).read_text())
        return str(provenance["sha256"])[:LENGTH]
    settings = [folder / name for name in (CONFIG, *TOKENIZER_SETTINGS)]
    parts = {
        "weights": [folder.name]
        if source.kind == "hub"
        else sorted(sha256(folder / name) for name in weight_files(source, folder)),
        "settings": {path.name: sha256(path) for path in settings if path.is_file()},
        "tokenizer": tokenizer.backend_tokenizer.to_str(),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:LENGTH]
