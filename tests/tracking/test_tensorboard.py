"""What TensorBoard itself reads of a run."""

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from cvtune_nb import tracking
from cvtune_nb.classification import export_run, fit


def test_tensorboard_reads_parameters_epochs_and_the_model_card(workspace, config):
    tracking.choose(workspace, "tensorboard")
    run = fit(workspace, config)
    made = export_run(workspace, run.id, variants=())
    read = EventAccumulator(str(workspace.folder / "tracking" / "tensorboard" / "runs" / run.id))
    read.Reload()
    seen = [(event.step, event.value) for event in read.Scalars("validation_accuracy")]
    expected = run.history[["epoch", "validation_accuracy"]].to_numpy()
    assert seen == [pytest.approx(tuple(row)) for row in expected]
    assert [event.step for event in read.Scalars("train_loss")] == [0, 1, 2]
    texts = {
        tag: event.tensor_proto.string_val[0].decode() for tag in read.Tags()["tensors"] for event in read.Tensors(tag)
    }
    assert "| epochs | 2 |" in texts["parameters/text_summary"]
    assert texts[f"{made.folder.name}/text_summary"] == (made.folder / "README.md").read_text()
    best = run.history.set_index("epoch").at[run.best_epoch, "validation_accuracy"]
    assert read.Scalars("best_validation_accuracy")[-1].value == pytest.approx(best)
