"""Forecasting: airline passengers a year ahead.

144 months of international passengers, 1949 to 1960 (Box and Jenkins). At the end of a year the twelve months of the
next are forecast. Both networks hear the monthly changes of the logarithm: an echo state network that goes on alone by
hearing itself (the mean of ten reservoirs), and Elman's network, which reads two years and says twelve months at once
(the mean of three). Settings were chosen by the mean error of the years 1955 to 1958, the choice is made here, and only
then 1959 and 1960 are forecast. The naive forecast is the same month of the year before.
"""

import itertools

import numpy as np
import real

from neuroloom import plots
from neuroloom.networks import EchoStateRegressor, ElmanRegressor

VALIDATION, TEST = range(1955, 1959), range(1959, 1961)


def changes(passengers):
    """Monthly changes of the logarithm with mean 0 and deviation 1, and how to come back to passengers."""
    steps = np.diff(np.log(passengers))
    mean, deviation = steps.mean(), steps.std()

    def back(found):
        return passengers[-1] * np.exp(np.cumsum(found * deviation + mean))

    return (steps - mean) / deviation, back


def echo(passengers, seeds=range(10), **settings):
    """The next twelve months by echo state networks that hear themselves."""
    z, back = changes(passengers)
    z = z[None, :, None]
    nets = [EchoStateRegressor(washout=12, random_state=seed, **settings).fit(z[:, :-1], z[:, 1:]) for seed in seeds]
    return back(np.mean([net.forecast(z, 12)[0, :, 0] for net in nets], axis=0))


def elman(passengers, seeds=range(3), **settings):
    """The next twelve months by Elman's networks, learned from all stretches of 24 months and the 12 that followed."""
    z, back = changes(passengers)
    parts = np.lib.stride_tricks.sliding_window_view(z, 36)
    X, y, last = parts[:, :24, None], parts[:, 24:], z[None, -24:, None]
    nets = [ElmanRegressor(learning_rate=0.005, random_state=seed, **settings).fit(X, y) for seed in seeds]
    return back(np.mean([net.predict(last)[0] for net in nets], axis=0))


def naive(passengers):
    """The twelve months before."""
    return passengers[-12:]


GRIDS = {
    echo: {"n_units": (50, 100, 200), "alpha": (0.01, 0.1, 1.0), "input_scaling": (0.1, 0.3, 1.0)},
    elman: {"n_hidden": (5, 20), "max_iter": (100, 300)},
    naive: {},
}


def errors(passengers, years, forecast, **settings):
    """Forecasts of the years, the root of their mean squared error, and their mean error in percent."""
    ends = [12 * (year - 1949) for year in years]
    found = np.concatenate([forecast(passengers[:end], **settings) for end in ends])
    wanted = np.concatenate([passengers[end : end + 12] for end in ends])
    return found, np.sqrt(np.mean((found - wanted) ** 2)), 100 * np.mean(abs(found - wanted) / wanted)


def chosen(passengers, forecast, grid):
    """The settings with the least error in percent on the validation years."""
    tried = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
    if len(tried) == 1:
        return tried[0]
    return min(tried, key=lambda settings: errors(passengers, VALIDATION, forecast, seeds=range(2), **settings)[2])


def main(forecasts=(echo, elman, naive), grids=GRIDS):
    path = real.file("airline-passengers", "airline-passengers.csv")
    passengers = np.loadtxt(path, delimiter=",", skiprows=1, usecols=1)
    results, curves = {}, {}
    for forecast in forecasts:
        name, settings = forecast.__name__, chosen(passengers, forecast, grids[forecast])
        curves[name], rmse, mape = errors(passengers, TEST, forecast, **settings)
        results[name] = {"rmse": rmse, "mape": mape}
        print(f"{name}: RMSE {rmse:.1f} thousand passengers, MAPE {mape:.1f} % {settings or ''}")
    months = 1949 + np.arange(84, 144) / 12
    return results, [plots.series(months, passengers[84:], curves, "Airline passengers", ("year", "thousands a month"))]


if __name__ == "__main__":
    main()
