"""A run that was interrupted, in whatever way, ends bit for bit as the one that was not."""

from dataclasses import replace

import pytest

from cvtune_nb.classification import Run, fit, load_run, train
from cvtune_nb.errors import InputError
from cvtune_nb.runs import checkpoint as checkpoint_module
from tests.classification.conftest import killed_in_the_second_epoch, stop_at


class Killed(BaseException):
    """Nothing in the loop catches it, as nothing catches a power cut."""


def test_two_runs_are_the_same(workspace, config, same_as_trained):
    same_as_trained(fit(workspace, config))


@pytest.mark.parametrize("where", ["epoch 1 of 2", "epoch 2 of 2", "epoch 2 of 2: measuring"])
def test_stopped_and_resumed(workspace, config, same_as_trained, where):
    stopped = fit(workspace, config, progress=stop_at(where))
    assert stopped.state == load_run(workspace, stopped.id).state == "stopped"
    assert len(stopped.history) == {"epoch 1 of 2": 1}.get(where, 2)
    same_as_trained(fit(workspace, run=stopped.id))


def test_stopped_before_any_epoch_was_done(workspace, config):
    config = replace(config, head="random", epochs=1)
    stopped = fit(workspace, config, progress=stop_at("epoch 1"))
    assert (stopped.state, len(stopped.history)) == ("stopped", 0)
    resumed, unbroken = fit(workspace, run=stopped.id), fit(workspace, config)
    assert resumed.history.drop(columns="seconds").equals(unbroken.history.drop(columns="seconds"))
    assert resumed.predictions().equals(unbroken.predictions())


def test_stopped_twice(workspace, config, same_as_trained):
    run = fit(workspace, config, progress=stop_at("epoch 1"))
    run = fit(workspace, run=run.id, progress=stop_at("epoch 2"))
    assert run.history["epoch"].tolist() == [0, 1]
    same_as_trained(fit(workspace, run=run.id))


@pytest.mark.parametrize("step", ["write_csv", "run.save", "on_epoch", "checkpoint"])
@pytest.mark.parametrize("epoch", [0, 2])
def test_killed_while_an_epoch_is_written_down(workspace, config, same_as_trained, monkeypatch, step, epoch):
    """Between any two of the files that an epoch writes."""

    def kill_at(whole, run_of):
        def call(*arguments, **keywords):
            run = run_of(*arguments)
            if len(run.history) == epoch + 1:
                raise Killed
            return whole(*arguments, **keywords)

        return call

    with monkeypatch.context() as patch:
        if step == "on_epoch":
            on_epoch = kill_at(lambda run: None, lambda run: run)
        elif step == "checkpoint":
            patch.setattr(checkpoint_module, "save", kill_at(checkpoint_module.save, lambda run, *_: run))
        elif step == "run.save":
            patch.setattr(Run, "save", kill_at(Run.save, lambda run: run))
        else:
            written = []
            whole = Run.keep_outputs

            def write(run, table):
                written.append(run)
                if len(written) == (1 if epoch == 0 else 2):
                    raise Killed
                whole(run, table)

            patch.setattr(Run, "keep_outputs", write)
        told = on_epoch if step == "on_epoch" else None
        try:
            fit(workspace, config, on_epoch=told)
        except Killed:
            pass
        else:
            assert (step, epoch) == ("write_csv", 2)  # no later epoch was better: nothing was written twice
    run = load_run(workspace, "last")
    same_as_trained(fit(workspace, run=run.id))


def test_killed_by_the_operating_system(workspace, config, same_as_trained):
    run = killed_in_the_second_epoch(workspace, config)
    same_as_trained(fit(workspace, run=run.id))


def test_a_lost_result_file_costs_nothing(workspace, config, same_as_trained):
    run = fit(workspace, config)
    (run.folder / "result.json").unlink()
    (run.folder / "history.csv").unlink()
    assert load_run(workspace, run.id).state == "interrupted"
    same_as_trained(fit(workspace, run=run.id))
    assert (run.folder / "result.json").exists()


def test_a_finished_run_is_not_trained_again(trained, monkeypatch):
    workspace, run = trained
    monkeypatch.setattr(train, "build", lambda *a: pytest.fail("it was trained"))
    again = fit(workspace, run=run.id)
    assert again.state == "done"
    assert again.history.equals(run.history)


def test_changed_labels_refuse_a_resume_and_take_it_when_undone(workspace, config, same_as_trained):
    run = fit(workspace, config, progress=stop_at("epoch 2"))
    path = workspace.photos()["path"].iloc[0]
    workspace.decide(path, "relabel", to="square")
    with pytest.raises(InputError, match=f"photos or labels have changed since run {run.id} began: start a new run"):
        fit(workspace, run=run.id)
    workspace.decide(path, "undo")
    same_as_trained(fit(workspace, run=run.id))


def test_a_run_that_is_not_there(workspace):
    with pytest.raises(InputError, match=r"has no run '007': choose one of those there are \(none yet\)"):
        fit(workspace, run="007")
