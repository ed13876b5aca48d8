"""The audit beside what else is free: cleanlab, CleanVision, imagededup, and the ranking that fastai's cleaner shows.

    python -m tests.benchmarks.audit --data PHOTOS --peers FOLDER --work FOLDER [--only labels,copies,time,...]

Faults are planted (tests/benchmarks/faults.py, seeded) among the photos of a folder split/class/photo, so that it is
known what is to be found. Every figure is printed as one JSON line. `time` runs each side in processes of its own.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from cvtune_nb.audit import CHECKS, duplicates, labels, quality, shortcuts
from cvtune_nb.audit.context import Context
from cvtune_nb.classification.features import FeatureSpec, features
from cvtune_nb.data import open_workspace
from cvtune_nb.data.pixels import pixels
from tests.benchmarks.faults import BAD, COPIES, FOUR, NINE, plant

SPEC = FeatureSpec("efficientnet_lite0")
SHARES = (0.03, 0.08, 0.20)
PERMUTATIONS = 200
ISSUE = {kind: "blurry" if kind.startswith("blur") else kind for kind in BAD}
"""What the audit calls each kind of bad photo."""


def say(**figures: object) -> None:
    """Print one line of figures."""
    print(
        json.dumps(
            {key: value if isinstance(value, str | int) else round(float(value), 4) for key, value in figures.items()}
        ),
        flush=True,
    )


def scores(found: np.ndarray, true: np.ndarray) -> dict[str, float]:
    """Precision, recall and F1 of what was flagged (n,) bool."""
    hits = (found & true).sum()
    precision, recall = hits / max(found.sum(), 1), hits / max(true.sum(), 1)
    return {"precision": precision, "recall": recall, "f1": 2 * hits / max(found.sum() + true.sum(), 1)}


# -- wrong labels ---------------------------------------------------------------------------------------------


def wrong_labels(data: Path, work: Path, seeds: int) -> None:
    """Labels flipped to any class, or to the class that theirs is mixed up with most."""
    workspace = open_workspace(data, work / "plain")
    photos = workspace.photos()
    matrix = features(workspace, photos, SPEC).matrix
    names, truth = np.unique(photos["label"].to_numpy(dtype=str), return_inverse=True)
    confused = np.zeros((len(names), len(names)))
    np.add.at(confused, (truth, cross_validated(matrix, truth).argmax(axis=1)), 1)
    np.fill_diagonal(confused, -1)
    everyone, alone = np.ones(len(photos), bool), np.arange(len(photos))
    for kind in ("any class", "look-alikes"):
        for share in SHARES:
            rows: dict[str, list[dict[str, float]]] = {}
            for seed in range(seeds):
                random = np.random.default_rng(seed)
                wrong = np.zeros(len(truth), bool)
                wrong[random.choice(len(truth), round(share * len(truth)), replace=False)] = True
                other = (truth + random.integers(1, len(names), len(truth))) % len(names)
                other = confused.argmax(axis=1)[truth] if kind == "look-alikes" else other
                given = np.where(wrong, other, truth)
                for method, (quality_of, flagged) in judged(matrix, photos, names, given, everyone, alone):
                    figures = {
                        "auroc": roc_auc_score(wrong, -quality_of),
                        "average_precision": average_precision_score(wrong, -quality_of),
                    }
                    figures |= {} if flagged is None else scores(flagged, wrong)
                    rows.setdefault(method, []).append(figures)
            for method, seen in rows.items():
                means = pd.DataFrame(seen).mean().to_dict()
                say(check="labels", seeds=seeds, flips=kind, share=share, method=method, **means)


def cross_validated(matrix: np.ndarray, given: np.ndarray) -> np.ndarray:
    """Probabilities of a plain logistic regression, 5 folds: what cleanlab's documentation tells one to bring. C is the
    best for the peers of four settings that were tried on clothing with 8% flipped."""
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.001, max_iter=300))
    return cross_val_predict(
        model, matrix, given, cv=StratifiedKFold(5, shuffle=True, random_state=0), method="predict_proba"
    )


def judged(matrix, photos, names, given, everyone, alone) -> Iterator[tuple]:
    """(method, (label quality, flagged or None)) of each method."""
    table = photos.assign(label=names[given])
    ours = labels.judge(table, matrix, alone, everyone)
    yield "cvtune", (ours.opinions["label_quality"].to_numpy(), ours.mislabelled)
    said = cross_validated(matrix, given)
    own = said[np.arange(len(given)), given]
    try:
        from cleanlab.filter import find_label_issues

        for rule in ("prune_by_noise_rate", "low_self_confidence", "confident_learning", "low_normalized_margin"):
            name = "cleanlab default" if rule == "prune_by_noise_rate" else f"cleanlab {rule}"
            yield name, (own, find_label_issues(given, said, filter_by=rule, n_jobs=1))
    except ImportError:
        yield "logistic regression (cleanlab is not there)", (own, None)
    unit = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
    near = NearestNeighbors(n_neighbors=31).fit(unit).kneighbors(unit, return_distance=False)[:, 1:]
    yield "30 nearest neighbours", ((given[near] == given[:, None]).mean(axis=1), None)
    fitted = make_pipeline(StandardScaler(), LogisticRegression(C=0.001, max_iter=300)).fit(matrix, given)
    yield "in-sample loss, as fastai ranks", (fitted.predict_proba(matrix)[np.arange(len(given)), given], None)


# -- copies and bad photos ------------------------------------------------------------------------------------


def copies_and_bad(data: Path, work: Path, each: int) -> None:
    """Copies of thirteen kinds and bad photos of seven, planted among the photos."""
    folder = work / f"planted-{each}"
    truth = plant(data, folder, each)
    workspace = open_workspace(folder, work / f"planted-{each}-workspace")
    photos = workspace.photos(contested=True)
    rows = features(workspace, photos, SPEC).rows
    store = pixels(workspace, photos, SPEC.preprocessing)
    paths = photos["path"].to_numpy()

    start = time.perf_counter()
    pairs = duplicates.find(photos, rows, store).pairs
    ours = {frozenset((paths[a], paths[b])) for a, b in zip(pairs["first"], pairs["second"], strict=True)}
    copies_found("cvtune", ours, truth, time.perf_counter() - start)
    flagged, measures = {}, quality.measured(workspace, photos, store)
    for kind, issue in ISSUE.items():  # one at a time: what flags more than 5% of a set becomes a note about the set
        others = {path for path, (_, which) in truth.bad.items() if which != kind}
        kept = np.flatnonzero(~photos["path"].isin(others))
        context = Context(workspace, SPEC)
        context.photos, context.measures = (part.iloc[kept].reset_index(drop=True) for part in (photos, measures))
        (check,) = (check for check in CHECKS if check.name == issue)
        flagged[kind] = {row["path"] for row in check.look(context)[0]}
    bad_found("cvtune", flagged, truth)
    try:
        from imagededup.methods import PHash

        start = time.perf_counter()
        hashes = {path: PHash(verbose=False).encode_image(folder / path) for path in paths}
        found = PHash(verbose=False).find_duplicates(encoding_map=hashes, max_distance_threshold=10)
        both = {frozenset((a, b)) for a, others in found.items() for b in others}
        copies_found("imagededup PHash <= 10", both, truth, time.perf_counter() - start)
    except ImportError:
        say(check="copies", method="imagededup", missing=True)
    try:
        from cleanvision import Imagelab
    except ImportError:
        say(check="quality", method="CleanVision", missing=True)
        return
    start = time.perf_counter()
    lab = Imagelab(filepaths=[str(folder / path) for path in paths])
    lab.find_issues(verbose=False)
    sets = [one for kind in ("exact_duplicates", "near_duplicates") for one in lab.info[kind]["sets"]]
    named = [sorted(str(Path(path).relative_to(folder)) for path in one) for one in sets]
    both = {frozenset((a, b)) for one in named for a in one for b in one if a < b}
    copies_found("CleanVision", both, truth, time.perf_counter() - start)
    theirs = {"blurry": "blurry", "dark": "dark", "over-exposed": "light", "low-contrast": "low_information"}
    flagged = {}
    for kind, issue in ISSUE.items():
        listed = lab.issues.index[lab.issues[f"is_{theirs[issue]}_issue"]]
        flagged[kind] = {str(Path(path).relative_to(folder)) for path in listed}
    bad_found("CleanVision", flagged, truth)


def copies_found(method: str, pairs: set[frozenset[str]], truth, seconds: float) -> None:
    """Recall by kind. Precision counts the pairs in which a planted copy stands beside a photo that is not the same:
    pairs of photos that were there before may be real copies, and are counted apart."""
    family = {path: original for path, (original, _) in truth.copies.items()}
    family |= {path: original for path, (original, _) in truth.bad.items()}
    root = {path: family.get(path, path) for pair in pairs for path in pair}
    same = {pair for pair in pairs if len({root[path] for path in pair}) == 1}
    before = {pair for pair in pairs - same if not any(path in family for path in pair)}
    apart = pairs - same - before
    together = {path: {path} for pair in same for path in pair}
    for pair in same:
        first, second = pair
        joined = together[first] | together[second]
        for path in joined:
            together[path] = joined
    recall = {
        kind: np.mean(
            [original in together.get(path, ()) for path, (original, which) in truth.copies.items() if which == kind]
        )
        for kind in COPIES
    }
    say(
        check="copies",
        method=method,
        nine=np.mean([recall[kind] for kind in NINE]),
        four=np.mean([recall[kind] for kind in FOUR]),
        precision=len(same) / max(len(same) + len(apart), 1),
        pairs_planted=len(same),
        pairs_wrong=len(apart),
        pairs_there_before=len(before),
        seconds=seconds,
        **recall,
    )


def bad_found(method: str, flagged: dict[str, set[str]], truth) -> None:
    """Recall of each kind of bad photo, and the share of the original photos that are flagged."""
    for kind, paths in flagged.items():
        planted = [path for path, (_, which) in truth.bad.items() if which == kind]
        say(
            check="quality",
            method=method,
            kind=kind,
            recall=np.mean([path in paths for path in planted]),
            false_flags=np.mean([path in paths for path in truth.originals]),
        )


# -- shortcuts ------------------------------------------------------------------------------------------------


def telling_properties(data: Path, work: Path) -> None:
    """False alarms on permuted labels, and whether a class three quarters of which are darkened is found."""
    workspace = open_workspace(data, work / "plain")
    photos = workspace.photos()
    store = pixels(workspace, photos, SPEC.preprocessing)
    measures = quality.measure(store, np.arange(len(photos)))
    values = shortcuts.properties(photos, measures)
    random = np.random.default_rng(0)
    alarms = [
        bool(shortcuts.telling(values, pd.Series(random.permutation(photos["label"])), shortcuts.TELLING))
        for _ in range(PERMUTATIONS)
    ]
    say(check="shortcuts", permuted=PERMUTATIONS, sets_with_a_false_alarm=int(np.sum(alarms)))
    for name in sorted(photos["label"].unique()):
        inside = np.flatnonzero(photos["label"] == name)
        chosen = random.choice(inside, round(0.75 * len(inside)), replace=False)
        darker = quality.measure(Darkened(store, chosen), np.arange(len(chosen)))
        changed = measures.copy()
        changed.iloc[chosen] = darker.to_numpy()
        context = Context(workspace, SPEC)
        context.photos, context.measures = photos, changed
        hit = [row["score"] for row in shortcuts.shortcut(context) if f'"{name}"' in row["detail"]]
        say(check="shortcuts", darkened=name, found=bool(hit), auroc=max(hit, default=0.0))


class Darkened:
    """Some of a store's photos at half their brightness."""

    def __init__(self, store, rows: np.ndarray):
        self.store, self.rows = store, rows

    def __getitem__(self, indices: np.ndarray) -> np.ndarray:
        return self.store[self.rows[indices]] // 2


