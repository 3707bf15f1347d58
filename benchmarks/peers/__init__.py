"""The peers of Rollcall in comparisons: the same answer to the same request, each in the way of its kind.

Every peer verifies the token (ES256, with PyJWT), finds the session, its sign-in and its user in the database, and
gives every field. They do what is measured and no more: no ``org_id``, no visitors, no renewal of tokens. FastAPI gives
an ETag where that is cheap, which is everywhere but in the list of workspace memberships.
"""
