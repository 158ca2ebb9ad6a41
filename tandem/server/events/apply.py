"""The one place where what a run says reaches its rows, by whichever way it came.

`absorb` (journals and batches of events) and the reports of surface A both end here. Accuracies are
percentages, 0 to 100; figures that a column cannot hold are left out, and the caller says so.
"""

from __future__ import annotations