# -- time -----------------------------------------------------------------------------------------------------

PLAIN_LOOP = """
import sys, time, numpy as np, torch
from pathlib import Path
from PIL import Image
from cvtune_nb.models import networks
start = time.perf_counter()
paths = sorted(p for p in Path(sys.argv[1]).glob("*/*/*"))
network = networks.load("efficientnet_lite0").eval()
rows = []
with torch.no_grad():
    for first in range(0, len(paths), 32):
        batch = []
        for path in paths[first:first + 32]:
            image = Image.open(path).convert("RGB")
            scale = 256 / min(image.size)
            image = image.resize((round(image.width * scale), round(image.height * scale)), Image.BILINEAR)
            left, top = (image.width - 224) // 2, (image.height - 224) // 2
            batch.append(np.asarray(image.crop((left, top, left + 224, top + 224))))
        rows.append(networks.forward(network, np.stack(batch)))
matrix = np.concatenate(rows)
names, given = np.unique([p.parent.name for p in paths], return_inverse=True)
from tests.benchmarks.audit import cross_validated
from cleanlab.filter import find_label_issues
find_label_issues(given, cross_validated(matrix, given), n_jobs=1)
print(time.perf_counter() - start)
"""
CLEANVISION = """
import sys
from cleanvision import Imagelab
lab = Imagelab(data_path=sys.argv[1])
lab.find_issues(verbose=False)
"""


