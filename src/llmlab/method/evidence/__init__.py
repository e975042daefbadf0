"""Tables and where they come from: fingerprints, manifests, recorded and fresh evidence."""
