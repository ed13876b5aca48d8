"""Zips that Windows makes of more than 2 GB: compressed with Deflate64, which Python can't read by itself."""

import base64

import pytest

from cvtune_nb.data.archive import unpack
from cvtune_nb.errors import InputError

PACKED = base64.b64decode(
    "UEsDBBQAAAAAAAAAIQAAAAAAAAAAAAAAAAACAAAAYS9QSwMEFQAAAAkAAAAhABb5nLtOAwAAACwBAAcAAABhLzEuanBn5M+DARgA"
    "AMCw2bZt27Zt27Zt27Zt27Zt2+ghzQcJEDBQ4CBBgwUPETJU6DBhw4WPEDFS5ChRo0WPETNW7Dhx48VPkDBR4iRJkyVPkTJV6jRp"
    "06XPkDFT5ixZs2XPkTNX7jx58+UvULBQ4SJFixUvUbJU6TJly5WvULFS5SpVq1WvUbNW7Tp169Vv0LBR4yZNmzVv0bJV6zZt27Xv"
    "0LFT5y5du3Xv0bNX7z59+/UfMHDQ4CFDhw0fMXLU6DFjx42fMHHS5ClTp02fMXPW7Dlz581fsHDR4iVLly1fsXLV6jVr163fsHHT"
    "5i1bt23fsXPX7j179+0/cPDQ4SNHjx0/cfLU6TNnz52/cPHS5StXr12/cfPW7Tt3791/8PDR4ydPnz1/8fLV6zdv373/8PHT5y9f"
    "v33/8fPX7z9///3X//V//V//1//1f/1f/9f/9X/9X//X//V//V//1//1f/1f/9f/9X/9X//X//V//V//1//1f/1f/9f/9X/9X//X"
    "//V//V//1//1f/1f/9f/9X/9X//X//V//V//1//1f/1f/9f/9X/9X//X//V//V//1//1f/1f/9f/9X/9X//X//V//V//1//1f/1f"
    "/9f/9X/9X//X//V//V//1//1f/1f/9f/9X/9X//X//V//V//1//1f/1f/9f/9X/9X//X//V//V//1//1f/1f/9f/9X/9X//X//V/"
    "/V//1//1f/1f/9f/9X/9X//X//V//V//1//1f/1f/9f/9X/9X//X//V//V//1//1f/1f/9f/9X/9X//X//V//V//1//1f/1f/9f/"
    "9X/9X//X//V//V//1//1f/1f/9f/9X/9X//X//V//V//1//1f/1f/9f/9X/9X//X//V//V//1//1f/1f/9f/9X/9X//X//V//V//"
    "1//1f/1f/9f/9X/9X//X//V//V//1//1f/1f/9f/9X/9X//X//V//V//1//1f/1f/9f/KX8OBAAAAAAE+VvvcRnE//k//+f//J//"
    "83/+z//5P//n//yf//N//s//+T//5//8n//zf/7P//k//+f//J//83/+z//5P//n//yf//N//s//+T//5//8n//zf/7P//k//+f/"
    "/J//83/+z//5P//n/9N/UEsDBBQAAAAAAAAAIQAAAAAAAAAAAAAAAAACAAAAYi9QSwMEFQAAAAkAAAAhAC5W2ORJAwAAQA0DAAcA"
    "AABiLzEuanBn5MQhDQAADAMwu2c7mP9MSAv6l4aPj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+P"
    "j4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+P"
    "j4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+P"
    "j4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj49v5MQhAQAAAACQ/68NIejr6+vr6+vr6+vr6+vr6+vr6+vr"
    "6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr"
    "6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr"
    "6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+tDThwSAAAA"
    "AAD5/9oQgr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+"
    "vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+"
    "vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+vr6+"
    "vr6+vr6+vr6+vr6+vr6+vr6+vj7lxCEBAAAAgKD/r91ghgAfHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8f"
    "Hx8fHx8fHx8fHx8fHx8fHx8fHx8fHx/fLlBLAQI/AxQAAAAAAAAAIQAAAAAAAAAAAAAAAAACAAAAAAAAAAAAEIDtQQAAAABhL1BL"
    "AQI/AxUAAAAJAAAAIQAW+Zy7TgMAAAAsAQAHAAAAAAAAAAAAIICkgSAAAABhLzEuanBnUEsBAj8DFAAAAAAAAAAhAAAAAAAAAAAA"
    "AAAAAAIAAAAAAAAAAAAQgO1BkwMAAGIvUEsBAj8DFQAAAAkAAAAhAC5W2ORJAwAAQA0DAAcAAAAAAAAAAAAggKSBswMAAGIvMS5q"
    "cGdQSwUGAAAAAAQABADKAAAAIQcAAAAA"
)
"""a/1.jpg and b/1.jpg, as 7-Zip packs them with -mm=Deflate64."""
CONTENT = {"a/1.jpg": bytes(range(256)) * 300, "b/1.jpg": b"photo" * 40_000}


def test_it_is_read(tmp_path):
    (tmp_path / "p.zip").write_bytes(PACKED)
    folder = unpack(tmp_path / "p.zip", tmp_path / "u")
    assert {name: (folder / name).read_bytes() for name in CONTENT} == CONTENT


@pytest.mark.parametrize("place", ["data", "length", "checksum"])
def test_what_is_not_as_stated_is_refused(tmp_path, place):
    data, central = bytearray(PACKED), PACKED.rindex(b"PK\x01\x02")
    data[{"data": PACKED.index(b"a/1.jpg") + 60, "length": central + 24, "checksum": central + 16}[place]] ^= 1
    (tmp_path / "p.zip").write_bytes(data)
    with pytest.raises(InputError, match=r"p\.zip can't be unpacked .*: it is damaged or incomplete"):
        unpack(tmp_path / "p.zip", tmp_path / "u")
    assert not (tmp_path / "u").exists()
