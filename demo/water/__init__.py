"""Water of the simulated district: a storm, stations that speak their protocols, an authority that is told."""
