"""Looking TXT records up, by which organizations prove that a domain is theirs."""

from __future__ import annotations

import logging
from threading import BoundedSemaphore

import dns.exception
import dns.name
import dns.nameserver
import dns.resolver
from django.conf import settings

from api.errors import ApiError, Problem

SECONDS = 3.0
"""For the whole of a look-up."""
SECONDS_A_TRY = 1.0
TURNS = 1
"""Look-ups at once in a process: silent name servers hold no more of its few threads."""

_logger = logging.getLogger(__name__)
_turns = BoundedSemaphore(TURNS)


def require_text(name: str, text: str) -> None:
    """Raise ``ApiError`` unless a TXT record at ``name``, be it behind a CNAME, holds ``text``.

    400 says what stands in the way; 503 means that it is not known, as nothing could be asked.
    """
    answer = _look_up(name)
    texts = [b"".join(record.strings).decode(errors="replace") for record in answer.rrset or ()]
    if text in (found.strip(' \t"') for found in texts):
        return
    if texts:
        records = "record at {} holds" if len(texts) == 1 else "records at {} hold"
        raise _unproven(f"The TXT {records.format(name)} something else. Add one with exactly: {text}")
    raise _missing(name, answer.canonical_name)


def _look_up(name: str) -> dns.resolver.Answer:
    if not _turns.acquire(blocking=False):
        raise ApiError(Problem.UNAVAILABLE, "Other domains are being checked just now; try again in a few seconds.")
    try:
        return _resolver().resolve(name, "TXT", lifetime=SECONDS, search=False, raise_on_no_answer=False)
    except dns.resolver.NXDOMAIN as error:
        raise _missing(name, error.canonical_name) from error
    except dns.exception.Timeout as error:
        raise _unproven(f"The name servers of {name} did not answer in time; try again in a few minutes.") from error
    except (dns.resolver.NoResolverConfiguration, OSError) as error:
        _logger.exception("no name server can be asked")
        raise ApiError(Problem.UNAVAILABLE, "Domains cannot be checked just now; try again later.") from error
    except dns.exception.DNSException as error:
        raise _unproven(
            f"The name servers of {name} answer with an error; have them checked, and try again then."
        ) from error
    finally:
        _turns.release()


def _resolver() -> dns.resolver.Resolver:
    """Made anew each time: the machine's own name servers may change."""
    resolver = dns.resolver.Resolver(configure=not settings.DNS_SERVERS)
    if settings.DNS_SERVERS:
        resolver.nameservers = [dns.nameserver.Do53Nameserver(*server) for server in settings.DNS_SERVERS]
    resolver.timeout = SECONDS_A_TRY
    return resolver


def _missing(name: str, canonical: dns.name.Name) -> ApiError:
    target = canonical.to_text(omit_final_dot=True)
    if target.lower() != name.lower():
        return _unproven(f"{name} leads to {target} (a CNAME record), where there is no TXT record.")
    return _unproven(f"There is no TXT record at {name} yet. A new one can take up to an hour to be seen; try again.")


def _unproven(message: str) -> ApiError:
    return ApiError(Problem.DOMAIN_NOT_VERIFIED, message)
