"""The same engine in virtual time, with simulated phones and scripted people: for scenarios and simulations."""
