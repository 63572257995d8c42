"""Which containers and images may go, on a host and in the registries: by count, and never what is needed."""
