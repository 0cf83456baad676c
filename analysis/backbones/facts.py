"""Facts of a backbone that are known before its weights are loaded: size, family, licence."""

from dataclasses import asdict, dataclass
from pathlib import Path

from ..errors import BackboneError
from . import download, sources
from .catalog import PRECISIONS
from .decoder import build_skeleton, text_decoder
from .sources import Source


@dataclass(frozen=True)
class Facts:
    """Facts of a backbone that are known before its weights are loaded.

    Attributes:
        name: as the user gives it; of folders and files, the last part of the path.
        kind: packaged, hub, folder or gguf.
        family: transformers' model type.
        parameters: number of weights.
        layers: number of decoder layers L.
        hidden: width D of a state, in channels.
        heads: query heads H of a layer.
        kv_heads: key-value heads of a layer.
        head_size: channels of a head.
        context: context length in tokens; 0 where that is not known.
        vocabulary: number of different tokens.
        licence: its licence, where known.
        needs: what the first use requires, where known.
    """

    name: str
    kind: str
    family: str
    parameters: int
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_size: int
    context: int
    vocabulary: int
    licence: str | None
    needs: str | None = None

    def memory(self, dtype: str) -> int:
        """Bytes of the weights in ``dtype``."""
        return self.parameters * PRECISIONS[dtype]

    def as_dict(self) -> dict[str, object]:
        """The facts, and the weights' bytes in each dtype as ``memory``."""
        return asdict(self) | {"memory": {name: self.memory(name) for name in PRECISIONS}}


def describe(name: str) -> Facts:
    """Facts of the backbone called ``name``, without loading its weights.

    Args:
        name: a packaged name, a hub id (``id@revision``), a folder or a GGUF file.

    Raises:
        BackboneError: there is no such backbone, or it is not a decoder that transformers knows.
    """
    return facts_of(sources.resolve(name))


def facts_of(source: Source) -> Facts:
    """Facts of a backbone whose source is known.

    Raises:
        BackboneError: it is not a decoder that transformers knows.
    """
    try:
        skeleton = build_skeleton(download.config_of(source))
        if skeleton.config.is_encoder_decoder:
            raise ValueError("it is an encoder and a decoder")
        skeleton = text_decoder(skeleton)
        config = skeleton.config.get_text_config(decoder=True)
        if config.num_hidden_layers < 1:
            raise ValueError("it has no layers")
        heads = config.num_attention_heads
        return Facts(
            name=source.name if source.kind in ("packaged", "hub") else Path(source.location).name,
            kind=source.kind,
            family=config.model_type,
            parameters=sum(p.numel() for p in skeleton.parameters()),
            layers=config.num_hidden_layers,
            hidden=config.hidden_size,
            heads=heads,
            kv_heads=getattr(config, "num_key_value_heads", None) or heads,
            head_size=getattr(config, "head_dim", None) or config.hidden_size // heads,
            context=getattr(config, "max_position_embeddings", 0) or 0,
            vocabulary=config.vocab_size,
            licence=source.licence,
            needs=source.needs,
        )
    except BackboneError:
        raise
    except Exception as error:  # families without attention or a vocabulary lack some fact
        reason = str(error).split("\n")[0][:160]
        if isinstance(error, KeyError):  # the message is the value alone
            reason = f"{reason} in its config.json is not known"
        raise BackboneError(
            f"{source.name} is not a decoder that transformers can build ({reason}); choose "
            "another."
        ) from error
