"""Leaf growth, ageing and death, with cohorts kept as cumulative sums.

The cohorts of a cell age alike, and death takes the oldest first. Three nondecreasing rows per
cohort, [cohort, cell], therefore hold all of them: ``grown`` (kg ha-1) and ``area`` (ha ha-1),
the weight and area of this and all earlier cohorts, and ``born`` (d), the cumulative age of the
plant when the cohort was added. A cell adds ``removed`` (kg ha-1), the weight that died so far,
and ``age`` (d), its cumulative age: cohort k has the age ``age - born[k]``, and the living
leaves are those between ``removed`` and the last ``grown``. A row without growth repeats the one
before it; rows of zeros may precede the first cohort.

Order of a day: rates and deaths from the states at its start; deaths are removed; all age; then
the leaves grown that day become a row whose ``born`` is the new age.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from neuralcrop.core.numerics import clip, clip01, safe_div

EXPONENTIAL_LAI = 6.0
"""Leaf area of unlimited growth at which the exponential phase ends (ha ha-1)."""
_TIE = 64.0
"""Ages closer than this many roundings are equal."""
SHADE_LAI = 3.2
"""Critical leaf area index of self-shading times the extinction coefficient (-)."""


def shoot_area(wst: Tensor, ssa: Tensor, wso: Tensor, spa: Tensor) -> Tensor:
    """Green area of stems and storage organs, SSATB WST + SPA WSO (ha ha-1).

    Parameters
    ----------
    wst, wso
        Living stems and storage organs (kg ha-1).
    ssa
        Specific stem area, SSATB at the development stage (ha kg-1).
    spa
        Specific area of storage organs (ha kg-1).
    """
    return ssa * wst + spa * wso


def shading_death(wlv: Tensor, lai: Tensor, kdif: Tensor) -> Tensor:
    """Death by self-shading, WLV clip(0.03 (LAI - LAIcr) / LAIcr, 0, 0.03) (kg ha-1 d-1).

    Parameters
    ----------
    wlv
        Living leaves (kg ha-1).
    lai
        Leaf area index, stems and storage organs included (-).
    kdif
        Extinction coefficient of diffuse light; LAIcr = 3.2 / KDIF (-).
    """
    critical = safe_div(torch.full_like(kdif, SHADE_LAI), kdif)
    return wlv * clip(0.03 * safe_div(lai - critical, critical), 0.0, 0.03)


def drought_death(wlv: Tensor, rftra: Tensor, perdl: Tensor) -> Tensor:
    """Death by water stress, WLV (1 - RFTRA) PERDL (kg ha-1 d-1).

    Parameters
    ----------
    wlv
        Living leaves (kg ha-1).
    rftra
        Actual over potential transpiration (-).
    perdl
        Maximum relative death rate (d-1).
    """
    return wlv * (1.0 - rftra) * perdl


def ageing(temperature: Tensor, tbase: Tensor) -> Tensor:
    """Physiological ageing, max(0, (T - TBASE) / (35 - TBASE)) (d d-1).

    Parameters
    ----------
    temperature
        Mean temperature of the day (degC).
    tbase
        Base temperature of ageing (degC).
    """
    return safe_div(temperature - tbase, 35.0 - tbase).clamp(min=0.0)


def exponential_increase(
    laiexp: Tensor, temperature: Tensor, rgrlai: Tensor, tbase: Tensor
) -> Tensor:
    """Increase of the leaf area of unlimited growth, LAIEXP RGRLAI max(0, T - TBASE) (d-1).

    Parameters
    ----------
    laiexp
        That area (ha ha-1); the increase is 0 from 6 on.
    temperature, tbase
        Mean and base temperature (degC).
    rgrlai
        Maximum relative increase of leaf area (ha ha-1 (degC d)-1).
    """
    increase = laiexp * rgrlai * (temperature - tbase).clamp(min=0.0)
    return torch.where(laiexp < EXPONENTIAL_LAI, increase, 0.0)


def area_growth(grlv: Tensor, sla: Tensor, laiexp: Tensor, increase: Tensor) -> Tensor:
    """Leaf area of the cohort of a day, GRLV SLATB, in the exponential phase at most GLAIEX (d-1).

    Parameters
    ----------
    grlv
        Growth of leaves (kg ha-1 d-1); the area over it is the specific leaf area of the cohort.
    sla
        Specific leaf area, SLATB at the development stage (ha kg-1).
    laiexp
        Leaf area of unlimited growth (ha ha-1).
    increase
        Its `exponential_increase` GLAIEX (ha ha-1 d-1).

    Returns
    -------
    Tensor
        ``[cell]`` (ha ha-1 d-1). Supit et al. (1994), chapter 5.
    """
    source = grlv * sla
    return torch.where(laiexp < EXPONENTIAL_LAI, torch.minimum(increase, source), source)


def count_rows(
    fetch: Callable[[Tensor], Tensor], rows: Tensor, bits: int, counts: Callable[[Tensor], Tensor]
) -> Tensor:
    """Number of leading rows that count, by bisection: one look at a row a bit.

    Parameters
    ----------
    fetch
        Value ``[cell]`` of the row that an index ``[cell]`` names; values are monotonic.
    rows
        Number of rows written so far, integers ``[cell]``.
    bits
        Of the largest number of rows.
    counts
        Whether a value ``[cell]`` counts: true for the first rows, then false.

    Returns
    -------
    Tensor
        Integers ``[cell]``, 0 to ``rows``.
    """
    low, high = torch.zeros_like(rows), rows
    for _ in range(bits):
        middle = (low + high) >> 1  # as a quotient it would divide integers, which is slow
        # A closed interval stays closed: its middle is then no row of it.
        yes = counts(fetch(middle)) & (low < high)
        low = torch.where(yes, middle + 1, low)
        high = torch.where(yes, high, middle)
    return low


def _count(values: Tensor, rows: Tensor, counts: Callable[[Tensor], Tensor]) -> Tensor:
    """`count_rows` of a tensor ``[cohort, cell]``; rows not yet written do not matter."""
    values = values.detach()
    per_cell = torch.zeros(values.shape[1:], dtype=torch.int64, device=values.device) + rows
    return count_rows(
        lambda index: _row(values, index), per_cell, values.shape[0].bit_length(), counts)


def _row(values: Tensor, index: Tensor) -> Tensor:
    """Value of a row of each cell, the nearest where the index is outside."""
    index = index.clamp(min=0, max=values.shape[0] - 1)
    return torch.gather(values, 0, index.unsqueeze(0)).squeeze(0)


def _before(values: Tensor, index: Tensor) -> Tensor:
    """Value of the row before an index, 0 before the first."""
    return torch.where(index > 0, _row(values, index - 1), 0.0)


def living_area(grown: Tensor, area: Tensor, removed: Tensor, rows: Tensor) -> Tensor:
    """Area of the living leaves (ha ha-1).

    The removed weight ends inside a cohort, which keeps its specific leaf area: the area before
    it is linear in the weight.

    Parameters
    ----------
    grown, area
        Cumulative weight (kg ha-1) and area (ha ha-1), ``[cohort, cell]``.
    removed
        Weight that died (kg ha-1).
    rows
        Number of rows written, integers.

    Returns
    -------
    Tensor
        ``[cell]``, with gradients to the rows of that cohort, the last row, and ``removed``.
    """
    index = torch.minimum(_count(grown, rows, lambda weight: weight <= removed), rows - 1)
    newest = _row(area, (rows - 1).expand_as(index))
    return area_above(
        removed, newest, _before(grown, index), _row(grown, index), _before(area, index),
        _row(area, index))


def area_above(
    removed: Tensor, newest: Tensor, before: Tensor, top: Tensor, area_before: Tensor,
    area_top: Tensor,
) -> Tensor:
    """Area of the leaves above a cumulative weight, from the cohort that holds it (ha ha-1).

    Parameters
    ----------
    removed
        The weight (kg ha-1).
    newest
        Cumulative area of all cohorts (ha ha-1).
    before, top
        Cumulative weight before and with that cohort (kg ha-1).
    area_before, area_top
        Cumulative area before and with it (ha ha-1).
    """
    share = clip01(safe_div(top - removed, top - before))
    return newest - area_top + share * (area_top - area_before)


def aged_weight(
    grown: Tensor, born: Tensor, age: Tensor, span: Tensor, rows: Tensor, smooth: bool = False
) -> Tensor:
    """Cumulative weight of the cohorts that are older than their span (kg ha-1).

    Parameters
    ----------
    grown
        Cumulative weight (kg ha-1), ``[cohort, cell]``.
    born
        Cumulative age at birth (d), ``[cohort, cell]``.
    age, span
        Cumulative age of the plant and life span of leaves at 35 degC (d). An age that equals
        the span but for rounding is not older; `aged_weight_by_age` leaves that to chance, as
        the reference does.
    rows
        Number of rows written, integers.
    smooth
        Interpolate the weight in the age at birth, which gives ``span`` and ``age`` a gradient:
        leaves grow during the day that ends with the birth of their cohort. Without it whole
        cohorts die, as in the reference, and only ``grown`` has a gradient.

    Returns
    -------
    Tensor
        ``[cell]``, dead cohorts included: the living ones among them weigh
        ``max(0, aged - removed)``.
    """
    threshold = last_birth(age, span)
    index = _count(born, rows, lambda birth: birth < threshold)
    level = _before(grown, index)
    if not smooth:
        return level
    partial = weight_between(
        threshold, _before(born, index), _row(born, index), level, _row(grown, index))
    return torch.where((index > 0) & (index < rows), partial, level)


def last_birth(age: Tensor, span: Tensor) -> Tensor:
    """Cumulative age before which the leaves were born that are older than their span (d)."""
    return age - span - _TIE * torch.finfo(age.dtype).eps * age.detach()


def weight_between(
    birth: Tensor, born_before: Tensor, born: Tensor, before: Tensor, top: Tensor
) -> Tensor:
    """Cumulative weight at a time of birth between two cohorts, linear between them (kg ha-1)."""
    share = clip01(safe_div(birth - born_before, born - born_before))
    return before + share * (top - before)


def aged_weight_by_age(grown: Tensor, ages: Tensor, span: Tensor, rows: Tensor) -> Tensor:
    """Cumulative weight of the cohorts older than their span, from an age kept for each (kg ha-1).

    Temperatures with few digits let whole cohorts reach the span exactly. Whether they die that
    day or the next is then up to the rounding of sums over the life of each cohort: to repeat a
    reference run, `ages` must be summed like that (``ages + ageing`` over all rows, every day).

    Parameters
    ----------
    grown
        Cumulative weight (kg ha-1), ``[cohort, cell]``.
    ages
        Physiological age (d), ``[cohort, cell]``; has no gradient.
    span
        Life span of leaves at 35 degC (d).
    rows
        Number of rows written, integers.

    Returns
    -------
    Tensor
        ``[cell]``, as `aged_weight` without ``smooth``.
    """
    return _before(grown, _count(ages, rows, lambda age: age > span))


def next_removed(removed: Tensor, stress_death: Tensor, aged: Tensor) -> Tensor:
    """Weight that died until the end of the day (kg ha-1).

    The death rate is the larger of stress and age, max(stress, aged - removed), written without
    that difference so that whole cohorts go without a rounding rest.

    Parameters
    ----------
    removed
        Weight that died before (kg ha-1).
    stress_death
        The larger of `drought_death` and `shading_death` (kg ha-1 d-1).
    aged
        `aged_weight` (kg ha-1).
    """
    return torch.maximum(removed + stress_death, aged)
