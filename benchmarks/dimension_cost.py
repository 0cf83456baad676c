"""Claim: the curve of all layers, its band included, costs little more than encoding the texts."""

from analysis.corpora import packaged, registry, sampling
from analysis.dimension import curve as curves
from analysis.dimension import states
from analysis.embedding.encoder import encode
from analysis.embedding.methods import METHODS
from benchmarks.measuring import Ratio, backbone, compare, described

SAMPLES = 1000


def measure() -> list[Ratio]:
    """1,000 calibration sentences in the compression prompt."""
    loaded = backbone()
    drawn = sampling.sample(registry.load_texts(packaged.CALIBRATION), SAMPLES, 0)

    def curve() -> None:
        curves.curve(states.last_token_states(loaded, drawn.texts))

    return [
        compare(
            "the intrinsic-dimension curve of all layers with its band",
            curve,
            "encoding the texts",
            lambda: encode(loaded, drawn.texts, METHODS["prompt-only"]),
            on=described(drawn.texts, drawn.name),
            target=1.15,
            repetitions=3,
            note="of all states only the last tokens' are kept",
        )
    ]
