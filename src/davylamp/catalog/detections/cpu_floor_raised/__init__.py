"""The CPU floor of a machine rose and its idle valleys are gone."""
