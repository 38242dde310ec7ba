"""What bench/run is made of: servers, load, sections, tables."""
