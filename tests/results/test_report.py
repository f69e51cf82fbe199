"""HTML reports: figures of the inspection, nothing fetched, hostile names harmless."""

import base64
import io
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result
from PIL import Image
from sample_content import sample_content, sample_header

from ddcodec.cli import ddc
from ddcodec.codec.encode import encode_content
from ddcodec.results.inspection import inspect_file
from ddcodec.results.reading import decode_file

NAMES = ['<script>alert("1")</script>', "a' onerror='x &amp; </title><img src=//evil.example/x>"]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
EVALUATION = {
    "dataset": "<b>pets</b>", "protocol": "quick", "arch": "convnet", "split": "test",
    "bits_per_class": 7992.0, "accuracies": [40.5, 41.5], "num_images": 3,
}  # fmt: skip


@pytest.fixture(autouse=True)
def _file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work beside a file with hostile class names, its record and an evaluation."""
    monkeypatch.chdir(tmp_path)
    header = sample_header(has_class_names=True, channels=3, height=16, width=16)
    data = encode_content(header, sample_content(header, 1, class_names=NAMES)).data
    Path("x.ddc").write_bytes(data)
    Path("x.ddc.json").write_text(json.dumps({"torch": "2", "recipe": {"loss": "<i>dm</i>"}}))
    Path("eval.json").write_text(json.dumps(EVALUATION | {"file_bytes": len(data)}))


def _report(*arguments: str) -> Result:
    return CliRunner().invoke(ddc, ["report", *arguments])


def _page() -> str:
    result = _report("x.ddc", "--eval", "eval.json")
    assert result.exit_code == 0, result.stderr
    return Path("x.html").read_text(encoding="utf-8")


class _Reader(HTMLParser):
    """Collects tags, attributes and text, and checks that tags are closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_page_is_well_formed_and_fetches_nothing() -> None:
    """It is XML but for its first line; no tag runs or loads anything, hostile names are text."""
    page = _page()
    ElementTree.fromstring(page.removeprefix("<!DOCTYPE html>\n"))
    reader = _Reader()
    reader.feed(page)
    assert reader.open == []
    assert not set(reader.tags) & {"script", "link", "iframe", "object", "b", "i", "base"}
    assert reader.tags.count("img") == 1
    for name, value in reader.attributes:
        assert not name.startswith("on")
        if name in ("src", "href"):
            assert value.startswith("data:image/png;base64,")
    assert "url(" not in page and "@import" not in page
    assert f"2: {', '.join(NAMES)}" in "".join(reader.texts)
    assert "<i>dm</i>" in reader.texts and "<b>pets</b>" in reader.texts


def test_figures_are_those_of_the_inspection() -> None:
    """Every part with its bytes and share; both add up; the bar is as wide as the bytes."""
    page = _page()
    inspection = inspect_file(decode_file(Path("x.ddc")))
    tree = ElementTree.fromstring(page.removeprefix("<!DOCTYPE html>\n"))
    rows = [[cell.text for cell in row] for row in tree.iter("tr") if row.get("class") == "part"]
    expected = [
        [part.name, part.kind, f"{part.num_bytes:,}", f"{part.percent:.2f}"]
        for part in inspection.parts
    ]
    assert rows == expected and len(rows) > 5
    assert sum(int(str(row[2]).replace(",", "")) for row in rows) == inspection.file_bytes
    widths = [float(rect.get("width", "")) for rect in tree.iter("rect")]
    assert sum(widths) == pytest.approx(1000, abs=0.05)
    facts = {row[0].text: row[1].text for row in tree.iter("tr") if len(row) == 2}
    assert facts["size"] == f"{inspection.file_bytes:,} bytes"
    assert facts["bits per class"] == f"{inspection.bits_per_class:,.1f}"
    assert (facts["loss"], facts["torch"]) == ("<i>dm</i>", "2")
    assert "41.00 ± 0.50 %" in page and "40.50, 41.50" in page


def test_picture_is_the_contact_sheet() -> None:
    """The image is the one that `ddc view` draws."""
    (data,) = re.findall(r"data:image/png;base64,([^\"]+)", _page())
    CliRunner().invoke(ddc, ["view", "x.ddc", "-o", "sheet.png"])
    inside = Image.open(io.BytesIO(base64.b64decode(data)))
    assert inside.tobytes() == Image.open("sheet.png").tobytes()


def test_without_record_and_accuracy() -> None:
    """What is not known has no heading."""
    Path("x.ddc.json").unlink()
    assert _report("x.ddc").stdout.startswith("x.html: ")
    page = Path("x.html").read_text(encoding="utf-8")
    assert "<h2>Images</h2>" in page
    assert "<h2>Settings</h2>" not in page and "<h2>Accuracy</h2>" not in page


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["none.ddc"], 1, "'none.ddc' does not exist"),
        (["eval.json"], 1, "This is not a .ddc file"),
        (["x.ddc", "-o", "x.pdf"], 2, "give it a name ending in .html"),
        (["x.ddc", "-o", "none/x.html"], 1, "no folder 'none'"),
        (["x.ddc", "--eval", "none.json"], 1, "Cannot read 'none.json'"),
        (["x.ddc", "--eval", "x.ddc"], 1, "'x.ddc' is damaged"),
        (["x.ddc", "--eval", "x.ddc.json"], 1, "'x.ddc.json' is no evaluation"),
        (["x.ddc", "--eval", "other.json"], 1, "is about a file of 1 bytes"),
        (["damaged.ddc"], 1, "'damaged.ddc.json' is damaged"),
    ],
)
def test_wrong_arguments(arguments: list[str], code: int, sentence: str) -> None:
    """Each gets one sentence and leaves no page."""
    Path("other.json").write_text(json.dumps(EVALUATION | {"file_bytes": 1}))
    shutil.copy("x.ddc", "damaged.ddc")
    Path("damaged.ddc.json").write_text("{")
    result = _report(*arguments)
    assert result.exit_code == code, result.output
    assert result.stderr.startswith("ddc: ") and result.stderr.count("\n") == 1
    assert sentence in result.stderr
    assert not list(Path().glob("*.htm*"))


def test_existing_page_is_kept() -> None:
    """Only --force replaces it."""
    _page()
    assert "--force" in _report("x.ddc").stderr
    assert _report("x.ddc", "--force").exit_code == 0


def test_page_in_a_browser(tmp_path: Path) -> None:
    """A headless browser shows the page: pictures load, no name has run, and it is not blank."""
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        pytest.skip(f"no browser found: none of {', '.join(BROWSERS)} is installed")
    _page()
    command = [
        browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
        "--window-size=1000,1400", f"--user-data-dir={tmp_path / 'profile'}",
        f"--screenshot={tmp_path / 'shot.png'}", (tmp_path / "x.html").as_uri(),
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    shot = Image.open(tmp_path / "shot.png").convert("RGB")
    assert shot.size == (1000, 1400)
    colours = {colour for _, colour in shot.getcolors(1 << 24)}
    # The colours of latents and of networks in the bar, and a picture of many more.
    assert {(0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00)} <= colours and len(colours) > 50
    dumped = subprocess.run(
        [*command[:-2], "--dump-dom", command[-1]], check=True, capture_output=True, timeout=300
    )
    assert b"<script" not in dumped.stdout and b"Where the bytes go" in dumped.stdout
