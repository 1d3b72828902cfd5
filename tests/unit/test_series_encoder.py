"""The encoder of series: exact start, gaps, places without observations."""

from __future__ import annotations

import pytest
import torch

from neuralcrop.closures.parameter_network import ParameterNetwork
from neuralcrop.closures.series_encoder import SERIES_VARIABLES, SeriesEncoder, series_names
from neuralcrop.models.registry import ModelSpec, build_model, load_model, save_model

N, STEPS = 4, 12
SPEC = {"variables": ["lai", "ndvi"], "steps": STEPS, "size": 3, "hidden": 5}
NAMES = series_names(("lai", "ndvi"), STEPS)


def encoder() -> SeriesEncoder:
    return SeriesEncoder(("lai", "ndvi"), STEPS, 3, 5)


def series(seed: int = 0) -> torch.Tensor:
    g = torch.Generator().manual_seed(seed)
    values = torch.rand(STEPS, 2, N, generator=g)
    return torch.where(torch.rand(values.shape, generator=g) < 0.3, float("nan"), values)


def test_rows_are_steps_of_all_variables() -> None:
    assert NAMES[:3] == ("lai_00", "ndvi_00", "lai_01")
    rows = torch.arange(2.0 * STEPS).unsqueeze(-1).expand(-1, N)
    shaped = encoder().shaped(rows)
    assert shaped.shape == (STEPS, 2, N)
    assert shaped[3, 1, 0] == float(NAMES.index("ndvi_03"))


def test_an_embedding_is_bounded_and_finite_whatever_is_missing() -> None:
    for scale in (1.0, 1e6):
        out = encoder()(scale * series())
        assert out.shape == (3, N)
        assert torch.isfinite(out).all()
        assert out.abs().max() <= 1.0


def test_no_observation_is_zero_and_has_no_gradient() -> None:
    model, given = encoder(), series()
    given[:, :, 1] = float("nan")
    out = model(given)
    assert torch.equal(out[:, 1], torch.zeros(3))
    assert (out[:, 0] != 0.0).any()
    out[:, 1].sum().backward()
    assert all(torch.equal(w.grad, torch.zeros_like(w)) for w in model.parameters())  # type: ignore[arg-type]


def test_it_sees_values_gaps_and_their_time() -> None:
    model, given = encoder(), torch.nan_to_num(series(), nan=0.2)
    before = model(given)
    missing, late = given.clone(), given.roll(3, dims=0)
    missing[5] = float("nan")
    for other in (missing, late, given + 0.1):
        assert not torch.allclose(model(other), before, atol=1e-5)


def test_unknown_series_are_refused() -> None:
    with pytest.raises(ValueError, match="no series of fapar, expected some of lai, ndvi, sif"):
        SeriesEncoder(("fapar",), 4)
    assert set(SERIES_VARIABLES) == {"lai", "ndvi", "sif"}


def test_the_network_with_an_encoder_starts_at_zero() -> None:
    network = ParameterNetwork(2, {"g1": 1}, [4], encoder=encoder())
    covariates = torch.randn(2, N)
    for given in (series().flatten(0, 1), None):
        assert torch.equal(network(covariates, given)["g1"], torch.zeros(1, N))


def test_blind_is_a_place_without_observations() -> None:
    network = ParameterNetwork(2, {"g1": 1}, [4], encoder=encoder())
    with torch.no_grad():
        network.network[-1].weight.normal_()  # type: ignore[operator, union-attr]
    covariates, given = torch.randn(2, N), series().flatten(0, 1)
    seen, none = network(covariates, given)["g1"], network(covariates)["g1"]
    assert not torch.equal(seen, none)
    network.blind = True
    assert torch.equal(network(covariates, given)["g1"], none)
    nothing = torch.full_like(given, float("nan"))
    network.blind = False
    assert torch.equal(network(covariates, nothing)["g1"], none)


def spec(**changes: object) -> ModelSpec:
    return ModelSpec(**{  # type: ignore[arg-type]
        "crops": ("maize",), "network": ("g1",), "network_hidden": (4,), "encoder": SPEC,
        "covariates": ("clay", *NAMES), "closures": ("transpiration.water_supply",),
        "closure_features": ("temperature", "root_zone_wetness"),
        "closure_options": {"transpiration.water_supply": {"kind": "monotone", "hidden": (3,)}},
        **changes})


def test_a_saved_model_has_its_encoder_and_closures(tmp_path) -> None:
    model = build_model(spec())
    with torch.no_grad():
        for weight in model.parameters():
            weight += 0.3
    save_model(model, tmp_path)
    back = load_model(tmp_path)
    assert back.spec == model.spec
    covariates = torch.cat((torch.ones(1, N), series().flatten(0, 1)))
    crop = torch.zeros(N, dtype=torch.long)
    p = back.cell_parameters(crop, torch.float32, covariates)
    assert torch.equal(p, model.eval().cell_parameters(crop, torch.float32, covariates))
    assert len(set(p[model.table.layout.start["g1"]].tolist())) == N


def test_series_come_last_among_covariates() -> None:
    with pytest.raises(ValueError, match="end with the rows of its series, lai_00 to ndvi_11"):
        build_model(spec(covariates=(*NAMES, "clay")))
