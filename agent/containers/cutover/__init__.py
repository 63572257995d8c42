"""How traffic goes over from the old container to the new one: three strategies behind one interface.

| Strategy | Order | Who owns the published port |
|---|---|---|
| `recreate` | stop the old, start the new | the container itself |
| `proxy` | start the new, lead requests to it, drain and stop the old | HAProxy or nginx |
| `hold` | requests wait, stop the old, start the new, requests go on | our relay |

Start-first and stop-first are the two orders (`start_first.py`, `stop_first.py`); what leads the traffic is a
`Front` (`front.py`). Every undoing is computed from what the engine shows, so that a run that fails and the
recovery of a run that died do the same.
"""

from agent.containers.cutover.outage import expected_outage
from agent.containers.cutover.relay_image import relay_advice, relay_warning
from agent.containers.cutover.scene import Scene, UnhealthyError, label_health
from agent.containers.cutover.settings import RELAY_IMAGE, Cutover, Hold, OnFailure, Proxy, Recreate
from agent.containers.cutover.shape import Shape, shape_of, shaped
from agent.containers.cutover.strategy import Strategy, lead, strategy_for

__all__ = [
    "RELAY_IMAGE",
    "Cutover",
    "Hold",
    "OnFailure",
    "Proxy",
    "Recreate",
    "Scene",
    "Shape",
    "Strategy",
    "UnhealthyError",
    "expected_outage",
    "label_health",
    "lead",
    "relay_advice",
    "relay_warning",
    "shape_of",
    "shaped",
    "strategy_for",
]
