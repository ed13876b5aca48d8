"""`make bench`: cvtune beside the limit of this machine, a plain PyTorch loop, timm's loop and fastai.

    python -m tests.benchmarks --work FOLDER [--data PHOTOS] [--peers FOLDER] [--only features,epoch,...]

The rows:
    features  photos to features, first and second run, beside the limit of the machine and a plain loop
    epoch     one training epoch beside the limit, the plain loop, the loop of timm's train.py, and fastai
    slider    time to answer moves of C and of the learning rate
    scale     seconds a photo and memory of 500 to 4,000 made photos
    kill      20 times kill -9 and --resume, beside an unbroken run
    accuracy  time to fastai's accuracy, and accuracies after equal time; what is in --work is not run again

Every figure is one JSON line. Only the ratios mean something on a busy machine: what is compared runs in one call, one
after the other, on the processor.
"""

import argparse
import os
from pathlib import Path

ROWS = "features,epoch,slider,scale,kill,accuracy"


def main() -> None:
    """Read the command line and measure the rows it names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="labelled photos, in any layout; without it photos are made")
    parser.add_argument("--work", type=Path, required=True, help="folder for workspaces and results")
    parser.add_argument("--peers", type=Path, help="folder that fastai is installed in")
    parser.add_argument("--only", default=ROWS, help="rows, with commas between")
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--photos", type=int, default=0, help="about so many (0: all); of `scale`, its largest set")
    parser.add_argument("--seeds", type=int, default=1, help="of `accuracy`")
    parser.add_argument("--epochs", type=int, default=5, help="of fastai's fine_tune in `accuracy`")
    arguments = parser.parse_args()
    unknown = set(arguments.only.split(",")) - set(ROWS.split(","))
    if unknown:
        parser.error(f"there is no row {', '.join(sorted(unknown))}: choose from {ROWS}")
    work, size = arguments.work.resolve(), arguments.image_size
    work.mkdir(parents=True, exist_ok=True)
    # before torch is imported: the limit is that of the processor, and no one's "opened last" is touched
    os.environ |= {"CUDA_VISIBLE_DEVICES": "", "CVTUNE_HOME": str(work / "home")}
    from tests.benchmarks import accuracy, kill, speed
    from tests.benchmarks.common import photo_folder, say

    say(row="machine", cores=os.cpu_count(), load_before=os.getloadavg()[0])
    peers = str(arguments.peers.resolve()) if arguments.peers else ""
    data = arguments.data and arguments.data.resolve()

    def photos() -> Path:
        return photo_folder(data, work, arguments.photos)

    rows = {
        "features": lambda: speed.measure_features(photos(), work, size),
        "epoch": lambda: speed.measure_epoch(photos(), work, size, peers),
        "slider": lambda: speed.measure_slider(photos(), work, size),
        "scale": lambda: speed.measure_scale(work, arguments.photos or 4_000),
        "kill": lambda: kill.measure_kill(work),
        "accuracy": lambda: accuracy.measure_accuracy(
            photos(), work / "accuracy", size, peers, arguments.seeds, arguments.epochs
        ),
    }
    for row in arguments.only.split(","):
        if row == "accuracy" and not peers:
            say(row=row, missing="give --peers, the folder that fastai is installed in")
            continue
        rows[row]()


if __name__ == "__main__":
    main()
