"""Gradients of a stretch of days of a set that looks back, day by day in one compiled call each.

The forward pass keeps the mornings and runs as fast as without gradients; the backward pass takes
the days in reverse, each calculated again and differentiated in one graph. What autograd would do
between the days - a node for every day, sums of parameter gradients - is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from neuralcrop.models.crop_model import CropModel
from neuralcrop.simulation.history import History, look_up


class Morning(NamedTuple):
    """Weather, day of the solar year and row of the history of a day (integer, scalar)."""

    weather: Tensor
    sun: Tensor
    row: Tensor


class StretchDays:
    """Both passes over a day.

    Parameters
    ----------
    model : CropModel
        A set with a history and one Euler step a day, without learnt parameters of its own.
    h : float
        Step of the limiters, d.
    ready : callable
        Compiles a function, or leaves it.
    """

    def __init__(
        self, model: CropModel, h: float, ready: Callable[..., Callable[..., Any]]
    ) -> None:
        kept = model.state.rows(model.history_rows)
        self.kept = torch.tensor(kept)
        self.learnt = name = model.place_gradient

        def forward(
            x: Tensor, weather: Tensor, sun: Tensor, p: Tensor, place: Any, history: Tensor,
            row: Tensor,
        ) -> tuple[Tensor, Tensor, Tensor]:
            x_kept = torch.stack([x[k] for k in kept] + [torch.zeros_like(x[0])])
            history.index_copy_(0, row.reshape(1), x_kept.unsqueeze(0))
            wanted = model.wanted_days(x, p, history, row)
            former = look_up(history, wanted[:model.n_wanted])
            slopes, _ = model.rates(x, weather, sun, p, place, h, former, wanted)
            model.age(history, x, weather, p)
            return x + slopes, former, wanted

        def backward(
            x: Tensor, weather: Tensor, sun: Tensor, p: Tensor, place: Any, former: Tensor,
            wanted: Tensor, outer: Tensor, p_sum: Tensor, place_sum: Tensor,
        ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
            def tomorrow(x: Tensor, p: Tensor, learnt: Tensor, former: Tensor) -> Tensor:
                here = place._replace(**{name: learnt})
                return x + model.rates(x, weather, sun, p, here, h, former, wanted)[0]

            pull: Any = torch.func.vjp(tomorrow, x, p, getattr(place, name), former)[1]
            x_slope, p_slope, place_slope, former_slope = pull(outer)
            return x_slope, p_sum + p_slope, place_sum + place_slope, former_slope

        self.forward, self.backward = ready(forward), ready(backward)

    def run(
        self, x: Tensor, p: Tensor, place: Any, history: History, days: list[Morning]
    ) -> Tensor:
        """State after the days; has gradients in state, parameters and the place's share of them.

        Parameters
        ----------
        x, p : Tensor
            State and parameters.
        place : NamedTuple
            From `CropModel.place`.
        history : History
            Changed in place.
        days : list of Morning
            Consecutive days.
        """
        before, slopes, begins = history.chain()
        after, token = _Stretch.apply(
            x, p, getattr(place, self.learnt), before,
            _Run(self, place, history.values, slopes, begins, days))
        history.follow(token)
        return after


class _Run(NamedTuple):
    own: StretchDays
    place: Any
    history: Tensor
    slopes: Tensor
    begins: bool
    days: list[Morning]


class _Stretch(torch.autograd.Function):
    """Days in turn; their gradients in reverse."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, p: Tensor, learnt: Tensor, token: Tensor, run: _Run
    ) -> tuple[Tensor, Tensor]:
        # compiled code would ask for a gradient that nobody takes
        x, p, learnt = x.detach(), p.detach(), learnt.detach()
        place = run.place._replace(**{run.own.learnt: learnt})
        mornings, looks = [], []
        for today in run.days:
            mornings.append(x)
            x, former, wanted = run.own.forward(
                x, today.weather, today.sun, p, place, run.history, today.row)
            looks.append((former, wanted))
        ctx.run, ctx.place, ctx.mornings, ctx.looks = run, place, mornings, looks
        ctx.save_for_backward(p, learnt)
        return x, token.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *outer: Tensor) -> Any:
        own, slopes = ctx.run.own, ctx.run.slopes
        p, learnt = ctx.saved_tensors
        x_slope, p_sum, place_sum = outer[0], torch.zeros_like(p), torch.zeros_like(learnt)
        kept = own.kept.to(p.device)
        for today, x, (former, wanted) in zip(
                reversed(ctx.run.days), reversed(ctx.mornings), reversed(ctx.looks), strict=True):
            x_slope, p_sum, place_sum, former_slope = own.backward(
                x, today.weather, today.sun, p, ctx.place, former, wanted, x_slope, p_sum,
                place_sum)
            k, n = former.shape[0], former.shape[2]
            days = wanted[:k].unsqueeze(1).expand(k, slopes.shape[1], n)
            slopes.scatter_add_(0, days, former_slope)
            row = slopes[today.row]
            x_slope.index_add_(0, kept, row)
            row.zero_()
        if ctx.run.begins:  # what is left belongs to days before, which have no gradient
            slopes.zero_()
        return x_slope, p_sum, place_sum, outer[1], None
