"""Sections of a configuration about what learns and from what."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from neuralcrop.config.sections import Fraction, Section, Years


class SlotConfig(Section):
    """The closure of one slot, where it differs from the others."""

    kind: Literal["scale", "monotone", "repartition"] | None = None
    """Factor, response that stays monotone, or shares; null for what is usual of the slot."""
    hidden: list[PositiveInt] | None = None
    """Widths of the hidden layers."""
    bound: float | None = Field(default=None, gt=1, le=10)
    """Largest factor."""
    features: list[str] | None = None
    """What it sees."""


class ClosureConfig(Section):
    """Where neural networks correct the equations."""

    slots: list[str]
    """Closure slots that get a network (``neuralcrop info model`` lists them); none: physics."""
    options: dict[str, SlotConfig]
    """By slot: kind, hidden, bound, features where they differ from what follows."""
    hidden: list[PositiveInt]
    """Widths of the hidden layers."""
    bound: float = Field(gt=1, le=10)
    """Largest factor: the result stays between 1/bound and bound times the equation's."""
    features: list[str]
    """What the networks see; none: all features."""
    without: list[str]
    """Slots of these that keep the equation, to see what the others do without them."""

    @model_validator(mode="after")
    def _known(self) -> ClosureConfig:
        unknown = [name for name in self.without if name not in self.slots]
        if unknown:
            raise ValueError(f"without names {', '.join(unknown)}, not among slots")
        return self

    def specification(self) -> dict[str, Any]:
        """As `ModelSpec` takes it."""
        chosen = tuple(name for name in self.slots if name not in self.without)
        return {
            "closures": chosen, "closure_hidden": tuple(self.hidden), "closure_bound": self.bound,
            "closure_features": tuple(self.features),
            "closure_options": {
                name: own.model_dump(exclude_none=True) for name, own in self.options.items()}}


class DataConfig(Section):
    """Observed yields, their weather, and how they are split."""

    path: str
    """File of the yields schema."""
    weather: str | list[str] | None
    """Weather of the same places; null where the file itself holds it."""
    names: dict[str, str]
    """Our name of a weather variable to the file's, where it is not recognised."""
    co2: PositiveFloat | str | None
    """CO2 in ppm, or a CSV file of year and ppm; null for what the data hold, or the record."""
    lead_days: PositiveInt
    """Days simulated before sowing, for the soil water."""
    n_days: PositiveInt | None
    """Days simulated for a season, with those before sowing; null: to the crop's latest harvest."""
    train_years: Years
    """Years to learn from."""
    validate_years: Years
    """Years for early stopping and the choice of the checkpoint."""
    test_years: Years | None
    """Years only for the report."""
    holdout_cells: Fraction | list[int | str]
    """Share of the cells, or their names, left out of training and only for the report."""
    moisture: Annotated[float, Field(ge=0, lt=1)] | None
    """Water in the yields as they are reported, share of fresh mass; null for dry matter, or what
    the file says."""
    region: str | None
    """Variable that names the region of each site; null: blocks of two degrees."""
    weigh_by: list[Literal["area", "error"]]
    """Weights of observations that are used where the file has them: harvested area, one over the
    square of their standard error."""


class NetworkConfig(Section):
    """Network from covariates of a place to crop parameters."""

    names: list[str]
    """Parameters it gives; none: no network."""
    covariates: list[str]
    """What it sees; none: the usual climate normals and soil."""
    hidden: list[PositiveInt]
    """Widths of the hidden layers."""
    limit: PositiveFloat
    """Largest offset in the parameter's unconstrained space; 3 spans most of its bounds."""
    dropout: float = Field(ge=0, lt=1)
    """Share of covariates dropped in training."""


class EncoderConfig(Section):
    """Series of observations of a place (from satellites, say) as inputs of the network."""

    variables: list[Literal["lai", "ndvi", "sif"]] = Field(min_length=1)
    """Series of the yields file."""
    steps: int = Field(ge=2, le=100)
    """Steps of a series."""
    size: PositiveInt
    """Numbers that the network sees of it."""
    hidden: PositiveInt
    """Channels of its convolutions."""


