"""Photos that are downloaded from a list of addresses."""

import hashlib

import pytest

from cvtune_nb.data import open_workspace
from cvtune_nb.errors import InputError, Stopped
from tests.layouts import one_sentence
from tests.stated_labels import LABELS, photo
from tests.weights_server import serving

COUNT = 16


@pytest.fixture
def site():
    with serving(**{f"{number}.jpg": photo(number) for number in range(COUNT)}) as site:
        yield site


def listed(file, site, extra=(), head="url,label,split"):
    rows = [f"{site.url}/{number}.jpg,{LABELS[number % 2]}," for number in range(COUNT)]
    file.write_text("\n".join([head, *rows, *extra]))
    return file


def require_all(space):
    known = {hashlib.sha256(photo(number)).hexdigest(): LABELS[number % 2] for number in range(COUNT)}
    assert {row.sha256: row.label for row in space.manifest().itertuples()} == known


@pytest.mark.parametrize("head", ["url,label,split", "image,category,set", "Link,class,subset"])
def test_a_table_of_addresses(site, tmp_path, head):
    file = listed(tmp_path / "list.csv", site, head=head)
    space = open_workspace(file, tmp_path / "w")
    require_all(space)
    assert space.recognised == "addresses in list.csv"
    assert not list(space.data.glob("*.part"))


def test_lines_of_text_in_a_folder(site, tmp_path):
    lines = [f"{site.url}/{number}.jpg {LABELS[number % 2]}" for number in range(COUNT)]
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "list.txt").write_text("# from the web\n" + "\n".join(lines))
    require_all(open_workspace(tmp_path / "set", tmp_path / "w"))


def test_splits_and_groups_of_the_table_are_kept(site, tmp_path):
    file = tmp_path / "list.csv"
    splits = ["train"] * 8 + ["val"] * 4 + ["test"] * 4
    rows = [f"{site.url}/{n}.jpg,{LABELS[n % 2]},{split},g{n // 2}" for n, split in enumerate(splits)]
    file.write_text("\n".join(["url,label,split,scene", *rows]))
    space = open_workspace(file, tmp_path / "w", group_by="column:scene")
    assert space.manifest()["split"].value_counts().to_dict() == {"train": 8, "validation": 4, "test": 4}
    assert space.manifest()["group"].nunique() == 8


def test_nothing_is_asked_for_twice_and_what_is_new_is_fetched(site, tmp_path):
    file = listed(tmp_path / "list.csv", site)
    open_workspace(file, tmp_path / "w")
    assert len(site.gets()) == COUNT
    site.files["/new.jpg"] = photo(99)
    listed(file, site, extra=[f"{site.url}/new.jpg,cat,"])
    assert len(open_workspace(file, tmp_path / "w").manifest()) == COUNT + 1
    assert len(site.gets()) == COUNT + 1


def test_what_the_server_refuses_is_left_out_with_the_reason_and_not_asked_for_again(site, tmp_path):
    file = listed(tmp_path / "list.csv", site, extra=[f"{site.url}/gone.jpg,cat,"])
    space = open_workspace(file, tmp_path / "w")
    require_all(space)
    skipped = space.skipped().set_index("path")["reason"]
    assert skipped[f"{site.url}/gone.jpg"].startswith("the server refuses it (404")
    assert "1 photo can't be downloaded: left out" in space.recognised
    open_workspace("", tmp_path / "w")
    assert len(site.gets("gone.jpg")) == 1


def test_a_download_that_breaks_off_is_tried_again_at_the_next_opening(site, tmp_path):
    site.cut_after.append(10)
    file = listed(tmp_path / "list.csv", site)
    space = open_workspace(file, tmp_path / "w")
    assert len(space.manifest()) == COUNT - 1
    assert "it broke off" in space.skipped()["reason"].iloc[0]
    require_all(open_workspace("", tmp_path / "w"))


def test_a_server_that_does_not_answer_is_given_up(site, tmp_path):
    dead = [f"http://127.0.0.1:9/{number}.jpg,cat," for number in range(60)]
    file = listed(tmp_path / "list.csv", site, extra=dead)
    space = open_workspace(file, tmp_path / "w")
    require_all(space)
    reasons = space.skipped()["reason"]
    assert len(reasons) == 60 and reasons.str.contains("tried again when the photos are opened next").all()
    assert reasons.str.startswith("127.0.0.1:9 can't be reached").sum() > 30
    file.write_text("\n".join(["url,label", *(line.rstrip(",") for line in dead), "http://127.0.0.1:9/x.jpg,dog"]))
    with pytest.raises(InputError) as error:
        open_workspace(file, tmp_path / "w2")
    one_sentence(error, "none of its 61 photos can be had", "check the addresses and the connection")


def test_stop_keeps_what_has_come(site, tmp_path):
    file = listed(tmp_path / "list.csv", site)

    def stop(share, words):
        if words.startswith("downloading photos") and share > 0.5:
            raise Stopped

    with pytest.raises(Stopped):
        open_workspace(file, tmp_path / "w", progress=stop)
    had = len(site.gets())
    require_all(open_workspace(file, tmp_path / "w"))
    assert had > COUNT / 2 and len(site.gets()) == COUNT


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("url,label\nhttp://a/1.jpg,cat\nhttp://a/1.jpg,dog\n", "line 3: http://a/1.jpg has another label"),
        ("url,label\nhttp://a/1.jpg,\n", "line 2: the label is empty"),
        ("url,photo,label\nhttp://a/1.jpg,http://b/1.jpg,cat\n", "several columns of addresses, 'url' and 'photo'"),
        ("url,name of it\nhttp://a/1.jpg,cat\n", "no column 'label'"),
    ],
)
def test_a_list_that_can_not_be_used(tmp_path, text, words):
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(InputError) as error:
        open_workspace(tmp_path / "list.csv", tmp_path / "w")
    one_sentence(error, tmp_path / "list.csv", words)


def test_a_line_of_text_without_a_label(tmp_path):
    (tmp_path / "list.txt").write_text("http://a/1.jpg cat\nhttp://a/2.jpg\n")
    with pytest.raises(InputError) as error:
        open_workspace(tmp_path / "list.txt", tmp_path / "w")
    one_sentence(error, "list.txt line 2: 'http://a/2.jpg' is not an address and a label")


def test_a_table_with_photos_beside_it_is_no_list(tmp_path, site):
    for number in range(COUNT):
        (tmp_path / f"{number}.jpg").write_bytes(photo(number))
    rows = [f"{number}.jpg,{site.url}/{number}.jpg,{LABELS[number % 2]}" for number in range(COUNT)]
    (tmp_path / "list.csv").write_text("\n".join(["path,url,label", *rows]))
    require_all(open_workspace(tmp_path / "list.csv", tmp_path / "w" / "w"))
    assert site.gets() == []
