"""The event classes by name, in the order in which documents list them."""

from davylamp.model.event_class import EventClass
from davylamp.model.events.api_activity import API_ACTIVITY
from davylamp.model.events.authentication import AUTHENTICATION
from davylamp.model.events.detection_finding import DETECTION_FINDING
from davylamp.model.events.device_inventory import DEVICE_INVENTORY
from davylamp.model.events.dns_activity import DNS_ACTIVITY
from davylamp.model.events.network_activity import NETWORK_ACTIVITY
from davylamp.model.events.resource_usage import RESOURCE_USAGE

EVENT_CLASSES: dict[str, EventClass] = {
    each.name: each
    for each in (
        AUTHENTICATION,
        DNS_ACTIVITY,
        NETWORK_ACTIVITY,
        API_ACTIVITY,
        RESOURCE_USAGE,
        DEVICE_INVENTORY,
        DETECTION_FINDING,
    )
}
