"""The shapes of users, sign-ins and deployments in the OpenAPI document. They describe; ``rendering`` writes."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema_field
from rest_framework import serializers

from accounts.credentials.mfa import SECOND_FACTOR_POLICY
from accounts.models import Deployment, SignInAttempt
from accounts.sign_in.challenges import MAX_TOKEN
from accounts.sign_in.forgotten_passwords import MAX_TOKEN as MAX_RESET_TOKEN
from accounts.sign_in.invitations import Refusal
from accounts.tokens.session_tokens import MAX_LENGTH
from accounts.values.person_fields import MAX_EMAIL, MAX_NAME
from api.requests import MAX_TEXT


@extend_schema_field({"type": "object", "additionalProperties": {}})
class MetadataField(serializers.JSONField):
    """A JSON object with free keys."""


class UserPhoneNumberSerializer(serializers.Serializer):
    """Phone numbers are not kept: every field is empty."""

    id = serializers.CharField()
    phone_number = serializers.CharField()
    country_code = serializers.CharField()
    verified = serializers.BooleanField()
    verified_at = serializers.CharField()


class UserEmailAddressSerializer(serializers.Serializer):
    id = serializers.CharField(help_text='"" if the user has no e-mail address.')
    email = serializers.CharField()
    is_primary = serializers.BooleanField()
    verified = serializers.BooleanField()
    verified_at = serializers.CharField()
    verification_strategy = serializers.CharField()


class UserAuthenticatorSerializer(serializers.Serializer):
    """An authenticator; its secret is shown once, when it is made."""

    id = serializers.CharField()
    created_at = serializers.DateTimeField()
    totp_secret = serializers.CharField(required=False, help_text="Base32.")
    otp_url = serializers.CharField(required=False, help_text="The content of a QR code for authenticator apps.")


class PublicUserDataSerializer(serializers.Serializer):
    """The part of a user that other members may see."""

    id = serializers.CharField()
    first_name = serializers.CharField()
    last_name = serializers.CharField()
    username = serializers.CharField()
    availability = serializers.CharField(help_text="`available`: users cannot say otherwise yet.")
    has_profile_picture = serializers.CharField(help_text='`true`, or "" if there is none.')
    profile_picture_url = serializers.CharField(help_text='"" if there is none. Another picture has another address.')
    primary_phone_number = UserPhoneNumberSerializer()
    primary_email_address = UserEmailAddressSerializer()


class CurrentUserBaseSerializer(PublicUserDataSerializer):
    """A CurrentUser without the segments."""

    primary_email_address_id = serializers.CharField()
    primary_phone_number_id = serializers.CharField()
    second_factor_policy = serializers.CharField()
    user_email_addresses = UserEmailAddressSerializer(many=True)
    user_phone_numbers = UserPhoneNumberSerializer(many=True)
    social_connections = serializers.ListField(child=MetadataField())
    user_authenticator = UserAuthenticatorSerializer(required=False, help_text="Only if the user has one.")
    authenticators = UserAuthenticatorSerializer(many=True)
    backup_codes_generated = serializers.BooleanField()
    has_password = serializers.BooleanField()
    has_passkeys = serializers.BooleanField()
    public_metadata = MetadataField()


@extend_schema_field({"type": "string", "format": "binary"})
class UploadField(serializers.FileField):
    """A file in a form. Django REST framework's own is described as the address that answers give a file."""


class PictureSerializer(serializers.Serializer):
    file = UploadField(allow_empty_file=True)


class UpdateUserSerializer(serializers.Serializer):
    first_name = serializers.CharField(required=False, allow_blank=True, max_length=MAX_NAME)
    last_name = serializers.CharField(required=False, allow_blank=True, max_length=MAX_NAME)
    username = serializers.CharField(
        required=False, allow_blank=True, max_length=MAX_NAME, help_text="No spaces, no @, and not a number."
    )
    second_factor_policy = serializers.ChoiceField(required=False, choices=[SECOND_FACTOR_POLICY])


class SigninAttemptSerializer(serializers.Serializer):
    """A sign-in with the right password. Its MFA code is awaited, or came with this request."""

    id = serializers.CharField()
    email = serializers.CharField()
    session_id = serializers.CharField()
    method = serializers.ChoiceField(choices=SignInAttempt.Method.choices)
    sso_provider = serializers.CharField()
    expires_at = serializers.DateTimeField()
    first_method_authenticated = serializers.BooleanField()
    second_method_authenticated = serializers.BooleanField()
    second_method_authentication_required = serializers.BooleanField()
    available_2fa_methods = serializers.ListField(
        child=serializers.CharField(), help_text="`authenticator` and `backup_code`, as far as the user has them."
    )
    user_id = serializers.CharField()
    current_step = serializers.CharField(
        help_text='`verify_email_otp`, `verify_second_factor`, or "" once all is done.'
    )
    completed = serializers.BooleanField()


