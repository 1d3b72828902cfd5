"""Gradients of a season of WOFOST 7.2 against central differences, for every parameter.

The published model has steps: dates of stages are whole days, leaves die as whole cohorts. Between
them it is smooth, which is where both kinds of derivative are taken; the steps themselves have the
derivative 0 in it, and their own gradient with ``smooth``.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from neuralcrop.models.wofost72_field import Production
from tests.wofost_runs import Season

pytestmark = pytest.mark.slow

N_DAYS = 125
STEPS = (1e-5, 1e-6, 1e-7)
"""Relative steps; the best counts, as a long one may meet a kink and a short one rounding."""

SWITCHES = {"IDSL", "IAIRDU", "IOX", "IFUNRN", "starts_emerged", "restarts_water",
            "maximum_season", "LAIEM"}
"""Yes or no, numbers of days, and what the model does not use."""

AT_ZERO = {"FRTB"}
"""Roots deepen at their full rate while they grow at all: a share of nothing is at this step."""

EVERYWHERE = (
    "TSUM1", "TSUM2", "AMAXTB", "SLATB", "EFFTB", "CVO", "CVL", "CVR", "CVS", "TDWI", "RGRLAI",
    "KDIFTB", "TMPFTB", "CO2AMAXTB", "CO2EFFTB", "RML", "RMO", "RMR", "RMS", "Q10", "RFSETB",
    "FRTB", "FLTB", "FSTB", "FOTB", "DTSMTB",
)
"""What storage answers to, whatever limits it and whatever the soil."""

LIMITED = {"dry": ("SMW", "SMFCF", "WAV", "RDMSOL", "DEPNR", "CFET", "CO2TRATB", "NOTINF",
                   "PERDL"),
           "wet": ("SM0", "CRAIRC", "SOPE", "KSUB", "CFET", "RRI")}
"""What it answers to besides where water limits."""

SMOOTH = ("SPAN", "TBASE", "TSUMEM", "TBASEM")
"""What it answers to only with fractions of days and cohorts."""

@dataclass
class Slopes:
    """Derivatives of the final storage weight, ``[parameter row, field]``."""

    season: Season
    storage: Tensor
    automatic: Tensor
    central: Tensor
    error: Tensor

    def of(self, name: str) -> tuple[Tensor, Tensor]:
        """Both of a parameter, ``[node, field]``."""
        rows = self.season.model.table.rows([name])
        return self.automatic[rows], self.central[rows]


def storage(season: Season, p: Tensor | None = None) -> Tensor:
    return season.model.state.get(season(p).x, "storage_weight")


def nodes(name: str) -> bool:
    """Where a table has its values: these never move."""
    return name.endswith("_x")


def slopes(production: Production, smooth: bool) -> Slopes:
    season = Season.of("barley", production, smooth, N_DAYS)
    p = season.p.clone().requires_grad_()
    final = storage(season, p)
    (automatic,) = torch.autograd.grad(final.sum(), p)

    table, n = season.model.table, season.p.shape[1]
    moved = [k for name in table.specs if not nodes(name) and name not in SWITCHES
             for k in table.rows([name]) if name not in AT_ZERO or bool((season.p[k] != 0.0).all())]
    every = torch.arange(n).repeat(len(STEPS) * len(moved) * 2)
    many = season.copies(every)
    size = torch.empty(len(STEPS), len(moved), n, dtype=p.dtype)
    shaped = many.p.view(p.shape[0], len(STEPS), len(moved), 2, n)
    for i, step in enumerate(STEPS):
        for j, row in enumerate(moved):
            size[i, j] = step * season.p[row].abs().clamp(min=0.01)
            shaped[row, i, j, 0] += size[i, j]
            shaped[row, i, j, 1] -= size[i, j]
    with torch.no_grad():
        ends = storage(many).view(len(STEPS), len(moved), 2, n)
    tried = (ends[:, :, 0] - ends[:, :, 1]) / (2.0 * size)

    # relative, and in terms of the effect of the whole parameter where there is hardly any
    known = automatic[moved]
    least = 1e-5 * final.detach() / season.p[moved].abs().clamp(min=0.01)
    errors = (tried - known).abs() / torch.maximum(tried.abs(), least)
    error, best = errors.min(dim=0)
    central, wrong = torch.zeros_like(automatic), torch.zeros_like(automatic)
    central[moved] = tried.gather(0, best.unsqueeze(0)).squeeze(0)
    wrong[moved] = error
    return Slopes(season, final.detach(), automatic, central, wrong)


@pytest.fixture(scope="module", params=[
    ("potential", False), ("water_limited", False), ("potential", True), ("water_limited", True)],
    ids=["potential", "water_limited", "potential-smooth", "water_limited-smooth"])
def found(request: pytest.FixtureRequest) -> Slopes:
    return slopes(*request.param)


def test_gradients_of_all_parameters_match_finite_differences(found: Slopes) -> None:
    names = [name for name, spec in found.season.model.table.specs.items()
             for _ in range(spec.size)]
    wrong = [
        f"{names[row]} (row {row}), field {field}: autograd {found.automatic[row, field]:.8g}, "
        f"finite difference {found.central[row, field]:.8g}"
        for row, field in (found.error > 1e-4).nonzero().tolist()]
    assert not wrong, "\n".join(wrong)
    assert bool(found.automatic.isfinite().all())


def limits(found: Slopes) -> bool:
    return found.season.model.limited


def test_storage_answers_to_what_drives_it(found: Slopes) -> None:
    silent = []
    for field, soil in enumerate(("dry", "wet")):
        names = EVERYWHERE + (SMOOTH if found.season.model.smooth else ()) + (
            LIMITED[soil] if limits(found) else ())
        silent += [f"{soil}: {name}" for name in names
                   if not bool((found.of(name)[0][:, field] != 0.0).any())]
    assert not silent


def test_steps_of_the_published_model_have_no_slope(found: Slopes) -> None:
    automatic, central = found.of("SPAN")
    if found.season.model.smooth:
        assert bool((automatic != 0.0).all())
        return
    assert bool((automatic == 0.0).all())
    assert bool((central == 0.0).all())
    for name in ("TSUMEM", "TBASEM", "TEFFMX"):  # emergence is a whole day
        assert bool((found.of(name)[0] == 0.0).all()), name


def test_smooth_slopes_hold_over_days() -> None:
    season = Season.of("barley", "potential", True, N_DAYS)
    p = season.p.clone().requires_grad_()
    (slope,) = torch.autograd.grad(storage(season, p).sum(), p)
    many = season.copies(torch.zeros(4, dtype=torch.int64))
    rows = season.model.table.rows(["TSUM2", "SPAN"])
    for k, row in enumerate(rows):
        many.p[row, 2 * k : 2 * k + 2] *= torch.tensor([1.03, 0.97], dtype=p.dtype)
    with torch.no_grad():
        ends = storage(many).view(2, 2)
    expected = (ends[:, 0] - ends[:, 1]) / (0.06 * season.p[rows, 0])
    assert slope[rows, 0].tolist() == pytest.approx(expected.tolist(), rel=0.1)


def test_water_does_not_matter_where_it_does_not_limit(found: Slopes) -> None:
    if limits(found):
        # the statement is about the other cases of the fixture
        pytest.skip("in water-limited seasons soil and water do matter")
    for name in ("WAV", "SMW", "SM0", "RDMSOL", "DEPNR", "SOPE", "KSUB"):
        assert bool((found.of(name)[0] == 0.0).all()), name
