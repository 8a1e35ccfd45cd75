"""Reports: pure renderers of the scan document, for a terminal, a browser and other tools."""