class SignupAttemptSerializer(serializers.Serializer):
    """A sign-up. It awaits the code of a mail, or is completed by this request."""

    id = serializers.CharField()
    session_id = serializers.CharField()
    first_name = serializers.CharField()
    last_name = serializers.CharField()
    email = serializers.CharField()
    username = serializers.CharField()
    phone_number = serializers.CharField(help_text="Phone numbers are not kept.")
    password = serializers.CharField(help_text='Always "".')
    required_fields = serializers.ListField(child=serializers.CharField())
    missing_fields = serializers.ListField(
        child=serializers.CharField(),
        help_text="`username` in a completed attempt if somebody else has it: the user was made without.",
    )
    current_step = serializers.CharField(help_text='`verify_email`, or "" once all is done.')
    remaining_steps = serializers.ListField(child=serializers.CharField())
    completed = serializers.BooleanField()


class TextField(serializers.RegexField):
    """A text as ``api.requests.text_field`` takes it."""

    def __init__(self, *, max_length: int = MAX_TEXT, **kwargs: Any) -> None:
        super().__init__(r"^[^\x00]+$", min_length=1, max_length=max_length, **kwargs)


def constant(value: str) -> serializers.Field:
    """A field that has this value and no other."""
    field: type[serializers.CharField] = type("ConstantField", (serializers.CharField,), {})
    extend_schema_field({"type": "string", "const": value})(field)
    return field()


def challenge_token_field() -> serializers.Field:
    return serializers.CharField(
        required=False,
        max_length=MAX_TOKEN,
        help_text="The token of `/captcha/redeem`, if the deployment demands one.",
    )


class SignInByEmailSerializer(serializers.Serializer):
    strategy = constant("plain_email")
    email = TextField()
    password = TextField()
    challenge_token = challenge_token_field()


class SignInByUsernameSerializer(serializers.Serializer):
    strategy = constant("plain_username")
    username = TextField()
    password = TextField()
    challenge_token = challenge_token_field()


class SignInByMailedCodeSerializer(serializers.Serializer):
    strategy = constant("email_otp")
    email = TextField(max_length=254)
    challenge_token = challenge_token_field()


class OptionalTextField(serializers.RegexField):
    """A text as ``api.requests.optional_text_field`` takes it."""

    def __init__(self, *, max_length: int = MAX_TEXT, **kwargs: Any) -> None:
        super().__init__(r"^[^\x00]*$", required=False, max_length=max_length, **kwargs)


class SignUpRequestSerializer(serializers.Serializer):
    """A new user. Further fields, such as ``phone_number``, are ignored."""

    first_name = OptionalTextField(max_length=MAX_NAME)
    last_name = OptionalTextField(max_length=MAX_NAME)
    email = TextField(max_length=MAX_EMAIL)
    username = OptionalTextField(max_length=MAX_NAME, help_text="No spaces, no @, and not a number.")
    password = TextField()
    invite_token = OptionalTextField(
        help_text="That of an invitation's link: where only the invited may sign up, or to join an organization."
    )
    challenge_token = challenge_token_field()


class InvitationSerializer(serializers.Serializer):
    """An invitation with which to sign up, if it is good; else the reason why it is not."""

    valid = serializers.BooleanField()
    first_name = serializers.CharField(required=False)
    last_name = serializers.CharField(required=False)
    email = serializers.CharField(required=False, help_text="The address that was invited: no other may sign up.")
    message = serializers.CharField(required=False)
    error_code = serializers.ChoiceField(
        required=False, choices=[f"invitation_{refusal.name.lower()}" for refusal in Refusal]
    )


class ForgotPasswordRequestSerializer(serializers.Serializer):
    """An address, and in the second step the code that was sent to it."""

    email = TextField(max_length=MAX_EMAIL)
    otp = OptionalTextField(max_length=50, help_text="The code of the mail.")


class ForgotPasswordSerializer(serializers.Serializer):
    token = serializers.CharField(required=False, help_text="For `/auth/reset-password`; in the second step alone.")


class ResetPasswordRequestSerializer(serializers.Serializer):
    token = TextField(max_length=MAX_RESET_TOKEN)
    password = TextField()


class SentCodeSerializer(serializers.Serializer):
    """A code was sent, if anybody has the address."""

    otp_sent = serializers.BooleanField()
    masked_email = serializers.CharField()
    verification_method = serializers.CharField()


class SignInByOutsideTokenSerializer(serializers.Serializer):
    strategy = constant("outside_token")
    token = TextField(max_length=MAX_LENGTH, help_text="The JWT of an outside issuer that the deployment trusts.")


SIGN_IN_REQUEST = PolymorphicProxySerializer(
    component_name="SignInRequest",
    serializers={
        "plain_email": SignInByEmailSerializer,
        "plain_username": SignInByUsernameSerializer,
        "email_otp": SignInByMailedCodeSerializer,
        "outside_token": SignInByOutsideTokenSerializer,
    },
    resource_type_field_name="strategy",
)


class IdentifyRequestSerializer(serializers.Serializer):
    identifier = TextField(help_text="An e-mail address or a username.")
    challenge_token = challenge_token_field()


