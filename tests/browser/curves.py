"""What the charts of a page draw: the very points that were given to each, and the service's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page

from tests.browser.house import House
from tests.server.faults.small_server import wait_for

Points = dict[str, list[tuple[float, float | None]]]

# A canvas shows no numbers: its component is found in Vue's own tree of what is mounted.
DRAWN = """() => {
  const found = {}
  const look = (vnode) => {
    if (!vnode) return
    const of = vnode.component
    if (of && of.props.lines && of.props.axis && of.props.title) {
      for (const line of of.props.lines) found[line.name] = line.x.map((x, n) => [x, line.y[n]])
    }
    if (of) look(of.subTree)
    if (vnode.ssContent) look(vnode.ssContent)
    if (Array.isArray(vnode.children)) vnode.children.forEach(look)
  }
  look(document.getElementById('app')._vnode)
  return found
}"""


def drawn(page: Page) -> Points:
    """Each line's points by its kind and name, such as `epoch train_loss`."""
    said: dict[str, list[list[Any]]] = page.evaluate(DRAWN)
    return {name: [(x, y) for x, y in points] for name, points in said.items()}


def kept(house: House, task_id: str) -> Points:
    """The same as the service keeps it, by epoch."""
    said = house.get(f"/api/v1/tasks/{task_id}/curves?x=epoch&points=5000")
    return {
        f"{one['kind']} {one['name']}": list(zip(one["x"], one["y"], strict=True))
        for one in said["series"]
    }


def until_drawn(page: Page, enough: Callable[[Points], bool], seconds: float = 60.0) -> Points:
    """The points, once there are enough."""
    return wait_for(lambda: points if enough(points := drawn(page)) else None, seconds)


def epochs_in(points: Points) -> list[float]:
    """The epochs that the training's loss is drawn for."""
    return [x for x, _ in points.get("epoch train_loss", [])]
