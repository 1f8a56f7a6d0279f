"""The inside of aiortc and aioice: the only package that says their private names.

Importing any part of it checks the versions. A new minor version fails: then read its source again
before widening the check.
"""

import aioice
import aiortc
from aiortc.rtcrtpreceiver import RTCRtpReceiver

from bridge.aiortc_inside.versions import check_attributes, check_versions

check_versions(aiortc.__version__, aioice.__version__)
check_attributes(RTCRtpReceiver.__init__.__code__.co_names)
