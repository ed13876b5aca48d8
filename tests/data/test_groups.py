"""Photos that belong together, by a column, by their paths, by the time they were taken."""

import json
from types import SimpleNamespace

import pandas as pd
import pytest
from PIL import ExifTags, Image

from cvtune_nb import cli
from cvtune_nb.data import keep_together, open_workspace, path_groups, photo, preview_groups, time_groups
from cvtune_nb.data.groups import checked, dependent, grouped_id, groups_at, groups_id, joined
from cvtune_nb.data.path_groups import by_path
from cvtune_nb.errors import InputError, Stopped
from tests.photos import make_photos

SCENES = r"-(\d\d)\d"
"""Of a-123.jpg the scene is 12."""


@pytest.fixture
def photos(tmp_path):
    return make_photos(tmp_path / "photos", ("a", "b"), per_class=60, size=32)


def divided(space, name):
    """The scenes, as `name` calls those of paths, that are in several splits."""
    manifest = space.manifest()
    splits = manifest["split"].groupby([name(path) for path in manifest["path"]]).nunique()
    return sorted(splits.index[splits > 1])


def scene(path):
    return path.split("-")[1][:2]


def write_table(photos, column="group", group=scene, split=lambda _: ""):
    rows = [f"path,label,split,{column}"]
    for file in sorted(photos.glob("*/*.jpg")):
        path = file.relative_to(photos).as_posix()
        rows.append(f"{path},{file.parent.name},{split(path)},{group(path)}")
    table = photos / "list.csv"
    table.write_text("\n".join(rows))
    return table


def taken(file, time, model="X", fraction=""):
    """Write into the photo when it was taken."""
    with Image.open(file) as image:
        exif = image.getexif()
        exif[ExifTags.Base.Model] = model
        inner = exif.get_ifd(ExifTags.IFD.Exif)
        inner[ExifTags.Base.DateTimeOriginal] = time
        if fraction:
            inner[ExifTags.Base.SubsecTimeOriginal] = fraction
        image.save(file, exif=exif)


# -- sources --------------------------------------------------------------------------------------------------


def test_photos_of_one_group_by_their_paths_are_in_one_split(photos, tmp_path):
    assert divided(open_workspace(photos, tmp_path / "alone"), scene)
    space = open_workspace(photos, tmp_path / "w", group_by=SCENES)
    assert divided(space, scene) == []
    assert space.grouped.startswith(
        rf"grouped by path, {SCENES}: 120 photos in 6 groups, the largest with 20 photos ('00'"
    )
    assert json.loads((tmp_path / "w" / "workspace.json").read_text())["group_by"] == SCENES
    assert open_workspace("", tmp_path / "w").grouped == space.grouped, "it is remembered"


@pytest.mark.parametrize(
    ("rule", "name"),
    [
        (r"(\w)-(\d)", "a"),
        (r"\w-\d", "a-1"),
        (r"(?P<label>\w)-(?P<tens>\d)", "a 1"),
        (r"x|(y)", ""),
        ("z", ""),
    ],
)
def test_what_an_expression_finds_is_the_group(rule, name):
    assert by_path(checked(rule), ["a/a-12.jpg"]) == [name]


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("(", "is no regular expression (missing )"),
        ("xyz", "finds no groups: all 120 photos do not match, for example 'a/a-000.jpg' and 'a/a-001.jpg'"),
        (r"^(\w)/", "puts all 60 photos of class 'a' into one group, 'a' (for example 'a/a-000.jpg'"),
        (".*", "puts no two photos together, for example a/a-000.jpg is 'a/a-000.jpg' and a/a-001.jpg is"),
        ("exif", "all 120 photos do not say when they were taken (EXIF DateTimeOriginal)"),
        ("time:soon", "has no number of seconds from 0 up"),
        ("time:-1", "has no number of seconds from 0 up"),
        ("column:", "names no column"),
        ("column:scene", "names a column that the table of the photos does not have (it is no CSV file)"),
    ],
)
def test_a_rule_that_groups_nothing_is_refused_in_a_sentence(photos, tmp_path, rule, words):
    with pytest.raises(InputError) as error:
        open_workspace(photos, tmp_path / "w", group_by=rule)
    assert words in str(error.value) and f"--group-by {rule}" in str(error.value)
    assert "\n" not in str(error.value)
    assert open_workspace(photos, tmp_path / "w").group_by == "", "what failed is not remembered"


