"""An installed system's own configuration where it lies in the working folder: `application.yml`.

Spring's rules: `application-<profile>.yml` wins over `application.yml`, for the profiles that are
active; of several active ones the last wins.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tandem.config.settings_file import SettingsLayer, read_file, read_leaves, words
from tandem.spec.i18n import t

SUFFIXES = (".yml", ".yaml")
PROFILES = "SPRING_PROFILES_ACTIVE"


@dataclass(frozen=True)
class ApplicationFiles:
    """What the files of a folder say, the ones that win first."""

    layers: list[SettingsLayer]
    notes: list[str]
    """Files of which it is told why they are, or are not, read."""


def read_application_files(
    folder: Path, env: Mapping[str, str], read_already: set[Path]
) -> ApplicationFiles:
    """Those that count here; SpecError as `read_file`."""
    common = _plain(folder)
    others = {
        path.stem.removeprefix("application-"): path
        for suffix in SUFFIXES
        for path in sorted(folder.glob(f"application-*{suffix}"))
        if path.is_file()
    }
    active, notes = _active(common, others, env)
    properties = folder / "application.properties"
    if properties.is_file():
        notes.append(t("{path} is not read: only application.yml is.", path=properties))
    chosen = [others[one] for one in reversed(active) if one in others]
    kept = [one for one in [*chosen, *common] if one.resolve() not in read_already]
    layers = [read_file(one, env, active) for one in kept]
    return ApplicationFiles(layers, notes)


def _plain(folder: Path) -> list[Path]:
    found = [folder / f"application{suffix}" for suffix in SUFFIXES]
    return [one for one in found if one.is_file()]


def _active(
    common: list[Path], others: Mapping[str, Path], env: Mapping[str, str]
) -> tuple[list[str], list[str]]:
    """The active profiles, and what is to be said of the choice."""
    named = words(env.get(PROFILES)) or _named_in(common)
    if not named and len(others) == 1 and not common:
        profile, path = next(iter(others.items()))
        note = t("{path} is read: it is the only application file here.", path=path)
        return [profile], [note]
    notes = [
        t(
            "{path} is not read: the profile {profile} is not active. "
            "{variable}={profile} makes it so.",
            path=path,
            profile=profile,
            variable=PROFILES,
        )
        for profile, path in others.items()
        if profile not in named
    ]
    return named, notes


def _named_in(common: list[Path]) -> list[str]:
    """`spring.profiles.active` of the files that hold for every profile."""
    for path in common:
        for leaves in read_leaves(path):
            if active := leaves.get("spring.profiles.active"):
                return words(active)
    return []