class IdentifiedSerializer(serializers.Serializer):
    """How whoever this is signs in."""

    strategy = serializers.ChoiceField(choices=["password"])


class ChallengeSizeSerializer(serializers.Serializer):
    c = serializers.IntegerField(help_text="The number of puzzles.")
    s = serializers.IntegerField(help_text="The length of each salt.")
    d = serializers.IntegerField(help_text="The length of the beginning that each hash must have, in hexadecimal.")


class ChallengeSerializer(serializers.Serializer):
    """A proof of work, as the public Cap widget takes it."""

    challenge = ChallengeSizeSerializer()
    token = serializers.CharField(help_text="The salts and beginnings follow from it.")
    expires = serializers.IntegerField(help_text="Milliseconds since 1970.")


class RedeemRequestSerializer(serializers.Serializer):
    token = TextField(max_length=MAX_TOKEN)
    solutions = serializers.ListField(child=serializers.IntegerField(min_value=0), min_length=1)


class RedeemedSerializer(serializers.Serializer):
    """The token with which a call may be made that demands one, once."""

    success = serializers.BooleanField()
    token = serializers.CharField()
    expires = serializers.IntegerField(help_text="Milliseconds since 1970.")


class VerifyOTPRequestSerializer(serializers.Serializer):
    verification_code = TextField(max_length=50, help_text="Of the authenticator, a backup code, or that of a mail.")


class StepUpSerializer(serializers.Serializer):
    """Proof, beyond the session, that the users themselves change their MFA."""

    verification_code = serializers.CharField(
        required=False, help_text="Of the present authenticator, or a backup code; for users who have one."
    )
    password = serializers.CharField(
        required=False,
        help_text="For users without authenticator who signed in more than ten minutes ago.",
    )


class VerifyAuthenticatorSerializer(serializers.Serializer):
    authenticator_id = serializers.RegexField("^[0-9]{1,19}$")
    codes = serializers.ListField(child=TextField(), min_length=2, max_length=2, help_text="Two successive codes.")


class B2BSettingsSerializer(serializers.Serializer):
    """The features of organizations and workspaces in this deployment."""

    id = serializers.CharField()
    deployment_id = serializers.CharField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    deleted_at = serializers.DateTimeField(allow_null=True)
    organizations_enabled = serializers.BooleanField()
    workspaces_enabled = serializers.BooleanField()
    ip_allowlist_per_org_enabled = serializers.BooleanField()
    ip_allowlist_per_workspace_enabled = serializers.BooleanField()
    enforce_mfa_per_org_enabled = serializers.BooleanField()
    enforce_mfa_per_workspace_enabled = serializers.BooleanField()
    enterprise_sso_enabled = serializers.BooleanField()
    allow_users_to_create_orgs = serializers.BooleanField()
    allow_org_deletion = serializers.BooleanField()
    allow_workspace_deletion = serializers.BooleanField()
    custom_org_role_enabled = serializers.BooleanField()
    custom_workspace_role_enabled = serializers.BooleanField()
    limit_org_creation_per_user = serializers.BooleanField()
    limit_workspace_creation_per_org = serializers.BooleanField()
    org_creation_per_user_count = serializers.IntegerField()
    workspaces_per_org_count = serializers.IntegerField()
    max_orgs_per_user = serializers.IntegerField()
    max_allowed_org_members = serializers.IntegerField()
    max_allowed_workspace_members = serializers.IntegerField()
    default_workspace_creator_role_id = serializers.CharField()
    default_workspace_member_role_id = serializers.CharField()
    default_org_creator_role_id = serializers.CharField()
    default_org_member_role_id = serializers.CharField()
    workspace_permissions = serializers.ListField(child=serializers.CharField())
    organization_permissions = serializers.ListField(child=serializers.CharField())


class DeploymentSerializer(serializers.Serializer):
    """The settings that a front-end needs before it shows anything."""

    id = serializers.CharField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    deleted_at = serializers.DateTimeField(allow_null=True)
    maintenance_mode = serializers.BooleanField()
    backend_host = serializers.CharField()
    frontend_host = serializers.CharField()
    mail_from_host = serializers.CharField()
    publishable_key = serializers.CharField()
    project_id = serializers.CharField()
    mode = serializers.ChoiceField(choices=Deployment.Mode.choices)
    social_connections = serializers.ListField(child=MetadataField())
    b2b_settings = B2BSettingsSerializer()
    auth_settings = MetadataField(help_text="The ways to sign in, and the fields of a sign-up.")
    restrictions = MetadataField(help_text="Who may sign up.")
    ui_settings = MetadataField(help_text="Names and addresses for the front-end.")


class JwkSerializer(serializers.Serializer):
    """A public key (RFC 7517)."""

    kty = serializers.CharField()
    crv = serializers.CharField()
    x = serializers.CharField()
    y = serializers.CharField()
    kid = serializers.CharField()
    use = serializers.CharField()
    alg = serializers.CharField()


class JwksSerializer(serializers.Serializer):
    keys = JwkSerializer(many=True)
