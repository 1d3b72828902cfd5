"""Make neuralcrop/data/land_mask_2deg.txt from the global-land-mask package.

The package (MIT) carries the one-kilometre land mask of GLOBE (NOAA National Geophysical Data
Center, public domain). A cell of two degrees is land when at least half of its points are.
Antarctica, Greenland and Arctic islands north of 76 N are left out.

    pip install global-land-mask && python scripts/make_land_mask.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from global_land_mask import globe

STEP = 2.0
POINTS = 20
TARGET = Path(__file__).parent.parent / "neuralcrop" / "data" / "land_mask_2deg.txt"


def land_fraction() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Latitudes (north first), longitudes and the land fraction of each cell."""
    lat = np.arange(90.0 - STEP / 2, -90.0, -STEP)
    lon = np.arange(-180.0 + STEP / 2, 180.0, STEP)
    inside = (np.arange(POINTS) + 0.5) / POINTS * STEP - STEP / 2
    fine_lat = (lat[:, None] + inside).reshape(-1)
    fine_lon = (lon[:, None] + inside).reshape(-1)
    land = globe.is_land(*np.meshgrid(fine_lat, fine_lon, indexing="ij"))
    return lat, lon, land.reshape(len(lat), POINTS, len(lon), POINTS).mean(axis=(1, 3))


def main() -> None:
    lat, lon, fraction = land_fraction()
    rows, columns = lat[:, None], lon[None, :]
    land = (fraction >= 0.5) & (rows > -60.0) & (rows < 76.0)
    greenland = (rows > 59.0) & (columns > -56.0) & (columns < -11.0)
    iceland = (rows < 67.0) & (columns > -25.0)
    land &= ~greenland | iceland
    lines = [
        "# Land of the world on 2 degree cells: 1 land, 0 sea or ice. Rows from 89 N to 89 S,",
        "# columns from 179 W to 179 E. Made by scripts/make_land_mask.py from the GLOBE land mask",
        "# (NOAA National Geophysical Data Center, public domain); no Antarctica, no Greenland.",
        *["".join("1" if x else "0" for x in row) for row in land],
    ]
    TARGET.write_text("\n".join(lines) + "\n")
    print(f"{TARGET}: {int(land.sum())} land cells")


if __name__ == "__main__":
    main()
