"""The alerts of SyncML: how two sides agree on a mode and keep the talk going.

Numbers and meanings: OMA-TS-DS_Protocol-V1_2, section "Alert codes".
"""

from __future__ import annotations

from enum import IntEnum


class AlertCode(IntEnum):
    """Name every alert of data synchronization."""

    DISPLAY = 100

    TWO_WAY = 200
    SLOW_SYNC = 201
    ONE_WAY_FROM_CLIENT = 202
    REFRESH_FROM_CLIENT = 203
    ONE_WAY_FROM_SERVER = 204
    REFRESH_FROM_SERVER = 205

    TWO_WAY_BY_SERVER = 206
    ONE_WAY_FROM_CLIENT_BY_SERVER = 207
    REFRESH_FROM_CLIENT_BY_SERVER = 208
    ONE_WAY_FROM_SERVER_BY_SERVER = 209
    REFRESH_FROM_SERVER_BY_SERVER = 210

    RESULT_ALERT = 221
    NEXT_MESSAGE = 222
    NO_END_OF_DATA = 223
    SUSPEND = 224
    RESUME = 225
