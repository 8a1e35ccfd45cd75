"""Every unit, one folder each; imports only kit, model, units and errors."""
