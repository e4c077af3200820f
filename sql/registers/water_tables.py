"""Which files make the water register, and by what is a row known again?"""

from __future__ import annotations

from schemas.water_registers import (
    Basin,
    Edge,
    Neighbour,
    Node,
    RainWeight,
    SensorHeight,
    Station,
    Threshold,
    WaterRegister,
)
from sql.registers.tables import Catalogue, Table

WATER = Catalogue(
    name="water",
    register_type=WaterRegister,
    tables=(
        Table(name="basins", row_type=Basin, key=("basin_id",), versioned=False),
        Table(name="stations", row_type=Station, key=("station_id",), needs={"basin_id": "basins"}),
        Table(
            name="heights",
            row_type=SensorHeight,
            key=("station_id",),
            needs={"station_id": "stations"},
            file_name="sensor_heights.csv",
        ),
        Table(
            name="thresholds",
            row_type=Threshold,
            key=("station_id", "hazard", "element", "level"),
            needs={"station_id": "stations"},
        ),
        Table(name="nodes", row_type=Node, key=("node_id",), versioned=False, needs={"station_id": "stations"}),
        Table(
            name="edges",
            row_type=Edge,
            key=("edge_id",),
            versioned=False,
            replaced=True,
            needs={"upstream": "nodes", "downstream": "nodes"},
        ),
        Table(
            name="neighbours",
            row_type=Neighbour,
            key=("station_id", "neighbour_id"),
            versioned=False,
            replaced=True,
            needs={"station_id": "stations", "neighbour_id": "stations"},
        ),
        Table(
            name="rain_weights",
            row_type=RainWeight,
            key=("basin_id", "station_id"),
            versioned=False,
            replaced=True,
            needs={"basin_id": "basins", "station_id": "stations"},
        ),
    ),
)
