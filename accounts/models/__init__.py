"""The tables of accounts, and all that other modules use of them."""

from accounts.models.addresses import EmailAddress
from accounts.models.attempts import SignInAttempt, SignUpAttempt
from accounts.models.codes import FailureCount, MailedCode, SpentToken
from accounts.models.counts import CountedUser, DailyCount
from accounts.models.deployments import Deployment, DeploymentAlias, SigningKey
from accounts.models.invitations import Invitation, SignUpInvitation
from accounts.models.mail import Mail, MailText
from accounts.models.sessions import Session, SignIn
from accounts.models.users import Authenticator, BackupCode, User

__all__ = [
    "Authenticator",
    "BackupCode",
    "CountedUser",
    "DailyCount",
    "Deployment",
    "DeploymentAlias",
    "EmailAddress",
    "FailureCount",
    "Invitation",
    "Mail",
    "MailText",
    "MailedCode",
    "Session",
    "SignIn",
    "SignInAttempt",
    "SignUpAttempt",
    "SignUpInvitation",
    "SigningKey",
    "SpentToken",
    "User",
]
