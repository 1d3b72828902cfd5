"""What the farmer does: keys of the configuration."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveInt

from neuralcrop.config.sections import Date, DayOfYear, Fraction, Section


class IrrigationConfig(Section):
    """Irrigation by relative root-zone water or by dates, its system, losses and limits."""

    threshold: Fraction | None = None
    """Water below which the field is irrigated; null for 0.9."""
    target: Fraction | None = None
    """Water to which it is refilled; null for 1."""
    dates: list[Date] | None = None
    """Dates of irrigation, in place of the threshold."""
    amounts: NonNegativeFloat | list[NonNegativeFloat] | None = None
    """Amounts on the dates, mm."""
    system: Literal["surface", "sprinkler", "drip", "flooded"] | None = None
    """How water comes to the field; null without losses."""
    conveyance: Literal["pipe", "canal_sand", "canal_loam", "canal_clay"] | Annotated[
        float, Field(ge=0.05, le=1)] | None = None
    """Way of the water, or the share that reaches the field; null for that of the system."""
    surplus: Fraction | None = None
    """Share of the range from field capacity to saturation that is filled in the upper 0.5 m."""
    daily_limit: NonNegativeFloat | None = None
    """Most water a day that the threshold may ask for, mm."""
    seasonal_limit: NonNegativeFloat | None = None
    """Most water a season, mm."""
    low: NonNegativeFloat | None = None
    """Ponded water below which a flooded field is filled, mm."""
    high: NonNegativeFloat | None = None
    """Ponded water to which it is filled, mm."""
    until: Annotated[float, Field(ge=0, le=2)] | None = None
    """Development stage at which a flooded field is drained."""
    bund: NonNegativeFloat | None = None
    """Height of the bund, mm."""


class NitrogenConfig(Section):
    """Mineral fertiliser or manure: a total a season in splits, or amounts on dates."""

    total: Annotated[float, Field(ge=0, le=1000)] | None = None
    """Nitrogen of a season, kg ha-1."""
    splits: Literal["ggcmi", "lpjml"] | list[tuple[float, float]] | None = None
    """Days after sowing and shares of the total; null for half at sowing and half at 40 days."""
    nitrate_share: Fraction | None = None
    """Share of nitrate in mineral fertiliser; null for one half, 0 for urea."""
    dates: list[Date] | None = None
    """Dates, in place of the total."""
    amounts: NonNegativeFloat | list[NonNegativeFloat] | None = None
    """Amounts on the dates, kg ha-1."""


class ResiduesConfig(Section):
    """What becomes of the residues."""

    left: Fraction | None = None
    """Share left on the field."""
    removed: Fraction | None = None
    """Share taken off."""
    burnt: Fraction | None = None
    """Share burnt."""


class TillageConfig(Section):
    """Shares of the surface litter worked into the soil."""

    sowing: Fraction = 0.0
    """At sowing."""
    harvest: Fraction = 0.0
    """After harvest."""


Nitrogen = Annotated[float, Field(ge=0, le=1000)]
"""Nitrogen of a season, kg ha-1."""


class CultivarConfig(Section):
    """Season of a cultivar that fits the climate; one of these."""

    season_days: Annotated[float, Field(ge=30, le=700)] | None = None
    """Days from sowing to maturity."""
    maturity: DayOfYear | Date | None = None
    """Day of year or date of maturity."""


class WindowConfig(Section):
    """Sowing on the first day of a window that is warm and wet enough."""

    window: tuple[DayOfYear | Date, DayOfYear | Date]
    """First and last day."""
    rain: Annotated[float, Field(ge=0, le=500)] | None = None
    """Rain of ten days that makes the soil wet enough, mm; null for 5."""


class FieldConfig(Section):
    """What the farmer does to a crop of a sequence; null for what holds for all."""

    sowing: Literal["rule"] | DayOfYear | Date | WindowConfig | None = None
    """Day of year or date of sowing, the rule from climate, or a window."""
    harvest: Literal["maturity"] | DayOfYear | Date | None = None
    """Day of year or date of harvest, or at maturity."""
    irrigation: Literal["none", "full", "surface", "sprinkler", "drip", "flooded"] | (
        IrrigationConfig) | None = None
    """Whether and how fields are irrigated."""
    nitrogen: Nitrogen | NitrogenConfig | None = None
    """Mineral nitrogen, kg ha-1 a season, or its splits or dates; needs a model with nutrients."""
    manure: Nitrogen | NitrogenConfig | None = None
    """Nitrogen of manure, kg ha-1 a season, or its splits or dates."""
    residues: Fraction | ResiduesConfig | None = None
    """Share of the residues that is left, or what becomes of them; null: all are left."""
    tillage: Literal["none", "sowing", "harvest"] | TillageConfig | None = None
    """When litter is worked into the soil; null: at sowing, where the model has litter."""
    use: Literal["grain", "silage", "cover"] | None = None
    """What is harvested; null for grain."""
    cultivar: Literal["fixed", "adapted"] | CultivarConfig | None = None
    """Cultivar of the catalogue, or one whose season fits the climate; null for the first."""


class SequenceConfig(FieldConfig):
    """A crop of a sequence."""

    crop: str
    """Name."""
    year: PositiveInt | None = None
    """Year of the rotation in which it is sown; null for the first."""


class ManagementConfig(FieldConfig):
    """What the farmer does."""

    path: str | None
    """File with sowing, harvest, irrigation and others by cell, in place of the keys below."""
    sowing: Literal["rule"] | DayOfYear | Date | WindowConfig
    """Day of year or date of sowing, the rule from climate, or a window."""
    harvest: Literal["maturity"] | DayOfYear | Date
    """Day of year or date of harvest, or at maturity."""
    irrigation: Literal["none", "full", "surface", "sprinkler", "drip", "flooded"] | (
        IrrigationConfig)
    """Whether and how fields are irrigated."""
    sequence: list[SequenceConfig] | None = None
    """Crops in the order of the rotation, in place of ``crop``."""
    rotation_start: int | None = None
    """Calendar year that is the first of the rotation; null for the first of the forcing."""
