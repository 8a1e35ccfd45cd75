"""The event classes by name, in the order in which documents list them."""

from davylamp.model.event_class import EventClass
from davylamp.model.events.api_activity import API_ACTIVITY
from davylamp.model.events.authentication import AUTHENTICATION
from davylamp.model.events.declared_need import DECLARED_NEED
from davylamp.model.events.detection_finding import DETECTION_FINDING
from davylamp.model.events.device_inventory import DEVICE_INVENTORY
from davylamp.model.events.dns_activity import DNS_ACTIVITY
from davylamp.model.events.file_activity import FILE_ACTIVITY
from davylamp.model.events.host_setting import HOST_SETTING
from davylamp.model.events.image_content import IMAGE_CONTENT
from davylamp.model.events.listening_port import LISTENING_PORT
from davylamp.model.events.network_activity import NETWORK_ACTIVITY
from davylamp.model.events.process_activity import PROCESS_ACTIVITY
from davylamp.model.events.process_usage import PROCESS_USAGE
from davylamp.model.events.resource_usage import RESOURCE_USAGE
from davylamp.model.events.sensor_state import SENSOR_STATE
from davylamp.model.events.service_state import SERVICE_STATE
from davylamp.model.events.socket_usage import SOCKET_USAGE
from davylamp.model.events.startup_item import STARTUP_ITEM

EVENT_CLASSES: dict[str, EventClass] = {
    each.name: each
    for each in (
        AUTHENTICATION,
        DNS_ACTIVITY,
        NETWORK_ACTIVITY,
        API_ACTIVITY,
        PROCESS_ACTIVITY,
        PROCESS_USAGE,
        SOCKET_USAGE,
        LISTENING_PORT,
        STARTUP_ITEM,
        SERVICE_STATE,
        HOST_SETTING,
        DECLARED_NEED,
        FILE_ACTIVITY,
        IMAGE_CONTENT,
        RESOURCE_USAGE,
        DEVICE_INVENTORY,
        DETECTION_FINDING,
        SENSOR_STATE,
    )
}
