"""`tandem config show`."""

from __future__ import annotations

from tandem.commands.terminal import print_json, print_status, print_table
from tandem.config.keys import KEYS, MODEL_TABLES, describe_origin
from tandem.config.settings import load
from tandem.config.settings_file import masked, masked_in_table
from tandem.spec.i18n import t


def show(as_json: bool) -> None:
    """Every setting, its value (passwords masked) and where it comes from."""
    settings = load()
    rows = [
        {
            "name": key.name,
            "value": masked(key, settings.values[key.name].text),
            "origin": settings.values[key.name].origin,
            "variable": key.variable if key.env else None,
            "legacy_key": key.legacy,
            "about": t(key.about),
        }
        for key in KEYS
    ]
    for table, prefix in MODEL_TABLES.items():
        for name, value in getattr(settings, table).items():
            text = masked_in_table(table, value.text)
            row = {"name": f"{table}.{name}", "value": text, "origin": value.origin}
            rows.append({**row, "variable": None, "legacy_key": f"{prefix}.{name}", "about": ""})
    for note in settings.notes:
        print_status(note)
    if as_json:
        print_json(rows)
        return
    print_table(
        "",
        ["name", "value", "origin"],
        [[r["name"], r["value"], describe_origin(str(r["origin"]))] for r in rows],
    )
