"""`tandem catalog`: what there is to choose from, read from the generated file, without torch."""

from __future__ import annotations

from tandem.commands.terminal import print_json, print_table
from tandem.spec.i18n import t
from tandem.spec.plugins.catalog import CatalogEntry, read


def _parameters(student: CatalogEntry, millions: float) -> str:
    """Its own, and those of a network that it begins with: an LSTM reads a ResNet-50's features."""
    features = student.get("frame_features")
    beside = f" + {features['parameters_millions']:g} M ({features['name']})" if features else ""
    return f"{millions:g} M{beside}"


def show(as_json: bool) -> None:
    """Print it: as a few tables, or whole as JSON."""
    catalog = read()
    if as_json:
        print_json(catalog)
        return
    rows = [
        [
            one["name"],
            size,
            _parameters(one, millions),
            ", ".join(one["kinds"]),
            one.get("licence", ""),
        ]
        for one in catalog["students"]
        for size, millions in one["sizes"].items()
    ]
    print_table(t("Students"), ["type", "size", "parameters", "learns", "licence"], rows)
    rows = [[one["name"], ", ".join(one["gives"]), t(one["about"])] for one in catalog["teachers"]]
    print_table(t("Teachers"), ["family", "gives", "about"], rows)
    licences = catalog["teacher_licences"]
    rows = [[name, hub_id, licences[name]] for name, hub_id in catalog["teacher_names"].items()]
    print_table(t("Teachers by name"), ["name", "hub id", "licence"], rows)
    rows = [[one["name"], ", ".join(one["needs"]), t(one["about"])] for one in catalog["losses"]]
    print_table(t("Losses"), ["name", "needs", "about"], rows)
    rows = [[one["name"], t(one["about"])] for one in catalog["formats"]]
    print_table(t("Data layouts"), ["name", "about"], rows)