class ParametersConfig(Section):
    """Which crop parameters are learnt."""

    learn: list[str]
    """Parameters tuned to one value everywhere."""
    network: NetworkConfig
    encoder: EncoderConfig | None
    """Series that the network sees beside the covariates; null for none."""

    @model_validator(mode="after")
    def _somewhere_to_go(self) -> ParametersConfig:
        if self.encoder is not None and not self.network.names:
            raise ValueError("encoder feeds the parameter network, and network.names is empty")
        return self


ObservationKind = Literal["yield", "anthday", "matyday", "lai_max", "aet", "biom"]


class LossConfig(Section):
    """What training minimises."""

    kind: Literal["huber", "mse", "anomaly"]
    """Loss of one cell and year; ``anomaly``: Huber of the departures of years from the mean of
    their site, and 0.3 of that of means, with all years of a site in one batch."""
    delta: PositiveFloat
    """Error beyond which the Huber loss is linear, in units of ``errors``."""
    yields: Literal["absolute", "relative"]
    """Simulated yields as they are, or relative to their mean at the site, about the trend that the
    observed yields of each site have (``technology`` linear or smooth), with all years of a site
    in one batch."""
    technology: Literal["none", "linear", "smooth"]
    """Trend of yields that the model does not explain: none, linear in the year, or a spline that
    goes on as a line."""
    technology_by: Literal["all", "region", "site"]
    """What has a trend of its own, shrunk towards the common one."""
    technology_when: Literal["joint", "before"]
    """Learnt with the model, or fitted to observed yields first."""
    technology_sd: PositiveFloat
    """Prior standard deviation of departures from the common slope, and of changes of a smooth one,
    % a year."""
    technology_learning_rate: PositiveFloat | None
    """Step of AdamW for trend, levels and learned weights; null: that of tuned constants."""
    site_level: Literal["none", "bounded"]
    """Factor of each site on its yields, between exp(-0.3) and exp(0.3)."""
    site_level_sd: PositiveFloat
    """Prior standard deviation of the logarithm of that factor."""
    remainder: Literal["none", "weather"]
    """What relative yields leave: nothing more, or a Gaussian process over monthly weather, place
    and the effect of seen years, fitted last; only hybrids have it."""
    weights: dict[ObservationKind, NonNegativeFloat]
    """Weight of each kind of observation; 0: not used."""
    weighting: Literal["fixed", "learned"]
    """Whether these weights stay, or are learned (Kendall et al. 2018)."""
    errors: dict[ObservationKind, PositiveFloat]
    """Error of each kind, in its units, by which misfits are divided."""
    penalty: NonNegativeFloat
    """Weight of the prior: the mean square departure of parameters from the catalogue, over the
    width of their bounds, and that of closures from the equations."""
    log_gradient_norms: bool
    """Whether to log the gradient norm of each term, from the first batch of every epoch."""

    @property
    def whole_sites(self) -> bool:
        """Whether a batch holds all years of its sites."""
        return self.kind == "anomaly" or self.yields == "relative"

    @model_validator(mode="after")
    def _relative_needs_a_trend(self) -> LossConfig:
        if self.yields == "relative" and (
                self.technology == "none" or self.kind == "anomaly" or self.site_level != "none"):
            raise ValueError(
                "yields: relative needs technology linear or smooth, kind huber or mse, and "
                "site_level none: the trend of each site is its level")
        if self.remainder != "none" and self.yields != "relative":
            raise ValueError("remainder: weather needs yields: relative")
        return self


