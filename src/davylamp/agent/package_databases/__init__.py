"""Databases of package managers: which files a package brought, and what their content was."""
