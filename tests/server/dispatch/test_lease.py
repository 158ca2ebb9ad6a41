"""One of two servers dispatches, on each data base."""

from __future__ import annotations

import threading

from tandem.server.db.database import Database
from tandem.server.dispatch.lease import LeaseHolder


class Clock:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def two(database: Database) -> tuple[LeaseHolder, Clock, LeaseHolder, Clock]:
    mine, theirs = Clock(), Clock()
    theirs.seconds = 1e6  # machines' clocks have nothing in common
    one = LeaseHolder(database, owner="one", clock=mine)
    return one, mine, LeaseHolder(database, owner="other", clock=theirs), theirs


def test_of_two_contenders_one_holds_and_the_other_takes_over_when_it_is_silent(database: Database):
    one, mine, other, theirs = two(database)
    assert one.hold()
    for _ in range(20):
        mine.seconds += 1.1
        theirs.seconds += 1.1
        assert one.hold()
        assert not other.hold()
    for _ in range(7):
        theirs.seconds += 1.1
        assert not other.hold()
    theirs.seconds += 1.1
    assert other.hold()
    mine.seconds += 1.1
    assert not one.hold()


def test_released_it_goes_to_the_other_at_once(database: Database):
    one, _, other, theirs = two(database)
    assert one.hold()
    assert not other.hold()
    one.release()
    theirs.seconds += 1.1
    assert other.hold()


def test_of_many_at_once_exactly_one_acquires(database: Database):
    for _ in range(3):
        keepers = [LeaseHolder(database) for _ in range(6)]
        threads = [threading.Thread(target=keeper.hold) for keeper in keepers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(keeper.held for keeper in keepers) == 1
        next(keeper for keeper in keepers if keeper.held).release()