@pytest.mark.parametrize("column", ["group", "Group ID"])
def test_a_column_called_group_is_used(photos, tmp_path, column):
    space = open_workspace(write_table(photos, column), tmp_path / "w")
    assert divided(space, scene) == []
    assert f"grouped by the column {column}: 120 photos in 6 groups" in space.grouped
    assert open_workspace("", tmp_path / "w", group_by="none").grouped == ""
    assert open_workspace("", tmp_path / "w").group_by == "", "it stays so"


def test_another_column_is_used_when_it_is_named_and_an_empty_cell_is_alone(photos, tmp_path):
    table = write_table(photos, "patient", lambda path: "" if path.startswith("b/b-00") else scene(path))
    assert open_workspace(table, tmp_path / "not asked").group_by == ""
    space = open_workspace(table, tmp_path / "w", group_by="column:patient")
    assert (
        "10 photos have no group in it (empty, unknown, NA ...) and are alone, for example b/b-000.jpg" in space.grouped
    )
    with pytest.raises(InputError, match="its columns: 'path', 'label', 'split' and 'patient'"):
        open_workspace(table, tmp_path / "w", group_by="column:doctor")


def test_a_column_that_holds_kinds_of_photos_is_not_taken_for_groups(photos, tmp_path):
    space = open_workspace(write_table(photos, group=lambda path: f"kind {path[0]}"), tmp_path / "w")
    assert space.grouped == "" and "the column group is not used as groups by itself" in space.recognised


def test_photos_of_one_camera_within_seconds_are_one_group(photos, tmp_path):
    for number, file in enumerate(sorted((photos / "a").glob("*.jpg"))[:12]):
        taken(file, f"2020:01:01 10:{number // 4:02d}:{number % 4 * 5:02d}", "X" if number < 11 else "Y")
    space = open_workspace(photos, tmp_path / "w", group_by="time:5")
    names = dict(zip(space.manifest()["path"], space.manifest()["group"], strict=True))
    groups = pd.Series({path: names[path] for path in sorted(names)[:12]}).factorize()[0].tolist()
    assert groups == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 3]
    assert "108 photos do not say when they were taken" in space.grouped
    assert "12 photos in 4 groups" in space.grouped
    assert "12 photos in 2 groups" in open_workspace("", tmp_path / "w", group_by="exif", redraw_split=True).grouped


def test_fractions_of_a_second_count_and_a_time_that_is_none_does_not(photos, tmp_path):
    files = sorted((photos / "a").glob("*.jpg"))
    for file, fraction in zip(files[:3], ("000", "400", "950"), strict=True):
        taken(file, "2020:01:01 10:00:00", fraction=fraction)
    taken(files[3], "0000:00:00 00:00:00")
    space = open_workspace(photos, tmp_path / "w", group_by="time:0.5")
    assert "3 photos in 2 groups" in space.grouped
    (tmp_path / "w" / "cache" / "taken.csv").read_text()  # each file is looked at once


# -- joined with copies ---------------------------------------------------------------------------------------


def test_copies_and_names_are_joined_to_what_they_connect():
    assert joined(["c", "b", "a", "d"], ["x", "x", "", ""]) == ["b", "b", "a", "d"]
    assert joined(["c", "c", "a", "a"], ["x", "", "x", "y"]) == ["a"] * 4
    assert joined(["b", "a"], ["", ""]) == ["b", "a"], "copies that no name connects keep their group"
    assert joined([], []) == []


def test_copies_found_later_join_groups_and_stay_when_the_groups_go(photos, tmp_path):
    space = open_workspace(photos, tmp_path / "w", group_by=SCENES)
    manifest = space.manifest().set_index("path")
    one, two = sorted({scene(path) for path in manifest.index[manifest["split"] == "train"]})[:2]  # of any draw
    first, second = f"a/a-{one}0.jpg", f"a/a-{two}0.jpg"
    pair = [manifest.at[path, "sha256"] for path in (first, second)]
    keep_together(space, dict.fromkeys(pair, "pair"))
    assert space.manifest().groupby([scene(path) for path in space.manifest()["path"]])["group"].nunique().max() == 1
    groups = space.manifest().set_index("path")["group"]
    assert groups[f"b/b-{one}0.jpg"] == groups[f"b/b-{two}9.jpg"], "through the copies of two scenes"
    assert divided(space, lambda path: "0" if scene(path) in (one, two) else scene(path)) == []
    groups = open_workspace("", tmp_path / "w", group_by="none").manifest().set_index("path")["group"]
    assert groups[first] == groups[second] != groups[f"a/a-{one}1.jpg"]


