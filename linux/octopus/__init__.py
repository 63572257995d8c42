"""A script step for Octopus, as templates that its library imports: `python -m linux.octopus` writes them anew."""
