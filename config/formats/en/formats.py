"""How pages write dates and times: as ISO 8601 does, which sorts and nobody misreads. Times are in UTC."""

DATE_FORMAT = "Y-m-d"
TIME_FORMAT = "H:i"
DATETIME_FORMAT = "Y-m-d H:i"
