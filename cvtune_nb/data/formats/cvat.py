"""CVAT for images: an XML file in which photos have tags."""

import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import ParseError

from defusedxml import ElementTree

from cvtune_nb.data.folder_tree import Folder
from cvtune_nb.data.formats.format import Format, Stated, begins, files_of
from cvtune_nb.data.split_names import split_of
from cvtune_nb.errors import InputError


class Cvat(Format):
    """<annotations> with an <image> for each photo; its tags are its labels, its subset is its split."""

    name, title = "cvat", "CVAT"

    def find(self, tree: Folder) -> list[Path]:
        """XML files whose outer tag is CVAT's."""
        return [path for path in files_of(tree, ".xml") if re.search(r"<annotations[\s>]", begins(path)[:4096])]

    def read(self, files: list[Path]) -> Iterator[Stated]:
        """The tags of each photo."""
        for file in files:
            try:
                tree = ElementTree.fromstring(file.read_bytes())
            except (ParseError, ValueError, LookupError) as error:
                raise InputError(f"{file} can't be read as XML ({error}): export it again from CVAT") from None
            for number, image in enumerate(tree.iter("image"), 1):
                place = f"image {image.get('id', number)}"
                if not image.get("name"):
                    raise InputError(f"{file} {place}: it names no photo: export it again from CVAT")
                labels = tuple(tag.get("label", "") for tag in image.iter("tag"))
                yield Stated(file, place, (image.get("name", ""),), labels, split_of(image.get("subset", "")))
