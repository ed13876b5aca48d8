"""The faults that the audit's benchmark plants are there as it says, and nothing of the person's is touched."""

from PIL import Image

from tests.benchmarks.faults import BAD, COPIES, plant
from tests.photos import make_photos


def test_every_kind_is_planted_twice_and_originals_stay(tmp_path):
    source = make_photos(tmp_path / "set" / "train", ("circle", "stripes"), per_class=14).parent
    before = {path.relative_to(source): path.read_bytes() for path in source.rglob("*.jpg")}
    planted = plant(source, tmp_path / "planted", each=2)
    assert {str(path) for path in before} == set(planted.originals)
    for path, content in before.items():
        assert (planted.folder / path).read_bytes() == content == (source / path).read_bytes()
    for kinds, made in ((COPIES, planted.copies), (BAD, planted.bad)):
        assert sorted(kind for _, kind in made.values()) == sorted([*kinds, *kinds])
        for path, (original, _) in made.items():
            assert path.split("/")[1] == original.split("/")[1], "a copy lies in the class of its original"
            with Image.open(planted.folder / path) as changed, Image.open(source / original) as photo:
                assert changed.size != photo.size or changed.tobytes() != photo.tobytes()
    assert plant(source, tmp_path / "again", each=2).copies == planted.copies, "the same seed, the same faults"
