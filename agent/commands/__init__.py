"""What the smaller commands do, one module each; deployments are in `agent/deployment.py`."""
