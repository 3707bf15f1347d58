"""The name servers that look up the domains of organizations; the machine's own unless DNS_SERVERS names others."""

from api.networks import name_server
from config.environment import read, refuse

DNS_SERVERS = []
try:
    DNS_SERVERS = [name_server(server) for server in read("list", "DNS_SERVERS", [])]
except ValueError as wrong:
    refuse("DNS_SERVERS", str(wrong))