class TrainerConfig(Section):
    """Optimisation."""

    max_epochs: PositiveInt
    """Most passes over the training data for the hybrid."""
    tuned_epochs: PositiveInt
    """Most passes for the tuned constants, from which the hybrid starts."""
    learning_rate: PositiveFloat
    """Step of AdamW for networks."""
    constants_learning_rate: PositiveFloat
    """Step of AdamW for tuned constants and the technology trend."""
    weight_decay: NonNegativeFloat
    """Weight decay of AdamW for networks."""
    batch_cells: PositiveInt
    """Cell seasons in a step."""
    gradient_clip_val: PositiveFloat | None
    """Largest norm of the gradient."""
    schedule: Literal["cosine", "constant"]
    """Course of the learning rates after a short rise."""
    ema: Annotated[float, Field(gt=0, lt=1)] | None
    """Share of the former average that each step keeps in a moving average of the weights, which
    are validated and kept; null for none."""
    skip_gradient_spikes: bool
    """Whether to leave out steps whose gradient is 100 times the running median."""
    init_from: str | None
    """Directory of a finished run (or a variant in it) whose weights the hybrid starts from."""
    train: Literal["all", "parameters", "closures"]
    """What of the hybrid learns: all, only the parameter network, or only closures. The technology
    trend always does."""
    devices: PositiveInt
    """Processes that share each batch."""
    strategy: Literal["auto", "ddp"]
    """How: ``ddp`` averages gradients over processes; ``auto`` does where there are several."""
    profiler: Literal["simple", "advanced"] | None
    """Lightning's profiler, written to fit-profile-STAGE.txt."""
    limit_batches: PositiveInt | None
    """Learn only from the first so many batches, for debugging; null for all."""
    resume: str | None
    """Run directory (or a checkpoint in it) to go on from."""


class CallbacksConfig(Section):
    """What happens around the epochs."""

    keep: Literal["best", "last"]
    """Weights that are kept: best on the validation years, or the last, so that those years
    choose nothing."""
    patience: PositiveInt | None
    """Epochs without progress before training stops; null for never."""
    min_delta: NonNegativeFloat
    """Least drop of the validation loss that counts as progress."""
    progress: bool
    """Whether to draw a progress bar."""


class LoggerConfig(Section):
    """Where the course of training is written, inside the run directory."""

    csv: bool
    """metrics.csv."""
    tensorboard: bool
    """TensorBoard events."""


class EnsembleConfig(Section):
    """Several hybrids that differ in first weights and order of batches."""

    seeds: list[NonNegativeInt]
    """Seeds of the members, trained after one another; none: one hybrid, with ``seed``."""

    @model_validator(mode="after")
    def _distinct(self) -> EnsembleConfig:
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"a seed stands twice in {self.seeds}")
        return self


class TwinSection(Section):
    """Hidden parameters of a twin experiment, and how their yields are observed."""

    covariates: list[str] = Field(min_length=2, max_length=2)
    """The two covariates that the hidden parameters (those of ``parameters.learn``) depend on."""
    amplitude: float = Field(gt=0, le=0.45)
    """How far they reach to either side, as a share of the width of their bounds."""
    signal_to_noise: PositiveFloat
    """Standard deviation of each kind of observation over that of its noise."""
    seed: NonNegativeInt
    """Of the noise."""
    years: PositiveInt | None
    """Training years to learn from, the last ones; null for all."""
    sites: PositiveInt | None
    """Sites to use, drawn by the seed; null for all."""


class IdentifySection(Section):
    """Fisher information of observations about parameters."""

    parameters: list[str]
    """Parameters to look at; none: those of ``parameters.learn``."""
    observations: list[ObservationKind]
    """Kinds beside yields whose information is added in turn."""
    signal_to_noise: PositiveFloat
    """Standard deviation of each kind over that of its error."""
    errors: dict[ObservationKind, PositiveFloat]
    """Error of a kind in its units, in place of the share above."""
    prior_sd: float = Field(gt=0, le=1)
    """Prior standard deviation of parameters, as a share of the width of their bounds."""
    method: Literal["differences", "gradient"]
    """Central differences, or backpropagation."""
    step: float = Field(gt=0, le=1)
    """Of the differences, in prior standard deviations."""
    sites: PositiveInt | None
    """Training sites to use, drawn by the seed; null for all."""
    check_seasons: NonNegativeInt
    """Seasons for which differences are compared with half the step and with the gradient."""
    figure: bool
    """Whether to draw figure.svg."""
