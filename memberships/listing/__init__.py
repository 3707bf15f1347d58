"""GET /me/workspace-memberships. Each module imports only from those before it:

fragments < statement < composing < poll
"""
