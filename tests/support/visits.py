"""A visit to a page in Streamlit's own test harness, and what can be read from it."""

import base64
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

from analysis.experiments import dimension, space

# Each visit asks what every installed package says of itself, which does not change.
manifest_scanner.scan_component_manifests = cache(manifest_scanner.scan_component_manifests)

ROOT = Path(__file__).resolve().parents[2]
UPLOADED = "uploaded file"
"""What the menu of rated pairs calls a file of one's own."""
WORDS = ("boat", "bank", "loan", "river", "house", "rain", "train", "song", "king", "bread")
OWN_PAIRS = "sentence1\tsentence2\tscore\n" + "".join(
    f"The {a} is by the {b}.\tThere is a {b} near the {c}.\t{number % 5}\n"
    for number, (a, b, c) in enumerate(
        zip(WORDS, WORDS[3:] + WORDS, WORDS[5:] + WORDS, strict=False)
    )
)

OWN_TEXTS = tuple(
    f"The {a} number {number} is near the {b}."
    for number in range(6)
    for a, b in zip(WORDS, WORDS[3:] + WORDS, strict=False)
)


def opened(
    page: str = "causal_limits",
    *,
    own_pairs: bool | str | list[str] = False,  # a checker takes any key of ``query`` for it
    **query: str | list[str],
) -> AppTest:
    """A fresh visit to one page, by a link with ``query``; ``own_pairs`` are uploaded at once."""
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=300)
    # What has to be computed is computed on a few texts.
    app.session_state["dimension_samples"] = 60 if "backbone" in query else dimension.SAMPLES
    app.session_state["space_samples"] = 10 if "backbone" in query else space.MAP_TEXTS
    if name := query.pop("backbone", None):
        app.session_state["backbone"] = name  # the harness's menus know only what is listed
    for option, value in query.items():
        app.query_params[option] = value
    if own_pairs:
        app.session_state["pairs"] = UPLOADED
        upload(turn_to(app, "causal_limits"))  # a page that scores nothing
    return turn_to(app, page)


def type_backbone(app: AppTest, name: str) -> AppTest:
    """Type a name into the line below the backbone's menu."""
    app.text_input(key="backbone_typed").set_value(name)
    return app


def turn_to(app: AppTest, page: str) -> AppTest:
    """The same visit on another page."""
    return app.switch_page(f"pages/{page}.py").run()


def show_tab(app: AppTest, name: str) -> AppTest:
    """The same visit to Similarity at one of its tabs."""
    app.session_state["similarity_tab"] = name
    return well(app.run())


def tables(app: AppTest) -> list[str]:
    """The names of the tables that are folded away or open."""
    names = (unescaped(part.label).partition("Table: ")[2] for part in app.expander)
    return [name for name in names if name]


def unfolded(app: AppTest, section: str = "view") -> AppTest:
    """The same visit with every table open, and what reproduces the view or a section of it."""
    for part in app.expander:
        label = unescaped(part.label)
        if label.startswith(
            ("Table: ", f"Reproduce this {section}", f"Share or reproduce this {section}")
        ):
            app.session_state[f"open {label}"] = True
    return app.run()


def well(app: AppTest) -> AppTest:
    """The visit, which must have met neither an exception nor an error."""
    assert not app.exception, app.exception[0].message
    assert not app.error, app.error[0].value
    return app


def sentence(app: AppTest) -> str:
    """The one sentence that a page shows where its result would have been."""
    assert not app.exception, app.exception[0].message
    assert len(app.error) == 1
    message = unescaped(str(app.error[0].value))
    assert "\n" not in message
    assert "Traceback" not in message
    assert message.endswith((".", "packaged"))
    return message


def charts(app: AppTest) -> list[dict[str, Any]]:
    """The figures on the page, as the browser receives them."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} in a figure")

    specs = [chart.proto.spec for chart in app.get("plotly_chart")]
    return [json.loads(spec, parse_constant=refuse) for spec in specs]


def numbers(data: Any) -> NDArray[np.float64]:
    """A figure's data as numbers, whether Plotly wrote a list or packed bytes."""
    if isinstance(data, dict):
        flat = np.frombuffer(base64.b64decode(data["bdata"]), np.dtype(data["dtype"]))
        shape = [int(size) for size in str(data.get("shape", len(flat))).split(",")]
        return flat.reshape(shape).astype(np.float64)
    return np.array(data, np.float64)


def metric(app: AppTest, label: str) -> str:
    """The value of the metric whose label begins with ``label``."""
    (value,) = (m.value for m in app.metric if unescaped(m.label).startswith(label))
    return str(value)


def typed(app: AppTest, key: str) -> str:
    """What stands in a text box."""
    return str(app.text_input(key=key).value)


def downloads(app: AppTest) -> list[str]:
    """The labels of the download buttons."""
    return [str(getattr(button, "label", "")) for button in app.get("download_button")]


def press(app: AppTest, label: str) -> AppTest:
    """Click the button whose label begins with ``label``."""
    (button,) = (b for b in app.button if unescaped(b.label).startswith(label))
    return button.click().run()


def shown(app: AppTest) -> str:
    """Everything the page says in words, the sidebar's included."""
    parts = (app.markdown, app.caption, app.info, app.warning, app.error)
    return "\n".join(unescaped(str(element.value)) for kind in parts for element in kind)


def unescaped(markdown: str) -> str:
    """Markdown as it is read, where what a person wrote stands in it behind backslashes."""
    return re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", markdown).replace("\u2060", "")


def upload(app: AppTest, content: str = OWN_PAIRS, name: str = "own.tsv") -> AppTest:
    """Upload rated pairs."""
    if app.selectbox(key="pairs").value != UPLOADED:
        app.selectbox(key="pairs").set_value(UPLOADED).run()
    app.file_uploader(key="pairs_file").upload(name, content.encode())
    return app.run()


def paste(app: AppTest, *texts: str, place: str = "page") -> AppTest:
    """Paste a list of own texts into its field."""
    return app.text_area(key=f"own_list_{place}").set_value("\n".join(texts)).run()
