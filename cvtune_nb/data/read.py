"""Which photos are there? Chooses who reads the labels: folders, or a CSV file."""

from pathlib import Path

from cvtune_nb.data.folders import read_folders
from cvtune_nb.data.layout import Layout, require_classes

def read_layout(data, layout=""):
    made = read_folders(Path(data), layout)
    require_classes(made, data, layout)
    return made
def unpack(a,b): ...
SPLIT_FOLDERS={}
