"""What broke off is swept; what is at work, or was touched lately, is left."""

from __future__ import annotations

import os
import subprocess
from datetime import timedelta
from pathlib import Path

from fastapi.testclient import TestClient
from sqlalchemy import update

from tandem.server.datasets.sweeping import sweep
from tandem.server.db.dataset_tables import Upload
from tandem.server.host.clock import now

LONG_AGO = 1_000_000_000


def test_folders_of_dead_processes_go_and_the_living_stay(client: TestClient, home: Path):
    ended = subprocess.Popen(["true"])
    ended.wait()
    root = home / "datasets"
    gone, kept = root / f".pets.unpacking.{ended.pid}", root / f".pets.unpacking.{os.getpid()}"
    for folder in (gone, kept, root / "pets", root / ".mine"):
        (folder / "train").mkdir(parents=True)
    sweep(client.app.state.context)  # type: ignore[attr-defined]
    assert sorted(one.name for one in root.iterdir()) == sorted((kept.name, "pets", ".mine"))


def test_abandoned_uploads_go_after_a_week(client: TestClient, home: Path):
    context = client.app.state.context  # type: ignore[attr-defined]
    ids = []
    for name in ("abandoned", "slow", "new"):
        made = client.post("/api/v1/uploads", json={"name": name, "size": 5000})
        ids.append(made.json()["id"])
    week = now() - timedelta(days=8)
    context.database.run(
        lambda session: session.execute(
            update(Upload).where(Upload.id.in_(ids[:2])).values(updated_at=week)
        )
    )
    os.utime(home / "uploads" / f"{ids[0]}.zip", (LONG_AGO, LONG_AGO))
    sweep(context)
    found = [client.get(f"/api/v1/uploads/{id}").status_code for id in ids]
    assert found == [404, 200, 200]
    assert not (home / "uploads" / f"{ids[0]}.zip").exists()