def times(data: Path, work: Path, peers: str) -> None:
    """Seconds of wall time, each in a fresh process: our audit twice on a new workspace, then the peers."""
    space = work / f"timed-{time.time_ns()}"
    ours = [sys.executable, "-m", "cvtune_nb", "audit", "--data", str(data), "--workspace", str(space), "--json"]
    commands = {"cvtune audit, first run": ours, "cvtune audit, second run": ours}
    start = f"import sys; sys.path += {peers.split(':')!r}\n"
    commands["CleanVision"] = [sys.executable, "-c", start + CLEANVISION, str(data)]
    commands["plain loop, logistic regression, cleanlab"] = [sys.executable, "-c", start + PLAIN_LOOP, str(data)]
    for name, command in commands.items():
        begun = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True)
        say(
            check="time",
            method=name,
            seconds=time.perf_counter() - begun,
            exit=done.returncode,
            error=done.stderr[-300:] if done.returncode else "",
        )


# -- memory ---------------------------------------------------------------------------------------------------

MEMORY = """
import sys, threading, time
from pathlib import Path
import numpy as np
from tests.photos import make_photos
count, folder = int(sys.argv[1]), Path(sys.argv[2])
if not folder.exists():
    make_photos(folder / "photos", [f"class {number}" for number in range(20)], count // 20, size=64)
from cvtune_nb.audit import audit
from cvtune_nb.data import open_workspace
peak = 0
def watch():
    global peak
    while True:
        lines = Path("/proc/self/status").read_text().splitlines()
        peak = max(peak, next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")))
        time.sleep(0.05)
threading.Thread(target=watch, daemon=True).start()
audit(open_workspace(folder / "photos", folder / "workspace"), "efficientnet_lite0", 64)
print(peak)
"""


