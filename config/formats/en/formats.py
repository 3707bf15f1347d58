"""The formats of dates and times on pages: ISO 8601, which sorts and which nobody misreads. Times are in UTC."""

DATE_FORMAT = "Y-m-d"
TIME_FORMAT = "H:i"
DATETIME_FORMAT = "Y-m-d H:i"
