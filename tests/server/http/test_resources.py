import re

from starlette.routing import Match

from tandem.server.resources import routers


def test_no_two_resources_answer_one_address():
    """So it does not matter in which order they are found."""
    routes = [
        (router.routes[0].endpoint.__module__, f"{prefix}{route.path}", route)
        for router, prefix in routers()
        for route in router.routes
    ]
    assert len(routes) > 60
    for owner, path, route in routes:
        address = re.sub(r"\{[^}]*\}", "x", path)
        for other, prefix, candidate in [(o, p[: -len(c.path)], c) for o, p, c in routes]:
            if other == owner or not address.startswith(prefix + "/"):
                continue
            for method in route.methods:
                scope = {"type": "http", "method": method, "path": address[len(prefix) :]}
                assert candidate.matches(scope)[0] is not Match.FULL, (path, candidate.path, other)


def test_every_resource_has_a_router():
    found = {router.routes[0].endpoint.__module__.split(".")[2] for router, _ in routers()}
    assert {"tasks", "events", "queue", "history", "compat_training"} <= found
