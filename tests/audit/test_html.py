import shutil
from html.parser import HTMLParser

import pytest

from cvtune_nb.audit.check import issue
from cvtune_nb.audit.checks import table
from cvtune_nb.audit.html import SHOWN, about_whole_set, write_report
from cvtune_nb.data import open_workspace
from tests.photos import ODD, make_photos

BAD_NAME = "<img src=x onerror=alert(1)>.jpg"
SUMMARY = {"forecast": "", "notes": ["a <note>"], "backbone": "b", "image_size": 96, "photos": 40}


class Page(HTMLParser):
    """What a browser would make of it: every tag with its attributes, and the text."""

    def __init__(self, text: str):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def space(tmp_path_factory):
    folder = make_photos(tmp_path_factory.mktemp("html") / "photos", (ODD, "b"), per_class=20)
    shutil.copy(next((folder / "b").iterdir()), folder / "b" / BAD_NAME)
    return open_workspace(folder, folder.parent / "w")


def report(space, **found):
    scores = space.manifest()[["path", "label"]]
    found = {name.replace("_", "-"): rows for name, rows in found.items()}
    return write_report(space, table(found), scores, SUMMARY).read_text()


def test_one_page_with_photos_and_nothing_to_load(space):
    paths = space.manifest()["path"].tolist()
    bad = f"b/{BAD_NAME}"
    text = report(
        space,
        mislabelled=[issue(path, 0.9, "looks like", "relabel it", bad) for path in paths[: SHOWN + 3]],
        duplicate=[issue(bad, 1, "the same file", "exclude it", paths[-1], paths[-2])],
        corrupt=[issue("b/cut.jpg", 1, "damaged", "replace it")],
        few_images=[issue("", 1, "few", "add some")],
    )
    page = Page(text)
    images = [attributes for tag, attributes in page.tags if tag == "img"]
    assert len(images) == 2 * SHOWN + 2, "each of the worst with its example, one copy beside the other"
    assert all(image["src"].startswith("data:image/jpeg;base64,") and image["alt"] for image in images)
    assert not {"script", "link", "iframe"} & {tag for tag, _ in page.tags}
    assert not any("href" in attributes or "onerror" in attributes for _, attributes in page.tags)
    assert "url(" not in text and "@import" not in text
    assert bad in page.text and "a <note>" in page.text and "b/cut.jpg" in page.text
    assert f"The worst {SHOWN} of {SHOWN + 3}" in page.text and "few: add some" in page.text
    assert len(text) < 8e6


def test_nothing_found(space):
    assert "Nothing was found" in report(space)


def test_a_photo_that_has_vanished_is_named_without_a_picture(space, tmp_path):
    copy = shutil.copytree(space.data, tmp_path / "photos")
    own = open_workspace(copy, tmp_path / "w")
    path = own.manifest()["path"].iloc[0]
    own.path_of(path).unlink()
    found = table({"dark": [issue(path, 1, "dark", "exclude it")]})
    text = write_report(own, found, own.manifest(), SUMMARY).read_text()
    assert "<img" not in text and "dark (1)" in text


def test_what_is_about_the_whole_set_is_said_in_sentences():
    rows = [issue("", 0.5, "b has 3 photos", "add some"), issue("a.jpg", 0.5, "dark", "look")]
    found = table({"mislabelled": rows})
    assert about_whole_set(found, SUMMARY) == ["a <note>", "b has 3 photos: add some"]
    assert about_whole_set(found[:0], {"forecast": "more", "notes": []}) == ["more"]
