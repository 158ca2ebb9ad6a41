"""The machine and what there is to choose from, on the wire."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class GpuOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    index: int
    name: str
    usage_percent: float
    memory_used_megabytes: float
    memory_total_megabytes: float


class MachineOut(BaseModel):
    """The machine now."""

    model_config = ConfigDict(from_attributes=True)
    cpu_percent: float
    cpus: int
    memory_used_megabytes: float
    memory_total_megabytes: float
    disk_used_megabytes: float
    disk_total_megabytes: float
    gpus: list[GpuOut]


class Licence(BaseModel):
    """A package that does part of the work, and how it may be used."""

    name: str
    version: str
    licence: str = Field(examples=["Apache-2.0"])
    url: str | None


class MissingPart(BaseModel):
    """Something that this machine lacks, or has too little of."""

    what: str
    why: str
    fix: str


class System(BaseModel):
    """This server and its machine."""

    version: str = Field(examples=["0.1.0"])
    python: str
    database: str = Field(examples=["sqlite"])
    uptime_seconds: float
    dispatches: bool = Field(description="Whether this server, and no other, starts runs.")
    dispatcher: str | None = Field(description="Which server does.")
    cpu_slots: int = Field(description="Trainings on the CPU at once.")
    machine: MachineOut
    versions: dict[str, str] = Field(description="The main packages' versions, by their names.")
    licences: list[Licence]
    missing: list[MissingPart] = Field(description="As `tandem doctor` finds it.")
    web: bool = Field(description="Whether the console is built.")


class TeacherOut(BaseModel):
    """A teacher that can be named."""

    name: str
    path: str | None = Field(description="Where its weights are configured or found to be.")
    here: bool = Field(description="Whether they are on this machine.")


class Catalog(BaseModel):
    """What there is to choose from, and the schema of a run's every knob."""

    students: list[dict[str, object]] = Field(
        description="`memory_megabytes` of each size: to train it, by its parameters alone. "
        "`configured_weights` of a size: what it starts from where a run does not say."
    )
    teachers: list[dict[str, object]]
    losses: list[dict[str, object]]
    formats: list[dict[str, object]]
    named_teachers: list[TeacherOut]
    run_schema: dict[str, object] = Field(
        description="Titles and descriptions in the reader's language; `unit` and `level` besides."
    )
