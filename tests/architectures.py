"""Architectures of timm with random weights, through the product: `python -m tests.architectures`.

Each at its native image size and at two others: features, one epoch of training with what is recommended for it, ONNX
beside PyTorch with minibatches of 1 and 9, a heat map, and at the native size, with features of several stages, a whole
export; or refused in one sentence. A line a row; it goes on after a failure, and exits 1 if there was one.
docs/measurements.md, "Architectures of timm".
"""

import argparse
import fnmatch
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
import torch

from cvtune_nb.classification import export_run, fit, load_best
from cvtune_nb.classification.features import FeatureSpec, features
from cvtune_nb.classification.grad_cam import heat
from cvtune_nb.data import open_workspace
from cvtune_nb.data.pixels import pixels
from cvtune_nb.data.preprocessing import Preprocessing
from cvtune_nb.errors import InputError
from cvtune_nb.export import onnx_model
from cvtune_nb.models import sizes
from cvtune_nb.models.backbones import RANDOM
from cvtune_nb.models.pooling import LAST, STAGES
from cvtune_nb.models.recipes import recommended
from cvtune_nb.workspace import Workspace
from tests.photos import make_photos

TOLERANCE = 1e-4
"""Largest difference of a logit between ONNX Runtime and PyTorch, both in float32."""
SIZES = (96, 160, 128)
"""Tried beside the native size: the first two of them that are another."""
SMALL = """
test_resnet test_vit test_convnext test_efficientnet test_byobnet test_nfnet test_mambaout test_coatnet test_maxvit
test_vit_relpos test_vit3 test_convnext2 mobilenetv3_small_050 mobilenetv4_conv_small_035 regnetx_002 ghostnet_050
edgenext_xx_small efficientvit_m0 efficientvit_b0 mobilevit_xxs mobilevitv2_050 xcit_nano_12_p16_224 pvt_v2_b0
inception_next_atto shvit_s1 starnet_s1 repvit_m0_9 fastvit_t8 levit_128s pit_ti_224 coat_lite_tiny crossvit_9_240
convit_tiny gmlp_ti16_224 deit_tiny_patch16_224 eva02_tiny_patch14_224 vit_tiny_patch16_dinov3_qkvb tiny_vit_5m_224
efficientformer_l1 efficientformerv2_s0 visformer_tiny hgnetv2_b0 poolformerv2_s12 cait_xxs24_224 mixer_s32_224
swin_tiny_patch4_window7_224 swinv2_tiny_window8_256 vit_small_patch14_dinov2
"""
ARCHITECTURES = SMALL.split()
"""Small ones of as many families."""


@dataclass(frozen=True)
class Row:
    """A network at a size: what happened, in words; whether that is a failure; the largest difference of a logit."""

    name: str
    size: int
    outcome: str
    failed: bool
    difference: float
    seconds: float

    def __str__(self) -> str:
        difference = "" if np.isnan(self.difference) else f"{self.difference:.1e}"
        return f"| {self.name} | {self.size} | {'FAILED: ' * self.failed}{self.outcome} | {difference} |"


def sizes_of(name: str) -> list[int]:
    """The native size of a network and two others."""
    return list(dict.fromkeys([sizes.native(name), *SIZES]))[:3]


def through(workspace: Workspace, name: str, size: int, folder: Path | None = None) -> Row:
    """One network at one size, through the product.

    Parameters
    ----------
    workspace
        A few photos.
    name, size
        Of a network of timm, and pixels.
    folder
        For a whole export; None: its graph only.
    """
    start, difference, failed = time.perf_counter(), float("nan"), False
    try:
        difference, outcome = _work(workspace, f"{name}{RANDOM}", size, folder)
        failed = not difference <= TOLERANCE
    except InputError as error:
        outcome = f"refused: {error}"
        failed = "\n" in outcome or "can't be used at image_size" not in outcome
    except Exception as error:  # noqa: BLE001 - whatever a person would see as a traceback
        outcome, failed = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:160]}", True
    return Row(name, size, outcome, failed, difference, time.perf_counter() - start)


def _work(workspace: Workspace, name: str, size: int, folder: Path | None) -> tuple[float, str]:
    photos, shown, pooling = workspace.photos(), Preprocessing(size), STAGES if folder else LAST
    rows = features(workspace, photos, FeatureSpec(name, shown, pooling=pooling)).matrix
    assert np.isfinite(rows).all(), "features that are no numbers"
    run = fit(workspace, recommended(name, image_size=size, pooling=pooling, epochs=1, batch_size=8))
    assert len(run.history) and np.isfinite(run.history.select_dtypes("number")).all(axis=None), "no epoch"
    network = load_best(run)
    graph = onnx_model.network(onnx_model.program(network, size)).SerializeToString()
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    squares = pixels(workspace, photos, shown).centre(range(9))
    difference = 0.0
    for images in (squares, squares[:1]):
        with torch.inference_mode():
            expected = network(torch.from_numpy(images)).numpy()
        [found] = session.run(None, {"images": images})
        difference = max(difference, float(np.abs(np.asarray(found) - expected).max()))
    if folder:
        export_run(workspace, run.id, out=folder, variants=())
    try:
        heat(network, squares[0], 0)
    except InputError as error:
        return difference, f"works; {error}"
    return difference, "works"


def workspace_at(root: Path, size: int = 540) -> Workspace:
    """A few made photos, as large as the largest image size."""
    return open_workspace(make_photos(root / "photos", per_class=6, size=size), root / "work")


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="those to try, as patterns; all")
    patterns = parser.parse_args().names or ["*"]
    rows = []
    with tempfile.TemporaryDirectory() as root:
        workspace = workspace_at(Path(root))
        print("| network | pixels | what happened | largest difference |\n|---|---|---|---|", flush=True)
        for name in (name for name in ARCHITECTURES if any(fnmatch.fnmatch(name, pattern) for pattern in patterns)):
            for size in sizes_of(name):
                whole = Path(root) / f"export-{len(rows)}" if size == sizes.native(name) else None
                rows.append(through(workspace, name, size, whole))
                print(rows[-1], f"{rows[-1].seconds:.0f} s", flush=True)
    failed = sum(row.failed for row in rows)
    print(f"{len(rows)} rows of {len({row.name for row in rows})} networks, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