def memory(work: Path) -> None:
    """Most memory (RssAnon: without files that are mapped) of one audit of made photos, each in a fresh process."""
    for count in (2_000, 20_000):
        command = [sys.executable, "-c", MEMORY, str(count), str(work / f"made-{count}")]
        begun = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True)
        say(
            check="memory",
            photos=count,
            peak_mb=int(done.stdout or 0) / 1024,
            seconds=time.perf_counter() - begun,
            error=done.stderr[-300:] if done.returncode else "",
        )


def main() -> None:
    """Read the command line and run the checks it names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of photos: split/class/photo")
    parser.add_argument("--work", type=Path, required=True, help="folder for workspaces and planted photos")
    parser.add_argument("--peers", default="", help="folder that the peers are installed in")
    parser.add_argument("--each", type=int, default=40, help="planted photos of each kind")
    parser.add_argument("--seeds", type=int, default=5, help="draws of wrong labels for each figure")
    parser.add_argument("--only", default="labels,copies,shortcuts,time,memory", help="checks, with commas between")
    arguments = parser.parse_args()
    sys.path += arguments.peers.split(":") if arguments.peers else []
    data, work = arguments.data.resolve(), arguments.work.resolve()
    checks = {
        "labels": lambda: wrong_labels(data, work, arguments.seeds),
        "copies": lambda: copies_and_bad(data, work, arguments.each),
        "shortcuts": lambda: telling_properties(data, work),
        "memory": lambda: memory(work),
        "time": lambda: times(data, work, arguments.peers),
    }
    for name in arguments.only.split(","):
        checks[name]()


if __name__ == "__main__":
    main()
