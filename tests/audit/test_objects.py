import pytest

from cvtune_nb.audit import objects
from cvtune_nb.data import open_workspace
from cvtune_nb.errors import InputError
from tests.audit.contexts import issues, known
from tests.photos import make_photos


@pytest.fixture
def space(tmp_path):
    return open_workspace(make_photos(tmp_path / "photos", ("a", "b", "c"), per_class=8, size=48), tmp_path / "w")


def test_every_class_has_its_turn_and_the_draw_stays(space):
    photos = space.photos()
    drawn = objects.sample(photos)
    assert len(drawn) == len(set(drawn)) == objects.SAMPLED
    assert photos.set_index("path").loc[drawn, "label"].value_counts().to_dict() == {"a": 4, "b": 4, "c": 4}
    assert objects.sample(photos.sample(frac=1, random_state=1)) == drawn
    assert objects.sample(photos, seed=1) != drawn
    assert len(objects.sample(photos.head(5))) == 5


def test_the_last_box_of_a_photo_counts_and_can_be_taken_back(space):
    first, second = space.manifest()["path"][:2]
    keys = space.manifest().set_index("path")["sha256"]
    objects.write_box(space, first, (0.1, 0.1, 0.2, 0.2))
    objects.write_box(space, second, (0, 0, 1, 1))
    objects.write_box(space, first, (0.123456, 0.1, 0.3, 0.2))
    assert objects.boxes(space) == {keys[first]: (0.1235, 0.1, 0.3, 0.2), keys[second]: (0, 0, 1, 1)}
    objects.write_box(space, first, None)
    assert set(objects.boxes(space)) == {keys[second]}
    assert len((space.folder / "boxes.jsonl").read_text().splitlines()) == 4, "the file only grows"


@pytest.mark.parametrize("box", [(-0.1, 0, 0.5, 0.5), (0, 0, 0, 0.5), (0.8, 0, 0.5, 0.5)])
def test_a_box_outside_the_photo_is_refused(space, box):
    path = space.manifest()["path"].iloc[0]
    with pytest.raises(InputError, match="not inside the photo"):
        objects.write_box(space, path, box)
    with pytest.raises(InputError, match="not a photo of this workspace"):
        objects.write_box(space, "no.jpg", (0, 0, 1, 1))
    assert objects.boxes(space) == {}


@pytest.mark.parametrize(("side", "small"), [(0.15, True), (0.25, False)])
def test_small_objects_are_an_issue_of_the_set(space, side, small):
    photos = space.photos()
    for path in objects.sample(photos)[:5]:
        objects.write_box(space, path, (0, 0, side, side / 2))
    context = known(space, photos=photos)
    assert issues(context, "small-objects").empty, "five are not enough"
    objects.write_box(space, objects.sample(photos)[5], (0, 0, side / 2, side))
    found = issues(context, "small-objects")
    assert len(found) == small
    if small:
        assert found["issue"].item() == "small-objects" and "15%" in found["detail"].item()
        assert "notebook 06" in found["suggestion"].item() and "34 pixels" in found["suggestion"].item()
    assert issues(known(space, photos=photos.iloc[:0]), "small-objects").empty