def test_what_is_computed_with_groups_has_a_name_of_its_own(photos, tmp_path):
    space = open_workspace(photos, tmp_path / "w")
    assert groups_id(space.photos()) == "" and dependent(space.photos()) is None
    space = open_workspace("", tmp_path / "w", group_by=SCENES, redraw_split=True)
    assert groups_id(space.photos()) and dependent(space.photos()).nunique() == 6


def test_a_manifest_of_an_earlier_version_has_groups_of_copies_alone(photos, tmp_path):
    space = open_workspace(photos, tmp_path / "w")
    file, before = space.folder / "manifest.csv", space.manifest()
    old = before.drop(columns="copies")
    old.to_csv(file, index=False)
    assert space.manifest().equals(before)
    again = open_workspace("", tmp_path / "w")
    assert again.manifest().equals(before) and again.grouped == again.regrouped == ""


# -- the frozen split -----------------------------------------------------------------------------------------


def test_a_frozen_split_is_drawn_anew_only_when_asked_for(photos, tmp_path):
    space = open_workspace(photos, tmp_path / "w")
    space.open_test("somebody")
    before = space.manifest()
    with pytest.raises(InputError) as error:
        open_workspace("", tmp_path / "w", group_by=SCENES)
    words = str(error.value)
    assert "are in different splits of this workspace, in 6 groups, for example a/a-0" in words
    assert "--redraw-split" in words and "was opened once, go into training" in words
    assert open_workspace("", tmp_path / "w").manifest().equals(before), "nothing has changed"
    _, undone = preview_groups(space, SCENES)
    assert undone == words
    again = open_workspace("", tmp_path / "w", group_by=SCENES, redraw_split=True)
    assert divided(again, scene) == []
    assert "changed the split, because it was drawn anew: runs made before are of earlier data" in again.regrouped
    assert "the test set was opened once before" in again.regrouped
    assert open_workspace("", tmp_path / "w").regrouped == "", "said once"
    assert open_workspace("", tmp_path / "w", redraw_split=True).regrouped.endswith("it divides no groups")


def test_groups_that_the_split_does_not_divide_need_no_new_one(photos, tmp_path):
    space = open_workspace(photos, tmp_path / "w", group_by=SCENES)
    before = space.manifest()["split"]
    finer = open_workspace("", tmp_path / "w", group_by=r"(\w-\d\d)\d")
    assert finer.manifest()["split"].equals(before) and "12 groups" in finer.grouped


def test_photos_added_later_go_where_their_group_is(tmp_path, photos):
    aside = [(file, tmp_path / file.name) for file in sorted(photos.glob("*/*[5-9].jpg"))]
    for file, place in aside:
        file.rename(place)
    before = open_workspace(photos, tmp_path / "w", group_by=SCENES).manifest().set_index("path")["split"]
    for file, place in aside:
        place.rename(file)
    space = open_workspace("", tmp_path / "w")
    after = space.manifest().set_index("path")["split"]
    assert divided(space, scene) == [] and after[before.index].equals(before) and len(after) == 120


def test_a_split_that_the_photos_came_with_is_told_and_not_changed(photos, tmp_path):
    split = lambda path: "test" if path.endswith("9.jpg") else "validation" if path.endswith("8.jpg") else "train"  # noqa: E731
    space = open_workspace(write_table(photos, split=split), tmp_path / "w")
    assert space.manifest()["split"].tolist() == [split(path) for path in space.manifest()["path"]]
    assert "the split that the photos came with divides 6 of these groups, for example that of a/a-0" in space.grouped
    assert "is left as it is" in space.grouped


def test_commands_take_the_rule_and_say_what_it_groups(photos, tmp_path, capsys):
    command = ["baseline", "--workspace", str(tmp_path / "w"), "--data", str(photos), "--json"]
    command += ["--backbone", "efficientnet_lite0", "--image-size", "64"]
    assert cli.main([*command, "--group-by", "("]) == 2
    assert "--group-by ( is no regular expression" in capsys.readouterr().err
    assert cli.main([*command, f"--group-by={SCENES}"]) == 0
    said = capsys.readouterr()
    assert "grouped by path" in said.err
    assert "accuracy" in said.out
    assert json.loads((tmp_path / "w" / "workspace.json").read_text())["group_by"] == SCENES


