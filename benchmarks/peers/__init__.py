"""What Rollcall is compared with: the same answer to the same request, each in the way of its kind, as well as it goes.

Every peer verifies the token (ES256, with PyJWT), finds the session, its sign-in and its user in the database, and
gives every field. They do what is measured and no more: no ETag, no ``org_id``, no renewal of tokens.
"""
