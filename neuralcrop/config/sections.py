"""Groups of keys: what each means, its type and its range. Defaults live in ``conf/`` alone."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)


def _ascending(years: tuple[int, int]) -> tuple[int, int]:
    if years[0] > years[1]:
        raise ValueError(f"the first year, {years[0]}, comes after the last, {years[1]}")
    return years


Fraction = Annotated[float, Field(ge=0, le=1)]
DayOfYear = Annotated[int, Field(ge=1, le=366)]
Date = Annotated[str, Field(pattern=r"^(\d{4}-)?\d{2}-\d{2}$")]
Years = Annotated[tuple[int, int], AfterValidator(_ascending)]
"""First and last year, both included."""

Device = Annotated[str, Field(pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")]


class Section(BaseModel):
    """A group of keys; unknown ones are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class ModelConfig(Section):
    """Which equations."""

    @property
    def components(self) -> dict[str, Any]:
        """Components of the `global` set and their version, as `ModelSpec` takes them."""
        names = ("photosynthesis", "transpiration", "allocation", "version", "freezing")
        return {name: getattr(self, name) for name in names}

    set: Literal["global", "wofost72"]
    """Set of processes and the order of their day."""
    production: Literal["water_limited", "potential"] = "water_limited"
    """Whether water limits, for WOFOST."""
    photosynthesis: Literal["farquhar", "hp96"] = "farquhar"
    """Photosynthesis of `global`: by leaf and hour, or by day after Haxeltine and Prentice."""
    transpiration: Literal["penman_monteith", "lpjml"] = "penman_monteith"
    """Transpiration of `global`: Penman-Monteith, or demand and supply as in LPJmL."""
    allocation: Literal["partition_table", "harvest_index"] = "partition_table"
    """Growth of organs in `global`: tables over development, or the harvest index of LPJmL."""
    version: Literal["lpjml5", "lpjml6"] = "lpjml6"
    """Version of LPJmL whose constants the components after it take."""
    nutrients: Literal["auto"] | bool = "auto"
    """Nitrogen and soil organic matter of `global`; ``auto`` where management asks for them."""

    freezing: bool = False
    """With nutrients: latent heat of freezing soil water."""

    def with_nutrients(self, management: Any) -> bool:
        """Whether a run with this management has nutrients."""
        from neuralcrop.data.management import asks_for_nutrients

        if self.nutrients == "auto":
            return self.set == "global" and asks_for_nutrients(management)
        return self.nutrients


class GlobalModelConfig(ModelConfig):
    """Equations of the `global` set: those that training and the benchmark of this set take."""

    set: Literal["global"]
    """Set of processes and the order of their day."""


class CropConfig(Section):
    """Which crop."""

    name: str | None
    """Crop or ``crop:variety`` of the catalogue; null for the crop of ``run``, or else maize."""
    parameters: dict[str, float | list[float]]
    """Values that take the place of the catalogue's, by parameter name."""


class ForcingConfig(Section):
    """Daily weather."""

    path: str | list[str] | None
    """File, pattern or list of files; null where the data file itself holds the weather."""
    names: dict[str, str]
    """Our name to the file's, where it is not recognised."""
    frequency: Literal["day", "week", "month"]
    """Step of the file; weeks and months are disaggregated to days."""
    wind_height: PositiveFloat | None
    """Height of the wind measurement, m; null for what the file says, or else 10."""
    max_gap: NonNegativeInt
    """Longest gap that is filled, d; a longer one is an error."""
    years: Years | None
    """Years to read; null for all."""
    co2: PositiveFloat | str | None
    """CO2 in ppm, or a CSV file of year and ppm; null for what the data hold."""


class SoilConfig(Section):
    """Soil: a file, or one value for all cells; null for the documented default loam."""

    path: str | None
    """File with sand, clay, organic_carbon, ph and soil_depth by cell."""
    sand: Fraction | None
    """Mass fraction of sand."""
    clay: Fraction | None
    """Mass fraction of clay."""
    organic_carbon: Annotated[float, Field(ge=0, le=60)] | None
    """Organic carbon by mass, %."""
    ph: Annotated[float, Field(ge=2, le=11)] | None
    """pH in water."""
    soil_depth: PositiveFloat | None
    """Depth to which roots can grow, m."""
    nitrogen_deposition: Annotated[float, Field(ge=0, le=200)] | None = None
    """Deposition of nitrogen, kg ha-1 yr-1."""
    pedotransfer: Literal["published", "lpjml"] = "published"
    """Water contents of texture: Saxton and Rawls (2006), or with LPJmL's squared coefficient."""

    @model_validator(mode="after")
    def _texture(self) -> SoilConfig:
        if self.sand is not None and self.clay is not None and self.sand + self.clay > 1:
            raise ValueError(f"sand + clay is {self.sand + self.clay:.3g}, expected at most 1")
        return self


