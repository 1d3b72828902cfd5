"""Building, saving and loading models by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from neuralcrop.closures.parameter_network import ParameterNetwork
from neuralcrop.closures.series_encoder import SeriesEncoder
from neuralcrop.core.parameters import (
    ParameterError,
    ParameterSpec,
    ParameterTable,
    ParameterValue,
)
from neuralcrop.crops import BLOCKS, crop_names, load_catalogue, wofost72
from neuralcrop.models.crop_model import CropModel
from neuralcrop.models.global_components import USUAL, alternative_parameters, check_choices
from neuralcrop.models.global_day import GlobalModel
from neuralcrop.models.global_nutrients import nutrient_parameters
from neuralcrop.models.global_processes import GlobalCropProcesses
from neuralcrop.models.saved import (
    DESCRIPTION,
    FORMAT,
    WEIGHTS,
    ModelError,
    read_description,
    read_weights,
    write_model,
)
from neuralcrop.models.wofost72 import Wofost72
from neuralcrop.models.wofost72_field import Production
from neuralcrop.models.wofost72_site import SITE_SPECS, SITE_VALUES


@dataclass(frozen=True)
class ModelSpec:
    """Everything needed to build a model again.

    Attributes
    ----------
    crops : tuple of str
        Crops of its table; all of the set by default.
    learn : tuple of str
        Parameters with a learned constant.
    closures : tuple of str
        Slots (``process.slot``) with a neural closure.
    closure_hidden, closure_bound
        Widths of the hidden layers and largest factor of the closures.
    closure_features : tuple of str
        What the closures see; all features by default.
    closure_options : mapping
        By slot: ``kind``, ``hidden``, ``bound``, ``features`` where they differ; those of slots
        without a closure have no effect.
    network : tuple of str
        Parameters that a network gives.
    network_hidden, network_limit, network_dropout
        Of `ParameterNetwork`.
    covariates : tuple of str
        What the network sees; with an encoder the rows of its series come last.
    encoder : mapping, optional
        ``variables``, ``steps``, ``size``, ``hidden`` of `SeriesEncoder`.
    values : mapping
        Parameter values that replace the catalogue's, for all crops.
    set : str
        Set of processes: ``"global"`` or ``"wofost72"``, whose crops are ``crop`` or
        ``crop:variety``.
    nutrients : bool
        Of the `global` set: nitrogen of crop and soil and the soil's organic matter.
    freezing : bool
        With nutrients: soil water takes up and gives off latent heat as it freezes and thaws.
    production : str
        Of `Wofost72`: ``"water_limited"`` or ``"potential"``.
    photosynthesis, transpiration, allocation : str
        Components of the `global` set: ``"farquhar"`` or ``"hp96"``, ``"penman_monteith"`` or
        ``"lpjml"``, ``"partition_table"`` or ``"harvest_index"``.
    version : str
        Of LPJmL, whose constants the components after it take: ``"lpjml5"`` or ``"lpjml6"``.
    """

    crops: tuple[str, ...] = ()
    learn: tuple[str, ...] = ()
    closures: tuple[str, ...] = ()
    closure_hidden: tuple[int, ...] = (16, 16)
    closure_bound: float = 2.0
    closure_features: tuple[str, ...] = ()
    closure_options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    network: tuple[str, ...] = ()
    network_hidden: tuple[int, ...] = (32,)
    network_limit: float = 3.0
    network_dropout: float = 0.0
    covariates: tuple[str, ...] = ()
    encoder: Mapping[str, Any] | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    set: str = "global"
    production: Production = "water_limited"
    photosynthesis: str = USUAL["photosynthesis"]
    transpiration: str = USUAL["transpiration"]
    allocation: str = USUAL["allocation"]
    version: str = "lpjml6"
    nutrients: bool = False
    freezing: bool = False

    @property
    def components(self) -> dict[str, str]:
        """Chosen components of the `global` set."""
        return {name: getattr(self, name) for name in USUAL}

    def __post_init__(self) -> None:
        if self.set not in ("global", "wofost72"):
            raise ValueError(
                f"unknown set of processes {self.set!r}, expected global or wofost72")
        check_choices(self.version, **self.components)
        if self.nutrients and self.set != "global":
            raise ValueError(f"the set {self.set!r} has no nutrients; take set='global'")
        if self.set != "global" and self.components != USUAL:
            raise ValueError(
                f"the set {self.set!r} has no choice of {', '.join(USUAL)}: they belong to global")
        # as they are read back from a file
        object.__setattr__(self, "closure_options", _plain(self.closure_options))
        object.__setattr__(self, "encoder", _plain(self.encoder))
        if not self.crops:
            every = crop_names() if self.set == "global" else wofost72.crop_names()
            object.__setattr__(self, "crops", every)


def _plain(value: Any) -> Any:
    """Mappings as dict and sequences as list, all the way down."""
    if isinstance(value, Mapping):
        return {key: _plain(v) for key, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, (list, tuple)) else value


def build_model(spec: ModelSpec | None = None) -> CropModel:
    """Model as specified; by default the physics of all crops of the catalogue.

    Raises
    ------
    ParameterError, ValueError
        If crops, parameters or slots are unknown; names them.
    """
    spec = spec or ModelSpec()
    parts = GlobalCropProcesses(
        **spec.components, version=spec.version, nutrients=spec.nutrients,
        freezing=spec.freezing)
    specs, catalogue = _catalogue(spec, parts)
    if spec.values:
        catalogue = {c: _with_values(c, v, spec.values) for c, v in catalogue.items()}
    table = ParameterTable(specs, catalogue, spec.learn)
    network = None
    if spec.network:
        table.rows(spec.network)
        sizes = {name: table.specs[name].size for name in spec.network}
        encoder = None if spec.encoder is None else SeriesEncoder(**spec.encoder)
        names = () if encoder is None else encoder.names
        static = len(spec.covariates) - len(names)
        if spec.covariates[static:] != names:
            raise ValueError("the covariates of a model with an encoder end with the rows of its "
                             f"series, {names[0]} to {names[-1]}")
        network = ParameterNetwork(
            static, sizes, list(spec.network_hidden), spec.network_limit, spec.network_dropout,
            encoder)
    model: CropModel
    if spec.set == "global":
        model = GlobalModel(table, parts, network, spec.covariates, spec.nutrients)
    else:
        model = Wofost72(
            table, spec.production, network=network, covariates=spec.covariates)
    for slot in (*spec.closure_options, *spec.closures):
        model.check_slot(slot)
    for slot in spec.closures:
        common: dict[str, Any] = {"hidden": spec.closure_hidden, "bound": spec.closure_bound,
                                  "features": spec.closure_features}
        model.add_closure(slot, **common | dict(spec.closure_options.get(slot, {})))
    model.spec = spec
    return model


def _catalogue(
    spec: ModelSpec, parts: GlobalCropProcesses,
) -> tuple[Sequence[ParameterSpec], dict[str, dict[str, ParameterValue]]]:
    """What the set needs to know of its crops, and what the catalogue says."""
    if spec.set == "global":
        specs = GlobalModel.specs(parts)
        # parameters of the components that were not chosen stay out of the table
        unread = (alternative_parameters() | nutrient_parameters()) - {s.name for s in specs}
        return specs, {
            crop: {name: v for name, v in values.items() if name not in unread}
            for crop, values in load_catalogue(spec.crops, BLOCKS).items()}
    widths = wofost72.table_widths(spec.crops)
    crops = wofost72.load_catalogue(spec.crops, widths)
    return ((*wofost72.specs(widths), *SITE_SPECS),
            {name: crop | SITE_VALUES for name, crop in crops.items()})


def save_model(model: CropModel, directory: str | Path, **extra: Any) -> None:
    """Write ``model.json`` and ``model.safetensors``, each whole or not at all.

    Parameters
    ----------
    model : CropModel
        Built by `build_model`.
    directory : path
        Where to.
    **extra
        Added to the description (versions, data fingerprint, ...).
    """
    write_model(
        Path(directory),
        {"spec": asdict(model.spec), "table": model.table.fingerprint(), **extra},
        model.state_dict())


def load_model(name: str | Path = "physics") -> CropModel:
    """Model by name or from a training run.

    Parameters
    ----------
    name : str or path
        ``"physics"``, ``"wofost72"`` (all its crops, water-limited), or a run directory (or a
        directory that `save_model` wrote).

    Raises
    ------
    ModelError
        If there is no such model, it is broken, or a newer version wrote it.
    """
    if str(name) == "physics":
        return build_model().eval()
    if str(name) == "wofost72":
        return build_model(ModelSpec(set="wofost72")).eval()
    directory = Path(name)
    description = read_description(directory)
    path = directory / DESCRIPTION
    try:
        known: Any = {k: tuple(v) if isinstance(v, list) else v
                      for k, v in description["spec"].items()}
        spec = ModelSpec(**known)
    except (KeyError, AttributeError, TypeError) as error:
        raise ModelError(f"{path} does not describe a model: {error}") from error
    model = build_model(spec)
    weights = read_weights(directory, description)
    try:
        model.load_state_dict(weights)
    except (RuntimeError, AttributeError, TypeError) as error:
        raise ModelError(
            f"{directory / str(description['weights'])} does not hold the weights that {path} "
            f"describes: {error}") from error
    return model.eval()


def describe(model: CropModel | None = None) -> list[dict[str, Any]]:
    """Processes, their closure slots and parameters, one record a process."""
    model = model or build_model(ModelSpec(nutrients=True))
    return [
        {
            "process": name,
            "summary": (part.__doc__ or "").strip().splitlines()[0],
            "slots": [f"{name}.{slot}" for slot in part.slots],
            "parameters": [
                {"name": s.name, "units": s.units, "long_name": s.long_name, "size": s.size}
                for s in part.specs],
        }
        for name, part in model.parts.processes().items()
    ]


def _with_values(
    crop: str, catalogue: Mapping[str, ParameterValue], values: Mapping[str, Any]
) -> dict[str, ParameterValue]:
    unknown = [name for name in values if name not in catalogue]
    if unknown:
        raise ParameterError(
            f"{crop} has no parameters {', '.join(unknown)} (neuralcrop info model)")
    out = dict(catalogue)
    for name, value in values.items():
        new = tuple(float(v) for v in (value if isinstance(value, Sequence) else [value]))
        out[name] = replace(out[name], value=new, source="given by the user")
    return out


__all__: Sequence[str] = [
    "DESCRIPTION", "FORMAT", "WEIGHTS", "ModelError", "ModelSpec", "build_model", "describe",
    "load_model", "save_model",
]
