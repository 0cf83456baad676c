"""The table of docs/backbones.md: every property checked on every family.

``python -m tests.support.family_table`` writes the page; a test compares it with the results.
"""

import os
from pathlib import Path

os.environ.setdefault("KVE_CACHE", str(Path(__file__).resolve().parents[2] / ".cache" / "tests"))

from tests.support import properties, tiny_models

PAGE = Path(__file__).resolve().parents[2] / "docs" / "backbones.md"
OPENING = f"""# Which families can be re-routed

Each row is a family's own code in transformers with tiny random weights of {tiny_models.LAYERS}
layers, or real weights in float32; each cell is a property that the tests check, on texts up to
{tiny_models.LONG} tokens with sliding windows of {tiny_models.WINDOW}, batched and alone, with no
layer, the first, the last, two in the middle and all layers re-routed. A cell that fails stops the
tests, and this page is compared with their results.

- *layers*: those that re-routing reaches; *form*: how it is computed on a CPU, closed from the
  causal kernel's log-sum-exp, or concatenated through the family's own attention function.
- *nothing re-routed*: with no layer selected, or a bias of minus infinity, the states of every
  layer against those of the unchanged transformers model; close to them if the bias is very low.
- *earlier tokens*: how far they move, up to the input of the first selected layer, if the last
  token changes; from the output of that layer on they all move.
- *last token*: at the first selected layer its weight on itself is multiplied by 1 + e^b, and
  nothing else changes.
- *batch, padding*: states do not depend on the batch, the padding or its side.
- *formula*: closed form, concatenated form and a loop written from the formula agree, relative to
  the largest state, gates included.
- *key at first*: whether the prefix's key can be moved before the first token, which needs rotary
  positions.
- *heads*: single heads re-route by the formula, each with its own bias; the others have a gate of
  exactly 0; a layer whose heads are all named is the layer, to the bit.
- *resumed*: a pass that starts at the first selected layer against the full pass.

A family that cannot be re-routed can still be explored: its curve, its plain space, the baselines.

## Real weights, and families with every property

`make test` checks these, except two of the real weights that only `make test-all` checks: Gemma 3
270M, and SmolLM2 as a Mistral.

| family | layers | form | nothing re-routed | earlier tokens | last token | batch, padding | \
formula | key at first | resumed | heads |
|---|---|---|---|---|---|---|---|---|---|---|
"""

OTHERS = """## Other families

Their default configurations, made small. Three properties of each are shown. `make test` checks
every fifth family, `make test-all` checks all of them and the properties that are not shown, which
hold as well.

| family | layers | form | nothing re-routed | earlier tokens | resumed | key position |
|---|---|---|---|---|---|---|
"""
REFUSED = """## Families that cannot be re-routed

"""
FILES = """## Which files are loaded

A backbone is a packaged name, a model on the hub, a folder in Hugging Face format or a `.gguf`
file. What is read of a folder: `config.json`, the safetensors weights (one file, or several with
their index), and the tokenizer. Everything else is passed over: pickled weights, code, generation
settings, chat templates, adapters, the pooling of sentence-transformers.

- **A model that also reads images or sound** is loaded as its text decoder.
- **Quantised weights** are loaded from GGUF files, and from FP8 and MXFP4 checkpoints, whose
  weights come back as numbers in the chosen dtype, each block times its scale. Other schemes (GPTQ,
  AWQ, bitsandbytes, compressed-tensors, HQQ, AQLM, torchao, MLX and so on) are refused by name
  before a weight is read.
- **An adapter** (LoRA) beside a model is not put on, whether or not `peft` is installed, and a note
  says so. One alone is refused with the name of its base: merge them with `merge_and_unload`.
- **An embedding model that sees later tokens** (BERT, EmbeddingGemma), an encoder with a decoder
  (T5) and a model without attention are refused: the method needs a causal decoder.
- **Other formats** (ONNX, TensorFlow, Flax, Core ML, pickled weights, Git LFS pointers, archives)
  are named in one sentence with the way out, and so is a folder that is at odds with itself:
  weights that are missing, left over, of other sizes or not finite, a tensor in two files, a
  tokenizer that does not fit the embedding. Nothing is filled at random. What cannot be told is a
  tokenizer of another model with about as many tokens.

- **The unembedding** (`lm_head`) is not loaded with the decoder. What needs it loads it when it is
  asked for first: from the same checkpoint, from the output tensor of a GGUF file, or from the
  embeddings where the configuration ties both. Its memory is counted before it is read. A
  checkpoint of a decoder alone, with nothing tied, has none, and what needs one is refused by name.
  Tests compare the logits of every family on this page with those of transformers' own causal
  language model.

Results and vectors are stored under a fingerprint of what decides them: weights, configuration and
tokenizer, besides dtype, kind of device and versions. A changed byte of those gives another
fingerprint; the name and place of a folder do not count, and a stored result is shown under the
name that was asked for.
"""


def row(name: str) -> str:
    """One line of the table."""
    backbone = properties.case(name).backbone
    if backbone.refusal:
        return f"- {backbone.refusal}"
    reached = len(backbone.reroutable)
    layers = "all" if reached == backbone.layers else f"{reached} of {backbone.layers}"
    checked = properties.QUICK if name in tiny_models.OTHERS else properties.PROPERTIES
    outcomes = [properties.outcome(name, checked_property) for checked_property in checked]
    if name in tiny_models.OTHERS:
        outcomes.append(" or ".join(backbone.key_positions))
    return "| " + " | ".join((name, layers, backbone.form, *outcomes)) + " |"


def page() -> str:
    """The full page."""
    tiny = sorted((*tiny_models.FAMILIES, *tiny_models.MORE, *tiny_models.PARTLY))
    parts = (
        (OPENING, (*properties.REAL, *tiny)),
        (OTHERS, tiny_models.OTHERS),
        (REFUSED, tiny_models.IGNORING),
    )
    tables = (
        text.replace("\\\n", "") + "\n".join(map(row, sorted(names))) + "\n"
        for text, names in parts
    )
    return "\n".join((*tables, FILES))


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
