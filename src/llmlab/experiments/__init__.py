"""One thin file per experiment; only this room ties a lab to the method."""
