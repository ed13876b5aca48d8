"""Minibatches read ahead, and where they come to lie."""

import threading

import numpy as np
import pytest
import torch

from cvtune_nb.runs.reading import read_ahead
from tests.waiting import NobodyWaits


def test_minibatches_are_read_in_order_by_one_thread_and_one_ahead():
    threads, read = set(), []

    def reading(rows):
        threads.add(threading.current_thread())
        read.append(rows)
        return rows * 2

    coming = read_ahead(reading, range(5))
    assert next(coming) == 0 and len(read) <= 3
    assert list(coming) == [2, 4, 6, 8]
    assert read == [0, 1, 2, 3, 4] and len(threads) == 1 and threads != {threading.current_thread()}
    assert list(read_ahead(reading, [])) == []


def test_all_arrays_of_a_minibatch_become_tensors_on_the_device():
    def reading(rows):
        boxes = {"boxes": torch.zeros(rows, 4)}
        return np.zeros((rows, 2), np.uint8), [np.ones(3)], boxes, None, "words"

    (batch,) = read_ahead(reading, [2], torch.device("meta"))
    photos, (more,), boxes, nothing, words = batch
    assert (photos.device.type, photos.dtype, photos.shape) == ("meta", torch.uint8, (2, 2))
    assert (more.device.type, boxes["boxes"].device.type, nothing, words) == ("meta", "meta", None, "words")


def test_on_the_processor_nothing_is_copied_but_what_nobody_may_write_to():
    array, kept = np.zeros(3, np.uint8), torch.zeros(3)
    locked = array.copy()
    locked.flags.writeable = False
    ((first, second, third),) = read_ahead(lambda _: (array, kept, locked), [1])
    array[0] = second[0] = 1
    assert first.tolist() == [1, 0, 0] and second is kept
    third[0] = 7
    assert locked.tolist() == [0, 0, 0]


def test_what_reading_raises_comes_out():
    def reading(rows):
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        list(read_ahead(reading, [1]))


def test_what_is_there_already_stays():
    there = torch.zeros(3, device="meta")
    with NobodyWaits("meta"):
        ((found,),) = read_ahead(lambda _: (there,), [1], torch.device("meta"))
    assert found is there