def test_two_arms_of_a_study_are_not_taken_for_groups_but_named(photos, tmp_path):
    table = write_table(photos, group=lambda path: "control" if int(path[-5]) % 2 else "treated")
    space = open_workspace(table, tmp_path / "w")
    assert space.grouped == "" and "--group-by column:group" in space.recognised


def test_placeholders_are_no_group(photos, tmp_path):
    table = write_table(photos, group=lambda path: "NA" if path.endswith("9.jpg") else scene(path))
    space = open_workspace(table, tmp_path / "w", group_by="column:group")
    assert "12 photos have no group in it" in space.grouped


@pytest.mark.parametrize("rule", [r"(.*)_\d+", r"(\w+)-(\d+)", r"[(+]*x+", r"(?:ab)+c", r"\(a+\)+"])
def test_expressions_that_end_are_taken(rule):
    assert checked(rule) == rule


@pytest.mark.parametrize("rule", [r"(?:a|aa)+$", r"(?:aa|a)+$"])
def test_expressions_that_may_never_end_are_given_up_in_a_sentence(rule, monkeypatch):
    monkeypatch.setattr(path_groups, "SECONDS", 0.2)
    assert by_path(rule, ["aaaa"]) == ["aaaa"], "it is harmless for most names"
    with pytest.raises(InputError, match=r"takes more than 0.2 seconds, for it can match a name such as a+!.jpg"):
        by_path(rule, [f"{'a' * 60}!.jpg"])


def test_more_paths_may_take_longer(monkeypatch):
    left = list[float]()
    expression = SimpleNamespace(search=lambda _, timeout, **__: left.append(timeout))
    monkeypatch.setattr(path_groups, "compiled", lambda _: expression)
    for count in (1, 200_000):
        by_path("x", ["a"] * count)
    one, *many = left
    assert one == pytest.approx(10, abs=0.5) and many[0] == pytest.approx(30, abs=0.5)


def test_matching_many_paths_can_be_stopped():
    told = []

    def stop(share, words):
        told.append(words)
        if share:
            raise Stopped("enough")

    with pytest.raises(Stopped):
        by_path(r"(\d)", ["1.jpg"] * 5_000, stop)
    assert told[-1] == "matching paths: 2,000 of 5,000"


def test_what_was_read_of_times_before_a_stop_is_kept(photos, tmp_path, monkeypatch):
    space, read = open_workspace(photos, tmp_path / "w"), []
    monkeypatch.setattr(time_groups, "BLOCK", 50)
    monkeypatch.setattr(photo, "taken", lambda path: read.append(path) or ("X", "2026:01:01 10:00:00"))

    def stop(share, _):
        if share > 0.8:
            raise Stopped("enough")

    with pytest.raises(Stopped):
        time_groups.taken(space, space.manifest(), stop)
    assert len(read) == 100
    assert len(time_groups.taken(space, space.manifest())) == 120 == len(read)


def test_the_rule_is_kept_where_what_is_checked_later_refuses(photos, tmp_path, monkeypatch):
    def refuse(_):
        raise InputError("no levels")

    monkeypatch.setattr("cvtune_nb.data.levels.require_high_depth", refuse)
    with pytest.raises(InputError, match="no levels"):
        open_workspace(photos, tmp_path / "w", group_by=SCENES)
    assert json.loads((tmp_path / "w" / "workspace.json").read_text())["group_by"] == SCENES


def test_results_of_other_groups_are_of_other_photos(photos, tmp_path):
    rows = open_workspace(photos, tmp_path / "w", group_by=SCENES).photos()
    assert grouped_id(rows) != grouped_id(rows.assign(group=rows["copies"]))


def test_the_group_of_paths_is_told_only_where_photos_belong_together():
    photos = pd.DataFrame({"path": ["a", "b", "c"], "copies": ["1", "2", "3"], "group": ["1", "1", "3"]})
    assert groups_at(photos, ["c", "gone", "b"]).tolist() == ["3", "gone", "1"]
    assert groups_at(photos.assign(group=photos["copies"]), ["a"]) is None
