"""The batches of an epoch: every picture once, labels spread, the same for every process."""

import numpy as np

from tandem.train.engines.accelerate.epoch_plan import draw

LABELS = np.where(np.arange(130) < 10, np.arange(130) % 3, -1).astype(np.int64)


def plan(epoch: int = 0, seed: int = 0, batch_size: int = 32):
    return draw(LABELS, batch_size=batch_size, views=4, seed=seed, epoch=epoch)


def test_every_image_comes_once_and_no_batch_is_larger_than_asked():
    rows = plan().rows
    assert sorted(np.concatenate(rows)) == list(range(130))
    assert max(map(len, rows)) <= 32
    assert max(map(len, rows)) - min(map(len, rows)) <= 1


def test_labelled_images_are_spread_evenly():
    counts = [int((LABELS[rows] >= 0).sum()) for rows in plan().rows]
    assert max(counts) - min(counts) <= 1


def test_another_epoch_and_another_seed_draw_other_batches_but_repeat_themselves():
    first = np.concatenate(plan().rows)
    assert (np.concatenate(plan().rows) == first).all()
    assert (np.concatenate(plan(epoch=1).rows) != first).any()
    assert (np.concatenate(plan(seed=1).rows) != first).any()


def test_over_as_many_epochs_as_views_each_image_is_seen_in_every_view():
    seen = {row: set() for row in range(130)}
    for epoch in range(4):
        drawn = plan(epoch)
        for row, view in zip(np.concatenate(drawn.rows), np.concatenate(drawn.views), strict=True):
            seen[row].add(int(view))
    assert all(views == {0, 1, 2, 3} for views in seen.values())


def test_the_shares_of_two_processes_make_up_the_batch():
    whole = plan()
    shares = [whole.share(rank, 2) for rank in (0, 1)]
    for number, rows in enumerate(whole.rows):
        both = np.concatenate([share[number][0] for share in shares])
        assert sorted(both) == sorted(rows)


def test_a_resumed_epoch_takes_the_rest_of_the_same_batches():
    whole = plan()
    rest = whole.share(0, 1, start=3)
    assert len(rest) == len(whole) - 3
    assert (rest[0][0] == whole.rows[3]).all()
