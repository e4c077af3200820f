"""A simulated district: 313 car parks that speak their vendors' formats on real sockets, the same at every start."""
