import re
from collections.abc import Iterator

from fastapi import APIRouter
from fastapi.routing import APIRoute

from tandem.server.resources import routers


def test_no_two_resources_answer_one_address():
    """So it does not matter in which order they are found."""
    routes = [
        (owner(router), prefix, route) for router, prefix in routers() for route in all_of(router)
    ]
    assert len(routes) > 60
    for mine, prefix, route in routes:
        address = re.sub(r"\{[^}]*\}", "x", route.path)
        for other, below, candidate in routes:
            if other != mine and below == prefix and candidate.methods & route.methods:
                assert not candidate.path_regex.match(address), (route.path, candidate.path, other)


def test_every_folder_with_routes_is_found():
    found = {owner(router) for router, _ in routers()}
    assert {"tasks", "events", "queue", "history", "compat_training"} <= found


def owner(router: APIRouter) -> str:
    """The folder of `tandem/server` that a router stands in."""
    return next(all_of(router)).endpoint.__module__.split(".")[2]


def all_of(router: APIRouter) -> Iterator[APIRoute]:
    for route in router.routes:
        if isinstance(route, APIRoute):
            yield route
        else:  # another router's, included
            yield from all_of(route.original_router)
