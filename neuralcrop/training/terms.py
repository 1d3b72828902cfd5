r"""The loss of several kinds of observation, and what each term contributes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from torch import Tensor, nn

from neuralcrop.data.observations import KINDS
from neuralcrop.data.seasons import Block
from neuralcrop.training import losses
from neuralcrop.training.relative import RelativeResponse
from neuralcrop.training.technology import Technology

if TYPE_CHECKING:
    import pandas as pd

Weighting = Literal["fixed", "learned"]

YIELD = "yield"

LEVEL_SHARE = 0.3
"""Weight of the mean level of a site beside the anomalies of its years."""


class Terms(nn.Module):
    r"""Loss of yields and other observations of a block.

    .. math:: L = \sum_k w_k L_k, \qquad
       L_k = \frac{\sum_i v_i\,\rho\big((\hat y_{ki} - y_{ki}) / \sigma_k\big)}{\sum_i v_i}

    with the misfit :math:`\rho` of `losses.misfit` and one error :math:`\sigma_k` a kind. The
    weights :math:`v_i` of observations are their harvested area (yields) and one over the square
    of their own error, each divided by its mean over the training samples. With learned weights
    (Kendall, Gal and Cipolla 2018, doi:10.1109/CVPR.2018.00781) it is

    .. math:: L = \sum_k w_k \big(e^{-s_k} L_k + s_k / 2\big),

    whose minimum over :math:`s_k` is the logarithm of twice the misfit: kinds count by how well
    they can be met.

    Parameters
    ----------
    table : DataFrame
        All samples, with columns of the kinds (`neuralcrop.data.observations`).
    train : numpy.ndarray
        Rows of the training samples, that set the means of weights.
    weights : mapping of str to float
        :math:`w_k`; kinds with 0 are left out.
    errors : mapping of str to float
        :math:`\sigma_k` in units of the kind; by default 1 t ha-1 for yields, and those of `KINDS`.
    kind, delta : str, float
        Of the misfit; ``anomaly`` splits that of yields.
    weighting : {"fixed", "learned"}
        See above.
    by : sequence of str
        Which weights of observations: ``area``, ``error``.

    Raises
    ------
    ValueError
        If there is nothing to learn from, or the data hold no such observations.
    """

    values: Tensor
    shares: Tensor
    place: Tensor

    def __init__(
        self, table: pd.DataFrame, train: np.ndarray, weights: Mapping[str, float] | None = None,
        errors: Mapping[str, float] | None = None, kind: losses.Kind = "huber",
        delta: float = 1.0, weighting: Weighting = "fixed", by: Sequence[str] = ("area", "error"),
    ) -> None:
        super().__init__()
        weights = {YIELD: 1.0} if weights is None else weights
        self.weights = {k: float(w) for k, w in weights.items() if w > 0.0}
        if not self.weights:
            raise ValueError("loss.weights are all 0: there is nothing to learn from")
        missing = [k for k in self.weights if k != YIELD and k not in table]
        if missing:
            raise ValueError(
                f"loss.weights has {', '.join(missing)}, which the data do not hold; name the "
                f"variable {missing[0]} in the yields file, or give loss.weights.{missing[0]}=0")
        self.kinds = tuple(k for k in KINDS if k in self.weights)
        self.errors = {k: float((errors or {}).get(k, KINDS[k].error if k in KINDS else 1.0))
                       for k in self.weights}
        self.kind, self.delta = kind, delta
        values = [table[k].to_numpy(float) for k in self.kinds]
        self._keep("values", np.array(values).reshape(len(values), len(table)))
        shares = {k: _shares(table, train, k, by) for k in self.weights}
        self.weighted = [k for k, v in shares.items() if (v != 1.0).any()]
        self._keep("shares", np.array(list(shares.values())))
        self.register_buffer("place", torch.tensor(
            np.unique(table["site"].to_numpy(), return_inverse=True)[1]), persistent=False)
        self.log_variance = nn.Parameter(torch.zeros(len(self.weights))) if (
            weighting == "learned") else None

    def _keep(self, name: str, values: np.ndarray) -> None:
        self.register_buffer(name, torch.tensor(values, dtype=torch.float32), persistent=False)

    @property
    def learned(self) -> list[nn.Parameter]:
        """Weights that are learned."""
        return [] if self.log_variance is None else [self.log_variance]

    def each(
        self, yields: Tensor, others: Tensor | None, block: Block, technology: Technology
    ) -> dict[str, Tensor]:
        """Terms :math:`L_k` of a block; of kinds that no sample of it has, nothing.

        Parameters
        ----------
        yields : Tensor
            ``[cell]`` of the model, without the trend.
        others : Tensor or None
            ``[kind, cell]`` simulated, in the order of `kinds`.
        block : Block
            What was observed.
        technology : Technology
            Trend of yields.
        """
        out = {}
        for k, name in enumerate(self.weights):
            share = self.shares[k][block.row].to(yields.dtype)
            if name == YIELD:
                predicted, observed = compared(technology, yields, block)
                weight = block.weight * share if name in self.weighted else block.weight
                out[name] = self._yields(predicted, observed, weight, block)
                more = technology.penalty(yields.dtype)
                if more is not None:
                    out[name] = out[name] + more / self.errors[name] ** 2
                continue
            assert others is not None
            j = self.kinds.index(name)
            observed = self.values[j][block.row].to(yields.dtype)
            weight = torch.where(torch.isnan(observed), 0.0, block.weight * share)
            if bool((weight > 0.0).any()):
                out[name] = self._misfit(others[j], observed, weight, name)
        return out

    def _misfit(
        self, predicted: Tensor, observed: Tensor, weight: Tensor, name: str
    ) -> Tensor:
        scale = self.errors[name]
        if scale != 1.0:
            predicted, observed = predicted / scale, observed / scale
        usual: losses.Kind = "huber" if self.kind == "anomaly" else self.kind
        return losses.misfit(predicted, observed, weight, usual, self.delta)

    def _yields(
        self, predicted: Tensor, observed: Tensor, weight: Tensor, block: Block
    ) -> Tensor:
        if self.kind != "anomaly":
            return self._misfit(predicted, observed, weight, YIELD)
        place = self.place[block.row]
        means, total = site_means(torch.stack((predicted, observed)), weight, place)
        departures = torch.stack((predicted, observed)) - means[:, place]
        return (self._misfit(departures[0], departures[1], weight, YIELD)
                + LEVEL_SHARE * self._misfit(means[0], means[1], total, YIELD))

    def total(self, terms: Mapping[str, Tensor]) -> Tensor:
        """Weighted sum of the terms of a block, of which there is at least one."""
        order = list(self.weights)
        parts = []
        for name, term in terms.items():
            if self.log_variance is None:
                parts.append(term if self.weights[name] == 1.0 else self.weights[name] * term)
            else:
                s = self.log_variance[order.index(name)].to(term.dtype)
                parts.append(self.weights[name] * (torch.exp(-s) * term + 0.5 * s))
        return sum(parts[1:], parts[0])

    def effective(self) -> dict[str, float]:
        """Weight of every term as it is now."""
        if self.log_variance is None:
            return dict(self.weights)
        scale = torch.exp(-self.log_variance.detach()).tolist()
        return {k: w * s for (k, w), s in zip(self.weights.items(), scale, strict=True)}


def compared(technology: Technology, yields: Tensor, block: Block) -> tuple[Tensor, Tensor]:
    """Predicted and observed yields that training compares, with the trend in one of them."""
    if isinstance(technology, RelativeResponse):
        predicted = technology(yields, block.year, block.row, block.weight)
        return predicted, block.observed
    if not technology.detrends:
        return technology(yields, block.year, block.row), block.observed
    trend = technology.trend(block.year, block.row, yields.dtype)  # type: ignore[operator]
    predicted = yields
    if technology.has_level:
        predicted = yields * technology.level(block.row, yields.dtype)  # type: ignore[operator]
    return predicted, block.observed / trend


def site_means(values: Tensor, weight: Tensor, place: Tensor) -> tuple[Tensor, Tensor]:
    """Weighted means of sites, ``[value, site]``, and the weight of each, ``[site]``.

    Parameters
    ----------
    values : Tensor
        ``[value, cell]``.
    weight : Tensor
        ``[cell]``.
    place : Tensor
        ``[cell]`` number of the site.
    """
    n = int(place.max()) + 1
    total = values.new_zeros(n).index_add(0, place, weight)
    kept = torch.where(weight > 0.0, values * weight, 0.0)
    sums = values.new_zeros(values.shape[0], n).index_add(1, place, kept)
    return sums / torch.where(total > 0.0, total, 1.0), total


def _shares(table: pd.DataFrame, train: np.ndarray, name: str, by: Sequence[str]) -> np.ndarray:
    """Weight of every observation of a kind, with mean 1 over the training samples."""
    out = np.ones(len(table))
    column = f"{name}_error"
    if "error" in by and column in table:
        sd = table[column].to_numpy(float)
        known = sd[train][np.isfinite(sd[train])]
        usual = float(np.median(known)) if len(known) else 1.0
        out = out / np.where(np.isfinite(sd), sd / usual, 1.0) ** 2
    if name == YIELD and "area" in by and "area" in table:
        out = out * table["area"].to_numpy(float)
    seen = np.isfinite(table[name if name != YIELD else "observed"].to_numpy(float)[train])
    mean = float(out[train][seen].mean()) if seen.any() else 1.0
    if not mean > 0.0:
        raise ValueError(f"the weights of {name} are all 0 in the training years")
    return out / mean if (out != 1.0).any() else out