class DomainConfig(Section):
    """Which cells; null for all."""

    lat: tuple[float, float] | None
    """Southern and northern bound, degrees."""
    lon: tuple[float, float] | None
    """Western and eastern bound, degrees; west above east crosses the date line."""
    cells: list[int] | None
    """Positions among the land cells."""


class ScenarioMember(Section):
    """One climate: changes applied to the forcing, or other files."""

    name: Annotated[str, Field(pattern=r"^[\w.+-]+$")]
    """Name, also of the output file."""
    tas: float = 0.0
    """Added to the temperatures, K."""
    pr: NonNegativeFloat = 1.0
    """Factor on precipitation."""
    co2: PositiveFloat | str | None = None
    """CO2 in ppm, or a CSV file of year and ppm; null for that of the forcing."""
    path: str | list[str] | None = None
    """Other forcing files in place of ``forcing.path``, of the same places."""
    years: Years | None = None
    """Years to read of ``path``; null for ``forcing.years``."""


class ScenarioConfig(Section):
    """Climates to project."""

    baseline: str
    """Member against which changes are given."""
    sowing: Literal["baseline", "own"]
    """Sowing days in all climates: those of the baseline, or each climate's own by the rule."""
    members: list[ScenarioMember] = Field(min_length=1)
    """The climates."""

    @model_validator(mode="after")
    def _names(self) -> ScenarioConfig:
        names = [member.name for member in self.members]
        if len(set(names)) < len(names):
            raise ValueError(f"two members have the same name: {', '.join(names)}")
        if self.baseline not in names:
            raise ValueError(f"baseline {self.baseline!r} is not one of {', '.join(names)}")
        return self


class SolverConfig(Section):
    """Integration of the rates over a day (torchdiffeq)."""

    method: Literal["euler", "midpoint", "rk4", "dopri5"]
    """Method."""
    step_size: float = Field(gt=0, le=1)
    """Step of the fixed-step methods, d."""
    rtol: PositiveFloat
    """Relative tolerance of dopri5."""
    atol: PositiveFloat
    """Absolute tolerance of dopri5, in the units of the states."""


class ComputeConfig(Section):
    """Where and how to calculate; no effect on the results beyond rounding."""

    device: Device
    """``auto`` takes a GPU if there is one."""
    dtype: Literal["float32", "float64"]
    """Precision of the physics."""
    compile: Literal["auto"] | bool
    """Whether to compile the day; ``auto`` when the work pays for it."""
    block_cells: PositiveInt
    """Cells calculated at a time."""
    threads: PositiveInt | None
    """CPU threads; null for torch's choice."""


class OutputConfig(Section):
    """Results of a simulation."""

    path: str | None
    """File to write; null for simulate.nc in the run directory."""
    frequency: Literal["season", "monthly", "daily"]
    """One row for each harvest, month or day."""
    variables: list[str] | None
    """Variables (``neuralcrop info variables``); null for the usual ones."""
    format: Literal["netcdf", "zarr"]
    """File format."""
    dtype: Literal["float32", "float64"]
    """Precision of the file."""


class ProjectOutputConfig(Section):
    """Results of a projection: one file and one map for each climate."""

    path: str | None
    """Directory; null for the run directory."""
    format: Literal["netcdf", "zarr"]
    """File format."""
    dtype: Literal["float32", "float64"]
    """Precision of the files."""
    maps: bool
    """Whether to draw maps (PNG)."""


class FieldExperimentsConfig(Section):
    """Field experiments to run, calibrate on and score."""

    root: str | None
    """Directory of files; null: ``data/field_experiments`` below ``$NEURALCROP_SHARED`` or here."""
    crops: list[str]
    """Crops of the catalogue; none: all that the files have."""
    wind_height: PositiveFloat
    """Height of the wind measurements, m."""
    seed: NonNegativeInt
    """Of the order in which trials are put into halves."""
    iterations: PositiveInt
    """Of the calibration."""
    learning_rate: PositiveFloat
    """Of the calibration."""
