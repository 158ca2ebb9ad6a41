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


def drawn(epochs: int, **asked):
    """(rows, views) of so many epochs in one, with three classes of 2, 10 and 60 labelled rows."""
    labels_N = np.repeat([0, 1, 2, -1], [2, 10, 60, 48]).astype(np.int64)
    plans = [
        draw(labels_N, batch_size=16, views=4, seed=3, epoch=epoch, **asked)
        for epoch in range(epochs)
    ]
    rows = [np.concatenate(one.rows) for one in plans]
    views = [np.concatenate(one.views) for one in plans]
    return labels_N, plans, np.concatenate(rows), np.concatenate(views)


def test_epochs_longer_than_the_rows_pass_over_all_of_them_again_and_again():
    _, plans, rows, _ = drawn(3, samples=250)
    assert [sum(map(len, one.rows)) for one in plans] == [250] * 3
    assert {len(one) for one in plans} == {16}
    counts = np.bincount(rows, minlength=120)
    assert set(counts.tolist()) == {6, 7}  # 750 samples of 120 rows
    assert (drawn(3, samples=250)[2] == rows).all()


def test_fresh_views_come_once_and_one_in_four_is_the_whole_image():
    for samples in (None, 250):
        _, _, rows, views = drawn(8, samples=samples, fresh=True)
        assert 0.2 < (views == 0).mean() < 0.3
        new = [(row, view) for row, view in zip(rows, views, strict=True) if view]
        assert len(new) == len(set(new))
        assert min(view for _, view in new) >= 64
        kept = drawn(8, samples=samples)[3]
        assert ((kept == 0) == (views == 0)).all()


def test_balanced_epochs_show_each_class_alike_and_every_row_of_it_alike():
    labels_N, plans, rows, _ = drawn(5, balanced=True)
    each = np.bincount(labels_N[rows] + 1)
    assert each[0] == 5 * 48  # those without a label are as many as they were
    assert each[1:].max() - each[1:].min() <= 1
    for label, count in enumerate((2, 10, 60)):
        times = np.bincount(rows, minlength=120)[labels_N == label]
        assert times.max() - times.min() <= 1
        assert times.sum() in (5 * 24, 5 * 24 + 1), count
    for one in plans[0].rows:
        spread = np.bincount(labels_N[one] + 1, minlength=4)[1:]
        assert spread.max() - spread.min() <= 2
    assert (drawn(5, balanced=True)[2] == rows).all()
