"""Formats in which others keep labelled photos: each a small class, registered here."""

from cvtune_nb.data.formats.cvat import Cvat
from cvtune_nb.data.formats.format import Format, read_format
from cvtune_nb.data.formats.frames import Frames
from cvtune_nb.data.formats.imagefolder import ImageFolder
from cvtune_nb.data.formats.label_studio import LabelStudio
from cvtune_nb.data.formats.labelme import Labelme
from cvtune_nb.data.formats.open_images import OpenImages
from cvtune_nb.data.formats.packed import Packed, open_packed
from cvtune_nb.data.formats.parquet import Parquet
from cvtune_nb.data.formats.roboflow import Roboflow
from cvtune_nb.data.formats.shards import Shards
from cvtune_nb.data.formats.urls import Urls
from cvtune_nb.data.formats.voc import Voc
from cvtune_nb.data.formats.webdataset import WebDataset

__all__ = ["FORMATS", "PACKED", "Format", "Packed", "open_packed", "read_format"]

FORMATS: dict[str, Format] = {
    kind.name: kind
    for kind in (ImageFolder(), LabelStudio(), Cvat(), Labelme(), Roboflow(), Voc(), OpenImages(), WebDataset())
}
"""What says the labels of photos that lie beside it or below it, by the name that a person can choose it by."""

PACKED: dict[str, Packed] = {kind.name: kind for kind in (Shards(), Parquet(), Frames(), Urls())}
"""What has to be unpacked or downloaded before there are photos, likewise."""
